"""The documentation, held against the program it describes."""

from __future__ import annotations

import shlex

import pytest
import typer

from gatesh import config
from gatesh.__main__ import is_for_people
from gatesh.approval.request_shape import SHAPE
from gatesh.cli.app import build
from gatesh.ledger.entry import REQUIRED
from gatesh.model import Mode
from gatesh.policy import check as checking
from gatesh.policy import reading
from gatesh.policy.check import EXAMPLE_CWD, EXAMPLE_HOME
from gatesh.policy.engine import Policy
from gatesh.policy.packs import Layer, load
from gatesh.syntax import Context, analyse
from gatesh.syntax.invocation import parse
from tests.docs import scenes, written
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
        assert settled(printed) == settled(step.printed), (
            f"$ {step.command}\nif that is meant: python -m tests.docs.pages {page.name}"
        )


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
        if "…" not in line and "[OPTIONS]" not in line:
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
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name, *rest = rest
        assert name in command.commands, f"no command {name}: {line}"
        command = command.commands[name]
    if hasattr(command, "commands") or not rest or "--help" in rest:
        return  # `gatesh approve` in a sentence names the command
    try:
        command.make_context(line, list(rest))
    except Exception as problem:
        if type(problem).__name__ == "MissingParameter":
            return  # it shows an option, and leaves the rest out
        raise AssertionError(f"{line}: {problem}") from None


def test_what_pages_take_from_the_program_is_fresh():
    """
    One section for each command with its options, and every word of every table; no others.
    """
    stale = [path.name for path, text in written.written().items() if path.read_text() != text]

    assert stale == [], "run python -m tests.docs.written"


def test_no_status_is_told_of_a_command_that_is_gone():
    known = {name for name, _ in written.leaves(APPLICATION)}

    assert set(written.STATUS) <= known


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("spec/formats.md", [*REQUIRED, *SHAPE]),
        ("settings.md", config._READERS),
        ("rules.md", [*reading._RULE, *reading._FILE]),
    ],
)
def test_a_page_names_every_word_of_its_subject(page, words):
    """
    A field or word that is added to the code and not to its page is not finished.
    """
    text = (DOCS / page).read_text()

    assert [word for word in words if f"`{word}`" not in text and f"`{word}:`" not in text] == []


def test_the_rules_shown_are_rules_that_work(tmp_path):
    """
    What is copied from a manual into a rules directory must load and pass its own examples.
    """
    shown = Page(DOCS / "rules.md").blocks("yaml")
    assert len(shown) == 2
    for at, text in enumerate(shown):
        whole = text if text.startswith("pack:") else f"pack: shown\nrules:\n{text}"
        (tmp_path / f"{at}.yaml").write_text(whole)
    tmp_path.chmod(0o700)
    layers = [Layer("shipped", config.shipped_rules()), Layer("user", tmp_path)]

    policy = load(layers)

    ours = [rule for rule in policy.rules if rule.layer == "user"]
    context = Context(cwd=EXAMPLE_CWD, env={"HOME": EXAMPLE_HOME}, read=lambda _path: None)
    assert len(ours) == 2
    assert checking.test(Policy(ours), lambda line: analyse(line.encode(), context)) == []


def test_the_settings_shown_can_be_read(tmp_path):
    """
    A setting that cannot be read makes everything need approval: no manual should cause that.
    """
    (shown,) = Page(DOCS / "settings.md").blocks("yaml")
    path = tmp_path / "config.yaml"
    path.write_text(shown)
    path.chmod(0o600)

    found = config.load(path)

    assert found.notify and found.webhooks and found.push and found.push_every_s == 300


@each(PAGES)
def test_a_page_says_what_it_is_about_first(page):
    assert page.text.startswith("# ") and page.text.endswith("\n")
    assert "\t" not in page.prose() and "TODO" not in page.text
