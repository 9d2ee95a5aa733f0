"""Rules that lie beside the work: `.gatesh/rules` in the directory of a call and above it.

A project's files can be written by the agent itself, so all they can do is tighten.  Where they
cannot be used, nothing runs unasked: a rule that somebody broke may have asked for more.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from gatesh.broker.surroundings import home_of
from gatesh.call import Project
from gatesh.errors import ConfigError
from gatesh.policy.engine import Policy
from gatesh.policy.packs import Layer, listing, tighten

PLACE = ".gatesh/rules"
REMEMBERED = 64  # projects whose rules are kept compiled

log = logging.getLogger("gatesh.broker")

Stamps = tuple[tuple[str, int, int, int, int], ...]
_lock = threading.Lock()
_known: OrderedDict[tuple[str, int, tuple[str, ...]], tuple[Stamps, Project]] = OrderedDict()


def around(policy: Policy, cwds: Iterable[str], uid: int) -> Project:
    """Return *policy* with the rules of every project that *cwds* lie in, for a caller *uid*.

    Rules that cannot be used make everything need approval.
    """
    if policy.problems is not None:
        return Project(policy)
    layers = _layers(cwds, uid)
    if not layers:
        return Project(policy)
    key = (policy.sha256, uid, tuple(str(layer.directory) for layer in layers))
    stamps = tuple(sorted(stamp for layer in layers for stamp in _stamps(layer.directory)))
    with _lock:
        found = _known.get(key)
        if found is not None and found[0] == stamps:
            _known.move_to_end(key)
            return found[1]
    files = listing(layers)
    try:
        project = Project(tighten(policy, layers), files)
    except ConfigError as problem:
        log.info("the rules of a project cannot be used: %s", problem)
        project = Project(policy.blocked(str(problem)), files)
    with _lock:
        _known[key] = (stamps, project)
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return project


def added(policy: Policy, cwd: str, uid: int) -> Policy:
    """Return what `around` does; raise `ConfigError` for rules that cannot be used."""
    layers = _layers((cwd,), uid)
    return tighten(policy, layers) if layers else policy


def _layers(cwds: Iterable[str], uid: int) -> list[Layer]:
    return [Layer("project", path) for path in places(cwds, home_of(uid))]


def places(cwds: Iterable[str], home: str | None) -> list[Path]:
    """Return the rule directories of the projects that *cwds* lie in.

    By the path that was used and by the real one: a link into a project does not lead around its
    rules.  Neither a home nor a directory that everybody may put files into is a project.
    """
    found: dict[tuple[int, int], Path] = {}
    starts = [name for cwd in cwds for name in (cwd, os.path.realpath(cwd))]
    for start in dict.fromkeys(starts):
        if not start.startswith("/"):
            continue
        directory = str(Path(start))
        while directory not in ("/", "", home):
            place = f"{directory}/{PLACE}"
            try:
                if os.stat(directory).st_mode & (stat.S_IWOTH | stat.S_ISVTX) == _EVERYBODYS:
                    break  # /tmp and the like
                status = os.stat(place)
            except OSError:
                pass  # not there, or closed to the broker
            else:
                if stat.S_ISDIR(status.st_mode):
                    found.setdefault((status.st_dev, status.st_ino), Path(place))
            directory = directory.rpartition("/")[0]
    return list(found.values())


_EVERYBODYS = stat.S_IWOTH | stat.S_ISVTX


def _stamps(root: Path) -> list[tuple[str, int, int, int, int]]:
    """Return what tells a changed file, a changed list of files, or changed rights."""
    found = []
    for place, _, names in os.walk(root):
        for path in (place, *(os.path.join(place, name) for name in names)):
            try:
                at = os.stat(path)
            except OSError:
                continue
            found.append((path, at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino))
    return found
