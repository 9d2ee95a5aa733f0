"""What an approval will be good for: everything about a call that is bound to its request.

The exact bytes for the shell, how it is called, where, by whom, with which variables and
files, under which rules and which roster (`docs/spec/formats.md` 1).
"""

from __future__ import annotations

import posixpath
from typing import Any

from gatesh import document, pathsearch
from gatesh.approval import request as requests
from gatesh.approval.request import text_of
from gatesh.call import Call, Law, Stdin
from gatesh.errors import GateshError
from gatesh.model import Analysis, CodeFile, Invocation

STARTUP = ("/etc/profile", "~/.bash_profile", "~/.bash_login", "~/.profile")


def bind(
    call: Call,
    called: Invocation,
    analysis: Analysis,
    law: Law,
    salt: bytes,
    *,
    again: bool = False,
) -> dict[str, Any]:
    """Return everything an approval is good for.

    The first time, files count as they were when they were judged; *again* looks anew.
    """
    judged = {file.path: file for file in analysis.files}
    paths = list(judged)
    home = text_of(call.env.get(b"HOME", b""))
    if called.login and b"--noprofile" not in called.options:
        paths += [place.replace("~", home) for place in STARTUP]
    if called.interactive and b"--norc" not in called.options:
        paths += ["/etc/bash.bashrc", f"{home}/.bashrc"]
    if bash_env := text_of(call.env.get(b"BASH_ENV", b"")):
        paths.append(posixpath.join(str(call.cwd()["path"]), bash_env))
    files = []
    for path in dict.fromkeys(paths):
        if path in judged and not again:
            files.append(judged[path])
        else:
            files += _look(call, path)
    search = call.env.get(b"PATH")
    files += pathsearch.programs(
        analysis.subjects,
        agent=analysis.agent,
        path=None if search is None else text_of(search),
        cwd=str(call.cwd()["path"]),
        identify=call.identify,
    )
    kept = {n: v for n, v in call.env.items() if law.config.binds(text_of(n))}
    return {
        "invocation": requests.invocation_document(called),
        "cwd": call.cwd(),
        "env": requests.env_document(kept, salt),
        "files": requests.files_document(files),
        "policy": law.as_document(),
    }


def _look(call: Call, path: str) -> list[CodeFile]:
    try:
        content = call.read(path)
    except OSError as problem:  # there, and closed to us: that much is known of it
        return [CodeFile(path, document.sha256(f"unread {problem.errno}".encode()), 0)]
    if content is None:
        return []
    return [CodeFile(path, document.sha256(content), len(content))]


def stdin_document(stdin: Stdin) -> dict[str, Any]:
    return {"kind": stdin.kind if stdin.kind in ("tty", "null") else "unseen"}


def stdin_read(stdin: Stdin) -> dict[str, Any]:
    """Return what commands will read, by digest when it is a file; its position stays."""
    if stdin.kind == "file":
        try:
            return {"kind": "file", "sha256": document.sha256(stdin.text())}
        except (GateshError, OSError):
            pass  # too large to be read for this, or only open for writing
    return stdin_document(stdin)
