"""An answered question: the next revision of a request, and what has changed between two.

The answer stands in `purpose`, inside the digest, under the question it answers:

    ? bob@example.com: which workspace?
    ! staging, ticket OPS-12

Only lines that gatesh writes begin with `? ` or `! `: further lines of a question or an answer
are indented, so that an answer cannot pretend that more was asked, or by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from gatesh import document
from gatesh.approval import request as requests
from gatesh.errors import UsageError

LONGEST = 4096  # characters of one answer


def answered(purpose: str | None, questions: Iterable[tuple[str, str]], answer: str) -> str:
    """Return the purpose of the next revision; *questions* are (person, question).

    Raises `UsageError` for an answer that says nothing, or more than anybody reads.

    >>> print(answered(None, [("bob@example.com", "which\\nworkspace?")], "staging"))
    ? bob@example.com: which
      workspace?
    ! staging
    """
    if not answer.strip():
        raise UsageError("an answer needs words", hint="gatesh answer ID -m TEXT")
    if len(answer) > LONGEST:
        raise UsageError(f"an answer has at most {LONGEST} characters")
    lines = [] if purpose is None else [purpose]
    lines += [f"? {by}: {_indented(question)}" for by, question in questions]
    return "\n".join([*lines, f"! {_indented(answer)}"])


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def revise(found: Mapping[str, Any], *, now: datetime, nonce: bytes, purpose: str) -> bytes:
    """Return the next revision of the parsed request *found*.

    Everything that would happen stays as it was judged.  People get as long for it as the rules
    gave them for the first one, from *now*.
    """
    within = document.moment(found["approve_by"]) - document.moment(found["opened"])
    data = document.write(
        {
            **found,
            "revision": found["revision"] + 1,
            "opened": document.stamp(now),
            "approve_by": document.stamp(now + within),
            "nonce": nonce.hex(),
            "purpose": purpose,
        }
    )
    requests.read(data)
    return data


# Different in every revision, or told elsewhere.
_ALWAYS = frozenset({"revision", "opened", "approve_by", "nonce"})


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields in which two revisions of a request differ."""
    return sorted(
        name
        for name in before.keys() | after.keys()
        if name not in _ALWAYS and before.get(name) != after.get(name)
    )
