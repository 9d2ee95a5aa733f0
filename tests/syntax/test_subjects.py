"""What a line would do, as rules and people get to see it."""

from __future__ import annotations

from gatesh.model import Kind
from gatesh.syntax import Context, analyse

HERE = Context("/work/project", {"HOME": "/home/dev", "PATH": "/usr/bin:/bin"}, lambda path: None)


def commands(line: str) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (s.text, s.inside) for s in analyse(line.encode(), HERE).subjects if s.kind is Kind.COMMAND
    ]


def test_wrappers_and_nested_shells_are_taken_off_one_by_one():
    """
    A rule about `terraform` must see it however many programs stand in front.
    """
    assert commands('cd infra && sudo -E bash -lc "terraform -chdir=prod apply"') == [
        ("cd infra", ()),
        ("sudo -E bash -lc terraform -chdir=prod apply", ()),
        ("bash -lc terraform -chdir=prod apply", ("sudo",)),
        ("terraform -chdir=prod apply", ("sudo", "bash -lc")),
    ]


def test_the_script_itself_is_always_one_subject():
    """
    Rules about the raw text hold whatever the reader makes of it.
    """
    for script in (b"", b"ls", b"if", b"\xff\xfe", b"a\0b"):
        kinds = [s.kind for s in analyse(script, HERE).subjects]
        assert kinds.count(Kind.SCRIPT) == 1
