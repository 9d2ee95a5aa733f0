"""The first Python that runs: find the package, then hand over to `gatesh.__main__`.

Called by the native client as `python -I -S front.py IGNORED ARGV0 ARG…`; IGNORED is a
hexadecimal mask of the signals that were ignored when that one started.
"""

import sys

if __name__ == "__main__":
    if "/" in __file__ and sys.flags.no_site:
        # After the standard library, so that nothing installed beside gatesh can shadow it.
        sys.path.append(__file__.rsplit("/", 3)[0])
    from gatesh.__main__ import enter

    enter([a.encode("utf-8", "surrogateescape") for a in sys.argv[2:]], int(sys.argv[1], 16))
