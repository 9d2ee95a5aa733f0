"""Where an agent's own container forbids Unix sockets: nothing runs, and the text says why."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess

import pytest

# <linux/seccomp.h>, <linux/prctl.h>: numbers of socket(2) and connect(2), and the machine's.
CALLS = {"x86_64": (41, 42), "aarch64": (198, 203)}
NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
ALLOW, EPERM = 0x7FFF0000, 0x00050001
AF_UNIX = 1

# What clients take as leave to run the command again outside (codex, gemini-cli).
TAKEN_FOR_A_REFUSAL = (
    "permission denied",
    "operation not permitted",
    "read-only file system",
    "sandbox",
    "seccomp",
    "landlock",
    "failed to write file",
)


def forbid(what: str) -> None:
    """Have the kernel refuse Unix sockets from here on, as the containers of two clients do."""
    socket, connect = CALLS[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    if what == "socket":  # Claude Code: socket(AF_UNIX, …)
        lines = [
            (load, 0, 0, 0),
            (equal, 0, 3, socket),
            (load, 0, 0, 16),
            (equal, 0, 1, AF_UNIX),
            (give, 0, 0, EPERM),
            (give, 0, 0, ALLOW),
        ]
    else:  # codex: connect(…)
        lines = [
            (load, 0, 0, 0),
            (equal, 0, 1, connect),
            (give, 0, 0, EPERM),
            (give, 0, 0, ALLOW),
        ]
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((NO_NEW_PRIVS, 1, 0, 0, 0), (SET_SECCOMP, FILTER, program, 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.skipif(platform.machine() not in CALLS, reason="numbers of system calls not known")
@pytest.mark.parametrize("what", ["socket", "connect"])
def test_nothing_runs_and_the_setting_is_named(world, shims, what):
    """
    A client that reads "not permitted" offers to run the command again without its
    container; so the words are others, and they name what to change.
    """
    env = {**world.env, "BASH_ENV": str(shims / "bash-env.sh")}
    proof = world.work / "proof"
    for program in (shims / "bash", "/bin/bash"):  # by name, and by the bridge
        done = subprocess.run(
            [program, "-c", f"touch {proof}; echo ran"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: forbid(what),
        )
        assert (done.returncode, done.stdout) == (125, "")
        assert "network.allowAllUnixSockets" in done.stderr
        assert "network_access = true" in done.stderr
        assert "the command was not run" in done.stderr
        assert not [word for word in TAKEN_FOR_A_REFUSAL if word in done.stderr.lower()]
        assert len(done.stderr.splitlines()) == 2
        assert done.stderr.isascii()
    assert not os.path.exists(proof)
