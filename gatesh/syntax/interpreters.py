# ruff: noqa: E501
"""Other languages: inline code, code on standard input, script files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from gatesh.model import Kind
from gatesh.syntax import findings, foreign_code
from gatesh.syntax.call import DESCRIPTOR, Call, descriptor, located, plain_path
from gatesh.syntax.code import read_code
from gatesh.syntax.origins import DECODER, NETWORK
from gatesh.syntax.values import Field, Output, holes, render
from gatesh.syntax.wrappers import Options, options_of

# name : short options with a value : long options with a value : options whose value is code : flags
#   first   the first operand is the program text, unless -f or -e gave one
#   stdin   without a file, standard input is code
_TABLE = """
python      : c m W X Q : check-hash-based-pycs : -c : stdin
perl        : e E I M m F l x C D : : -e -E : stdin
ruby        : e I r E C F K T W x : encoding external-encoding internal-encoding : -e : stdin
node        : e p r C : eval print require import loader experimental-loader conditions env-file title input-type stack-trace-limit max-old-space-size test-name-pattern test-reporter : -e -p --eval --print : stdin
deno        : : ext : eval : stdin
bun         : e p r : eval print require : -e --eval -p --print : stdin
php         : r R B E F c d z S t f : run : -r -R -B -E --run : stdin
lua         : e l : : -e : stdin
luajit      : e l j b O : : -e : stdin
tclsh       : : encoding : : stdin
wish        : : : : stdin
expect      : c f D : : -c : stdin
Rscript     : e g : : -e :
R           : e f g d : file args : -e : stdin
julia       : e E L p t C J H : eval print load project procs threads : -e -E --eval --print : stdin
elixir      : e r S : eval : -e --eval :
erl         : : eval : -eval :
guile       : c e l L : : -c : stdin
racket      : e f t l p r : eval : -e --eval : stdin
sbcl        : : eval load script core : --eval : stdin
clojure     : e i m : eval : -e --eval : stdin
scala       : e : : -e : stdin
groovy      : e : : -e : stdin
swift       : e : : -e : stdin
ghci        : e : : -e : stdin
runghc      : : : : stdin
ocaml       : e I : : -e : stdin
jshell      : : : : stdin
pwsh        : c f w : Command File EncodedCommand WorkingDirectory ExecutionPolicy : -c -Command --Command -EncodedCommand -e -ec : stdin
powershell  : c f w : Command File EncodedCommand WorkingDirectory ExecutionPolicy : -c -Command -EncodedCommand -e -ec : stdin
osascript   : e l s : : -e : stdin
octave      : : eval path : --eval : stdin
gnuplot     : e c d : : -e : stdin
gdb         : x d s e c p : eval-command init-eval-command command directory symbols exec core pid ex iex : -ex -iex --eval-command --init-eval-command : stdin
lldb        : o O s S f p n k : one-line one-line-before-file source file : -o -O --one-line : stdin
awk         : f F v e E i l : file field-separator assign source include load exec : -e --source : first
sed         : e f l : expression file line-length : -e --expression : first
psql        : c d f h o p U v L P F R T : command dbname file host output port username variable set log-file : -c --command : stdin
mysql       : e h P u D S p : execute host port user database socket protocol defaults-file : -e --execute : stdin
sqlite3     : : cmd separator init : --cmd -cmd : second stdin
mongosh     : u p : eval host port username password authenticationDatabase file : --eval : stdin
mongo       : u p : eval host port username password authenticationDatabase : --eval : stdin
cqlsh       : e f u p k : execute file username password keyspace : -e --execute : stdin
clickhouse-client : q h u d : query host user password port database queries-file : -q --query : stdin
duckdb      : c s : cmd init separator : -c -s --cmd : second stdin
sqlcmd      : Q q S U P d i o : : -Q -q : stdin
bq          : : : : stdin
bc          : e : expression : -e : stdin
dc          : e f : expression file : -e --expression : stdin
ed          : p : prompt : : stdin
jq          : f L : from-file arg argjson indent slurpfile rawfile : : none
emacs       : l f L : eval execute load funcall : --eval --execute : none
make-code   : : : : none
"""

_SAME = {
    "python2": "python", "python3": "python", "pypy": "python", "pypy3": "python", "ipython": "python",
    "ipython3": "python", "nodejs": "node", "tsx": "node", "ts-node": "node", "gawk": "awk",
    "mawk": "awk", "nawk": "awk", "gsed": "sed", "mariadb": "mysql", "irb": "ruby", "jruby": "ruby",
    "php8": "php", "lua5.3": "lua", "lua5.4": "lua", "emacsclient": "emacs", "sqlite": "sqlite3",
    "cockroach": "psql", "pgcli": "psql", "mycli": "mysql", "litecli": "sqlite3", "usql": "psql",
    "winpty": "winpty", "micropython": "python", "perl5": "perl", "truffleruby": "ruby", "clj": "clojure",
}  # fmt: skip
_VERSIONED = re.compile(
    r"(python|pypy|perl|ruby|lua|php|node|tclsh|guile|gcc|pwsh)-?[0-9][0-9.]*[a-z]?"
)


# Read commands from standard input whatever their operands, and mostly data.
_DATA_TOO = frozenset(
    "psql mysql sqlite3 mongosh mongo duckdb cqlsh clickhouse-client sqlcmd bc dc ed gdb".split()
)


@dataclass(frozen=True, slots=True)
class Spec:
    """How one interpreter is called."""

    name: str
    options: Options
    code: frozenset[str]
    flags: frozenset[str]


@cache
def _specs() -> dict[str, Spec]:
    made = {}
    for line in _TABLE.splitlines():
        if not line:
            continue
        name, short, long, code, flags = (part.strip() for part in line.split(" :", 4))
        made[name] = Spec(
            name,
            Options(frozenset(short.lstrip(": ").split()), frozenset(long.lstrip(": ").split())),
            frozenset(code.lstrip(": ").split()),
            frozenset(flags.lstrip(": ").split()),
        )
    return made


@cache
def spec(name: str) -> Spec | None:
    """Return how the interpreter *name* is called, None if it is none."""
    found = _specs().get(_SAME.get(name, name))
    if found is None and (versioned := _VERSIONED.fullmatch(name)) is not None:
        found = _specs().get(versioned[1])
    return found


def run(call: Call) -> Output | None:
    """Note the code that an interpreter would run."""
    how = spec(call.name)
    assert how is not None
    fields = call.fields
    found = options_of(fields, 1, how.options)
    codes = [value for name, value in found.options if name in how.code and value is not None]
    codes += [
        fields[at + 1]
        for at in range(1, len(fields) - 1)
        if fields[at].text in how.code and fields[at].text[:2] != "--" and len(fields[at].text) > 2
    ]
    for value in dict.fromkeys(id(v) for v in codes):
        code = next(v for v in codes if id(v) == value)
        _code(call, how, code)
    operands = fields[found.first :]
    if codes or _names_module(found.options):
        return None
    if "none" in how.flags:
        return None
    given = {name for name, _ in found.options}
    if "first" in how.flags and operands and not given & {"-f", "--file"}:
        _code(call, how, operands[0])
        return None
    if "second" in how.flags and len(operands) > 1:
        _code(call, how, operands[1])
        return None
    if operands and operands[0].text == "eval" and "eval" in how.code:
        rest = [f for f in operands[1:] if f.text[:1] != "-"]
        if rest:
            _code(call, how, rest[0])
        return None
    if given & {"-V", "--version", "-v", "-h", "--help"} and not operands and how.name != "psql":
        return None
    if "stdin" in how.flags:
        if not operands or operands[0].text == "-" or how.name in _DATA_TOO:
            _stdin(call, how)
        else:
            _file(call, how, operands[0])
    return None


def _names_module(options: list[tuple[str, Field | None]]) -> bool:
    return any(name == "-m" for name, _ in options)


def _code(call: Call, how: Spec, code: Field) -> None:
    f = call.f
    span = call.span_of([code])
    if how.name in ("awk", "sed"):
        foreign_code.little(call, how.name, code, span)
        return
    f.add(Kind.CODE, code.text, span, program=call.name)
    for hole in holes(code.value):
        origin = hole.source.origin if hole.source else frozenset()
        if NETWORK in origin:
            f.finding(
                findings.CODE_FROM_DATA, span, f"{call.name} runs what comes from the network"
            )
        elif DECODER in origin:
            f.finding(findings.DECODED_CODE, span, f"{call.name} runs what a decoder prints")
        elif hole.text == code.text and not hole.one:
            f.finding(findings.DYNAMIC_CODE, span, f"{call.name} runs {hole.text}")
    foreign_code.look(call, how.name, code.text, span)


def _stdin(call: Call, how: Spec) -> None:
    f = call.f
    stdin = f.stdin
    if stdin is None:
        return
    span = call.span
    text = stdin.text
    if text is None and stdin.file is not None:
        text = read_code(f, stdin.file, span)
    if DECODER in stdin.origin and how.name not in _DATA_TOO:
        f.finding(findings.DECODED_CODE, span, f"{call.name} runs what a decoder prints")
    if text is not None:
        shown = render(text)
        f.add(Kind.CODE, shown, span, program=call.name)
        foreign_code.look(call, how.name, shown, span)
    elif NETWORK in stdin.origin and how.name not in ("bc", "dc"):
        f.finding(findings.CODE_FROM_DATA, span, f"{call.name} runs what comes from the network")


def _file(call: Call, how: Spec, field: Field) -> None:
    f = call.f
    span = call.span_of([field])
    for hole in holes(field.value):
        if hole.text[:2] == "<(" and hole.source is not None:
            outer, f.stdin = f.stdin, hole.source
            _stdin(call, how)
            f.stdin = outer
            return
    if field.glob or holes(field.value):
        written = f.shell.files.get(field.text)
        if written is None:
            return
    if (number := DESCRIPTOR.fullmatch(plain_path(field.text))) is not None:
        outer, f.stdin = f.stdin, descriptor(f, number[1])
        _stdin(call, how)
        f.stdin = outer
        return
    for path in located(f, field.text):
        written = f.shell.files.get(path)
        if written is not None and written.file is None:
            if written.text is not None:
                shown = render(written.text)
                f.add(Kind.CODE, shown, span, program=call.name)
                foreign_code.look(call, how.name, shown, span)
            elif NETWORK in written.origin:
                f.finding(findings.CODE_FROM_DATA, span, f"{path} is fetched by this line and run")
            elif DECODER in written.origin:
                f.finding(findings.DECODED_CODE, span, f"{path} is decoded by this line and run")
            return
        source = written.file if written is not None and written.file is not None else path
        if source.startswith("/"):
            _pin(call, source, span)


def _pin(call: Call, path: str, span: tuple[int, int]) -> None:
    """Remember the bytes of a script that is not followed: it must not change before it runs."""
    from gatesh.document import sha256
    from gatesh.model import CodeFile

    f = call.f
    try:
        data = f.read(path)
    except OSError:
        return
    if data is not None:
        f.collector.files[path] = CodeFile(path, sha256(data), len(data))
