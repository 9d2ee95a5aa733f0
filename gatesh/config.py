"""Where things are, who may write them, and the few settings of one broker.

embedded   $XDG_CONFIG_HOME/gatesh   $XDG_STATE_HOME/gatesh   $XDG_RUNTIME_DIR/gatesh
guarded    /etc/gatesh               /var/lib/gatesh          /run/gatesh
GATESH_HOME=DIR                      puts all of them under DIR as config/, state/ and run/
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import os
import pwd
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from gatesh import bech32, socketpath
from gatesh.errors import ConfigError
from gatesh.model import Verdict


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one broker."""

    config: Path
    state: Path
    run: Path
    guarded: bool = False

    @property
    def settings(self) -> Path:
        """The file of settings, which need not exist."""
        return self.config / "config.yaml"

    @property
    def rules(self) -> Path:
        """Rule files of this account or machine."""
        return self.config / "rules"

    @property
    def ledger(self) -> Path:
        """The append-only log."""
        return self.state / "ledger"

    @property
    def heads(self) -> Path:
        """The newest head that a person's own client has checked, per log."""
        return self.state / "heads"


def places(environ: Mapping[str, str] = os.environ) -> Places:
    """Return the directories for this account and environment; creates nothing."""
    run = Path(
        os.fsdecode(
            socketpath.directory({os.fsencode(k): os.fsencode(v) for k, v in environ.items()})
        )
    )
    if run == Path(os.fsdecode(socketpath.GUARDED)):
        return Places(Path("/etc/gatesh"), Path("/var/lib/gatesh"), run, guarded=True)
    if home := environ.get("GATESH_HOME"):
        base = Path(home).absolute()
        return Places(base / "config", base / "state", base / "run")
    own = Path(environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir)
    return Places(
        _absolute(environ.get("XDG_CONFIG_HOME")) or own / ".config" / "gatesh",
        _absolute(environ.get("XDG_STATE_HOME")) or own / ".local" / "state" / "gatesh",
        run,
    )


def _absolute(base: str | None) -> Path | None:
    # The XDG specification: a relative path is invalid and must be ignored.
    return Path(base) / "gatesh" if base and base.startswith("/") else None


def shipped_rules() -> Path:
    """Return the directory of the rule packs that came with gatesh."""
    packaged = Path(__file__).parent / "rules"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "rules"


def refuse_if_others_can_write(path: Path) -> None:
    """Raise `ConfigError` when another account than root and ours could change *path*."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        found = path.stat()
    if found.st_mode & 0o022:
        raise ConfigError(f"{path} can be written by other accounts", hint=f"chmod go-w {path}")
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"{path} belongs to another account", hint="take it over or remove it")


# What changes the meaning of a command without standing in it.  A `*` at the end is a prefix.
BIND_ENV = (
    "PATH", "HOME", "IFS", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS", "BASH_FUNC_*", "CDPATH",
    "PROMPT_COMMAND", "PS4", "GLOBIGNORE", "POSIXLY_CORRECT", "LD_*", "PYTHON*", "NODE_OPTIONS",
    "NODE_PATH", "PERL5*", "RUBY*", "GIT_*", "SSH_ASKPASS", "EDITOR", "VISUAL", "PAGER",
    "AWS_*", "GOOGLE_*", "CLOUDSDK_*", "AZURE_*", "ARM_*", "KUBECONFIG", "KUBE_*", "HELM_*",
    "TF_*", "VAULT_*", "DOCKER_*", "PG*", "MYSQL_*", "DATABASE_URL", "ANSIBLE_*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that is told of requests; `secret_file` is shared with it (`whsec_…`)."""

    url: str
    secret_file: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A server that cosigns heads (C2SP tlog-witness): its verifier key and submission prefix."""

    vkey: str
    url: str


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one broker; every one has a default that is safe."""

    default: Verdict = Verdict.ALLOW  # for what matches no rule
    hold_s: float | None = None  # how long a call waits; None: as long as its agent can stand
    shells: Mapping[str, str] = field(
        default_factory=lambda: {"bash": "/bin/bash", "sh": "/bin/sh", "zsh": "/bin/zsh"}
    )
    bind_env: tuple[str, ...] = BIND_ENV
    head_bytes: int = 32 << 20  # of each stream that are kept from its start …
    tail_bytes: int = 1 << 20  # … and from its end, when it is longer than both
    redact: bool = True  # cover what looks like a secret, in records only …
    seal_to: str | None = None  # … and keep what was covered for who has the key to this
    log_key: str = "file"  # file | keyring
    push: tuple[str, ...] = ()  # a program that gets each new head on its standard input …
    push_every_s: float = 60  # … at most this often
    witnesses: tuple[Witness, ...] = ()  # that cosign heads, as often
    witnesses_need: int = 0  # so many must have seen every entry …
    witnesses_within_s: float = 86_400  # … that is older than this

    notify: tuple[str, ...] = ()  # a program that gets each request on its standard input
    webhooks: tuple[Webhook, ...] = ()

    def binds(self, name: str) -> bool:
        """Tell whether the environment variable *name* is part of what is approved."""
        exact, prefixes = _binding(self.bind_env)
        return name in exact or name.startswith(prefixes)


