"""Commands fed through a pipe: bash's own behaviour between them, and each one judged first.

Agents that keep one shell for a whole conversation (swe-rex, open-interpreter) write a line,
wait for a marker, write the next.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import pytest

from tests.world import GATESH, PATIENCE, until

BASH = "/bin/bash"


def feed(world, shell, script, *arguments, **how):
    """Return (output, errors, status) of a session that is given all of *script* at once."""
    text = script if isinstance(script, bytes) else script.encode()
    how.setdefault("cwd", world.work)
    done = subprocess.run(
        [shell, *arguments],
        input=text,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env={**world.env, **how.pop("env", {})},
        **how,
    )
    errors = done.stderr.replace(shell.encode(), b"bash")
    return done.stdout.replace(shell.encode(), b"bash"), errors, done.returncode


def feed_approving(world, script):
    """Feed *script*, and have bob allow whatever only waits for him."""
    session = talk(world, GATESH)
    session.stdin.write(script.encode())
    session.stdin.close()
    session.stdin = None
    while True:
        try:
            out, err = session.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            for id in world.awaited():
                world.approve(id)
            continue
        return out, err, session.returncode


SAME = {
    "state": "cd /tmp\nx=1\nf() { echo f$x $PWD; }\nf\nexport E=2\nsh -c 'echo $E'\n",
    "status": "false\necho $?\n(exit 42)\necho $?\nls /no 2>/dev/null\necho __DONE__$?\n",
    "read takes the next line": "read a\nhello world\necho $a\n",
    "cat takes the rest": "cat\ndata\necho no\n",
    "head takes some": "head -c 6\nabcde\necho next\n",
    "here-document": "cat <<E\na\nb\nE\necho after\n",
    "here-documents in one line": "cat <<A; cat <<-'B'\na $((1+1))\nA\n\tb $x\n\tB\necho after\n",
    "compound": "for i in 1 2\ndo\n echo $i\ndone\nif true\nthen echo yes\nfi\ncase a in\na) echo A;;\nesac\n",
    "quotes over lines": "echo 'a\nb' \"c\nd\"\necho $(echo e\necho f)\n",
    "escaped newline": "echo a \\\n b\necho c # comment \\\necho d\n",
    "line numbers": "# c\n\n   \necho $LINENO\ncat <<E\nx\nE\necho $LINENO\nif true\nthen :\nfi\necho $LINENO\nnosuch\n",
    "line numbers in functions": "\nf() {\n echo $LINENO\n}\n\nf\n. ./none\n",
    "errexit": "set -e\nfalse || true\n! true\n[ -f nope ] && echo no\necho alive\nfalse\necho dead\n",
    "err trap": "trap 'echo ERR $?' ERR\nfalse\nfalse || :\n(exit 3)\n",
    "exit trap": "trap 'echo bye $?' EXIT\nexit 9\necho no\n",
    "exit trap at the end": "trap 'echo bye $?' EXIT\nfalse\n",
    "syntax error": "echo a\necho b; )\necho c\n",
    "syntax error and exit trap": "trap 'echo bye $?' EXIT\nfi\n",
    "cut short": "echo a\nif true\n",
    "open quote at the end": "echo 'a\n",
    "here-document cut short": "cat <<E\nbody",
    "no last newline": "echo a\necho b",
    "escaped end": "echo a\\",
    "nothing": "",
    "only a comment": "# nothing",
    "nounset": "set -u\necho $nope\necho after\n",
    "exec": "exec sh -c 'echo in; exit 3'\necho no\n",
    "exec redirections": "exec 3>o\necho hi >&3\nexec 3>&-\ncat o\nexec 2>&1\nnosuch\n",
    "closed errors": "exec 2>&-\nnosuch\necho ok $?\n",
    "closed output": "exec >&-\necho x\n(exit 3)\n",
    "background": "sleep 0.1 &\nwait $!\necho $?\n(exit 5) &\nwait $!\necho $?\n",
    "background input": "cat &\nwait\necho next\n",
    "subshells read": '(read x; echo "s:$x")\nl1\nread y | cat\nl2\necho end\n',
    "killed": "exec 2>/dev/null\nsh -c 'kill -9 $$'\necho $?\nkill -TERM $$\necho no\n",
    "pipestatus": "true | false | true\necho ${PIPESTATUS[@]}\n(exit 3)\necho ${PIPESTATUS[@]}\n",
    "pipestatus under errexit": "set -e -o pipefail\nfalse | true || :\necho ${PIPESTATUS[@]} $?\ntrue | false || echo ${PIPESTATUS[@]}\ntrue | true\necho ${PIPESTATUS[@]}\n",
    "last word": "true foo; echo $_\ntrue bar\necho $_\nfalse baz\necho $? $_\n",
    "alias": "shopt -s expand_aliases\nalias ll='echo L'\nll x\n",
    "extglob": "shopt -s extglob\ntouch aa bb\necho !(aa|o)\n",
    "extglob over lines": "shopt -s extglob\nfor x in @(a|b).py; do\necho $x\ndone\n",
    "a condition over lines": "[[ a == a\n&& b == b\n]] && echo true\n",
    "here-string": "cat <(echo ps) <<<hs\n",
    "xtrace": "set -x\necho a\nf() { echo b; }\nf\ntrue | true\nset +x\necho c\n",
    "return and break": "return 3\necho $?\nbreak\necho $?\n",
    "carriage returns": "echo a\r\necho 'b\r'\n",
    "while read": 'while read l; do echo "<$l>"; [ "$l" = q ] && break; done\na\nq\necho after\n',
    "persisting settings": "umask 027\numask\nshopt -s nullglob\necho *.zzz\nulimit -Sn 99\nulimit -Sn\n",
    "descriptors of a child": "sh -c 'cd /proc/self/fd; for f in *; do [ -e $f ] && echo $f; done'\n",
    "where": 'echo "$0 ${-/s} $SHLVL $PWD ${OLDPWD-unset}"\ncd /; cd -\nenv | grep -c OLDPWD\n',
    "unusual IFS": "IFS=1\ntrue | true\necho ${PIPESTATUS[*]}\nset -f\nfalse\necho $?\n",
    "function with here-document": "f() {\ncat <<E\nin $1\nE\n}\nf 1\n",
    "pipes over lines": "true &&\necho yes\necho a |\ncat\n",
    "time, select, coproc": "TIMEFORMAT=timed\ntime true\nselect x in a b; do echo $x; break; done 2>/dev/null\n2\ncoproc cat\necho c >&${COPROC[1]}\nread -u ${COPROC[0]} y\necho $y\n",
    "eval and source": "eval 'x=5; echo $x'\necho 'echo src $x' > s49\n. ./s49\n",
    "many commands": "".join(f"echo line{n}\n" for n in range(25)),
    "a long line": "echo " + "x" * 20000 + " | wc -c\n",
    "a long here-document": "wc -l <<E\n" + "text\n" * 2000 + "E\n",
    "zero bytes": "echo a\0b\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_a_script_on_a_pipe_does_what_it_does_with_bash(world, name):
    ours, theirs = feed(world, GATESH, SAME[name]), feed(world, BASH, SAME[name])
    assert ours == theirs


@pytest.mark.parametrize(
    ("arguments", "script"),
    [
        (("-s", "a b", "c"), 'echo "$0" "$@" $# ${-/s}\nshift\necho $1\n'),
        (("-e",), "false\necho no\n"),
        (("-eus", "x"), "echo $1 $-\necho $nope\necho no\n"),
        (("-o", "pipefail", "-s", "--", "-x"), "echo $1\nfalse | true\necho $?\n"),
        (("-l",), "shopt login_shell\necho $0\n"),
        (("--norc", "--posix"), "echo $POSIXLY_CORRECT\nset -o | grep posix\n"),
    ],
)
def test_options_and_arguments_of_the_session_count(world, arguments, script):
    ours, theirs = (feed(world, shell, script, *arguments) for shell in (GATESH, BASH))
    # The one visible difference: the commands come from a file of our own, not from `-s`.
    assert (ours[0], ours[2]) == (theirs[0].replace(b"hus", b"hu").replace(b"Bs", b"B"), theirs[2])


def talk(world, shell, **how):
    return subprocess.Popen(
        [shell],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=world.work,
        env=world.env,
        **how,
    )


def test_an_agent_waits_for_a_marker_after_each_command(world):
    """Output must be there before the next line is written; nothing may be buffered."""

    def scene(shell):
        session = talk(world, shell)
        got = []
        for n, command in enumerate(["cd /tmp", "pwd", "false", "echo $((6*7))", "ls /nope"]):
            session.stdin.write(f"{command}\necho; echo __D{n}__$?\n".encode())
            session.stdin.flush()
            while True:
                line = session.stdout.readline()
                got.append(line)
                if line.startswith(b"__D%d" % n):
                    break
        rest = session.communicate(timeout=PATIENCE)
        return got, rest, session.returncode

    assert scene(GATESH) == scene(BASH)


def test_the_input_may_be_a_socket(world):
    """Node's programs have sockets where others have pipes."""

    def scene(shell):
        ours, theirs = socket.socketpair()
        with (
            ours,
            subprocess.Popen(
                [shell], stdin=theirs, stdout=subprocess.PIPE, cwd=world.work, env=world.env
            ) as session,
        ):
            theirs.close()
            ours.sendall(b"read y\nabc\necho $y\n")
            first = session.stdout.readline()
            ours.sendall(b"exit 4\n")
            session.wait(PATIENCE)
            return first, session.returncode

    assert scene(GATESH) == scene(BASH) == (b"abc\n", 4)


