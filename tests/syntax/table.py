"""The tables in `classes/`, and the small world their lines are judged in."""

from __future__ import annotations

from pathlib import Path

import yaml

from gatesh.syntax import Context

CLASSES = Path(__file__).parent / "classes"


def load() -> dict[str, dict]:
    return {case["says"]: case for case in yaml.safe_load((CLASSES / "subjects.yaml").read_text())}


def lines(name: str) -> list[str]:
    text = (CLASSES / name).read_text().splitlines()
    return [line.replace("␤", "\n") for line in text if line and not line.startswith("# ")]


def context(case: dict) -> Context:
    files = {path: text.encode() for path, text in case.get("files", {}).items()}

    def read(path: str) -> bytes | None:
        if path in case.get("locked", []):
            raise PermissionError(13, "Permission denied")
        return files.get(path)

    env = {"HOME": "/home/dev", "PATH": "/usr/bin:/bin", **case.get("env", {})}
    return Context("/work/project", env, read)
