"""Git settings whose value git runs."""

from __future__ import annotations

import re

_GIT_COMMANDS = re.compile(
    r"(?i)core\.(?:pager|editor|sshcommand|askpass|gitproxy|fsmonitor|alternaterefscommand)"
    r"|sequence\.editor|diff\.external|(?:diff|difftool|mergetool|merge|guitool|man|browser)\..*\."
    r"(?:command|cmd|textconv|driver)|pager\..*|filter\..*\.(?:clean|smudge|process)"
    r"|gpg\.(?:.*\.)?program"
    r"|credential\.(?:.*\.)?helper|alias\..*|uploadpack\.packobjectshook|remote\..*\."
    r"(?:uploadpack|receivepack|proxy|vcs)|tar\..*\.command|include(?:if\..*)?\.path|sendemail\..*(?:cmd|server)|trailer\..*\.(?:command|cmd)"
    r"|interactive\.difffilter|core\.hookspath|init\.templatedir|protocol\.ext\.allow|ssh\.variant"
    r"|submodule\..*\.update|web\.browser|imap\.tunnel|instaweb\..*"
)
_HARMLESS = re.compile(
    r"|true|false|never|auto|always|simple|store|cache(?: .*)?|user|/dev/null"
    r"|cat|less(?: -\S+)*|more|:|vim?|nvim|nano|emacs|code(?: --wait)?|editor"
    r"|delta(?: -\S+)*|diff-so-fancy(?: .*)?|difft|gpg2?|/usr/bin/gpg2?"
    r"|osxkeychain|manager(?:-core)?|libsecret|wincred|gcloud\.sh"
    r"|!?(?:/\S*/)?(?:gh|glab) auth git-credential|!aws codecommit credential-helper \$@"
    r"|git-lfs (?:clean|smudge|filter-process).*"
)


def runs_code(key: str, value: str) -> bool:
    """Whether git would run *value* when the setting *key* has it."""
    if _GIT_COMMANDS.fullmatch(key) is None or _HARMLESS.fullmatch(value.strip()):
        return False
    if key.lower().startswith("credential."):
        return value.startswith(("!", "/", "~", "."))
    if key.lower().startswith("alias.") or ".update" in key:
        return value.startswith("!")
    return not (key.lower().startswith("pager.") and value in ("true", "false"))
