"""A second opinion: does tree-sitter see a command that the reader did not?

Two parsers that share no code must agree before anything is let through.  tree-sitter
recovers from errors and misreads known constructs, so it is only believed where it is
sure, and only about where commands start.
"""

from __future__ import annotations

import re
from functools import cache

import tree_sitter
import tree_sitter_bash

from gatesh.syntax.expansions import Seen
from gatesh.syntax.simple import RESERVED

MAX_TEXT = 64_000  # its C parser gets nothing larger
# Words, quotes with nothing in them, operators: there is nothing to disagree about.
_TRIVIAL = re.compile(
    r"""(?:[\w \t./:=@%+,~^*?!-]++|"(?:[^"$`\\]|\$[\w?])*+"|'[^']*+'|\$\w|[;&|>])*+"""
)
_TESTED = re.compile(r"(\[|\btest)[ \t]+(?:![ \t]+)?\Z")


@cache
def _parser() -> tuple[tree_sitter.Parser, tree_sitter.Query]:
    language = tree_sitter.Language(tree_sitter_bash.language())
    query = tree_sitter.Query(language, "(command name: (command_name) @name)")
    return tree_sitter.Parser(language), query


def disagreement(text: str, seen: Seen) -> tuple[int, int] | None:
    """Return where tree-sitter is sure of a command that the reader has not seen, if anywhere.

    Offsets count characters.
    """
    if len(text) > MAX_TEXT or _TRIVIAL.fullmatch(text):
        return None
    parser, query = _parser()
    data = text.encode()
    root = parser.parse(data).root_node
    if root.has_error:
        return None
    names = tree_sitter.QueryCursor(query).captures(root).get("name", [])
    for node in names:
        start, end = node.start_byte, node.end_byte
        if len(data) != len(text):
            start, end = len(data[:start].decode()), len(data[:end].decode())
        if start in seen.starts or any(a <= start < b for a, b in seen.apart):
            continue
        test = _TESTED.search(text, max(0, start - 20), start)
        if test is not None and test.start(1) in seen.starts:
            continue  # it takes `[ "$x" -eq 1 2>/dev/null ]` for two commands
        if text[start:end] not in RESERVED:
            return start, end
    return None
