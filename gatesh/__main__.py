"""Which side is being called?  Imports only that side.

gatesh pending, gatesh approve ID, …        people's commands    → `gatesh.cli`
gatesh broker run --notify N                the process          → `gatesh.broker`
gatesh -c CMD, gatesh FILE, bash -lc CMD    a shell              → `gatesh.client`
"""

import sys

PEOPLE = frozenset(
    "answer approve ask audit broker cancel check doctor export head init keys kill ledger"
    " log override pending people propose reject replay report review revoke rules setup shims show"
    " sign submit unseal wait watch".split()
)


def is_for_people(argv: "list[bytes]") -> bool:
    """Tell a people's command from a call as a shell.

    Only under gatesh's own name: a program called `bash` must run a script that
    is called `pending`.  Under its own name such a script runs as `gatesh ./pending`.
    """
    name = argv[0].rsplit(b"/", 1)[-1]
    if name not in (b"gatesh", b"gatesh-python") or len(argv) < 2:
        return False
    if argv[1] in (b"--help", b"--version"):
        return len(argv) == 2
    return argv[1].decode("utf-8", "replace") in PEOPLE


def enter(argv: "list[bytes]", ignored: "int | None") -> None:
    """Run the side that *argv* asks for; does not return.

    *ignored* is the mask of signals that were ignored at the very start, None
    when nobody looked before Python did.
    """
    import posix

    completing = b"_GATESH_COMPLETE" in posix.environ or b"_TYPER_COMPLETE_ARGS" in posix.environ
    if not completing and not is_for_people(argv):
        from gatesh.client.ask import main as ask

        ask(argv, ignored)
    if sys.flags.no_site:
        # typer, rich and the rest are found by site: start again with it.  `-I` stays:
        # the working directory and PYTHONPATH may belong to the agent.
        python = sys.executable.encode()
        posix.execv(python, [python, b"-I", b"-m", b"gatesh", *argv[1:]])
    from gatesh.cli import main as people

    people([a.decode("utf-8", "surrogateescape") for a in argv[1:]])


def main() -> None:
    """Entry point of `gatesh-python`, of `python -m gatesh`, and of `gatesh` without a compiler."""
    zero, *arguments = [a.encode("utf-8", "surrogateescape") for a in sys.argv]
    if zero.rsplit(b"/", 1)[-1] not in (b"bash", b"sh", b"zsh"):
        zero = b"gatesh"  # a link named as a shell is that shell
    enter([zero, *arguments], None)


if __name__ == "__main__":
    main()