@functools.cache
def _binding(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    # Asked for every variable of every call.
    exact = frozenset(name for name in patterns if not name.endswith("*"))
    return exact, tuple(name[:-1] for name in patterns if name.endswith("*"))


def load(path: Path) -> Config:
    """Read settings from *path*; the defaults when there is no such file.

    Raises `ConfigError` naming every problem in it, one a line.
    """
    return from_given(given(text_of(path), path), path)


def text_of(path: Path) -> str:
    """Return the text of the settings in *path*, an empty one when there is no such file."""
    try:
        refuse_if_others_can_write(path)
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: cannot be read: {problem}") from None


def given(text: str, path: Path) -> dict[str, Any]:
    """Return the settings that *text* gives, as they stand there; *path* is for problems."""
    try:
        found = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError) as problem:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(problem).split())}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected `name: value` lines")
    return found


def from_given(given: Mapping[str, Any], path: Path) -> Config:
    """Return what *given* means, defaults filled in; raise `ConfigError` with every problem."""
    problems: list[str] = []
    read: dict[str, Any] = {}
    for name, value in given.items():
        reader = _READERS.get(name)
        if reader is None:
            known = ", ".join(_READERS)
            problems.append(f"{path}: {name}: no such setting; there are {known}")
            continue
        try:
            read.update(reader(value))
        except (ValueError, TypeError, AttributeError) as problem:
            problems.append(f"{path}: {name}: {problem}")
    if problems:
        raise ConfigError("\n".join(problems))
    return dataclasses.replace(Config(), **read)


# What anybody may change who may write the file: it neither lets anything through nor hides it.
HARMLESS = frozenset({"hold"})


def law_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of *given* that a second person has to approve, without mere defaults.

    For settings that `from_given` has taken.  Comments, order and spelling are not in it.
    """
    usual = Config()
    found = {}
    for name, value in given.items():
        means = _READERS[name](value)
        if name not in HARMLESS and any(getattr(usual, k) != v for k, v in means.items()):
            found[name] = value
    return found


def _default(value: Any) -> dict[str, Any]:
    words = {"allow": Verdict.ALLOW, "approve": Verdict.APPROVE}
    if value not in words:
        raise ValueError("give allow or approve")
    return {"default": words[value]}


def seconds(value: Any) -> float:
    """Return the seconds in `20`, `90s`, `15m` or `2h`; raise ValueError for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        amount, unit = float(value), ""
    else:
        found = re.fullmatch(r"(\d+)([smh]?)", str(value))
        if not found:
            raise ValueError("give a time like 20, 90s, 15m or 2h")
        amount, unit = float(found[1]), found[2]
    if not 0 <= amount < 1e9:
        raise ValueError("that is no time anybody waits")
    return amount * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def _shells(value: Any) -> dict[str, Any]:
    shells = dict(Config().shells)
    for name, path in value.items():
        if name not in shells:
            raise ValueError(f"{name}: only bash, sh and zsh are stood in for")
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"{name}: give an absolute path")
        shells[name] = path
    return {"shells": shells}


def _bind_env(value: Any) -> dict[str, Any]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("give a list of names; a * at the end is a prefix")
    return {"bind_env": (*BIND_ENV, *value)}  # never fewer than the shipped ones


def _transcript(value: Any) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, amount in value.items():
        if name == "redact":
            if not isinstance(amount, bool):
                raise ValueError("redact: give true or false")
            read[name] = amount
            continue
        if name == "seal_to":
            read[name] = _age_key(amount)
            continue
        if name not in ("head_bytes", "tail_bytes"):
            raise ValueError(f"{name}: there are head_bytes, tail_bytes, redact and seal_to")
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 4096:
            raise ValueError(f"{name}: give a number of bytes, 4096 or more")
        read[name] = amount
    return read


