"""The name an image has inside one attempt.

Whoever stages and whoever scores must agree on it, and nobody without the attempt's key may invert it: a
submission must not find out from a name which image of the published or private files it looks at, nor recognise
it in its next attempt.
"""

import hashlib
import hmac

NAME_DIGITS = 32
"""Hexadecimal digits kept of the HMAC: 128 bits, so that two of a million images never meet."""


def staged_name(key: bytes, path: str) -> str:
    """The staged file name of the image at `path` (as in the manifest: `<split>/<filename>`) under `key`."""
    digest = hmac.new(key, path.encode(), hashlib.sha256).hexdigest()
    return digest[:NAME_DIGITS] + ".png"
