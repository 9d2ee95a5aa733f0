"""Reading the wrapper table, and finding the program behind a wrapper's options."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from gatesh.syntax.tables_options import RUNNERS
from gatesh.syntax.tables_wrappers import SAME_AS, WRAPPERS
from gatesh.syntax.values import Field


@dataclass(frozen=True, slots=True)
class Options:
    """Which options of a program take the next word as their value."""

    short: frozenset[str]
    long: frozenset[str]
    pairs: frozenset[str] = frozenset()
    rest: frozenset[str] = frozenset()  # letters whose value is the rest of their word, if any

    def takes(self, name: str, following: str) -> bool:
        """Whether the long option *name*, perhaps abbreviated as GNU allows, takes *following*."""
        if name in self.long:
            return True
        # `--start` of a tool that also has `--startas VALUE` is a flag of its own.
        return following[:1] != "-" and any(option.startswith(name) for option in self.long)

    def full(self, name: str) -> str:
        """Return the long option that *name* abbreviates; *name* where that is not certain."""
        if name in self.long:
            return name
        found = [option for option in self.long if option.startswith(name)]
        return found[0] if len(found) == 1 and len(name) > 2 else name


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One line of the table."""

    words: tuple[str, ...]
    options: Options
    skip: int = 0
    assigns: bool = False
    joined: bool = False
    foreign: bool = False
    asks: bool = False
    each: bool = False
    options_only: bool = False
    bash: bool = False
    mixed: bool = False
    image: bool = False
    python: bool = False
    code: frozenset[str] = frozenset()
    program: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()


@dataclass(slots=True)
class Found:
    """What stands before the operands: options with their values, in order."""

    first: int  # index of the first operand
    options: list[tuple[str, Field | None]]


def _names(value: str) -> frozenset[str]:
    return frozenset(value.split(",")) - {""}


def _line(line: str) -> Wrapper:
    words, short, long, flags = (part.strip() for part in line.split(" :", 3))
    known: dict[str, str] = {}
    for flag in flags.lstrip(": ").split():
        name, _, value = flag.partition("=")
        known[name] = value
    pairs = _names(known.get("pairs", ""))
    return Wrapper(
        words=tuple(words.split()),
        options=Options(
            frozenset(short.lstrip(": ").split()),
            frozenset(long.lstrip(": ").split()) | pairs,
            pairs,
        ),
        skip=int(known.get("skip") or 0),
        assigns="assigns" in known,
        joined="joined" in known,
        foreign="foreign" in known,
        asks="asks" in known,
        each="each" in known,
        options_only="options-only" in known,
        bash="bash" in known,
        mixed="mixed" in known,
        image="image" in known,
        python="python" in known,
        code=_names(known.get("code", "")),
        program=_names(known.get("program", "")),
        after=_names(known.get("after", "")),
        drop=_names(known.get("drop", "")),
    )


@cache
def table() -> dict[str, dict[str, tuple[Wrapper, ...]]]:
    """Return the table by program, then by subcommand (none: ""), longest first."""
    made: dict[str, dict[str, tuple[Wrapper, ...]]] = {}
    for line in (WRAPPERS + RUNNERS).splitlines():
        if line and not line.startswith("#"):
            wrapper = _line(line)
            of_program = made.setdefault(wrapper.words[0], {})
            subcommand = (*wrapper.words, "")[1]
            wrappers = (*of_program.get(subcommand, ()), wrapper)
            of_program[subcommand] = tuple(sorted(wrappers, key=lambda w: -len(w.words)))
    for name, same in SAME_AS.items():
        if same in made:
            made[name] = {**made[same], **made.get(name, {})}
    return made


def options_of(fields: list[Field], at: int, options: Options) -> Found:
    """Read options from *at* on, the way getopt does, up to the first operand."""
    found: list[tuple[str, Field | None]] = []
    while at < len(fields):
        text = fields[at].text
        if text == "--":
            return Found(at + 1, found)
        if len(text) < 2 or text[0] != "-":
            break
        if text[1] == "-":
            name, equals, _ = text[2:].partition("=")
            if equals:
                found.append(("--" + options.full(name), _part(fields[at], len(name) + 3)))
            elif name in options.pairs:
                found.append(("--" + name, fields[at + 1] if at + 1 < len(fields) else None))
                at += 2
            elif options.takes(name, fields[at + 1].text if at + 1 < len(fields) else "-"):
                at += 1
                value = fields[at] if at < len(fields) else None
                found.append(("--" + options.full(name), value))
            else:
                found.append(("--" + name, None))
        elif text[1:] in options.long:  # -startnum N, Go style
            at += 1
            found.append((text, fields[at] if at < len(fields) else None))
        elif "=" in text and (name := text[1:].partition("=")[0]) in options.long:
            found.append(("-" + name, _part(fields[at], len(name) + 2)))
        else:
            at = _cluster(fields, at, options, found)
        at += 1
    return Found(min(at, len(fields)), found)


def _cluster(
    fields: list[Field], at: int, options: Options, found: list[tuple[str, Field | None]]
) -> int:
    """Read `-abc`; the first letter that takes a value takes what follows it."""
    text = fields[at].text
    for position in range(1, len(text)):
        letter = text[position]
        if letter in options.rest:  # `-i.orig`: the letters after it are no options
            rest = _part(fields[at], position + 1) if position + 1 < len(text) else None
            found.append(("-" + letter, rest))
            return at
        if letter not in options.short:
            found.append(("-" + letter, None))
            continue
        if position + 1 < len(text):
            found.append(("-" + letter, _part(fields[at], position + 1)))
            return at
        found.append(("-" + letter, fields[at + 1] if at + 1 < len(fields) else None))
        return at + 1
    return at


def _part(field: Field, start: int) -> Field:
    """Return what follows the first *start* characters of *field*."""
    if isinstance(field.value, str):
        return Field(field.text[start:], field.value[start:], start=field.start, end=field.end)
    rest, left = [], start
    for piece in field.value:
        if isinstance(piece, str):
            if left < len(piece):
                rest.append(piece[left:])
            left = max(0, left - len(piece))
        else:
            rest.append(piece)  # type: ignore[arg-type]
    return Field(field.text[start:], tuple(rest), start=field.start, end=field.end)
