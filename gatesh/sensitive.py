"""Which variables probably hold something not to be shown or kept."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"SECRET|TOKEN|PASS(WD|WORD|PHRASE)?|PWD|CREDENTIAL|(^|_)(KEY|PAT|AUTH|DSN|COOKIE|SESSION)(_|$)"
    r"|APIKEY|ACCESS_?KEY|PRIVATE|_URL$|_URI$|CONNECTION_STRING",
    re.IGNORECASE,
)
_NOT_SECRET = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "AWS_SESSION_NAME"})


def secret_looking(name: str) -> bool:
    """Whether a variable of this name probably holds something not to be shown or kept.

    >>> [secret_looking(n) for n in ("AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "PATH", "PWD")]
    [True, True, False, False]
    """
    return name not in _NOT_SECRET and _SECRET.search(name) is not None
