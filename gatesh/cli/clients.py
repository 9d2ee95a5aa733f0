"""How each program that runs commands finds its shell: a table, measured in November 2026.

`{dir}` in a text stands for the directory that `gatesh shims` made.  Where a program
takes no setting there is a line to start it with.  What goes round it is said, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in a program's own file.

    `home` is the variable that moves the directory of the file, `kind` how the file
    is written: json, toml or lines.  The value of a `lines` file is a whole line.
    """

    file: str
    kind: str
    key: tuple[str, ...]
    value: Any
    home: tuple[str, str] | None = None  # (variable, what it stands for at the start of `file`)


@dataclass(frozen=True, slots=True)
class Step:
    """One place where a program looks for its shell.

    `where` is setting, env, passwd, path, makeflags, crontab or fixed.
    """

    where: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """A program that starts shells.

    `looks` in order, taking the first shell whose path it `accepts`; then calls it with
    `arguments` and the command, on a standard input of kind `stdin` (null, socket, pipe:
    commands are fed there).  `brings` is the key of variables that its settings add.
    """

    name: str
    looks: tuple[Step, ...]
    goes_round: tuple[str, ...]
    setting: Setting | None = None
    start: str = ""
    also: tuple[str, ...] = ()
    accepts: Callable[[str], bool] = bool
    arguments: tuple[str, ...] = ("-c",)
    stdin: str = "null"
    brings: tuple[str, ...] = ()
    prefix: str = ""  # a variable that names a program to put in front


def _says_bash_or_zsh(path: str) -> bool:
    return "bash" in path or "zsh" in path


def _is_known_to_codex(path: str) -> bool:
    return PurePath(path).stem in ("bash", "zsh", "sh")


def _is_not_fish_or_nu(path: str) -> bool:
    return PurePath(path).stem not in ("fish", "nu")


_BRIDGED = "BASH_ENV={dir}/bash-env.sh SHLVL=1"
_SH = "commands that it starts with /bin/sh: dash does not read BASH_ENV"
_ENV = "a command that takes BASH_ENV away: env -i bash -c …"
_FILES = "its own tools that write and fetch without a shell"
_FIRST = "programs that start /bin/bash or /bin/sh by the full path"

