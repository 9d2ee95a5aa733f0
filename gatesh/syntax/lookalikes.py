"""Names made of letters that only look like those of a well-known program."""

from __future__ import annotations

import unicodedata

# Letters of other alphabets that print like Latin ones.
_LIKE = str.maketrans(
    "асԁеһіјӏорԛѕѵԝхуɡıոονкмптгАВСЕНІЈКМОРЅТУХακρτυιѡьвн",
    "acdehijlopqsvwxyginovkmntrABCEHIJKMOPSTYXakptuiwbbh",
)


def meant(name: str) -> str | None:
    """Return the plain name that *name* looks like, None if it does not pretend to be one.

    >>> meant("ｒｍ"), meant("rm\\u200b"), meant("größe")
    ('rm', 'rm', None)
    """
    if name.isascii():
        return None
    folded = unicodedata.normalize("NFKC", name).translate(_LIKE)
    plain = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Mn", "Me"))
    return plain if plain.isascii() and plain else None
