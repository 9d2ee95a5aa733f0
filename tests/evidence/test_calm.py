"""What a record shows on a terminal: its looks, and nothing that makes the terminal act."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.cli.calm import Calm

ACTS = {
    "its title changes": b"\x1b]0;pwned\x07",
    "its clipboard is filled": b"\x1b]52;c;cm0gLXJmIC8=\x1b\\",
    "it answers what it is": b"\x1b[c",
    "it answers where the cursor is": b"\x1b[6n",
    "it answers which modes it has": b"\x1b[?2004$p",
    "it answers in the old way": b"\x1bZ",
    "it is reset": b"\x1bc",
    "it prints on paper": b"\x1b[5i",
    "it is asked for a setting": b"\x1bP$qm\x1b\\",
    "its alphabet changes": b"\x0e",
    "it says who it is": b"\x05",
    "by one byte of its own": b"\xc2\x9b6n",
}
LOOKS = b"\x1b[1;31mred\x1b[0m \x1b[2K\xe2\x82\xac \xc2\xa9\r\n"


@pytest.mark.parametrize("acts", ACTS.values(), ids=ACTS.keys())
def test_nothing_makes_it_act_however_it_was_cut(acts):
    """
    Whoever replays a transcript is often root; an agent decides when each byte is printed.
    """
    data = b"a" + acts + b"b"
    for cut in range(1, len(data)):
        calm = Calm(io.BytesIO())
        shown = calm.calmed(data[:cut]) + calm.calmed(data[cut:])
        assert acts not in shown and shown.startswith(b"a") and shown.endswith(b"b")
        assert not any(shown.count(byte) for byte in (b"\x1b]", b"\x1b[", b"\x1bP", b"\x1bc"))


@given(st.integers(0, len(LOOKS)))
def test_what_only_shows_stays(cut):
    calm = Calm(io.BytesIO())

    assert calm.calmed(LOOKS[:cut]) + calm.calmed(LOOKS[cut:]) == LOOKS


def test_a_pipe_or_file_gets_every_byte():
    out = io.BytesIO()
    calm = Calm(out)
    for acts in ACTS.values():
        calm.write(acts)

    assert out.getvalue() == b"".join(ACTS.values())
