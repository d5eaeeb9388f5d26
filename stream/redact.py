"""Camera addresses hold passwords; nothing that a person or a log may see holds them."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
_IN_TEXT: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>]*")
# Some cameras take credentials in the path: rtsp://host/user=admin_password=x_channel=1.sdp
_IN_PATH: Final = re.compile(r"[^/&;]*(?:user|login|pass|pwd|token|key|auth|secret)[^/=]*=", re.IGNORECASE)


def redact(address: str) -> str:
    """One address with user, password and query hidden; what is ambiguous is hidden rather than shown.

    Raises nothing; a text without ``://`` is a path and comes back as it is.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    query = min((at for at in (rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    user = rest.rfind("@")
    if user > query:  # a ? in the password, or an @ in the query: nobody can tell
        return f"{scheme}://{HIDDEN}"
    shown, tail = rest[user + 1 : query], rest[query : query + 1]
    secret = _IN_PATH.search(shown)
    if secret:
        shown, tail = shown[: secret.start()] + HIDDEN, ""
    return f"{scheme}://{HIDDEN + '@' if user >= 0 else ''}{shown}{tail + HIDDEN if tail else ''}"


def redact_text(text: str) -> str:
    """``text`` with every address in it redacted; for messages of libraries, which quote what they opened."""
    return _IN_TEXT.sub(lambda match: redact(match[0]), text)
