"""Spans are places in the script as its bytes stand, whatever these are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatesh.syntax import Context, analyse

JUNK = st.lists(
    st.sampled_from(
        [b"a", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\0"]
    )
).map(b"".join)


@given(JUNK)
def test_a_span_counts_bytes_of_the_script(junk):
    """
    Whoever checks a finding cuts these bytes out of the script; they must be the command.
    """
    script = b"echo '" + junk + b"'; sudo \xc3\xa9t\xc3\xa9 x"

    found = analyse(script, Context(cwd="/", env={}, read=lambda _: None))

    spans = {s.text: script[s.span.start : s.span.end] for s in found.subjects}
    assert spans["sudo \u00e9t\u00e9 x"] == b"sudo \xc3\xa9t\xc3\xa9 x"
    assert max(s.span.end for s in found.subjects) == len(script)
