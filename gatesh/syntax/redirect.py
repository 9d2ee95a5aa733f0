"""Redirections: what is read and written, and what the next reader finds there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatesh.model import Kind
from gatesh.syntax import findings, paths
from gatesh.syntax.call import file_output, located
from gatesh.syntax.expand import Expander
from gatesh.syntax.nodes import Lit, Redir
from gatesh.syntax.state import hole
from gatesh.syntax.values import Output, concatenated, join, pieces, render, sources

if TYPE_CHECKING:
    from gatesh.syntax.follow import Follower

UNKNOWN = Output()
_GLOB = re.compile(r"[*?\[]")


@contextmanager
def redirected(f: Follower, redirs: list[Redir]) -> Iterator[list[str]]:
    """Follow redirections; yield the files that standard output goes to."""
    files: list[str] = []
    if not redirs:
        yield files
        return
    before, fds = f.stdin, f.fds
    if any(redir.fd not in ("", "0") or redir.op == "<&" for redir in redirs):
        f.fds = dict(fds)
    for redir in redirs:
        _redirect(f, redir, files)
    f.wanted += bool(files)
    f.stays = False
    try:
        yield files
    finally:
        if not f.stays:  # `exec < file` stays
            f.stdin, f.fds = before, fds
        f.stays = False
        f.wanted -= bool(files)


def _redirect(f: Follower, redir: Redir, files: list[str]) -> None:
    expander = Expander(f)
    span = (redir.start, redir.end)
    f.word_span = span
    value = expander.text(redir.target)
    op = redir.op
    if f.typed and op in ("<&", ">&") and _cuts_off(redir.fd, render(value)):
        why = "may close the descriptor by which the shell gets its commands judged"
        f.finding(findings.DYNAMIC_CODE, span, why)
    if op in ("<<", "<<-"):
        _opened(f, redir, Output(value))
        return
    if op == "<<<":
        _opened(f, redir, Output(join([*pieces(value), "\n"]), None, sources(value)))
        return
    text = render(value)
    if op in ("<&", ">&") and (text.rstrip("-").isdigit() or text == "-" or text in f.fds):
        if op == "<&":
            number = text.rstrip("-")
            _opened(f, redir, f.fds.get(number, UNKNOWN) if number else UNKNOWN)
        return
    if op in ("<", "<&", "<>"):
        if not text.startswith("<("):
            for path in located(f, text):
                f.add(Kind.READ, path, span)
        _opened(f, redir, file_output(f, value))
    if op not in ("<", "<&"):
        for path in located(f, text):
            f.add(Kind.WRITE, path, span)
            if any(
                isinstance(x, Lit) and not x.quoted and _GLOB.search(x.text)
                for x in redir.target.pieces()
            ):
                for reached in paths.reached(path, f.shell.one("HOME")):
                    f.add(Kind.WRITE, reached, span)
            if redir.fd in ("", "1") and op != "<>":
                files.append(("+" if op in (">>", "&>>") else "") + path)


def _cuts_off(fd: str, target: str) -> bool:
    """Tell whether a descriptor of bash's own (10 and above) may be closed or moved away.

    While a command runs, bash keeps there what it reads its commands from.  A number in a
    variable, before or behind, may be any.
    """
    if target.endswith("-") and len(target) > 2:
        return True
    # A mere number opens something over it: bash puts its own back.
    return (fd.startswith("{") or len(fd) > 1) and not target.isdigit()


def _opened(f: Follower, redir: Redir, output: Output) -> None:
    """Remember what reading from the descriptor of *redir* yields now."""
    if redir.fd in ("", "0"):
        f.stdin = output
    elif redir.fd.isdigit():
        f.fds[redir.fd] = output
    else:  # `exec {fd}<file`: the number is only known to the shell
        f.shell.set(redir.fd[1:-1], hole("$" + redir.fd[1:-1], one=True))
        f.fds["$" + redir.fd[1:-1]] = output


def written(f: Follower, files: list[str], output: Output) -> None:
    """Remember what the line has put into files."""
    for file in files:
        path = file.lstrip("+")
        if file[0] == "+":
            old = f.shell.files.get(path)
            # What was there before the line stays in front of what the line adds.
            output = (
                concatenated([old, output]) if old else Output(output.text, path, output.origin)
            )
        f.shell.files[path] = output
