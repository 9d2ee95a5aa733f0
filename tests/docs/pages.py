"""The documentation as data: pages, links, and the commands they show.

A block marked `console` is a session: what follows `$ ` (and `> `) is typed, the rest is what
it prints.  `python -m tests.docs.pages PAGE` plays a page's sessions in a fresh world and
writes what really came out into the page.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
_MARK = "@@@"


def pages() -> list[Path]:
    """Return every page of the documentation."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


@dataclass
class Step:
    """One command of a session and what the page says it prints."""

    command: str
    printed: str


@dataclass
class Page:
    """One page, read."""

    path: Path
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.path.read_text("utf-8")

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    def blocks(self, *kinds: str) -> list[str]:
        """Return the text of its fenced blocks of these kinds."""
        return [body for kind, body in _FENCE.findall(self.text) if kind in kinds]

    def prose(self) -> str:
        """Return everything outside fenced blocks."""
        return _FENCE.sub("", self.text)

    def links(self) -> list[str]:
        return _LINK.findall(self.prose())

    def anchors(self) -> set[str]:
        """Return the fragments its headings can be linked by."""
        found = re.findall(r"^#+ (.+)$", self.prose(), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in found}

    def steps(self) -> list[Step]:
        """Return every command of every session, in order."""
        return [step for block in self.blocks("console") for step in _steps(block)]

    def shown_commands(self) -> Iterator[str]:
        """Yield every command line that begins with `gatesh`, wherever it is shown."""
        lines = [step.command for step in self.steps()]
        for block in self.blocks("sh"):
            lines += block.splitlines()
        lines += re.findall(r"^    (?:\w*\$ )?(gatesh .+)$", self.text, re.MULTILINE)
        lines += re.findall(r"`(gatesh(?: [^`\n]*)?)`", self.prose())
        for line in lines:
            if line.strip().startswith("gatesh "):
                yield line.strip()


def _steps(block: str) -> list[Step]:
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], ""))
        elif line.startswith("> ") and steps and not steps[-1].printed:
            steps[-1].command += "\n" + line[2:]
        elif steps:
            steps[-1].printed += line + "\n"
    return steps


def play(steps: list[Step], cwd: Path, env: Mapping[str, str]) -> list[tuple[str, int]]:
    """Type *steps* into one bash; return what each printed, and its status."""
    script = "".join(f"{{ {step.command}\n}} 2>&1\nprintf '\\n{_MARK}%d\\n' $?\n" for step in steps)
    done = subprocess.run(
        ["bash"], input=script, cwd=cwd, env=dict(env), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    parts = re.split(rf"\n{_MARK}(\d+)\n", done.stdout)
    return [(parts[n], int(parts[n + 1])) for n in range(0, len(parts) - 1, 2)]


_VARIES = [
    (re.compile(r"/tmp/gatesh-\w+/work"), "/srv/infra"),
    (re.compile(r"/tmp/gatesh-\w+/home"), "~/gatesh-home"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\S+/gatesh/[0-9a-f]{8}"), "ORIGIN"),
    (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "FINGERPRINT"),
    (re.compile(r"[A-Za-z0-9+/]{80,}=*"), "SIGNATURE"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b[0-9a-f]{16}…"), "SHA256"),
    (re.compile(r"[A-Za-z0-9+/]{43}="), "ROOT"),
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}\b"), "ID"),
    (re.compile(r'"[0-9a-hjkmnp-tv-z]{8}"'), '"ID"'),
    (re.compile(r"\t[0-9a-hjkmnp-tv-z]{8}\t"), "\tID\t"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "HEX8"),
    (re.compile(r"\bid( +)[0-9a-hjkmnp-tv-z]{8}\b"), r"id\1ID"),
    (re.compile(r"(exit \d+ +)\S+"), r"\1ACCOUNT"),
    (re.compile(r"host:\S+"), "HOST"),
    (re.compile(r"\(asked [^,]*,"), "(asked AGO,"),
    (re.compile(r"  [\w-]+@[\w.-]+  "), "  ACCOUNT@HOST  "),
    (re.compile(r"\bpid \d+"), "PID"),
    (re.compile(r"\b\d+(\.\d+)? (B|KiB|MiB)\b"), "SIZE"),
    (re.compile(r"digest \S+"), "DIGEST"),
    (re.compile(r"\d+ rules, \d+ examples"), "RULES"),
    (re.compile(r"^(ok    )\d+ rules", re.MULTILINE), r"\1RULES"),
    (re.compile(r"(rules/\w+\.yaml):\d+"), r"\1:LINE"),
]


def settled(text: str) -> str:
    """Return *text* with everything that differs from run to run replaced by its name."""
    for pattern, word in _VARIES:
        text = pattern.sub(word, text)
    return text.strip("\n")


def rewrite(page: Page, outputs: list[tuple[str, int]]) -> str:
    """Return the page with what its sessions really printed."""
    results = iter(outputs)

    def block(found: re.Match[str]) -> str:
        if found[1] != "console":
            return found[0]
        lines = []
        for step in _steps(found[2]):
            first, *more = step.command.split("\n")
            lines += [f"$ {first}", *(f"> {line}" for line in more)]
            printed = _VARIES[1][0].sub(
                "~/gatesh-home", _VARIES[0][0].sub("/srv/infra", next(results)[0])
            )
            lines += printed.strip("\n").split("\n") if printed.strip("\n") else []
        return "```console\n" + "\n".join(lines) + "\n```"

    return _FENCE.sub(block, page.text)


def main() -> None:
    """Write real output into the pages named on the command line."""
    from tests.docs import scenes

    for name in sys.argv[1:]:
        page = Page(Path(name).resolve())
        outputs = scenes.played(page)
        assert len(outputs) == len(page.steps()), outputs[-1:]
        page.path.write_text(rewrite(page, outputs), "utf-8")


if __name__ == "__main__":
    main()