TABLE = (
    Client(
        "claude",
        (
            Step("setting"),
            Step("env", "CLAUDE_CODE_SHELL"),
            Step("env", "SHELL"),
            Step("path", "zsh"),
            Step("path", "bash"),
        ),
        (
            _FILES,
            "hooks and MCP servers, unless CLAUDE_CODE_SHELL_PREFIX={dir}/gatesh-prefix is set",
            "a shell whose path has neither bash nor zsh in it: passed over without a word",
        ),
        Setting(
            "~/.claude/settings.json",
            "json",
            ("env", "CLAUDE_CODE_SHELL"),
            "{dir}/bash",
            ("CLAUDE_CONFIG_DIR", "~/.claude"),
        ),
        also=(
            "env.BASH_DEFAULT_TIMEOUT_MS = 600000: more time for people to answer",
            "sandbox.network.allowAllUnixSockets = true: if its sandbox is on",
        ),
        accepts=_says_bash_or_zsh,
        stdin="socket",
        brings=("env",),
        prefix="CLAUDE_CODE_SHELL_PREFIX",
    ),
    Client(
        "codex",
        (Step("passwd"), Step("path", "bash")),
        (
            'shell = "/bin/sh", which the model may ask for: start codex with PATH={dir}:$PATH',
            _ENV,
            _FILES,
        ),
        Setting(
            "~/.codex/config.toml",
            "toml",
            ("shell_environment_policy", "set"),
            {"BASH_ENV": "{dir}/bash-env.sh", "SHLVL": "1"},
            ("CODEX_HOME", "~/.codex"),
        ),
        also=(
            "[sandbox_workspace_write] network_access = true: or nothing can reach the broker",
            "[features] shell_snapshot = false: shorter scripts for people to read",
            "chsh -s {dir}/bash: stronger, for it reads the account's shell (name exactly bash)",
        ),
        accepts=_is_known_to_codex,
        arguments=("-lc",),
        brings=("shell_environment_policy", "set"),
    ),
    Client(
        "opencode",
        (Step("setting"), Step("env", "SHELL"), Step("path", "bash")),
        (_FILES, "a shell called fish or nu: passed over without a word"),
        Setting(
            "~/.config/opencode/opencode.json",
            "json",
            ("shell",),
            "{dir}/bash",
            ("XDG_CONFIG_HOME", "~/.config"),
        ),
        also=("OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS=1800000: more time to answer",),
        accepts=_is_not_fish_or_nu,
    ),
    Client(
        "gemini",
        (Step("path", "bash"),),
        (_FIRST, _FILES),
        start="PATH={dir}:$PATH gemini",
        also=("tools.shell.inactivityTimeout = 1800 in ~/.gemini/settings.json",),
    ),
    Client(
        "qwen",
        (Step("path", "bash"),),
        (_FIRST, _FILES),
        start="PATH={dir}:$PATH qwen",
        also=("the model has to ask for a timeout of up to 600000",),
    ),
    Client(
        "copilot",
        (Step("fixed", "/bin/bash"),),
        ("--bash-env left out: it then takes BASH_ENV away", _SH, _ENV, _FILES),
        start=_BRIDGED + " copilot --bash-env=on",
        arguments=("--norc", "--noprofile", "-c"),
    ),
    Client(
        "cline",
        (Step("fixed", "/bin/bash"),),
        (_SH, _ENV, _FILES),
        start=_BRIDGED + " cline",
        also=("it kills a command after 30 s: answers come with the next try",),
        stdin="socket",
    ),
    Client(
        "pi",
        (Step("setting"), Step("fixed", "/bin/bash"), Step("path", "bash")),
        (_FILES,),
        Setting("~/.pi/agent/settings.json", "json", ("shellPath",), "{dir}/bash"),
    ),
    Client(
        "aider",
        (Step("env", "SHELL"), Step("fixed", "/bin/sh")),
        ("aider without a terminal: it uses /bin/sh, which no setting changes", _FILES),
        start="SHELL={dir}/bash aider",
        arguments=("-i", "-c"),
    ),
    Client(
        "goose",
        (Step("env", "GOOSE_SHELL"), Step("path", "bash"), Step("path", "sh")),
        ("older versions, which start /bin/bash: " + _BRIDGED, _FILES),
        start="GOOSE_SHELL={dir}/bash goose",
    ),
    Client(
        "mini-swe-agent",
        (Step("fixed", "/bin/sh"),),
        ("everything: it starts /bin/sh, and no setting changes that",),
        start="(in a container whose /bin/sh is a link to {dir}/sh) mini",
        also=("environment.timeout in its YAML: more time to answer",),
    ),
    Client(
        "swe-rex",
        (Step("path", "bash"),),
        ("commands outside its session, which it starts with /bin/sh",),
        start="PATH={dir}:$PATH swerex-remote",
    ),
    Client(
        "open-interpreter",
        (Step("env", "SHELL"), Step("path", "bash")),
        ("its Python, JavaScript and other interpreters",),
        start="SHELL={dir}/bash interpreter",
        arguments=(),
        stdin="pipe",
    ),
    Client(
        "openhands",
        (Step("path", "bash"),),
        ("its tmux back-end, which starts /bin/bash or su USER", _FILES),
        start="PATH={dir}:$PATH openhands",
        also=("shell_path = {dir}/bash of the terminal tool: subprocess back-end only",),
    ),
    Client(
        "vscode",
        (Step("setting"), Step("env", "SHELL"), Step("fixed", "/bin/bash")),
        ("tasks, debuggers and extensions, which start programs themselves", _FILES),
        Setting(
            "~/.config/Code/User/settings.json",
            "json",
            ("chat.tools.terminal.terminalProfile.linux",),
            {"path": "{dir}/bash"},
            ("XDG_CONFIG_HOME", "~/.config"),
        ),
        also=("chat.tools.terminal.idleSilenceTimeoutMs = 0: wait for people without a limit",),
    ),
    Client(
        "make",
        (Step("makeflags"), Step("fixed", "/bin/sh")),
        ("a makefile that sets SHELL with override", "programs that a recipe runs"),
        start="MAKEFLAGS=SHELL={dir}/bash make",
        also=("make SHELL={dir}/bash: for one time",),
    ),
    Client(
        "tmux",
        (Step("setting"), Step("env", "SHELL"), Step("passwd"), Step("fixed", "/bin/sh")),
        ("new-window with a program and arguments: started without a shell",),
        Setting("~/.tmux.conf", "lines", ("default-shell",), "set -g default-shell {dir}/bash"),
    ),
    Client(
        "cron",
        (Step("crontab"), Step("fixed", "/bin/sh")),
        ("tables of other accounts, /etc/cron.d and systemd timers",),
        start="SHELL={dir}/bash   (the first line in `crontab -e`)",
    ),
    Client(
        "account",
        (Step("passwd"),),
        ("programs that start /bin/bash by the full path: set BASH_ENV as well", _SH),
        start="usermod -s {dir}/bash ACCOUNT",
        also=(
            "echo {dir}/bash >> /etc/shells: su, ssh and chsh look there",
            "su -s {dir}/bash ACCOUNT: for one time",
        ),
        arguments=("-lc",),
    ),
)
CLIENTS = {client.name: client for client in TABLE}
CLIENTS |= dict.fromkeys(("su", "ssh"), CLIENTS["account"])
