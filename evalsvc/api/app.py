"""The HTTP application: who is asking, the table of errors, and the routes."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from evalsvc import __version__
from evalsvc.api.errors import http_status
from evalsvc.api.limits import BodyLimit
from evalsvc.api.routes import router
from evalsvc.api.schemas import ErrorBody
from evalsvc.api.services import Services
from evalsvc.domain.errors import EvalsvcError, QuotaExceeded


def create_app(services: Services) -> FastAPI:
    """The application; every error of ours becomes its status and one sentence, never a traceback."""
    app = FastAPI(title="evalsvc", version=__version__, docs_url=None, redoc_url=None)
    app.state.services = services
    app.include_router(router)
    app.add_middleware(BodyLimit)
    app.add_exception_handler(EvalsvcError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_unforeseen)
    return app


def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EvalsvcError)  # noqa: S101 - registered for this class alone
    next_slot = error.next_slot if isinstance(error, QuotaExceeded) else None
    body = ErrorBody(code=error.code, message=str(error), next_slot=next_slot)
    return JSONResponse(body.model_dump(mode="json"), status_code=http_status(error))


def _answer_unforeseen(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours: the maintainers' log has it, the answer says nothing of it."""
    structlog.get_logger("evalsvc.api").error("request failed", path=request.url.path, exc_info=error)
    body = ErrorBody(
        code="error",
        message="The service failed; its maintainers' log says why. `evalsvc status` shows what came of it.",
    )
    return JSONResponse(body.model_dump(mode="json"), status_code=500)


def _answer_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    body = ErrorBody(code="invalid_input", message=f"The request's {where} is not right: {first['msg']}.")
    return JSONResponse(body.model_dump(mode="json"), status_code=422)
