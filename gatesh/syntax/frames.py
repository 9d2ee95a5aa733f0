"""Where the text being followed came from, and leaving marks there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gatesh.model import Kind
from gatesh.syntax import findings
from gatesh.syntax.collect import Collector
from gatesh.syntax.expansions import Unsure
from gatesh.syntax.paths import NOWHERE, ground
from gatesh.syntax.state import Routine, Shell
from gatesh.syntax.values import Output

MAX_DEPTH = 48  # scripts, functions and brackets inside each other while following


@dataclass(slots=True)
class Frame:
    """Where the text being followed came from."""

    inside: tuple[str, ...] = ()
    fixed: tuple[int, int] | None = None  # the span of everything here, if offsets mean nothing
    file: str = ""  # the script file it stands in, when the line did not write that itself


class Marks:
    """What a `Follower` knows besides the way it goes."""

    def __init__(self, shell: Shell, collector: Collector, read: Callable[[str], bytes | None]):
        self.shell = shell
        self.collector = collector
        self.read = read
        self.frame = Frame()
        self.ground = ground(shell.cwd[0], shell.one("HOME")) if shell.cwd else NOWHERE
        self.stdin: Output | None = None  # None: not redirected
        self.fds: dict[str, Output] = {}  # what other descriptors yield
        self.executable: set[str] = set()  # what the line has made so
        self.input: str | None = None  # what the caller's own is, when nobody types there
        self.typed = False  # to the shell itself, which gets it by a descriptor of its own
        self.stays = False  # whether the redirections of this command outlive it
        self.wanted = 0  # whether anybody looks at what is printed here
        self.depth = 0
        self.leaving = False  # `exit`, `return`: what follows `||` has no way back
        self.calls: list[tuple[str, object]] = []
        self.defined: list[Routine] = []
        self.read_names: list[str] = []  # what `read` has set, for the loop around it
        self.last_text = ("", "")  # the last command: as written, and unwrapped
        self.unwrapped = ""  # what the command being followed turned out to run
        self.word_span = (0, 0)

    def add(
        self,
        kind: Kind,
        text: str,
        span: tuple[int, int],
        also: tuple[str, ...] = (),
        program: str = "",
        detail: str = "",
    ) -> None:
        """Add a subject that stands in the current frame."""
        frame = self.frame
        self.collector.add((kind, text, frame.fixed or span, also, frame.inside, program, detail))

    def finding(self, word: str, span: tuple[int, int], detail: str, *, loud: bool = False) -> None:
        """Add a finding.  In a script file, what is merely unknown is one quiet finding a file.

        Unless it is *loud*: what a file leaves behind for the commands after it.
        """
        file = self.frame.file
        if file and not loud and word not in (findings.CODE_FROM_DATA, findings.DECODED_CODE):
            word, detail = findings.UNSURE_FILE, f"{file}: {word}"
        self.add(Kind.FINDING, word, span, detail=detail)

    @contextmanager
    def deeper(self, frame: Frame | None = None) -> Iterator[None]:
        """Go one level down; *frame* replaces the current one there."""
        if self.depth >= MAX_DEPTH:
            raise Unsure("too many levels inside each other", 0)
        self.depth += 1
        before = self.frame
        if frame is not None:
            self.frame = frame
        try:
            yield
        finally:
            self.depth -= 1
            self.frame = before

    def frame_inside(self, label: str, span: tuple[int, int], *, offsets: bool = False) -> Frame:
        """Return the frame of what is unwrapped from *label*."""
        fixed = self.frame.fixed if offsets else (self.frame.fixed or span)
        return replace(self.frame, inside=(*self.frame.inside, label), fixed=fixed)
