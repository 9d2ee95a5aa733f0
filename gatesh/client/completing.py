"""What TAB offers at a session's prompt: names of commands, files and variables.

Commands are asked of a bash of our own, which gets what was typed as an argument and
none of the session's environment but PATH: nothing of the agent's runs for a TAB.  So it
knows nothing of aliases, functions and `complete -F` in the session.
"""

import os
import re
import subprocess

_STARTS = re.compile(r"(?:^|[|&;(`{])\s*(?:(?:sudo|time|exec|command|env|!)\s+)*$")
_SPECIAL = re.compile(r"([\s'\"\\$`&;|<>()*?\[\]!#{}])")


def candidates(before: str, text: str, shell: str) -> "list[str]":
    """Return what *text*, the word that stands behind *before*, can become.

    *shell* is the program that knows the names of commands.
    """
    if text.startswith("$"):
        found = sorted(f"${name}" for name in os.environ if name.startswith(text[1:]))
    elif "/" not in text and text[:1] != "~" and _STARTS.search(before):
        found = commands(text, shell)
    else:
        found = files(text)
    if len(found) == 1 and not found[0].endswith("/"):
        return [found[0] + " "]
    return found


def commands(text: str, shell: str) -> "list[str]":
    """Return the commands, builtins and reserved words that begin with *text*."""
    asked = [shell, "--norc", "--noprofile", "-c", 'compgen -c -- "$1"', "bash", text]
    path = os.environ.get("PATH", os.defpath)
    try:
        done = subprocess.run(
            asked, env={"PATH": path}, capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted(set(done.stdout.decode("utf-8", "surrogateescape").split("\n")) - {""})


def files(text: str) -> "list[str]":
    """Return the files whose path begins with *text*, directories with a slash.

    >>> files("/et")
    ['/etc/']
    """
    plain = re.sub(r"\\(.)", r"\1", text)
    place, _, start = plain.rpartition("/")
    place += "/" if "/" in plain else ""
    try:
        with os.scandir(os.path.expanduser(place) or ".") as entries:
            found = [
                place + entry.name + ("/" if entry.is_dir() else "")
                for entry in entries
                if entry.name.startswith(start) and (start or entry.name[0] != ".")
            ]
    except OSError:
        return []
    return sorted(_SPECIAL.sub(r"\\\1", name) for name in found)
