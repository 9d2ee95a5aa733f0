"""A client for ssh-agent, no larger than needed: list keys, sign (draft-ietf-sshm-ssh-agent).

The agent is another process and may be a forwarded one: every length is bounded, every wait ends.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from gatesh.errors import KeyTrouble
from gatesh.keys.publickey import BadKey, PublicKey
from gatesh.keys.sshwire import Reader, Truncated, string, u32

_LIST, _LISTED = 11, 12
_SIGN, _SIGNED = 13, 14
_LONGEST = 256 * 1024  # as OpenSSH bounds its own messages
_MOST_KEYS = 2048
_LIST_SECONDS = 5.0
_SIGN_SECONDS = 120.0  # the agent may wait for a touch or a confirmation


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent behind one socket."""

    path: str

    @classmethod
    def from_environment(cls) -> Agent | None:
        """Return the agent that SSH_AUTH_SOCK names, or None."""
        path = os.environ.get("SSH_AUTH_SOCK")
        return cls(path) if path else None

    def keys(self) -> tuple[tuple[PublicKey, str], ...]:
        """Return the Ed25519 keys it holds, each with its comment; other types are passed over."""
        reader = self._ask(bytes([_LIST]), _LISTED, _LIST_SECONDS)
        found: list[tuple[PublicKey, str]] = []
        try:
            if (count := reader.u32()) > _MOST_KEYS:
                raise KeyTrouble(f"ssh-agent claims to hold {count} keys")
            for _ in range(count):
                blob, comment = reader.string(), reader.string().decode("utf-8", "replace")
                try:
                    found.append((PublicKey.from_blob(blob), comment))
                except BadKey:
                    continue
            reader.end()
        except Truncated as problem:
            raise KeyTrouble(f"ssh-agent answered with a broken list: {problem}") from None
        return tuple(found)

    def sign(self, key: PublicKey, data: bytes) -> bytes:
        """Return the SSH signature blob for *data*; raise `KeyTrouble` if the agent will not."""
        question = bytes([_SIGN]) + string(key.blob) + string(data) + u32(0)
        reader = self._ask(question, _SIGNED, _SIGN_SECONDS)
        try:
            signature = reader.string()
            reader.end()
        except Truncated as problem:
            raise KeyTrouble(f"ssh-agent answered with a broken signature: {problem}") from None
        return signature

    def _ask(self, question: bytes, expected: int, seconds: float) -> Reader:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
                agent.settimeout(seconds)
                agent.connect(self.path)
                agent.sendall(string(question))
                length = int.from_bytes(_receive(agent, 4), "big")
                if not 1 <= length <= _LONGEST:
                    raise KeyTrouble(f"ssh-agent announced a message of {length} bytes")
                answer = _receive(agent, length)
        except TimeoutError:
            raise KeyTrouble(f"ssh-agent did not answer within {seconds:.0f} s") from None
        except OSError as problem:
            raise KeyTrouble(
                f"ssh-agent at {self.path} cannot be reached: {problem.strerror or problem}",
                hint="start one with `eval $(ssh-agent)`, or unset SSH_AUTH_SOCK",
            ) from None
        if answer[0] != expected:
            raise KeyTrouble("ssh-agent refused", hint="is it locked? list its keys: `ssh-add -l`")
        return Reader(answer[1:])


def _receive(agent: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = agent.recv(count - len(data))
        if not piece:
            raise KeyTrouble("ssh-agent hung up in the middle of an answer")
        data += piece
    return data
