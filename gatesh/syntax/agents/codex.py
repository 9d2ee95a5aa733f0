"""codex (recorded with 0.169.0).

The restore script of the shell snapshot is some 38 kB.  It is not matched line
by line: the few things that vary are read out of it, the script is written
again from them, and the two must be equal.

    captures of the variables that the client has set, then of the proxies'
    if . 'SNAPSHOT' >/dev/null 2>&1; then :; fi
    restores of the same variables
    exec 'SHELL' -c 'COMMAND'
"""

from __future__ import annotations

import re

from gatesh.model import Span
from gatesh.syntax.agents.preamble import Call, Preamble, own_call, wrapped
from gatesh.syntax.agents.quoting import is_path, read_single, single

NAME = "codex"

_UUID = rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SNAPSHOT = re.compile(rb".+/shell_snapshots/" + _UUID + rb"\.[0-9]+\.sh")
_UNCHECKED = re.compile(rb".+/shell_snapshots/" + _UUID + rb"\.tmp-[0-9]+")
_SHELL = re.compile(rb".+/(?:bash|zsh|sh)")
_TOOLS = re.compile(rb".+/codex-path|.+/\.codex/tmp/arg0/codex-arg0[A-Za-z0-9]+")

_CAPTURE = re.compile(
    rb'__CODEX_SNAPSHOT_(PROXY_)?OVERRIDE_SET_[0-9]+="\$\{([A-Za-z_][A-Za-z0-9_]*)\+x\}"\n'
    rb'__CODEX_SNAPSHOT_(?:PROXY_)?OVERRIDE_[0-9]+="\$\{[A-Za-z_][A-Za-z0-9_]*-\}"\n'
)
_SOURCE = b"if . "
_PREPEND = b'if [ -n "${PATH:-}" ]; then export PATH='
_CHECK = re.compile(rb'set -e; \. "([^"]+)"')


def recognise(call: Call) -> Preamble | None:
    """Take off the restore script, or know the check of a new snapshot."""
    if (check := _CHECK.fullmatch(call.script)) is not None:
        file = check[1]
        return own_call(NAME, call.script, sources=(file,)) if _is(_UNCHECKED, file) else None
    return _restore(call.script)


def _restore(script: bytes) -> Preamble | None:
    at = 0
    names: dict[bool, list[bytes]] = {False: [], True: []}
    while (capture := _CAPTURE.match(script, at)) is not None:
        names[capture[1] is not None].append(capture[2])
        at = capture.end()
    source = script.find(b"\n\n" + _SOURCE, max(at - 1, 0))
    execs = script.find(b"\n\nexec '", max(at - 1, 0))
    if source < 0 or execs < 0:
        return None
    snapshot = read_single(script, source + 2 + len(_SOURCE))
    prepends = []
    line = script.find(b"\n" + _PREPEND, source, execs)
    while line >= 0:
        folder = read_single(script, line + 1 + len(_PREPEND))
        if folder is None or not _is(_TOOLS, folder[0]):
            return None
        prepends.append(folder[0])
        line = script.find(b"\n" + _PREPEND, folder[1], execs)
    shell = read_single(script, execs + len(b"\n\nexec "))
    if snapshot is None or shell is None or not script.startswith(b" -c ", shell[1]):
        return None
    command = read_single(script, shell[1] + len(b" -c "))
    if command is None or not (_is(_SNAPSHOT, snapshot[0]) and _is(_SHELL, shell[0])):
        return None
    outer = _write(names[False], names[True], snapshot[0], prepends, shell[0])
    span = Span(len(outer), len(script))
    if outer + single(command[0]) != script:
        return None
    return wrapped(NAME, script, command[0], span, sources=(snapshot[0], *prepends, shell[0]))


def _write(
    names: list[bytes], proxies: list[bytes], snapshot: bytes, prepends: list[bytes], shell: bytes
) -> bytes:
    """Return the restore script up to the command."""
    captures = [_capture(b"OVERRIDE", i, name) for i, name in enumerate(names)]
    captures += [_capture(b"PROXY_OVERRIDE", i, name) for i, name in enumerate(proxies)]
    restores = [_restored(b"OVERRIDE", i, name) for i, name in enumerate(names)]
    if proxies:
        active = b"CODEX_NETWORK_PROXY_ACTIVE"
        captures.append(b'__CODEX_SNAPSHOT_PROXY_ENV_SET="${%s+x}"' % active)
        restores.append(
            b'if [ -n "$__CODEX_SNAPSHOT_PROXY_ENV_SET" ] || [ -n "${%s+x}" ]; then' % active
        )
        restores += [_restored(b"PROXY_OVERRIDE", i, name) for i, name in enumerate(proxies)]
        restores.append(b"fi")
    for folder in map(single, prepends):
        restores.append(
            b'%s%s:"$PATH"; else export PATH=%s; fi' % (_PREPEND, folder, folder),
        )
    blocks = [
        b"\n".join(captures),
        b"%s%s >/dev/null 2>&1; then :; fi" % (_SOURCE, single(snapshot)),
        b"\n".join(restores),
        b"exec %s -c " % single(shell),
    ]
    return b"\n\n".join(blocks)


def _capture(kind: bytes, number: int, name: bytes) -> bytes:
    return b'__CODEX_SNAPSHOT_%s_SET_%d="${%s+x}"\n__CODEX_SNAPSHOT_%s_%d="${%s-}"' % (
        *(kind, number, name),
        *(kind, number, name),
    )


def _restored(kind: bytes, number: int, name: bytes) -> bytes:
    was_set = b"__CODEX_SNAPSHOT_%s_SET_%d" % (kind, number)
    value = b"__CODEX_SNAPSHOT_%s_%d" % (kind, number)
    return b"\n".join(
        (
            b'if [ -n "${%s}" ]; then' % was_set,
            b'  if [ -z "${%s+x}" ] || [ "${%s-}" != "${%s}" ]; then export %s="${%s}";'
            b" else export %s; fi" % (name, name, value, name, value, name),
            b"else builtin unset %s 2>/dev/null || command unset %s; fi" % (name, name),
            b"builtin unset %s %s 2>/dev/null || command unset %s %s"
            % (was_set, value, was_set, value),
        )
    )


def _is(shape: re.Pattern[bytes], path: bytes) -> bool:
    return is_path(path) and shape.fullmatch(path) is not None
