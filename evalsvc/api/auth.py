"""Who is asking."""

from typing import Annotated

from fastapi import Depends, Header, Request

from evalsvc.api.services import Services
from evalsvc.domain.errors import NotSignedIn
from evalsvc.store.tables import Team
from evalsvc.store.teams import team_of_token


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(services_of)]


def signed_in(parts: Parts, authorization: Annotated[str, Header()] = "") -> Team:
    """The team a bearer token speaks for.  Raises `NotSignedIn` for every other request."""
    scheme, _, token = authorization.partition(" ")
    with parts.store.read() as session:
        team = team_of_token(session, token.strip()) if scheme.lower() == "bearer" else None
    if team is None:
        raise NotSignedIn("No valid token came with the request: sign in with `evalsvc login URL`.")
    return team


Asking = Annotated[Team, Depends(signed_in)]
