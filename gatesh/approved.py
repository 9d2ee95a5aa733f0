"""Running an approved script from the bytes that were approved, not from the file they came from.

A shell reads its script piece by piece while it runs: whoever may write to the file can
add to it after everything has been checked.  So an approved script is read from a copy in
the broker's own directory, which keeps the name for the shell's messages.

What a script sees of that: it must not notice where it cannot cope.

    it asks neither for its name nor its place     SHELL COPY ARGUMENTS
    it asks for `$0`                               SHELL -c '. COPY' NAME ARGUMENTS
    it asks for more (BASH_SOURCE, caller …)       as it was called: from its own file,
                                                   compared right before, and no later
"""

from __future__ import annotations

import os
import re
import shlex

from gatesh.caller import Copy
from gatesh.case import Case
from gatesh.model import Mode

# Too much is found on purpose (`\\$0` is no question): then it runs as it was called.
_NAME = re.compile(rb"\$\{?[#!]?0|BASH_ARGV0")
_PLACE = re.compile(
    rb"BASH_(?:SOURCE|ARGV\b|ARGC\b|LINENO|EXECUTION_STRING)|FUNCNAME|funcstack|\bcaller\b"
    rb"|\bRETURN\b|ZSH_|\bextdebug\b|%[xN]|/proc/|\(\s*return\b"
)
_TRACE = re.compile(rb"(?:^|\s)-[a-z]*x|xtrace")  # a trace shows how deep it is in files


def copy(case: Case) -> Copy | None:
    """Return the copy that *case* is to run from; None when it is no script file, or cannot be."""
    called = case.invocation
    if called.mode is not Mode.FILE or called.path is None or _PLACE.search(case.script):
        return None
    options, rest = called.options, called.argv[len(called.options) :]
    if rest != (called.path, *called.positionals):
        return None
    # In zsh `$0` is the name of the file that is being sourced.
    if not _NAME.search(case.script):

        def argv(place: bytes) -> tuple[bytes, ...]:
            return (*options, place, *called.positionals)

    elif called.name == "zsh" or _TRACE.search(b" ".join((*options, case.script))):
        return None
    else:
        end = len(options) - 1 if options[-1:] in ((b"--",), (b"-",)) else len(options)

        def argv(place: bytes) -> tuple[bytes, ...]:
            command = b". " + os.fsencode(shlex.quote(os.fsdecode(place)))
            return (*options[:end], b"-c", *options[end:], command, *rest)

    return Copy(os.path.basename(called.path) or b"script", case.script, argv)
