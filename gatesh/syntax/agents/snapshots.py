"""The scripts with which clients take a snapshot of the user's shell.

They are long, belong to the clients and change with their versions, so what is
kept of each is a digest.  The few places that vary are checked one by one and
replaced by a NUL byte, which no argument can hold, so nobody can put it there
beforehand; the rest must be the recorded text to the byte.  A script that is
not known is judged as any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gatesh.syntax.agents.preamble import Call, Preamble, own_call
from gatesh.syntax.agents.quoting import is_path

#: SHA-256 of what `skeleton` leaves of a recorded script, and whose it is.
KNOWN: Mapping[str, str] = {
    # Claude Code 2.1.197 on bash: with ~/.bashrc, and without start-up file
    "3537bf046190a5880b70ccfad2dd5cb9ba0450ad78a10bc2eb5ad4513ab75c31": "claude-code",
    "f815851ce08747af8abfcb6c6b541b4c78c2d7b5ec0221c823f511a5eccff11f": "claude-code",
    # codex 0.169.0 on bash; nothing in it varies
    "6414b5f0a9e24341a4f2215ad77a0ae9b1871bcfa1dfff48260df5e29f4f8638": "codex",
}

_PATH = rb"(?:/[A-Za-z0-9_@%+=:,.-]+)+"
_FILE = re.compile(
    rb"\ASNAPSHOT_FILE=(" + _PATH + rb"/shell-snapshots/snapshot-bash-[0-9]+-[a-z0-9]+\.sh)\n"
)
_RC = re.compile(rb'\n      source "(' + _PATH + rb'/\.(?:bashrc|bash_profile|profile))" <')
_BINARY = re.compile(rb" \|\| _cc_bin=" + _PATH + rb"/claude\n")
_EXPORT = re.compile(
    rb" << 'PATH_END_([a-z0-9]+)'\nexport PATH=[A-Za-z0-9_@%+=:,./-]+\nPATH_END_\1\n"
)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A script without what varies in it, and what of that it reads and writes."""

    text: bytes
    sources: tuple[bytes, ...] = ()
    writes: tuple[bytes, ...] = ()


def skeleton(script: bytes) -> Skeleton:
    """Return *script* with each variable place replaced by a NUL byte.

    A place that is not in its one harmless form stays, and spoils the digest.
    """
    text, writes = _cut(script, _FILE, b"SNAPSHOT_FILE=\0\n")
    text, sources = _cut(text, _RC, b'\n      source "\0" <')
    text = _BINARY.sub(b" || _cc_bin=\0\n", text)
    text = _EXPORT.sub(b" << 'PATH_END_\0'\nexport PATH=\0\nPATH_END_\0\n", text, count=1)
    return Skeleton(text, sources, writes)


def _cut(text: bytes, place: re.Pattern[bytes], bare: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    match = place.search(text)
    if match is None or not is_path(match[1]):
        return text, ()
    return text[: match.start()] + bare + text[match.end() :], (match[1],)


def recognise(call: Call, known: Mapping[str, str] = KNOWN) -> Preamble | None:
    """Know the creation of a snapshot."""
    if b"Snapshot file" not in call.script:
        return None
    bare = skeleton(call.script)
    agent = known.get(hashlib.sha256(bare.text).hexdigest())
    if agent is None:
        return None
    return own_call(agent, call.script, sources=bare.sources, writes=bare.writes)
