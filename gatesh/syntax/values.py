"""What is known of a piece of text before it exists.

A *text* is a `str` when every character is known, else a tuple of strings and
*holes*.  A *field* is one word after expansion.  A variable has *alternatives*:
what it can be, depending on which way the line went.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_PIECES = 400
MAX_TEXT = 200_000  # characters of a value that is put together; more counts as unknown


@dataclass(frozen=True, slots=True)
class Output:
    """What a command prints, as far as it can be told.

    `file` is the path whose content it is, or comes before `text`.  `origin` says
    where it comes from, in the words of `origins`: network, decoder, generator, …
    """

    text: Text | None = None
    file: str | None = None
    origin: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Hole:
    """Text that is only known when it runs.

    `one` says that it is a single word without shell syntax: a number, a path that
    some program printed.  `source` is the output it would be filled with.
    """

    text: str  # how it is spelled in the line: `$x`, `$(cmd)`
    one: bool = False
    source: Output | None = None


Text = str | tuple[str | Hole, ...]


@dataclass(slots=True, unsafe_hash=True)
class Field:
    """One word of a command after expansion; `value` is a str when it is fully known."""

    text: str  # as people read it: holes keep their spelling
    value: Text
    glob: bool = False  # has * ? [ that the shell would expand
    wild: bool = False  # may become no word, or several
    start: int = field(default=0, compare=False)  # the word it came from
    end: int = field(default=0, compare=False)

    @property
    def known(self) -> bool:
        """Whether every character is known and no file name is still to be filled in."""
        return type(self.value) is str


@dataclass(frozen=True, slots=True)
class Array:
    """An indexed array, dense."""

    items: tuple[Field, ...]


Choice = Text | Array | None  # None: unset


def render(text: Text) -> str:
    """Return *text* with every hole as it is spelled."""
    if isinstance(text, str):
        return text
    return "".join([p if isinstance(p, str) else p.text for p in text])


def join(pieces: list[str | Hole]) -> Text:
    """Return the text of *pieces*, a plain string if there is no hole among them."""
    out: list[str | Hole] = []
    if (
        len(pieces) > 1
        and sum([len(piece) for piece in pieces if isinstance(piece, str)]) > MAX_TEXT
    ):
        return (Hole("…"),)  # `a=$a$a` again and again
    for piece in pieces:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        elif piece != "":
            out.append(piece)
    if len(out) > MAX_PIECES:
        return (Hole("…"),)
    if not out:
        return ""
    if len(out) == 1 and isinstance(out[0], str):
        return out[0]
    return tuple(out)


def pieces(text: Text) -> tuple[str | Hole, ...]:
    """Return *text* as pieces."""
    return (text,) if isinstance(text, str) else text


def holes(text: Text) -> list[Hole]:
    """Return the holes of *text*."""
    return [] if isinstance(text, str) else [p for p in text if isinstance(p, Hole)]


def tail(text: Text) -> str:
    """Return what is known to follow the last hole."""
    if isinstance(text, str):
        return text
    return text[-1] if isinstance(text[-1], str) else ""


def known(text: str) -> Field:
    """Return a field of which everything is known."""
    return Field(text, text)


def sources(value: Text) -> frozenset[str]:
    """Return where the unknown parts of *value* come from."""
    found: frozenset[str] = frozenset()
    for piece in pieces(value):
        if isinstance(piece, Hole) and piece.source is not None:
            found |= piece.source.origin
    return found


def concatenated(outputs: list[Output]) -> Output:
    """Return what is printed when one prints after the other."""
    made: list[str | Hole] = []
    origin: frozenset[str] = frozenset()
    known = True
    for output in outputs:
        origin |= output.origin
        if output.text is None:
            known = False
        else:
            made += pieces(output.text)
    return Output(join(made) if known else None, None, origin)


def either(outputs: list[Output]) -> Output:
    """Return what is printed when one of them prints."""
    first = outputs[0] if outputs else Output("")
    if all(output == first for output in outputs):
        return first
    return Output(None, None, frozenset().union(*(o.origin for o in outputs)))