def _age_key(value: Any) -> str:
    try:
        if isinstance(value, str) and len(bech32.decode("age", value)) == 32:
            return value.lower()
    except ValueError as problem:
        raise ValueError(f"seal_to: {problem}") from None
    raise ValueError("seal_to: give a public key of age, age1…")


def _audit(value: Any) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, given in value.items():
        if name == "push":
            if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
                raise ValueError("push: give a list, a program and its arguments")
            if given and not given[0].startswith("/"):
                raise ValueError("push: give the program's absolute path")
            read["push"] = tuple(given)
        elif name == "every":
            read["push_every_s"] = max(1.0, seconds(given))
        elif name == "witnesses":
            if not isinstance(given, list):
                raise ValueError("witnesses: give a list of `vkey` and `url`")
            read["witnesses"] = tuple(dict.fromkeys(_witness(one) for one in given))
        elif name == "need":
            if not isinstance(given, int) or isinstance(given, bool) or given < 0:
                raise ValueError("need: give a number of witnesses")
            read["witnesses_need"] = given
        elif name == "within":
            read["witnesses_within_s"] = seconds(given)
        else:
            raise ValueError(f"{name}: there are push, every, witnesses, need and within")
    if read.get("witnesses_need", 0) > len(read.get("witnesses", ())):
        raise ValueError("need: there are fewer witnesses than that")
    return read


def _witness(value: Any) -> Witness:
    if not isinstance(value, dict) or value.keys() != {"vkey", "url"}:
        raise ValueError("witnesses: each has a `vkey` and a `url`")
    vkey, url = str(value["vkey"]).strip(), value["url"]
    if not _is_witness_key(vkey):
        raise ValueError(
            f"witnesses: {vkey}: not the Ed25519 key of a witness, NAME+ID+KEY; those of logs and"
            " ML-DSA keys are of another kind"
        )
    if not _safe_url(url):
        raise ValueError("witnesses: give an https:// url (http:// only to this machine)")
    return Witness(vkey, url)


def _is_witness_key(vkey: str) -> bool:
    """Tell whether *vkey* is a verifier key with the signature type 0x04 (C2SP signed-note)."""
    found = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", vkey)
    if found is None:
        return False
    body = base64.b64decode(found[3])
    id = hashlib.sha256(found[1].encode() + b"\n" + body).hexdigest()[:8]
    return len(body) == 33 and body[0] == 0x04 and id == found[2]


def _safe_url(url: Any) -> bool:
    """Tell whether *url* is https, or http to this machine."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not parts.hostname:
        return False
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "https" or (here and parts.scheme == "http")


def _notify(value: Any) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, given in value.items():
        if name == "program":
            if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
                raise ValueError("program: give a list, a program and its arguments")
            if not given or not given[0].startswith("/"):
                raise ValueError("program: give the program's absolute path")
            read["notify"] = tuple(given)
        elif name == "webhooks":
            if not isinstance(given, list):
                raise ValueError("webhooks: give a list of `url` and perhaps `secret_file`")
            read["webhooks"] = tuple(_webhook(hook) for hook in given)
        else:
            raise ValueError(f"{name}: there are program and webhooks")
    return read


def _webhook(value: Any) -> Webhook:
    if not isinstance(value, dict) or not {"url"} <= value.keys() <= {"url", "secret_file"}:
        raise ValueError("webhooks: each has a `url` and perhaps a `secret_file`")
    url, secret = value["url"], value.get("secret_file")
    if not _safe_url(url):
        raise ValueError("webhooks: give an https:// url (http:// only to this machine)")
    if secret is not None and (not isinstance(secret, str) or not secret.startswith("/")):
        raise ValueError("webhooks: secret_file: give an absolute path")
    return Webhook(url, secret)


def _log_key(value: Any) -> dict[str, Any]:
    if value not in ("file", "keyring"):
        raise ValueError("give file or keyring")
    return {"log_key": value}


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "default": _default,
    "hold": lambda value: {"hold_s": seconds(value)},
    "shells": _shells,
    "bind_env": _bind_env,
    "transcript": _transcript,
    "log_key": _log_key,
    "notify": _notify,
    "audit": _audit,
}
