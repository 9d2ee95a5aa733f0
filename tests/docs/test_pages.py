"""The documentation, held against the program it describes."""

from __future__ import annotations

import re
import shlex

import click
import pytest
import typer

from gatesh.__main__ import PEOPLE, is_for_people
from gatesh.approval.request_shape import SHAPE
from gatesh.approval.why import WHY
from gatesh.cli.app import build
from gatesh.ledger.entry import REQUIRED
from gatesh.ledger.findings import CODES
from gatesh.model import Mode
from gatesh.policy import reading
from gatesh.syntax.findings import MEANING
from gatesh.syntax.invocation import parse
from tests.docs import scenes
from tests.docs.pages import DOCS, ROOT, Page, pages, settled

PAGES = [Page(path) for path in pages()]
APPLICATION = typer.main.get_command(build())
# Played by a test of its own.
ELSEWHERE = {"docs/verify-by-hand.md"}


def each(found):
    return pytest.mark.parametrize("page", found, ids=lambda page: page.name)


@each([page for page in PAGES if page.steps() and page.name not in ELSEWHERE])
def test_what_a_page_shows_is_what_happens(page):
    """
    Every session on the page is typed into a real shell; it must print what the page says.
    """
    played = scenes.played(page)

    assert len(played) == len(page.steps())
    for step, (printed, _) in zip(page.steps(), played, strict=True):
        assert settled(printed) == settled(step.printed), f"{page.name}: $ {step.command}"


@each([page for page in PAGES if page.links()])
def test_every_link_leads_somewhere(page):
    for link in page.links():
        if "://" in link:
            continue
        file, _, fragment = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.is_relative_to(ROOT) and target.exists(), link
        if fragment:
            assert fragment in Page(target).anchors(), link


@each([page for page in PAGES if list(page.shown_commands())])
def test_every_command_shown_is_one_that_gatesh_understands(page):
    """
    Nothing is worse in a manual than a command that does not exist any more.
    """
    for line in page.shown_commands():
        if "…" not in line:
            understood(line)


def understood(line):
    """Parse *line* as the front door would; raise when it means nothing."""
    words = shlex.split(line.split(" | ")[0].split(" > ")[0], comments=True)
    words = words[: next((n for n, w in enumerate(words) if w in ("&&", ";", "<", "|")), None)]
    if not is_for_people([word.encode() for word in words]):
        called = parse(words[0].encode(), [w.encode() for w in words[1:]], stdin_is_tty=False)
        assert called.mode is not Mode.UNKNOWN, f"{line}: {called.problem}"
        if called.mode is Mode.FILE:
            name = words[1]
            assert "/" in name or name.endswith(".sh") or name == "FILE", (
                f"no command {name}: {line}"
            )
        return
    command, rest = APPLICATION, words[1:]
    context = click.Context(APPLICATION, info_name="gatesh")
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, command, rest = command.resolve_command(context, rest)
    if isinstance(command, click.Group) or "--help" in rest:
        return
    try:
        command.make_context(line, list(rest), parent=context)
    except click.MissingParameter:
        assert len(rest) == 0, line  # `gatesh approve` in a sentence names the command
    except click.ClickException as problem:
        raise AssertionError(f"{line}: {problem.format_message()}") from None


def leaves(command, *path):
    if isinstance(command, click.Group):
        for name in command.commands:
            yield from leaves(command.commands[name], *path, name)
    else:
        yield " ".join(path), command


def sections():
    text = (DOCS / "commands.md").read_text()
    parts = re.split(r"^## gatesh (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_every_command_has_its_section(name):
    """
    The reference is complete: each command, and each of its options, no others.
    """
    written = sections()
    for path, command in leaves(APPLICATION.commands[name], name):
        assert path in written, f"docs/commands.md lacks `## gatesh {path}`"
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
            for option in parameter.opts
        } - {"--help"}
        shown = set(re.findall(r"^- `(?:(-\w), )?(--?[\w-]+)", written[path], re.MULTILINE))
        assert {o for pair in shown for o in pair if o} == options, path
        assert "Exit status" in written[path], path


def test_no_section_is_about_a_command_that_is_gone():
    known = {path for name in PEOPLE for path, _ in leaves(APPLICATION.commands[name], name)}

    assert set(sections()) <= known


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("spec/formats.md", [*WHY, *REQUIRED, *SHAPE]),
        ("auditors.md", CODES),
        ("rules.md", [*MEANING, *reading._RULE, *reading._FILE]),
    ],
)
def test_a_page_names_every_word_of_its_subject(page, words):
    """
    A field or word that is added to the code and not to its page is not finished.
    """
    text = (DOCS / page).read_text()

    assert [word for word in words if f"`{word}`" not in text and f"`{word}:`" not in text] == []


@each(PAGES)
def test_a_page_says_what_it_is_about_first(page):
    assert page.text.startswith("# ") and page.text.endswith("\n")
    assert "\t" not in page.prose() and "TODO" not in page.text
