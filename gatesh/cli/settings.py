"""Reading and writing one value in another program's settings file, leaving the rest alone."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatesh.cli.clients import Setting
from gatesh.errors import ConfigError


def path_of(setting: Setting, environ: Mapping[str, str]) -> Path:
    """Return where the file of *setting* is for this environment."""
    file = setting.file
    if setting.home is not None and (moved := environ.get(setting.home[0])):
        file = moved + file.removeprefix(setting.home[1])
    home = environ.get("HOME") or os.path.expanduser("~")
    return Path(home + file[1:] if file.startswith("~/") else file)


def filled(value: Any, directory: Path) -> Any:
    """Return *value* with every `{dir}` in it replaced."""
    if isinstance(value, dict):
        return {name: filled(inner, directory) for name, inner in value.items()}
    return value.replace("{dir}", str(directory)) if isinstance(value, str) else value


def read(path: Path, kind: str) -> dict[str, Any]:
    """Return what *path* says; nothing when it is not there.

    Raises `ConfigError` for a file that cannot be read as its kind: it is then not
    for us to write either.
    """
    try:
        text = path.read_text("utf-8")
        found = json.loads(text or "{}") if kind == "json" else tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        raise ConfigError(f"{path}: cannot be read as {kind.upper()}: {problem}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: not an object")
    return found


def value_of(setting: Setting, path: Path) -> Any:
    """Return the value that the file has now, None when it has none."""
    if setting.kind == "lines":
        return _line_of(setting, path)
    found: Any = read(path, setting.kind)
    for name in setting.key:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _line_of(setting: Setting, path: Path) -> str | None:
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: cannot be read: {problem}") from None
    named = [line.strip() for line in lines if setting.key[0] in line.partition("#")[0]]
    return named[-1] if named else None


def write(setting: Setting, path: Path, value: Any) -> Path | None:
    """Set *value* in the file at *path*; return the copy made of what was there before.

    Raises `ConfigError` when that cannot be done without touching something else.
    """
    value_of(setting, path)  # for its words about what cannot be read
    real = Path(os.path.realpath(path))  # a link into somebody's collection of settings stays one
    try:
        before = real.read_bytes()
    except FileNotFoundError:
        before = None
    text = _with(setting, path, (before or b"").decode("utf-8"), value)
    copy = None
    if before is not None:
        copy = _free_name(real)
        _put(copy, before, real.stat().st_mode & 0o777)
    real.parent.mkdir(parents=True, exist_ok=True)
    mode = real.stat().st_mode & 0o777 if before is not None else 0o600
    new = real.with_name(f".{real.name}.gatesh")
    _put(new, text.encode("utf-8"), mode)
    new.replace(real)
    return copy


def _with(setting: Setting, path: Path, text: str, value: Any) -> str:
    """Return *text* with *value* set in it."""
    if setting.kind == "json":
        return _with_json(setting, path, text, value)
    if value_of(setting, path) is not None or (
        setting.kind == "toml" and setting.key[0] in read(path, "toml")
    ):
        raise ConfigError(
            f"{path} has {'.'.join(setting.key)} already", hint="put the value shown in by hand"
        )
    start = text + "\n" * (text != "" and not text.endswith("\n"))
    if setting.kind == "lines":
        return f"{start}{value}\n"
    pairs = ", ".join(f"{name} = {json.dumps(inner)}" for name, inner in value.items())
    blank = "\n" if start else ""
    return f"{start}{blank}[{setting.key[0]}]\n{setting.key[1]} = {{ {pairs} }}\n"


def _with_json(setting: Setting, path: Path, text: str, value: Any) -> str:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(names) != len(set(names)):
            raise ConfigError(f"{path}: a name stands there twice", hint="put it right first")
        return dict(pairs)

    found = json.loads(text or "{}", object_pairs_hook=once)
    at = found
    for name in setting.key[:-1]:
        at = at.setdefault(name, {})
        if not isinstance(at, dict):
            raise ConfigError(f"{path}: {name} is not an object", hint="put the value in by hand")
    at[setting.key[-1]] = value
    indent = re.search(r"\n([ \t]+)\S", text)
    return json.dumps(found, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"


def _free_name(path: Path) -> Path:
    number = 0
    while True:
        name = path.with_name(f"{path.name}.before-gatesh{f'.{number}' if number else ''}")
        if not os.path.lexists(name):
            return name
        number += 1


def _put(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
