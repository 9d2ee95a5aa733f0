"""Paths as the line means them: resolved against where it stands, dots removed."""

from __future__ import annotations

import re

from gatesh.syntax import patterns

_DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$)|//|.{1}/$")

# What a glob is held against: reaching one of these by a wildcard is spelled out.
PROTECTED = tuple(
    "/ /bin /boot /dev /dev/sda /dev/nvme0n1 /etc /etc/passwd /etc/shadow /etc/sudoers /etc/group"
    " /etc/gshadow /etc/fstab /etc/hosts /etc/crontab /etc/ssh /etc/ssl /home /lib /lib64 /media"
    " /mnt /opt /proc /root /root/.ssh /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local"
    " /usr/sbin /var /var/lib /var/log ~ ~/.ssh ~/.ssh/id_rsa ~/.ssh/id_ed25519"
    " ~/.ssh/authorized_keys ~/.aws ~/.aws/credentials ~/.gnupg ~/.kube ~/.kube/config ~/.netrc"
    " ~/.config ~/.bashrc ~/.bash_profile ~/.profile ~/.zshrc ~/.git-credentials ~/.npmrc ~/.pypirc"
    " ~/.docker/config.json ~/.bash_history ~/.zsh_history".split()
)


def normal(path: str) -> str:
    """Return an absolute *path* without `.`, `..`, doubled and trailing slashes.

    >>> normal("/tmp//x/../../etc/"), normal("/..")
    ('/etc', '/')
    """
    if _DOTS.search(path) is None:
        return path
    out: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if out:
                out.pop()
        elif part not in ("", "."):
            out.append(part)
    return "/" + "/".join(out)


def resolve(path: str, directory: str) -> str:
    """Return *path* as seen from *directory*, normal."""
    return normal(path if path.startswith("/") else directory + "/" + path)


NOWHERE = "\0"  # no path starts with it

_SYSTEM = re.compile(r"/(?:etc|usr|bin|sbin|boot|lib\w*|sys|proc|dev|var|run|root|home)(?:/|$)")


def ground(directory: str, home: str | None) -> str:
    """Return what every path inside a project at *directory* starts with.

    Places where people keep no projects are no ground: there every path is spelled out.
    """
    below = directory.removeprefix(home + "/") if home and home != "/" else directory
    if below == directory and (_SYSTEM.match(directory) or directory.count("/") < 2):
        return NOWHERE
    return NOWHERE if directory == home or "/." in directory else directory.rstrip("/") + "/"


def name_of(path: str) -> str:
    """Return the last component."""
    return path.rstrip("/").rpartition("/")[2]


def reached(pattern: str, home: str | None) -> list[str]:
    """Return the protected paths that the absolute glob *pattern* can become."""
    if pattern.count("*") > 8 or len(pattern) > 300:
        return ["/"]
    made = re.compile(patterns.regex(pattern, path=True))
    found = []
    for path in PROTECTED:
        if path[0] == "~" and not home:
            continue
        place = f"{home}{path[1:]}" if path[0] == "~" else path
        if made.fullmatch(place) is not None:
            found.append(place)
    return found[:6]
