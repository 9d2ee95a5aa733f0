"""Where one complete command ends, as the real shell sees it.

Text grows by lines until bash itself would start to run it.  bash is asked with
`-n`: it parses and runs nothing.  What it rejects is never given to a session.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

PATIENCE_S = 10
LARGEST = 16 << 20

# One plain command: nothing here opens anything that a later line would close.
_PLAIN = re.compile(rb"[ \t]*[\w./:,@%+=-]+(?:[ \t]+[\w./:,@%+=-]+)*[ \t]*\n")
_OPENERS = frozenset(
    b"! case coproc do done elif else esac fi for function if in select then time until while"
    b" alias".split()
)
_NOTHING = re.compile(rb"[ \t]*(#[^\n]*)?\n")
_MATCHING = re.compile(rb"unexpected EOF while looking for (?:matching )?`(.|\]\])'")
_WANTED = re.compile(rb"here-document at line \d+ delimited by end-of-file \(wanted `(.*)'\)")
_END = b"syntax error: unexpected end of file"


@dataclass(frozen=True, slots=True)
class Answer:
    """What bash says of a text that stops here.

    *more*: the next line belongs to it; then *until* are bytes that must come
    before it is worth asking again.  *message*: bash's words about a text that ends
    here; it *runs* all the same when only a here-document was cut short.
    """

    more: bool = False
    message: bytes | None = None
    until: bytes = b""
    runs: bool = False


WHOLE = Answer()


def is_nothing(text: bytes) -> bool:
    """Tell whether *text* is one empty line or comment.

    >>> is_nothing(b"  # why\\n"), is_nothing(b"x # why\\n")
    (True, False)
    """
    return _NOTHING.fullmatch(text) is not None


def look(text: bytes, *, bash: str, name: str, line: int, end: bool = False) -> Answer:
    """Return whether *text*, whose first line is the *line*-th of its script, is complete.

    *end*: nothing comes after it.
    """
    if _PLAIN.fullmatch(text) and text.split()[0] not in _OPENERS:
        return WHOLE
    if not end and ends_in_backslash(text):
        return Answer(more=True)
    found = _ask(text, bash, name, line, ())
    if found.message is not None:
        # The session may have switched extended patterns on, which changes the grammar.
        other = _ask(text, bash, name, line, ("-O", "extglob"))
        if other.message is None or other.more:
            return other
    return found


def ends_in_backslash(text: bytes) -> bool:
    """Tell whether the last newline of *text* may be escaped."""
    line = text.rsplit(b"\n", 2)[-2] if text.endswith(b"\n") else b""
    return (len(line) - len(line.rstrip(b"\\"))) % 2 == 1


def _ask(text: bytes, bash: str, name: str, line: int, options: tuple[str, ...]) -> Answer:
    done = subprocess.run(
        [name, *options, "-n"],
        executable=bash,
        input=b"\n" * (line - 1) + text,
        capture_output=True,
        timeout=PATIENCE_S,
        env={"LC_ALL": "C"},
        check=False,
    )
    said = done.stderr
    if wanted := _WANTED.search(said):
        return Answer(more=True, message=said, until=wanted[1], runs=True)
    if matching := _MATCHING.search(said):
        return Answer(more=True, message=said, until=matching[1])
    if _END in said:
        return Answer(more=True, message=said)
    if done.returncode:
        return Answer(message=said or b"%s: syntax error\n" % name.encode())
    return WHOLE


def as_typed(message: bytes) -> bytes:
    r"""Return what bash says of a syntax error to somebody who types.

    >>> as_typed(b"bash: line 1: syntax error near `)'\nbash: line 1: `echo )'\n")
    b"bash: syntax error near `)'\n"
    """
    lines = [re.sub(rb"\A([^:]*): line \d+: ", rb"\1: ", one) for one in message.splitlines()]
    return b"".join(one + b"\n" for one in lines if not re.match(rb"[^:]*: `.*'\Z", one))
