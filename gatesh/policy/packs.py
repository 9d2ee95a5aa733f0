"""Directories of rule files → one policy.  The only module of this room that reads files.

    shipped   in the package             system    /etc/gatesh/rules
    user      the account's own          project   beside the work

A later layer can only tighten.  All problems of all files are reported at once.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatesh import document
from gatesh.errors import ConfigError
from gatesh.model import CodeFile, Verdict
from gatesh.policy import reading
from gatesh.policy.engine import Policy
from gatesh.policy.patterns import EngineFailed
from gatesh.policy.rule import Rule

LARGEST = 1 << 20  # bytes of one rule file
MOST = 2000  # rule files of one layer
_OTHERS_WRITE = 0o022

# Who may take a rule of whom out of force: the layer itself and those above.
# What a project brings along (often written by the agent) is above nobody.
_AUTHORITY = {"shipped": 1, "user": 2, "system": 3}


@dataclass(frozen=True, slots=True)
class Layer:
    """A directory of rule files: `shipped`, `system`, `user`, `project`, in this order.

    `contents`, by path below the directory, stand for what lies there: rules in force need not
    be those on disk.
    """

    name: str
    directory: Path
    contents: Mapping[str, bytes] | None = None

    @property
    def authority(self) -> int:
        """How far its overrides reach; 0 for a project."""
        return _AUTHORITY.get(self.name, 0)

    def check(self, status: os.stat_result, what: str) -> None:
        """Raise `_Unsafe` when others than those we go by can have written it."""
        # Whoever can write a rule can let anything through.  A project's can only tighten, so it
        # is for whoever owns the project, and for the group that works on it.
        mask, who = (stat.S_IWOTH, "o-w") if self.authority == 0 else (_OTHERS_WRITE, "go-w")
        if status.st_mode & mask:
            raise _Unsafe(f"{what} can be written by others; run chmod {who} on it")


class _Unsafe(Exception):
    """A file or directory that must not be read as rules."""


def load(
    layers: Sequence[Layer], *, default: Verdict = Verdict.ALLOW, default_layer: str = "user"
) -> Policy:
    """Return the policy of every `*.yaml` and `*.yml` below the layers' directories.

    *default* is the configured verdict for what no rule matches and
    *default_layer* who configured it: only that layer and those above may have
    `allow` rules against it.  A file's own `default:` can tighten it.  Raises
    `ConfigError` with one line for each problem: `file:line: rule id: …`.
    """
    problems: list[str] = []
    rules: list[Rule] = []
    files: list[CodeFile] = []
    defaults = [(default, _AUTHORITY.get(default_layer, 0))]
    for layer in layers:
        for file, data in _contents(layer, problems):
            found = _read(file, data, layer, problems, files)
            rules += found.rules
            if found.default is not None:
                defaults.append((found.default, layer.authority))
    strictest, authority = max(defaults)
    reach = {layer.name: layer.authority for layer in layers}
    problems += _duplicates(rules)
    problems += _weakening(rules, strictest, authority, reach)
    replaced, wrong = _overridden(rules, reach)
    problems += wrong
    if not rules and not problems:
        problems.append("no rules were found in " + ", ".join(str(y.directory) for y in layers))
    if problems:
        raise ConfigError("\n".join(problems), hint="see all of it with `gatesh rules test`")
    gone = {rule.id for rule in replaced}
    try:
        kept = (rule for rule in rules if rule.id not in gone)
        return Policy(kept, default=strictest, replaced=replaced, files=files)
    except EngineFailed as problem:
        raise ConfigError(str(problem), hint="split or shorten the largest patterns") from None


def tighten(base: Policy, layers: Sequence[Layer]) -> Policy:
    """Return *base* and the rules of *layers*, which may add to it and take nothing away.

    Raises `ConfigError` with one line for each problem.
    """
    problems: list[str] = []
    rules: list[Rule] = []
    files: list[CodeFile] = []
    default = base.default
    for layer in layers:
        for file, data in _contents(layer, problems):
            found = _read(file, data, layer, problems, files)
            rules += found.rules
            default = max(default, found.default or default)
    known = (*base.rules, *base.replaced)
    problems += _duplicates((*known, *rules))
    problems += _weakening(rules, default, 0, {})
    problems += [
        f"{rule.where}: rule {rule.id}: a project can only tighten; "
        f"an override of {rule.overrides} belongs into the user's or the system's rules"
        for rule in rules
        if rule.overrides is not None
    ]
    if problems:
        raise ConfigError("\n".join(problems), hint="see all of it with `gatesh rules test`")
    try:
        return Policy(
            (*base.rules, *rules),
            default=default,
            replaced=base.replaced,
            files=(*base.files, *files),
            problems=base.problems,
        )
    except EngineFailed as problem:
        raise ConfigError(str(problem), hint="split or shorten the largest patterns") from None


def snapshot(layer: Layer) -> Layer:
    """Return *layer* with what lies in its directory now, read once.

    Raises `ConfigError` for files and directories that must not be read as rules.
    """
    problems: list[str] = []
    found = {
        path.relative_to(layer.directory).as_posix(): data
        for path, data in _contents(layer, problems)
    }
    if problems:
        raise ConfigError("\n".join(problems))
    return Layer(layer.name, layer.directory, found)


def listing(layers: Iterable[Layer]) -> tuple[CodeFile, ...]:
    """Return the rule files of *layers* that can be read, whatever they say."""
    found = (one for layer in layers for one in _contents(layer, []))
    return tuple(CodeFile(str(path), document.sha256(data), len(data)) for path, data in found)


# ---- files ------------------------------------------------------------------


def _contents(layer: Layer, problems: list[str]) -> Iterator[tuple[Path, bytes]]:
    """Yield the rule files of *layer* with their bytes, in the order of their names."""
    if layer.contents is not None:
        for name in sorted(layer.contents):
            yield layer.directory / name, layer.contents[name]
        return
    for path in _files(layer, problems):
        try:
            yield path, _bytes(path, layer)
        except (_Unsafe, OSError) as problem:
            said = problem.strerror if isinstance(problem, OSError) else problem
            problems.append(f"{path}: cannot be used: {said}")


def _files(layer: Layer, problems: list[str]) -> list[Path]:
    """Return the rule files of *layer*, sorted; note directories others may write to."""
    found: list[Path] = []
    root = layer.directory
    if not root.exists():
        if layer.name == "shipped":
            problems.append(f"{root}: the rules that come with gatesh are missing; reinstall it")
        return []

    def failed(error: OSError) -> None:
        problems.append(f"{error.filename}: cannot be read ({error.strerror})")

    if layer.authority == 0:  # whoever may write above could put another directory there
        _check(root.parent, layer, problems)
    for place, folders, names in os.walk(root, onerror=failed):
        _check(Path(place), layer, problems)
        for folder in folders:
            if (Path(place) / folder).is_symlink():
                # A link may lead out of what was checked, or in circles.
                problems.append(f"{place}/{folder}: is a link to a directory; link the files")
        found += [Path(place) / n for n in names if n.endswith((".yaml", ".yml"))]
    if len(found) > MOST:
        problems.append(f"{root}: holds more than {MOST} rule files; merge some")
        return []
    return sorted(found)


def _check(directory: Path, layer: Layer, problems: list[str]) -> None:
    try:
        layer.check(os.stat(directory), "the directory")
    except (_Unsafe, OSError) as problem:
        problems.append(f"{directory}: {problem}")


def _read(
    path: Path, data: bytes, layer: Layer, problems: list[str], files: list[CodeFile]
) -> reading.RuleFile:
    shown = str(path)
    if layer.name == "shipped":
        shown = str(Path("rules") / path.relative_to(layer.directory))
    try:
        text = _decoded(data)
    except _Unsafe as problem:
        problems.append(f"{path}: cannot be used: {problem}")
        return reading.RuleFile()
    files.append(CodeFile(str(path), document.sha256(data), len(data)))
    found = reading.read(text, file=shown, layer=layer.name)
    for complaint in found.complaints:
        rule = f"rule {complaint.rule}: " if complaint.rule else ""
        problems.append(f"{path}:{complaint.line}: {rule}{complaint.message}")
    return found


def _bytes(path: Path, layer: Layer) -> bytes:
    """Return what is in a rule file that only its owner can have written."""
    target = path.resolve(strict=True)
    if target != path:
        layer.check(os.stat(target.parent), "the directory it links to")
    # Non-blocking: a FIFO put in the place of a file must not hang the broker.
    descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with contextlib.closing(os.fdopen(descriptor, "rb")) as file:
        status = os.fstat(descriptor)  # of what is read, not of what had that name before
        if not stat.S_ISREG(status.st_mode):
            raise _Unsafe("it is not a regular file")
        layer.check(status, "it")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise _Unsafe(f"it is larger than {LARGEST} bytes; split it")
    return data


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise _Unsafe(f"line {line} is not UTF-8; save it as UTF-8") from None


# ---- what files say about each other -----------------------------------------


def _duplicates(rules: Iterable[Rule]) -> list[str]:
    first: dict[str, Rule] = {}
    found = []
    for rule in rules:
        if (other := first.setdefault(rule.id, rule)) is not rule:
            found.append(f"{rule.where}: rule {rule.id}: id is used at {other.where}; rename one")
    return found


def _weakening(
    rules: Iterable[Rule], default: Verdict, authority: int, reach: dict[str, int]
) -> list[str]:
    """Note `allow` rules of layers that may not soften the default."""
    found = []
    for rule in rules:
        if rule.verdict is not Verdict.ALLOW:
            continue
        mine = reach.get(rule.layer, 0)
        if mine == 0:
            found.append(
                f"{rule.where}: rule {rule.id}: a project can only tighten; "
                "`allow` belongs into the user's or the system's rules"
            )
        elif default is not Verdict.ALLOW and mine < authority and rule.layer != "shipped":
            found.append(
                f"{rule.where}: rule {rule.id}: {rule.layer} rules cannot allow what a layer "
                "above asks about by default; move it there"
            )
    return found


def _overridden(rules: Iterable[Rule], reach: dict[str, int]) -> tuple[list[Rule], list[str]]:
    """Return the rules that are replaced, and what is wrong with replacing them."""
    rules = tuple(rules)
    by_id = {rule.id: rule for rule in rules}
    replaced: dict[str, Rule] = {}
    wrong = []
    for rule in rules:
        if rule.overrides is None:
            continue
        said = f"{rule.where}: rule {rule.id}: override"
        old = by_id.get(rule.overrides)
        if old is None:
            wrong.append(
                f"{said} names {rule.overrides}, which is no rule; see `gatesh rules list`"
            )
        elif old is rule:
            wrong.append(f"{said} names the rule itself; give the new one its own id")
        elif old.overrides is not None:
            wrong.append(f"{said} names {old.id}, itself an override; edit that one")
        elif old.id in replaced:
            wrong.append(f"{said} of {old.id} is given twice; keep one")
        elif reach.get(rule.layer, 0) < reach.get(old.layer, 0):
            wrong.append(f"{said} of {old.id}: {rule.layer} rules cannot replace {old.layer} rules")
        else:
            replaced[old.id] = old
    return list(replaced.values()), wrong
