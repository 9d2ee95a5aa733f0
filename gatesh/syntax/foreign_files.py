"""Files that code in other languages reads and writes, where it spells out their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax.call import located
from gatesh.syntax.foreign_strings import STRING, text_of
from gatesh.syntax.values import Output

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

MAX_FILES = 60  # of one piece of code; these subjects only add to what the code itself shows

_OPEN = re.compile(
    r"\bopen(?:Sync)?\s*\(\s*"
    + STRING
    + r"(?:\s*,\s*(?:mode\s*=\s*)?[\"']([rwaxbtU+<>]{1,4})[\"'])?"
)
_PERL_OPEN = re.compile(
    r"\bopen\s*+\(?\s*+(?:my\s++)?[$\w]++\s*+,\s*+[\"'](\+?[<>]{1,2})[^\"']*[\"']\s*,\s*" + STRING
)
_PERL_OPEN_ONE = re.compile(
    r"\bopen\s*+\(?\s*+(?:my\s++)?[$\w]++\s*+,\s*+[\"'](\+?>{1,2}|<)\s*+([^\"'|<>&\n]{1,400})[\"']"
)
_PATH = re.compile(
    r"\bPath\(\s*" + STRING + r"\s*\)\s*\.\s*(read_\w+|write_\w+|unlink|rmdir|touch|mkdir|open)"
)
_READS = re.compile(
    r"\b(?:readFile(?:Sync)?|createReadStream|readTextFile(?:Sync)?|File\.(?:read|readlines|foreach)"
    r"|IO\.(?:read|readlines)|file_get_contents|readfile|slurp|readLines|read_csv)\s*\(?\s*"
    + STRING
)
_WRITES = re.compile(
    r"\b(?:(?:write|append)File(?:Sync)?|createWriteStream|writeTextFile(?:Sync)?|(?:File|IO)\.write"
    r"|file_put_contents|spit|os\.(?:remove|unlink|rmdir|removedirs|truncate|makedirs|mkdir|chmod"
    r"|chown)|shutil\.rmtree|unlink(?:Sync)?|rm(?:dir)?Sync|File\.(?:delete|unlink|chmod)"
    r"|FileUtils\.(?:rm\w*|mkdir\w*|touch|chmod\w*)|rmtree)\s*+\(?\s*+" + STRING
)
_NEAR = re.compile(
    r"open|[rR]ead|[wW]rite|append|unlink|rm|remove|slurp|spit|file_|FileUtils|os\.|Path"
)


def look(call: Call, code: str, span: tuple[int, int]) -> None:
    """Add the files that *code* reads and writes."""
    if _NEAR.search(code) is None:
        return
    found: list[tuple[Kind, str]] = []
    for match in _OPEN.finditer(code):
        writes = set(match[2] or "r") & set("wax+>")
        found.append((Kind.WRITE if writes else Kind.READ, match[1]))
    for match in _PERL_OPEN.finditer(code):
        found.append((Kind.WRITE if set(match[1]) & set("+>") else Kind.READ, match[2]))
    for match in _PERL_OPEN_ONE.finditer(code):
        found.append((Kind.READ if match[1] == "<" else Kind.WRITE, f'"{match[2]}"'))
    for match in _PATH.finditer(code):
        found.append((Kind.READ if match[2].startswith("read") else Kind.WRITE, match[1]))
    found += [(Kind.READ, match[1]) for match in _READS.finditer(code)]
    found += [(Kind.WRITE, match[1]) for match in _WRITES.finditer(code)]
    for kind, literal in list(dict.fromkeys(found))[:MAX_FILES]:
        name = text_of(literal)
        if name and "\n" not in name and "{" not in name and "://" not in name:
            for path in located(call.f, name):
                call.f.add(kind, path, span)
                if kind is Kind.WRITE:
                    call.f.shell.files[path] = Output()  # whatever the code puts there