@pytest.mark.parametrize("busy", [False, True])
def test_a_signal_ends_a_session_as_it_ends_bash(world, busy):
    def scene(shell):
        session = talk(world, shell, start_new_session=True)
        session.stdin.write(b"echo rdy\n" + (b"sleep 50; echo no\n" if busy else b""))
        session.stdin.flush()
        session.stdout.readline()
        os.killpg(session.pid, signal.SIGTERM)
        return session.wait(PATIENCE), session.stdout.read()

    assert scene(GATESH) == scene(BASH) == (-signal.SIGTERM, b"")


# ---- each command is judged ---------------------------------------------------------------


def test_a_refused_command_is_skipped_and_the_session_goes_on(world):
    out, err, status = feed(world, GATESH, "echo a\ntouch s01; forbidden x\necho $?\necho b\n")
    assert (out, status) == (b"a\n126\nb\n", 0)
    assert b"never done here" in err
    assert not (world.work / "s01").exists()


def test_a_refused_command_ends_a_script_that_stops_at_errors(world):
    assert feed(world, GATESH, "set -e\nforbidden x\necho no\n")[::2] == (b"", 126)


def test_nothing_of_a_refused_loop_runs(world):
    done = feed(world, GATESH, "for i in 1 2; do\n echo $i\n forbidden x\ndone\n")
    assert done[::2] == (b"", 126)


