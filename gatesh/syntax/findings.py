"""The fixed words of FINDING subjects: what rules `on: finding` can match.

Each says that something about the line cannot be known from its text.
"""

from __future__ import annotations

from typing import Final

DYNAMIC_PROGRAM: Final = "dynamic-program"
DYNAMIC_CODE: Final = "dynamic-code"
DECODED_CODE: Final = "decoded-code"
CODE_FROM_DATA: Final = "code-from-data"
CODE_IN_ENV: Final = "code-in-env"
SHADOWED_PROGRAM: Final = "shadowed-program"
UNREAD_CODE: Final = "unread-code"
UNSURE_FILE: Final = "unsure-file"
OPAQUE: Final = "opaque"

MEANING: Final[dict[str, str]] = {
    DYNAMIC_PROGRAM: "which program runs is only known when it runs",
    DYNAMIC_CODE: "text that is run as shell code is only known when it runs",
    DECODED_CODE: "code is decoded, decompressed or decrypted and then run",
    CODE_FROM_DATA: "code comes from the network or from a file the same line writes, and is run",
    CODE_IN_ENV: "a variable is set that makes other programs run code",
    SHADOWED_PROGRAM: "a well-known name is made to mean another program",
    UNREAD_CODE: "a script that would run is there but could not be read",
    # Not worth a pause by itself: build scripts (gradlew, configure) are full of `"$CMD"`.
    UNSURE_FILE: "a script file has parts that cannot be known; for the record",
    OPAQUE: "cannot be read with certainty: broken, too deep, too large, or ambiguous",
}
