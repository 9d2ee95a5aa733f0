"""Compile the native client: `python native/build.py PROGRAM [FLAG…]`.

Needs a C compiler and nothing else; with musl (`musl-gcc`, package musl-tools) the client
starts quicker.  The few facts it shares with the Python client
(the people's commands, the limits of the protocol) are written into `generated.h`
from the Python modules, so that each stands in one place.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]
HARDENED = ["-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-Wl,-z,relro,-z,now"]
# Without a dynamic linker it starts in two thirds of the time; it needs nothing but system calls.
STATIC = ["-fPIE", "-static-pie"]
DYNAMIC = ["-fPIE", "-pie"]


def compiler() -> str | None:
    """Return the C compiler to use, None when there is none."""
    return os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")


def sources() -> list[str]:
    """Return every source file of the client."""
    return sorted(map(str, HERE.glob("*.c")))


def header() -> str:
    """Return `generated.h`: what the Python modules say."""
    package = HERE.parent / "gatesh"
    wire = runpy.run_path(str(package / "wire.py"))
    place = runpy.run_path(str(package / "socketpath.py"))
    main = runpy.run_path(str(package / "__main__.py"), run_name="gatesh.__main__ to read")
    people = ", ".join(f'"{word}"' for word in sorted(main["PEOPLE"]))
    return (
        f"#define PEOPLE {people}\n"
        f"#define WIRE_VERSION {wire['VERSION']}\n"
        f"#define WIRE_MAX_FRAME {wire['MAX_FRAME']}u\n"
        f"#define WIRE_MAX_FDS {wire['MAX_FDS']}\n"
        f'#define GUARDED "{place["GUARDED"].decode("ascii")}"\n'
    )


def build(
    program: str, *flags: str, files: list[str] | None = None, with_: str | None = None
) -> None:
    """Compile *files* (default: the client) into *program* with exactly *flags* besides `FLAGS`.

    *with_* is another compiler than the usual one.  Raises `subprocess.CalledProcessError` when
    it refuses.
    """
    found = with_ or compiler()
    if found is None:
        raise FileNotFoundError("no C compiler")
    with tempfile.TemporaryDirectory(prefix="gatesh-build-") as place:
        (Path(place) / "generated.h").write_text(header(), "ascii")
        includes = ["-I", place, "-I", str(HERE)]
        files = sources() if files is None else files
        subprocess.run([found, *FLAGS, *includes, "-o", program, *files, *flags], check=True)


def has(*flags: str, with_: str | None = None) -> bool:
    """Tell whether a program can be made with *flags* here."""
    with tempfile.TemporaryDirectory(prefix="gatesh-build-") as place:
        source = Path(place) / "nothing.c"
        source.write_text("int main(void) { return 0; }\n", "ascii")
        call = [
            with_ or compiler() or "cc",
            *FLAGS,
            "-o",
            str(source.with_suffix("")),
            str(source),
            *flags,
        ]
        try:
            return subprocess.run(call, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


def build_client(program: str) -> None:
    """Compile the client as it is shipped: static where the C library can be had so.

    With musl where it is installed and no other compiler is asked for: glibc looks at every
    cache of the processor before `main`, which a virtual machine makes slow (half a millisecond).
    """
    musl = None if "CC" in os.environ else shutil.which("musl-gcc")
    if musl is not None and has(*HARDENED, *STATIC, with_=musl):
        build(program, *HARDENED, *STATIC, "-s", with_=musl)
    else:
        kind = STATIC if has(*STATIC) else DYNAMIC
        build(program, *HARDENED, *kind, "-s")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        build(sys.argv[1], *sys.argv[2:])
    else:
        build_client(sys.argv[1])