def test_a_command_that_waits_holds_up_only_what_comes_after(world):
    session = talk(world, GATESH)
    session.stdin.write(b"echo 1\nguarded 2\necho 3\n")
    session.stdin.close()
    session.stdin = None
    world.approve(world.waiting())
    out, _ = session.communicate(timeout=PATIENCE)
    assert (out, session.returncode) == (b"1\nguarded 2\n3\n", 0)


def test_a_session_that_is_ended_while_a_command_waits_never_runs_it(world):
    session = talk(world, GATESH)
    session.stdin.write(b"guarded; touch late\n")
    session.stdin.flush()
    id = world.waiting()
    session.terminate()
    assert session.wait(PATIENCE) == -signal.SIGTERM
    session.communicate()
    until(lambda: not any(p["waiting"] for p in world.pending()))
    world.approve(id)
    assert not (world.work / "late").exists()


TRICKS = {
    "traps off": "trap - DEBUG; shopt -u extdebug; set +T",
    "a trap that skips": "shopt -s extdebug; trap false DEBUG",
    "builtins off": "enable -n printf; unset -f builtin; PATH=/usr/bin",
    "builtins replaced": "builtin() { :; }; printf() { :; }; :() { return 0; }",
    "hooks of prompts": "PROMPT_COMMAND=; PS0=; export BASH_ENV=/dev/null",
    "hooks removed": "unset -f __gatesh_end __gatesh_status",
    "hooks replaced": "__gatesh_end() { return 0; }",
    "written into its own input": "for f in /proc/$$/fd/* /proc/self/fd/*; do [ -c $f ] || [ -p $f ] || continue; echo 'forbidden x; touch inj' >$f; done 2>/dev/null",
    "its own input read": "cat /proc/$$/fd/255 >/dev/null & sleep .2; kill $!",
    "reading more slowly": "stty -F $(readlink /proc/$$/fd/255) icanon echo 2>/dev/null",
    "no descriptors left": "ulimit -n 3",
    "noexec": "set -n",
    "an alias for the hook": "shopt -s expand_aliases; alias '{=:; {'",
    "an alias that opens a here-document": "shopt -s expand_aliases; alias forbidden='cat <<X'",
    "posix mode": "set -o posix",
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_gets_a_refused_command_past_the_gate(world, name):
    """Whatever an allowed command does to its shell, the next line is judged or not given at all."""
    (world.work / "inj").unlink(missing_ok=True)
    script = f"{TRICKS[name]}\nforbidden x; touch inj\nforbidden x $(touch inj)\n"
    _, err, status = feed_approving(world, script)
    assert not (world.work / "inj").exists()
    assert b"never done here" in err or status == 125


def test_a_forged_report_hurries_nothing(world):
    """The shell's own functions show the word that ends a command; saying it early is no end."""
    script = "__gatesh_end 0 0 _; sleep .3; echo first\necho second\n"
    assert feed(world, GATESH, script)[::2] == (b"first\nsecond\n", 0)


def test_a_session_without_its_hook_is_stopped(world):
    _, _, status = feed(world, GATESH, "unset -f __gatesh_end\necho x\ntouch s10\n")
    assert status == 125
    assert not (world.work / "s10").exists()


def test_what_an_alias_swallows_is_not_made_into_another_command(world):
    """bash would take the next lines as data; we would have judged them as commands."""
    feed_approving(world, "shopt -s expand_aliases\nalias h='cat <<X'\nh\ntouch s11\nX\n")
    assert not (world.work / "s11").exists()


def test_a_text_that_only_some_shells_parse_does_not_run_half(world):
    text = "!(touch s14; forbidden x)\n"
    feed(world, GATESH, text + "shopt -s extglob\n" + text)
    assert not (world.work / "s14").exists()


def test_each_command_has_an_entry_a_place_and_a_record_of_its_own(world):
    before = len(world.entries())
    feed(world, GATESH, "echo one\ncd /\nfalse\n(exit 3)")
    entries = world.entries()[before:]
    submitted = [e for e in entries if e["type"] == "command.submitted"]
    assert [(e["script"], e["cwd"]) for e in submitted] == [
        ("", str(world.work)),  # the shell itself
        ("echo one", str(world.work)),
        ("cd /", str(world.work)),
        ("false", "/"),
        ("(exit 3)", "/"),
    ]
    ends = {e["id"]: e for e in entries if e["type"] == "command.finished"}
    assert [ends[e["id"]]["exit"] for e in submitted] == [3, 0, 0, 1, 3]
    assert world.blob(ends[submitted[1]["id"]]["streams"]["stdout"]["sha256"]) == b"one\n"


def test_what_is_shown_between_commands_is_recorded_too(world):
    before = len(world.entries())
    session = talk(world, GATESH)
    session.stdin.write(b"(sleep .3; echo late) & echo now\n")
    session.stdin.flush()
    assert session.stdout.readline() == b"now\n"
    assert session.stdout.readline() == b"late\n"
    session.communicate(b"true\n", timeout=PATIENCE)
    late = [e for e in world.entries()[before:] if e["type"] == "command.output"]
    assert [world.blob(e["streams"]["stdout"]["sha256"]) for e in late] == [b"late\n"]


def test_start_up_code_of_a_session_is_judged(world):
    (world.work / "be").write_text("forbidden x\ntouch be-ran\n")
    done = feed(world, GATESH, "echo no\n", env={"BASH_ENV": str(world.work / "be")})
    assert done[::2] == (b"", 126)
    assert not (world.work / "be-ran").exists()


def test_no_session_leaves_anything_behind(world):
    feed(world, GATESH, "echo a\n")
    until(lambda: not [p for p in (world.home / "run").iterdir() if p.name.startswith("session-")])
    assert not list((world.state / "running").iterdir())


def test_a_broker_that_dies_ends_the_session_and_the_next_one_tidies_up(world):
    session = talk(world, GATESH)
    session.stdin.write(b"echo rdy\n")
    session.stdin.flush()
    assert session.stdout.readline() == b"rdy\n"
    os.kill(world.broker(), signal.SIGKILL)
    assert session.wait(PATIENCE) == 125
    session.communicate()
    assert feed(world, GATESH, "echo again\n")[0] == b"again\n"
    assert not [p for p in (world.home / "run").iterdir() if p.name.startswith("session-")]
