"""Commands typed at a terminal: it looks and behaves as bash, and each one is judged first."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pexpect
import pytest
from pexpect import replwrap

from tests.terminal.screen import PROMPT, in_front
from tests.world import GATESH, until

SHELL = ("--norc",)


@pytest.fixture
def typing(screens):
    """Opens a session and types lines; returns what the screen shows after each."""

    def open(shell, *lines, arguments=SHELL, env=None):
        screen = screens.start(shell, *arguments, env=env)
        screen.until(PROMPT)
        return screen, [screen.key(line + "\r", PROMPT).partition("\n")[2] for line in lines]

    return open


@pytest.fixture
def same(screens, typing):
    """Types the same lines to gatesh and to bash, leaves with `exit 3`, and compares."""

    def play(*lines, **how):
        def scene(shell):
            screen, shown = typing(shell, *lines, **how)
            screen.key("exit 3\r")
            return [*shown, screen.over()]

        return screens.same(scene)

    return play


def test_state_lasts_from_one_command_to_the_next(same):
    shown = same(
        "echo hi; cd /tmp; x=5; f() { echo fn $1; }; alias q='echo Q'",
        "echo $PWD $x; f 2; q y",
        "true | false | (exit 3); echo ${PIPESTATUS[@]}",
        "true | false | (exit 3)",
        "echo $? ${PIPESTATUS[@]}",
        "true a b",
        "echo $_; exec 3>~/three; echo three >&3",
        "cat ~/three; rm ~/three; exec 3>&-; umask 027; export V=1",
        "sh -c 'echo $V; umask'; echo $- ${0##*/} $#",
    )
    assert shown[1] == "/tmp 5\nfn 2\nQ y\n"
    assert shown[4] == "3 0 1 3\n"
    assert shown[-1] == ("exit 3\nexit\n", 3, None)


def test_commands_over_several_lines_are_asked_for_and_run_as_one(screens, typing, world):
    before = len(world.entries()) if (world.state / "ledger").exists() else 0

    def scene(shell):
        screen, _ = typing(shell)
        shown = []
        for text in ("for i in 1 2\rdo echo $i\rdone", "cat <<E\ra $((1+1))\rE", "echo 'a\rb'"):
            *first, last = text.split("\r")
            shown += [screen.key(line + "\r", "\r\n> ") for line in first]
            shown.append(screen.key(last + "\r", PROMPT))
        return shown

    shown = screens.same(scene)
    assert shown[2::3][0] == "done\n1\n2\n"
    scripts = [e["script"] for e in world.entries("command.submitted")[-3:]]
    assert scripts == ["for i in 1 2\ndo echo $i\ndone", "cat <<E\na $((1+1))\nE", "echo 'a\nb'"]
    assert len(world.entries()) > before


def test_what_bash_says_of_errors(same):
    shown = same("echo a; )", "echo $?", ": ${nope?boom}; echo no", "echo $?", "nosuch", "return 3",
                 "", "  # nothing", "echo $?")  # fmt: skip
    assert shown[1] == "2\n"
    assert "boom" in shown[2]
    assert shown[3] == "1\n"


def test_set_e_ends_it_as_it_ends_bash(screens, typing):
    def scene(shell):
        screen, shown = typing(shell, "set -e", "[ -f nope ] && echo no", "echo alive; ! true")
        screen.key("false\r")
        return [*shown, screen.over()]

    assert screens.same(scene)[-1][1] == 1


def test_ctrl_c_ends_a_command_a_loop_and_a_half_typed_line(screens, typing):
    def scene(shell):
        screen, shown = typing(shell)
        job = "sh -c 'echo rdy; exec sleep 50'"
        for command in (job, f"while :; do {job}; done", f"{job}; echo no"):
            screen.key(command + "\r", "rdy\r\n")
            shown += [screen.key("\x03", PROMPT), screen.key("echo $?\r", PROMPT)]
        screen.key("half typed", "half typed")
        shown += [screen.key("\x03", PROMPT), screen.key("echo $?\r", PROMPT)]
        screen.key("echo 'open\r", "> ")
        return [*shown, screen.key("\x03", PROMPT), screen.key("echo $?\r", PROMPT)]

    shown = screens.same(scene)
    assert [text.split("\n")[1] for text in shown[1::2]] == ["130"] * 5


def test_what_is_shown_last_is_shown(same):
    """A line without an end may be a prompt, but not when nothing comes after it."""
    shown = same("trap 'printf bye' EXIT", "printf abc")
    assert shown[-1][0].endswith("exit\nbye")


def test_jobs_stop_and_go_on(screens, typing):
    job = f"sleep 50.{os.getpid()}"

    def scene(shell):
        screen, shown = typing(shell)
        screen.key(f"sh -c 'echo rdy; exec {job}'\r", "rdy\r\n")
        shown += [screen.key("\x1a", PROMPT), screen.key("jobs\r", PROMPT)]
        screen.key("fg\r", f"{job}'\r\n")
        until(lambda: in_front(job))
        shown += [screen.key("\x03", PROMPT), screen.key("echo $?\r", PROMPT)]
        shown.append(screen.key("sh -c 'read -r x <&3; exit 4' 3</dev/null & wait $!\r", PROMPT))
        shown.append(screen.key("exit\r") or "")
        return shown, screen.over()[1:]

    shown, end = screens.same(scene)
    assert "Stopped" in shown[0]
    assert "Stopped" in shown[1]
    assert shown[3] == "echo $?\n130\n"
    assert end[0] is not None


def test_leaving_with_a_stopped_job_is_warned_of_once(screens, typing):
    def scene(shell):
        screen, shown = typing(shell)
        screen.key("sh -c 'echo rdy; exec sleep 50'\r", "rdy\r\n")
        screen.key("\x1a", PROMPT)
        shown.append(screen.key("exit\r", PROMPT))
        screen.key("\x04")
        return shown, screen.over()

    shown, _ = screens.same(scene)
    assert "There are stopped jobs" in shown[0]


def test_ctrl_d_leaves_with_the_last_status(screens, typing):
    def scene(shell):
        screen, _ = typing(shell, "(exit 7)")
        screen.key("\x04")
        return screen.over()

    assert screens.same(scene) == ("exit\n", 7, None)


def test_what_is_typed_ahead_is_read_by_the_command_or_runs_after_it(screens, typing, world):
    """Unread keys come to bash as commands in a plain terminal; here they are judged."""

    def scene(shell):
        screen, _ = typing(shell)
        screen.key("echo rdy; read a; echo rdy; sleep .3\r", "rdy\r\n")
        screen.key("one\r", "rdy\r\n")
        screen.key("echo =$a=\r", "\r\n=one=\r\n")
        screen.until(PROMPT)
        return screen.key("echo $?\r", PROMPT)

    screens.same(scene)
    screen, _ = typing(GATESH)
    screen.key("sleep .3\rforbidden x; touch ahead\r", "DENIED")
    screen.until(PROMPT)
    assert not (world.work / "ahead").exists()


def test_full_screen_programs_and_the_window(screens, typing):
    def scene(shell):
        screen, _ = typing(shell, env={"TERM": "vt100"})
        screen.key("seq 500 | less\r", ":")
        screen.key("G", "500")
        screen.key("q", PROMPT)
        screen.setwinsize(41, 133)
        return screen.key("stty size; echo $LINES $COLUMNS\r", "133\r\n41 133\r\n")

    if not os.access("/usr/bin/less", os.X_OK):
        pytest.skip("less is not installed")
    for shell in (GATESH, "/bin/bash"):
        scene(shell)


def test_prompts_are_bashs_own(screens, typing):
    def scene(shell):
        screen, _ = typing(shell)
        screen.key('q=Q; PS1="[\\$? \\w $q]"\r', "\r\n[0 ~/work Q]")
        screen.key("cd /; (exit 4)\r", "\r\n[4 / Q]")
        screen.key("PROMPT_COMMAND='echo C'C; false\r", "\r\nCC\n[1 / Q]".replace("\n[", "\r\n["))
        return screen.key("exit\r") or screen.over()

    screens.same(scene)


def test_start_up_files_are_read_at_the_terminal(same, world):
    (world.base / ".bashrc").write_text(
        "[ -t 0 ] && RC=tty; PS1='P> '; set -o vi; bind 'set bell-style none'\n"
    )
    (world.base / ".bash_profile").write_text("[ -t 0 ] && PR=tty; PS1='P> '\n")
    try:
        assert same("echo $RC $PR", arguments=())[0] == "tty\n"
        assert same("echo $RC $PR; shopt login_shell", arguments=("-l",))[0].startswith("tty\n")
    finally:
        (world.base / ".bashrc").unlink()
        (world.base / ".bash_profile").unlink()


def test_history_is_kept_for_the_next_session(typing, world):
    file = world.base / "history"
    file.write_text("echo from before\n")
    env = {"HISTFILE": str(file), "HISTCONTROL": "ignoreboth", "TERM": "vt100"}
    screen, shown = typing(GATESH, "echo a", "echo a", " echo secret", "history", env=env)
    assert [line.split(None, 1)[1] for line in shown[-1].splitlines()] == [
        "echo from before", "echo a", "history",
    ]  # fmt: skip
    screen.key("\x1b[A\x1b[A", "echo a")
    screen.key("\x03", PROMPT)
    assert file.read_text() == "echo from before\necho a\nhistory\n"


# ---- judged ------------------------------------------------------------------------------


def test_every_command_has_its_own_record(typing, world):
    screen, _ = typing(GATESH, "echo one", "cd /; (exit 3)")
    screen.key("exit 5\r")
    screen.over()
    entries = world.entries()
    session = max(i for i, e in enumerate(entries) if e.get("script") == "")
    entries = entries[session:]
    submitted = [e for e in entries if e["type"] == "command.submitted"]
    assert [e["script"] for e in submitted] == ["", "echo one", "cd /; (exit 3)", "exit 5"]
    ends = {e["id"]: e for e in entries if e["type"] == "command.finished"}
    assert [ends[e["id"]]["exit"] for e in submitted] == [5, 0, 3, 5]
    assert world.blob(ends[submitted[1]["id"]]["streams"]["tty"]["sha256"]) == b"one\r\n"
    shown = world.blob(ends[submitted[0]["id"]]["streams"]["tty"]["sha256"])
    assert shown.startswith(b"P> echo one\r\n")
    assert b"7770" not in shown


def test_a_refused_command_is_skipped_and_the_prompt_comes_back(typing, world):
    _, shown = typing(GATESH, "forbidden x; touch ran", "echo $?")
    assert re.fullmatch(r"gatesh: DENIED by .* Instead: leave it\.\n", shown[0])
    assert shown[1] == "126\n"
    assert not (world.work / "ran").exists()


def test_a_command_waits_in_place_until_somebody_approves(typing, world):
    screen, _ = typing(GATESH)
    screen.key("guarded x; y=1\r", "To decide")
    world.approve(world.waiting())
    screen.until("guarded x\r\n")
    screen.until(PROMPT)
    assert screen.key("echo $? $y\r", PROMPT) == "echo $? $y\n0 1\n"


def test_ctrl_c_gives_up_waiting(typing, world):
    screen, _ = typing(GATESH)
    screen.key("guarded y; touch given-up\r", "To decide")
    id = world.waiting()
    screen.key("\x03", "PENDING")
    screen.until(PROMPT)
    assert screen.key("echo $?\r", PROMPT) == "echo $?\n75\n"
    world.approve(id)
    screen.key("echo still\r", "still\r\n")
    assert not (world.work / "given-up").exists()


TRICKS = {
    "traps": "trap - DEBUG ERR RETURN; shopt -u extdebug",
    "prompts": "PROMPT_COMMAND=; PS0=; unset PROMPT_COMMAND",
    "other keys": "set -o vi",
    "no bookkeeping": "unset -f __gatesh_end __gatesh_status; unset __gatesh_last",
    "bookkeeping of one's own": "__gatesh_end() { :; }; builtin() { :; }; history() { :; }",
    "the channel as input": "for f in /proc/$$/fd/*; do [ -S $f ] && echo touch ran > $f; done 2>/dev/null",
    "the terminal as input": "f() { exec 0</dev/tty; }; f; exec 10</dev/tty",
    "history": "set -o history; set -H; history -s forbidden x",
    "signals": "trap '' INT; trap : EXIT USR1",
    "a steal of the next line": "( read -t 5 -u 10 -N 20 ) & sleep .1",
}


def test_no_trick_lets_a_refused_command_through(typing, world):
    """Each is judged, approved if that is what it takes, and even so what follows is judged."""
    screen = None
    for trick, line in TRICKS.items():
        if screen is None:
            screen, _ = typing(GATESH)
        screen.key(line + "\r")
        for forbidden in ("forbidden x; touch ran\r", "forbidden y; touch ran\r"):
            screen.key(forbidden)
            while (what := screen.expect(["To decide", "DENIED", pexpect.EOF])) == 0:
                world.approve(world.waiting())
            if what == 2:  # it was noticed, and the session is over
                screen = None
                break
            screen.until(PROMPT)
        assert not (world.work / "ran").exists(), trick


@pytest.mark.parametrize("name", ["sh", "zsh"])
def test_other_shells_are_not_opened_where_nobody_would_judge_what_is_typed(screens, world, name):
    link = world.bin / name
    link.symlink_to(GATESH)
    try:
        shown, status, _ = screens.start(str(link)).over()
    finally:
        link.unlink()
    assert status in (125, 127)  # there may be no zsh here
    assert "gatesh" in shown


def test_without_a_terminal_there_is_no_interactive_shell(world):
    done = world.gatesh("-i", stdin=subprocess.DEVNULL)
    assert done.status == 125
    assert "only on a terminal" in done.words


def test_what_earlier_commands_have_defined_counts_with_the_next(typing, world):
    """An alias says nothing until it is used; both together do."""
    screen, _ = typing(GATESH, "alias e=env", "x=forbidden", "cd /")
    for line in ("e forbidden z; touch ~/ran", "$x z; touch ~/ran"):
        assert "DENIED" in screen.key(line + "\r", PROMPT)
    assert "DENIED" not in screen.key("e echo; echo $x\r", PROMPT)
    # Only what is defined counts, not where that was.
    screen.key("cd /etc; y=1\r", PROMPT)
    screen.key(f"cd {world.work}\r", PROMPT)
    assert "To decide" not in screen.key("touch passwd; rm passwd\r", PROMPT)
    assert not (world.base / "ran").exists()


def test_a_start_up_file_that_the_caller_names_is_judged(screens, world):
    (world.work / "rc").write_text("forbidden x; touch ran\n")
    shown, status, _ = screens.start(GATESH, "--rcfile", "rc").over()
    assert (status, "DENIED" in shown) == (126, True)
    assert not (world.work / "ran").exists()


@pytest.mark.parametrize(
    "env",
    [{"PROMPT_COMMAND": "forbidden x"}, {"PS0": "$(forbidden x)"}, {"PS2": "`forbidden x`"}],
    ids=lambda env: next(iter(env)),
)
def test_what_runs_at_every_prompt_is_judged_before_the_first(screens, env):
    _, status, _ = screens.start(GATESH, "--norc", env=env).over()
    assert status == 126


def test_what_would_let_the_shell_read_the_terminal_itself_waits(typing, world):
    """While a command runs, bash keeps what it gets its commands by at descriptor 10."""
    screen, _ = typing(GATESH)
    for line in ("exec 10<&-", "exec 9<&10-", "x=10; exec {x}<&-", "fc -s"):
        screen.key(line + "\r", "To decide")
        screen.key("\x03", PROMPT)


def test_a_shell_that_has_lost_its_channel_is_killed(typing, world):
    """Approved by mistake: what is typed next must not run unjudged, and the session is over."""
    screen, _ = typing(GATESH)
    screen.key("exec 10<&-; sleep 30\r", "To decide")
    world.approve(world.waiting())
    screen.key("touch ran\r")
    assert screen.over()[1:] == (125, None)
    assert not (world.work / "ran").exists()


# As VS Code's own shellIntegration-bash.sh does it, in short.
INTEGRATION = r"""
[ -r ~/.bashrc ] && . ~/.bashrc
__vsc_escape() { builtin printf %s "$1" | sed 's/\\/\\\\/g; s/;/\\x3b/g'; }
__vsc_running=0 __vsc_command=
__vsc_preexec() {
  [ "$__vsc_running" = 0 ] || return
  __vsc_running=1 __vsc_command=$BASH_COMMAND
  builtin printf '\e]633;E;%s;%s\a' "$(__vsc_escape "$__vsc_command")" n0nce
  builtin printf '\e]633;C\a'
}
__vsc_precmd() {
  local status=$?
  if [ -z "$__vsc_command" ]; then builtin printf '\e]633;D\a'; else builtin printf '\e]633;D;%s\a' $status; fi
  builtin printf '\e]633;P;Cwd=%s\a' "$PWD"
  __vsc_running=0 __vsc_command=
}
trap '__vsc_preexec "$_"' DEBUG
PROMPT_COMMAND=__vsc_precmd
PS1='\[\e]633;A\a\]P> \[\e]633;B\a\]' PS2='\[\e]633;F\a\]> \[\e]633;G\a\]'
"""


def test_vs_code_sees_where_prompts_commands_and_outputs_begin(screens, world):
    """Its agent reads the command line, the output and the status from these marks."""
    init = world.work / "init.sh"
    init.write_text(INTEGRATION)
    env = {
        "PS1": "\\u \\$ ",
        "TERM_PROGRAM": "vscode",
        "VSCODE_INJECTION": "1",
        "TERM": "xterm-256color",
    }
    screen = screens.start(GATESH, "--init-file", str(init), env=env)
    if screen.expect(["To decide", "\x1b]633;B\x07"]) == 0:  # it is not root's, so it is judged
        world.approve(world.waiting())
        screen.expect_exact("\x1b]633;B\x07")
    assert "\x1b]633;A\x07P> " in screen.before
    for command, told, output, status in (
        ("echo a; (exit 4)\r", r"echo a\x3b (exit 4)", "a\r\n", 4),
        ("forbidden x\r", "forbidden x", "", 126),
        ("cat <<E\rb\rE\r", r"cat <<E\x0ab\x0aE", "b\r\n", 0),
    ):
        screen.send(command)
        screen.expect_exact(f"\x1b]633;E;{told};n0nce\x07\x1b]633;C\x07")
        screen.expect_exact(f"{output}\x1b]633;D;{status}\x07")
        screen.expect_exact("\x1b]633;A\x07P> \x1b]633;B\x07")


def test_tab_completes_commands_and_files(typing, world):
    (world.work / "some file").write_text("x\n")
    (world.work / "docs").mkdir(exist_ok=True)
    screen, _ = typing(GATESH, env={"TERM": "vt100"})
    screen.key("forb\t", "forbidden ")
    screen.key("\x15ls ./do\t", "docs/")
    screen.key("\x15cat some\t\r", "some\\ file \r\nx\r\n")


def test_pexpects_own_wrapper_finds_its_prompt(world, monkeypatch):
    """Programs that keep a shell for an agent look for a prompt of their own making."""
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    shell = replwrap.bash(GATESH)
    try:
        assert shell.run_command("echo hi; false") == "hi\r\n"
        assert shell.run_command("for i in $? 2; do\necho $i\ndone") == "1\r\n2\r\n"
        assert "DENIED" in shell.run_command("forbidden x")
    finally:
        shell.child.close(force=True)


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_tmux_opens_it_as_a_login_shell(world):
    (world.base / ".bash_profile").write_text("PS1='P> '\n")
    (world.base / "tmux.conf").write_text(f"set -g default-shell {GATESH}\n")
    tmux = ["tmux", "-S", str(world.base / "tmux"), "-f", str(world.base / "tmux.conf")]

    def shown():
        return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True).stdout.decode()

    subprocess.run([*tmux, "new-session", "-d", "-x", "120", "-y", "40"], env=world.env, check=True)
    try:
        until(lambda: "P>" in shown())
        buffer = "echo $0 $((40+2)); shopt login_shell\nforbidden x\ncat <<E\nhere\nE\n"
        subprocess.run([*tmux, "set-buffer", buffer], check=True)
        subprocess.run([*tmux, "paste-buffer"], check=True)
        until(lambda: "\nhere\n" in shown())
        assert re.search(r"-bash 42\nlogin_shell\s+on\n", shown())
        assert "DENIED" in shown()
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
        (world.base / ".bash_profile").unlink()
