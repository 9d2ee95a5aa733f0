"""Nothing an agent or a stranger has written reaches a terminal unless it is plain to see."""

from __future__ import annotations

import contextlib
import io
import unicodedata
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatesh.approval import request as requests
from gatesh.approval.courier import SignedDecision
from gatesh.approval.decision import NAMESPACE, Decision
from gatesh.cli import show, watch
from gatesh.cli.log import _line
from gatesh.cli.pending import summary
from gatesh.evidence.story import Answer, Command
from gatesh.keys import opensshkey, sshsig
from gatesh.visible import ascii_line
from tests.approval.world import request_bytes
from tests.life.people import signed

# One of each way to deceive: erase, reorder, hide, join, imitate a space, and be nothing at all.
NASTY = "\x1b\x9b\x00\r\b\x7f\x85\u00a0\u00ad\u034f\u061c\u115f\u180e\u200b\u200e\u2028\u202e\u2066" \
        "\u2800\u3000\u3164\ufe0f\ufeff\uffa0\ufff9\ue000\U000e0041\U000e0100\udcff\U0010ffff"  # fmt: skip
# Bytes that are not UTF-8 come as low surrogates; high ones are nobody's.
texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(NASTY)), max_size=20
)
words = texts.filter(bool)

WHEN = "2030-01-02T03:05:00Z"
HIDING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
# Default_Ignorable_Code_Point and blanks whose category says letter, symbol or mark.
BLANK = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10),
         *range(0x180B, 0x1810), *range(0xE0100, 0xE01F0)}  # fmt: skip


def unsafe(shown: str) -> set[str]:
    """Return what must never be printed: told by Unicode itself, not by gatesh's own table."""
    return {
        f"U+{ord(c):04X}"
        for c in shown
        if c not in " \n\t" and (unicodedata.category(c) in HIDING or ord(c) in BLANK)
    }


@st.composite
def asked(draw: Any) -> tuple[bytes, bytes]:
    """A request by somebody who chose every word of it, and its script."""
    script = draw(
        st.one_of(st.binary(max_size=40), texts.map(lambda t: t.encode("utf-8", "replace")))
    )
    finding = {
        "rule": draw(words), "pack": draw(texts), "verdict": "approve", "reason": draw(texts),
        "severity": draw(texts), "system": draw(texts), "on": draw(words),
        "command": draw(texts), "span": [0, 1], "inside": [draw(texts)],
        "detail": draw(texts), "instead": draw(texts), "tags": [draw(texts)],
    }  # fmt: skip
    requester = {
        "uid": 1, "gid": 1, "user": draw(texts), "person": draw(words), "agent": {"name": draw(words), "by": draw(texts)},
        "session": 1, "ancestry": [[7, draw(texts)]],
    }  # fmt: skip
    invocation = {
        "argv_sha256": "00" * 32, "interactive": False, "login": True,
        "mode": draw(st.sampled_from(["command", "file", "stdin", "session", "unknown"])),
        "options": [draw(texts)], "path": draw(texts), "positionals": [draw(texts)],
        "shell": draw(words), "zero": draw(texts),
    }  # fmt: skip
    data = request_bytes(
        script=script, findings=[finding], requester=requester, invocation=invocation,
        host=draw(words), cwd={"dev": 1, "ino": 1, "path": draw(words)},
        env={draw(words): draw(texts)}, inner=draw(st.none() | texts), system=draw(texts),
        files=[{"path": draw(words), "sha256": "00" * 32, "size": 1}], purpose=draw(texts),
        boot_id=draw(texts), origin=draw(words),
    )  # fmt: skip
    return data, script


@settings(max_examples=150, deadline=None)
@given(asked(), texts, texts, texts)
def test_no_deceiving_character_of_a_request_is_ever_printed(made, state, by, reason):
    data, script = made
    found = requests.read(data)
    answer = {"at": "2030-01-02T03:05:00Z", "by": by, "decision": reason, "question": state,
              "reason": None, "revision": 3}  # fmt: skip
    extra = {"state": state, "waiting": 0, "answers": [answer], "earlier": [data.decode()]}
    item = {**found, **extra}

    shown = [
        show.request(found, script, extra, {"00" * 32: script}),
        summary(item),
        watch.page({"pending": [item], "running": []}, 40, 80),
        ascii_line(reason),
    ]

    assert unsafe("".join(shown)) == set()


@settings(max_examples=100, deadline=None)
@given(texts, texts, texts)
def test_nor_one_of_the_log(text, user, by):
    submitted = {"script": text, "verdict": "approve", "requester": {"user": user},
                 "findings": [], "cwd": "/", "script_sha256": "00" * 32}  # fmt: skip
    answer = Answer(n=1, t=WHEN, decision="approve", by=by, key="", assurance="key",
                    decision_sha256="", signature_sha256="", request_sha256="")  # fmt: skip
    command = Command("k7q2m9xd", WHEN, submitted, answers=[answer])

    assert unsafe(_line(command)) == set()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.binary(), texts.map(lambda t: t.encode("utf-8", "replace")))))
@example([b"\xe2\x80", b"\xae\n", b"one\xff\rtwo"])
def test_nor_one_of_what_a_running_command_prints(parts):
    """
    However the bytes are cut: half a character at the end of one part, half in the next.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        lines = watch._Lines(lambda text: watch._put("2", text))
        for part in parts:
            lines.take(part)
        lines.end()

    assert unsafe(printed.getvalue()) == set()
    assert lines.taken == sum(map(len, parts))
    assert all(line.startswith("2│ ") for line in printed.getvalue().splitlines())


def test_nor_one_of_an_error(world):
    """
    A decision can name anybody as its signer, and the refusal says whom.
    """
    world.settings("hold: 0\n")
    world.set_up()
    world.gatesh("-c", "guarded")
    id = world.pending()[0]["id"]
    decision, _ = signed(world, id)
    key = opensshkey.parse(world.key("bob").read_bytes())
    data = decision.replace("bob@example.com", "\\u001b[2Jbob").encode()
    assert Decision.read(data).by == "\x1b[2Jbob"
    forged = sshsig.sign(data, namespace=NAMESPACE, key=key.public, sign=key.sign)
    (world.work / "d").write_bytes(SignedDecision(data, forged).write())

    done = world.gatesh("submit", "d")

    assert done.status == 126 and "\\x1b[2Jbob" in done.words
    assert unsafe(done.words) == set()
