"""Under which names programs put on disk what they fetch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatesh.syntax.call import located
from gatesh.syntax.origins import NETWORK
from gatesh.syntax.paths import name_of
from gatesh.syntax.values import Field, Output, holes
from gatesh.syntax.wrappers import Options, options_of

if TYPE_CHECKING:
    from gatesh.syntax.call import Call

FETCHED = Output(None, None, frozenset({NETWORK}))

Seen = list[tuple[str, Field | None]]

_URL = re.compile(r"(?:[a-z0-9+.-]+://)?[^/?#]+/(?:[^?#]*/)?([^/?#]*)", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?:s3|gs|az|https?|rsync|ssh)://|[\w.@-]+:")
# Words after which `cp` copies from somewhere else, and how their options take values.
_COPIES = {
    ("aws", "s3", "cp"), ("aws", "s3", "mv"), ("aws", "s3", "sync"), ("gsutil", "cp"),
    ("gsutil", "rsync"), ("gcloud", "storage", "cp"), ("docker", "cp"), ("podman", "cp"),
    ("kubectl", "cp"), ("oc", "cp"), ("mc", "cp"), ("rclone", "copy"), ("rclone", "copyto"),
    ("s3cmd", "get"), ("azcopy", "copy"),
}  # fmt: skip
_COPY = Options(frozenset("cn"), frozenset("container namespace profile region exclude".split()))
COPIERS = frozenset(words[0] for words in _COPIES)


def named_by_address(call: Call, operands: list[Field], seen: Seen) -> list[str]:
    """Return the paths that `curl -O URL` and `wget URL` write, named by the addresses."""
    given = {name for name, _ in seen}
    if call.name == "curl":
        wanted = not given.isdisjoint({"-O", "--remote-name", "--remote-name-all"})
        into = "--output-dir"
    else:
        wanted = given.isdisjoint({"-O", "--output-document", "--spider", "-i", "--input-file"})
        into = "--directory-prefix"
    if not wanted:
        return []
    folder = next((v.text for name, v in seen if name in (into, "-P") and v is not None), "")
    found = []
    for field in operands:
        match = _URL.match(field.text)
        if match is None or holes(field.value):
            continue
        name = match[1] or ("index.html" if call.name == "wget" else "")
        if name:
            found += located(call.f, f"{folder.rstrip('/')}/{name}" if folder else name)
    return found


def copied(call: Call) -> list[str]:
    """Return the paths that `aws s3 cp s3://b/x .` and its kind write."""
    words = [field.text for field in call.fields]
    length = next((n for n in (3, 2) if (call.name, *words[1:n]) in _COPIES), 0)
    if not length:
        return []
    operands = []
    at = length
    while at < len(call.fields):
        found = options_of(call.fields, at, _COPY)
        operands += call.fields[found.first : found.first + 1]
        at = found.first + 1
    return from_elsewhere(call, operands[:-1], operands[-1]) if len(operands) > 1 else []


def from_elsewhere(call: Call, sources: list[Field], target: Field) -> list[str]:
    """Return where sources that are somewhere else end up, if *target* is here."""
    if _ELSEWHERE.match(target.text):
        return []
    return [
        path
        for source in sources
        if _ELSEWHERE.match(source.text)
        for place in located(call.f, target.text)
        for path in (place, place.rstrip("/") + "/" + name_of(source.text.rpartition(":")[2]))
    ]
