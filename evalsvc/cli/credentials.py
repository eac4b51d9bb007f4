"""Where the command line remembers the service and the token: a file only its owner can read."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from evalsvc.domain.errors import NotSignedIn


@dataclass(frozen=True)
class Credentials:
    url: str
    token: str


def credentials_file() -> Path:
    """`EVALSVC_CREDENTIALS`, or credentials.json in the user's configuration folder."""
    named = os.environ.get("EVALSVC_CREDENTIALS")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("evalsvc")) / "credentials.json"


def load_credentials() -> Credentials:
    """What `EVALSVC_URL` and `EVALSVC_TOKEN` say, or the file.  Raises `NotSignedIn`."""
    url, token = os.environ.get("EVALSVC_URL"), os.environ.get("EVALSVC_TOKEN")
    if token is not None:
        token = usable_token(token)
    if url and token:
        return Credentials(url, token)
    path = credentials_file()
    try:
        saved = json.loads(path.read_text())
        return Credentials(url or str(saved["url"]), token or str(saved["token"]))
    except FileNotFoundError:
        raise NotSignedIn("You are not signed in: type `evalsvc login URL` first.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise NotSignedIn(f"{path} cannot be read: type `evalsvc login URL` again.") from None


def usable_token(text: str) -> str:
    """What can go into a header.  Raises `NotSignedIn` for anything else."""
    token = text.strip()
    if not (token.isascii() and token.isprintable()):
        raise NotSignedIn("That is not a token: use the one a maintainer gave you, as it is.")
    return token


def save_credentials(credentials: Credentials) -> Path:
    """Keep them, readable by the owner alone from the first byte."""
    path = credentials_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"url": credentials.url, "token": credentials.token}, file)
    temporary.replace(path)
    return path
