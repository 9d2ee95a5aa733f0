"""Would the real shell refuse this line outright?  Then there is nothing to hold.

Text that our parser cannot read needs approval.  Often it is a plain mistake that
no shell accepts either; stopping an agent for minutes to tell it about a missing
quote helps nobody.  A line is taken for refused only where that is certain: the
shell reads a line whole before it runs any of it, so one line (and no more) that
`-n` rejects, with no options and no variables that change the grammar, runs nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

# Options by environment, aliases and extglob by BASH_ENV: another grammar than `-n` would see.
CHANGES = frozenset([b"BASH_ENV", b"ENV", b"SHELLOPTS", b"BASHOPTS", b"POSIXLY_CORRECT"])
LOCALE = frozenset([b"LANG", b"LC_ALL", b"LC_CTYPE"])


def refused(
    shell: str, options: tuple[bytes, ...], script: bytes, env: Mapping[bytes, bytes]
) -> bool:
    """Tell whether *shell* called with *options* and *script* would run nothing at all.

    Starts the shell with `-n`, which reads and runs nothing.
    """
    if options != (b"-c",) or b"\n" in script.rstrip(b"\n") or b"\0" in script:
        return False
    if CHANGES & env.keys() or not script.isascii():
        return False
    locale = {name: value for name, value in env.items() if name in LOCALE}
    try:
        done = subprocess.run(
            [shell, "-n", "-c", script],
            env={b"PATH": b"/usr/bin:/bin", **locale},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 2
