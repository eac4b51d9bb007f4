"""How much a request may send: the body is read before a token is looked at, so anybody could send much."""

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalsvc.api.schemas import ErrorBody

MAX_BODY = 64 * 1024
"""Bytes: a request of ours is a few hundred."""


class BodyLimit:
    """Ends a request whose body is longer than `MAX_BODY`, announced or not, without keeping it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the client has gone
                return
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                await _refuse(send)
                return
            if not message.get("more_body", False):
                break
        await self._app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay


async def _refuse(send: Send) -> None:
    message = f"The request is longer than {MAX_BODY} bytes; none of this service is."
    body = json.dumps(ErrorBody(code="too_large", message=message).model_dump(mode="json")).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
