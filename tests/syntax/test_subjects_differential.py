"""Whatever bash really runs was named beforehand, or the line carries a finding.

Lines are generated, run by a real bash whose PATH holds nothing but stubs that write
down their arguments, and compared with the subjects.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatesh.model import Kind
from gatesh.syntax import Context, analyse

STUBS = ("rm", "ls", "git", "make", "alpha", "beta", "gamma")
REAL = (
    "env",
    "nohup",
    "timeout",
    "nice",
    "xargs",
    "setsid",
    "stdbuf",
    "bash",
    "sh",
    "cat",
    "tr",
    "rev",
    "base64",
    "find",
    "head",
    "tee",
    "sort",
    "awk",
    "sed",
    "perl",
    "cp",
    "ln",
    "dd",
    "mkfifo",
    "chmod",
    "nl",
)
STUB = """#!/bin/sh
IFS=$(printf '\\037'); printf '%s\\037\\036' "${0##*/}${1+$IFS}$*" >>"$STUB_LOG"
"""
UNKNOWN = set("$`*?[…{")


class World:
    """A directory of stubs, and what they wrote down."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        self.log = root / "log"
        self.counter = 0
        for name in STUBS:
            (self.bin / name).write_text(STUB)
            (self.bin / name).chmod(0o755)
        for name in REAL:
            real = shutil.which(name)
            assert real is not None
            (self.bin / name).symlink_to(real)
        self.env = {
            "PATH": str(self.bin),
            "HOME": str(root / "home"),
            "STUB_LOG": str(self.log),
            "VAR": "rm -i",
        }

    def run(self, line: str) -> list[list[str]]:
        self.counter += 1
        cwd = self.root / f"cwd{self.counter}"
        cwd.mkdir()
        (cwd / "file.txt").write_text("rm from-file\n")
        log = self.root / f"log{self.counter}"  # a late writer of the line before has its own
        log.write_bytes(b"")
        try:
            subprocess.run(
                [shutil.which("bash") or "bash", "-c", line + "\nwait"],
                cwd=cwd,
                env={**self.env, "STUB_LOG": str(log)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=10,
                check=False,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("the generated line does not end")
        records = log.read_bytes().decode("utf-8", "replace").split("\036")
        shutil.rmtree(cwd)
        return [record.split("\037")[:-1] for record in records if record]

    def context(self) -> Context:
        def read(path: str) -> bytes | None:
            return b"rm from-file\n" if path.endswith("/file.txt") else None

        return Context(str(self.root / f"cwd{self.counter + 1}"), self.env, read)


@pytest.fixture(scope="module")
def world():
    with tempfile.TemporaryDirectory() as root:
        yield World(Path(root))


def missing(world: World, line: str) -> list[str]:
    """Return what bash ran and the analysis did not name."""
    analysis = analyse(line.encode(), world.context())
    ran = world.run(line)
    findings = [s for s in analysis.subjects if s.kind is Kind.FINDING and s.text != "unsure-file"]
    if findings:
        return []
    texts = [t for s in analysis.subjects if s.kind is Kind.COMMAND for t in (s.text, *s.also)]
    return [
        " ".join(argv)
        for argv in ran
        # dash knows no braces; what bash makes of them is what rules get to see
        if not any(
            text == " ".join(argv).replace("{p,q}", "p q")
            or (text.split(" ")[0] == argv[0] and UNKNOWN & set(text))
            for text in texts
        )
    ]


# ---- lines -------------------------------------------------------------------

plain = st.sampled_from(["x", "-rf", "a.b", "/tmp/q", "--opt=v", "one", "file.txt", "="])
program = st.sampled_from(["rm", "ls", "git", "make", "alpha", "beta", "gamma"])
name = st.sampled_from(["A", "B", "C", "VAR", "UNSET"])


def quoted(text: str, how: int) -> str:
    """Spell *text* in one of the ways bash takes."""
    if not text:
        return "''"
    if how == 0:
        return shlex.quote(text)
    if how == 1:
        return (
            '"'
            + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
            + '"'
        )
    if how == 2:
        return "$'" + "".join(f"\\x{ord(c):02x}" if c.isascii() else c for c in text) + "'"
    if how == 3 and len(text) > 1:
        return shlex.quote(text[:1]) + '""' + shlex.quote(text[1:])
    if how == 4 and text.isalpha():
        return "\\" + text
    if how == 5 and text.isalpha() and len(text) > 1:
        return text[0] + "\\\n" + text[1:]
    return shlex.quote(text)


spelled = st.builds(quoted, program, st.integers(0, 5))
argument = st.one_of(
    plain,
    st.builds(
        quoted,
        st.one_of(plain, st.sampled_from(["a b", "it's", "$x", "`q`", ";", "é"])),
        st.integers(0, 3),
    ),
    st.builds(lambda n: f"${n}", name),
    st.builds(lambda n: f'"${n}"', name),
    st.builds(lambda n, w: f"${{{n}:-{w}}}", name, plain),
    st.just("{p,q}"),
    st.just("~"),
)
command_word = st.one_of(
    spelled,
    spelled,
    spelled,
    st.builds(lambda n: f"${n}", name),
    st.builds(lambda n, p: f"${{{n}:-{p}}}", name, program),
    st.builds(lambda n, p: f"${{{n}:+{p}}}", name, program),
    st.builds(lambda p: f"$(echo {p})", program),
    st.builds(lambda p: f"`echo {p}`", program),
    st.builds(lambda p: f"$(printf %s {p})", program),
)
simple = st.builds(lambda w, a: " ".join([w, *a]), command_word, st.lists(argument, max_size=3))
assignment = st.builds(
    lambda n, v: f"{n}={v}",
    name,
    st.one_of(spelled, argument, st.just("'rm -rf'"), st.just("$A$B")),
)


def nest(inner):
    """Lines made of lines."""
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map("; ".join),
        two.map(" && ".join),
        two.map(" || ".join),
        two.map(" | ".join),
        two.map(" & ".join),
        two.map("\n".join),
        two.map(" |& ".join),
        inner.map(lambda s: f"( {s} )"),
        inner.map(lambda s: f"{{ {s}; }}"),
        inner.map(lambda s: f"! {s}"),
        inner.map(lambda s: f"time {s}"),
        inner.map(lambda s: f"eval {shlex.quote(s)}"),
        inner.map(lambda s: f'eval "{s}"' if not set(s) & set('"\\`') else s),
        inner.map(lambda s: f"bash -c {shlex.quote(s)}"),
        inner.map(lambda s: f"bash -ec {shlex.quote(s)} zero one two"),
        inner.map(lambda s: f"sh -c {shlex.quote(s)}"),
        inner.map(lambda s: f"echo {shlex.quote(s)} | bash"),
        inner.map(lambda s: f"bash <<< {shlex.quote(s)}"),
        inner.map(lambda s: f"bash <<'EOF'\n{s}\nEOF"),
        inner.map(lambda s: f"cat <<EOF | bash\n{s}\nEOF"),
        inner.map(lambda s: f'echo "$({s})"'),
        inner.map(lambda s: f"cat <({s})"),
        inner.map(lambda s: f"x=`{s}`" if "`" not in s and "\\" not in s else s),
        inner.map(lambda s: f"f() {{ {s}; }}; f"),
        inner.map(lambda s: f"function g {{ {s}\n}}; g one"),
        inner.map(lambda s: f"trap {shlex.quote(s)} EXIT"),
        inner.map(lambda s: f"if {s}; then {s}; else {s}; fi"),
        inner.map(lambda s: f"for A in rm ls; do {s}; done"),
        inner.map(lambda s: f"for ((i=0;i<2;i++)); do {s}; done"),
        inner.map(lambda s: f"case x in a|x) {s};; esac"),
        inner.map(lambda s: f"case x in x) {s} ;& *) {s} ;; esac"),
        inner.map(lambda s: f"while {s}; do {s}; break; done"),
        inner.map(lambda s: f"until {s}; do break; done"),
        inner.map(lambda s: f"coproc {{ {s}; }}"),
        inner.map(lambda s: f"{{ {s}; }} > out 2>&1"),
        inner.map(lambda s: f"cat > s.sh <<'XX'\n{s}\nXX\nbash s.sh"),
        inner.map(lambda s: f"printf '%s\\n' {shlex.quote(s)} > s.sh; . ./s.sh"),
        inner.map(lambda s: f'A={shlex.quote(s)}; eval "$A"'),
        inner.map(lambda s: f"export B={shlex.quote(s)}; bash -c 'eval \"$B\"'"),
        inner.map(lambda s: f"B={shlex.quote(s)}; bash -c 'eval \"$B\"'"),
        inner.map(
            lambda s: f'set -- {s}\n"$@"' if "\n" not in s and not set(s) & set(";&|<>(){}") else s
        ),
        inner.map(lambda s: f"shopt -s expand_aliases\nalias k={shlex.quote(s)}\nk z"),
        inner.map(lambda s: f"[[ -n $({s}) ]]"),
        inner.map(lambda s: f"(( a[$({s};echo 0)] ))"),
        inner.map(lambda s: f"cat <<EOF\n$({s})\nEOF"),
        inner.map(lambda s: f"x=1; echo ${{x/1/$({s})}}"),
        inner.map(lambda s: f"arr=($({s}) a)"),
        inner.map(lambda s: f"unset q; : ${{q:=$({s})}}"),
    )


wrapped = st.builds(
    lambda w, s: f"{w} {s}",
    st.sampled_from(
        [
            "env",
            "env A=rm",
            "nohup",
            "timeout 5",
            "timeout -k 1 5",
            "nice",
            "nice -n 3",
            "setsid -w",
            "command",
            "exec",
            "stdbuf -oL",
            'env -i PATH="$PATH" STUB_LOG="$STUB_LOG"',
            "xargs",
            "builtin command",
            "env -u VAR",
            "A=rm",
            "VAR=",
            "! time -p",
            "xargs -n 1",
        ]
    ),
    simple,
)
base = st.one_of(
    simple,
    simple,
    wrapped,
    assignment,
    st.builds(lambda a, s: f"{a}; {s}", assignment, simple),
    st.builds(lambda a, b, s: f"{a} {b} {s}", assignment, assignment, simple),
    st.builds(lambda p: f"find . -name file.txt -exec {p} {{}} \\;", program),
    st.builds(lambda p: f"echo a b | xargs {p} -q", program),
    st.builds(lambda p: f"echo {p} a | xargs -I% bash -c '%'", program),
    st.builds(lambda p: f"echo {p} a b | xargs env", program),
    st.builds(lambda p: f"echo {p} x | rev | rev | bash", program),
    st.builds(lambda p: f"C=({p} -rf 'a b'); \"${{C[@]}}\"", program),
    st.builds(lambda p: f"C=({p}); C+=(x); ${{C[*]}}", program),
    st.builds(lambda p: f"while read A B; do $A $B; done <<< '{p} q'", program),
    st.builds(lambda p: f"read A <<< {p}; $A z", program),
    st.builds(lambda p: f"printf -v A '%s' {p}; $A", program),
    st.builds(lambda p: f"IFS=,; A={p},x; $A", program),
    st.builds(lambda p: f"A={p}x; ${{A%x}} y", program),
    st.builds(lambda p: f"A=x{p}; ${{A#x}} y; ${{A:1}} z", program),
    st.builds(lambda p: f"A={p.upper()}; ${{A,,}} y", program),
    st.builds(lambda p: f"B={p}; A=B; ${{!A}} y", program),
    st.builds(lambda p: f'h() {{ "$@"; }}; h {p} 1 2', program),
    st.builds(lambda p: f'h() {{ local A=$1; shift; $A "$@"; }}; h {p} 1 2', program),
    st.builds(
        lambda p: f"export -f h 2>/dev/null; h() {{ {p} h; }}; export -f h; bash -c h", program
    ),
    st.builds(lambda p: f'hash -p "$(command -v {p})" zzz; zzz q', program),
    st.builds(lambda p: f"PATH=$PATH {p} q", program),
    st.builds(lambda p: f'bash -c \'"$0" "$@"\' {p} 1 2', program),
    st.builds(lambda p: f"bash -s x y <<< '{p} $1 $2'", program),
    st.builds(lambda p: f"ln -s x y; cat < file.txt | bash; {p}", program),
    st.builds(lambda p: f"source file.txt; bash file.txt; {p}", program),
    st.builds(lambda p: f"bash <(echo {p} psub)", program),
    st.builds(lambda p: f"test -v 'a[$({p})]'; [[ -v 'b[$({p})]' ]]", program),
    st.builds(lambda p: f"A='a[$({p})]'; (( A )); echo $((A)); let A", program),
    st.builds(lambda p: f"A='$({p})'; echo ${{A@P}}", program),
    st.builds(lambda p: f"mapfile -C '{p} cb #' -c 1 M <<< x", program),
    st.builds(lambda p: f"PS4='$({p})'; set -x; :", program),
    st.builds(lambda p: f"BASH_ENV=file.txt bash -c {p}", program),
    st.builds(lambda p: f"A={p} eval '$A k'", program),
    st.builds(lambda p: f'command_not_found_handle() {{ {p} "$@"; }}; nosuch a', program),
    st.builds(lambda p: f"declare -n R=A; A={p}; $R x", program),
    st.builds(lambda p: f"declare -i N; N='a[$({p})]'", program),
    st.builds(lambda p: f'"${{A:-{p}}}" "${{VAR:+w}}" $(( 1 + 2 ))', program),
    st.builds(lambda p: f'echo {p} | while read -r l; do eval "$l w"; done', program),
    st.builds(lambda p: f"tee s.sh <<< '{p} teed' >/dev/null; bash s.sh", program),
    st.builds(lambda p: f"exec 3<<<'{p} fd'; bash <&3; bash /dev/fd/4 4<<<'{p} four'", program),
    st.builds(lambda p: f"exec {{in}}<<<'{p} named'; bash <&$in", program),
    st.builds(lambda p: f"exec 3< <(echo {p} psub); . /proc/self/fd/3", program),
    st.builds(lambda p: f"read -u 4 A 4<<<'{p} u'; $A", program),
    st.builds(lambda p: f"mapfile -t A <<<'{p} m'; ${{A[0]}}; eval \"${{A[@]}}\"", program),
    st.builds(
        lambda p: f"IFS=: read A B <<<'{p}:q'; $A $B; read -ra C <<<'{p} c'; \"${{C[@]}}\"", program
    ),
    st.builds(lambda p: f"declare -l A; A={p.upper()}; $A low", program),
    st.builds(lambda p: f"A='x[$({p} sub)]'; [[ A -gt 1 ]]; B=abc; echo ${{B:A}}", program),
    st.builds(
        lambda p: f"coproc bash; echo '{p} co' >&${{COPROC[1]}}; exec {{COPROC[1]}}>&-", program
    ),
    st.builds(lambda p: f"mkfifo p; bash p & echo '{p} fifo' > p", program),
    st.builds(lambda p: f'A=$(<file.txt); eval "$A"; {p}', program),
    st.builds(lambda p: f"/proc/self/exe -c '{p} exe'; /proc/$$/exe -c '{p} pid'", program),
    st.builds(
        lambda p: f"xargs sh <<< \"-c '{p} quoted'\"; printf '{p}\\0z' | xargs -0 env", program
    ),
    st.builds(
        lambda p: f"printf 'a b\\nc' | xargs -d '\\n' {p}; echo x | xargs -i {p} {{}} {{}}", program
    ),
    st.builds(
        lambda p: f"awk 'BEGIN{{system(\"{p} awk\")}}'; awk -v c='{p} v' 'BEGIN{{system(c)}}'",
        program,
    ),
    st.builds(lambda p: f'awk \'BEGIN{{"{p} get"|getline; print "{p} sh" | "sh"}}\'', program),
    st.builds(lambda p: f"echo 'BEGIN{{system(\"{p} f\")}}' > x.awk; awk -f x.awk", program),
    st.builds(lambda p: f"sed '1e {p} sed' file.txt; sed -n 's/.*/{p} s/e' file.txt", program),
    st.builds(
        lambda p: f"perl -e 'system(qw({p} perl)); exec q({p} q)'; perl -le '`{p} bt`'", program
    ),
    st.builds(
        lambda p: f'perl -e \'$x="{p} var"; system $x\'; perl -e \'system "{p}", "l"\'', program
    ),
    st.builds(lambda p: f"cp $(command -v {p}) y; ./y; ln -s $(command -v {p}) z; ./z q", program),
    st.builds(lambda p: f"cat $(command -v bash) > b; chmod +x b; ./b -c '{p} copy'", program),
    st.builds(lambda p: f"dd of=s.sh <<<'{p} dd' 2>/dev/null; sh s.sh", program),
    st.builds(lambda p: f"nl --body-numbering=n<(echo x) <({p} inner)", program),
    st.builds(lambda p: f"exec {{fd}}>out; {p} >&$fd; {p} 2>&1 >out <file.txt", program),
)
lines = st.recursive(base, nest, max_leaves=4)


@settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(lines)
def test_every_program_bash_runs_was_named(world, line):
    """
    A command the analysis does not name is a command no rule can stop.
    """
    if os.environ.get("SHOW"):
        print(line)
    assert missing(world, line) == []
