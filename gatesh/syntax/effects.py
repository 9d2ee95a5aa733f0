# ruff: noqa: E501
"""Files that ordinary programs write and read, and what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatesh.model import Kind
from gatesh.syntax import downloads, foreign_code, outputs, tables
from gatesh.syntax.call import Call, file_output, located
from gatesh.syntax.paths import name_of
from gatesh.syntax.values import Field, Output, render
from gatesh.syntax.wrappers import Options, options_of

UNKNOWN = Output()

# What a program writes: `all` its operands, the `last` one, or the value of an option.
#   name : short options with a value : long options with a value : writes
_WRITERS = """
tee       : : output-error : all
touch     : d r t : date reference time : all
truncate  : s r : size reference : all
shred     : n s : iterations size random-source : all
mkdir     : m Z : mode context : all
mkfifo    : m Z : mode context : all
cp        : t S : target-directory suffix backup : last -t --target-directory
mv        : t S : target-directory suffix backup : last -t --target-directory
install   : t S m o g : target-directory suffix mode owner group : last -t --target-directory
ln        : t S : target-directory suffix backup : last -t --target-directory
rsync     : e f B T M : rsh rsync-path exclude include exclude-from filter : last
scp       : S i P F l o c J : : last
sort      : k t o S T : output key field-separator : -o --output
curl      : o d H r y Y z Q U C P t X u A b c e F m T x w K E : output data header request user user-agent cookie form max-time upload-file proxy write-out config cacert cert key connect-timeout retry retry-delay data-raw data-binary data-urlencode output-dir url dump-header cookie-jar : -o --output -D --dump-header -c --cookie-jar
wget      : O o P a i t T U : output-document output-file directory-prefix append-output input-file tries timeout user-agent header post-data post-file load-cookies save-cookies : -O --output-document -o --output-file -a --append-output
xxd       : c g l o s : cols groupsize len : second
uniq      : f s w : skip-fields skip-chars check-chars : second
split     : a b C l n : suffix-length bytes line-bytes lines number filter : second
sponge    : : : all
unlink    : : : all
dos2unix  : e : : all
unix2dos  : e : : all
strace    : o a b e E I O p P s S u U X : output attach trace string-limit user : -o --output
ltrace    : o a A D e F l n p s u w x X : output : -o --output
tcpdump   : w i r c s C G W F E y z : : -w
zip       : b n t i x : : first
ffmpeg    : : : last
yq        : : : none
gpg       : o r u : output recipient local-user : -o --output
openssl   : : in out pass passin passout k K iv md keyout CAfile : -out --out
ssh-keygen : f t b C N P I n V z Z O s D m a w R F r E : : keygen
gcc       : o : : -o
aria2c    : o d : out dir : -o --out
patch     : p i o d : output input strip directory : first -o --output
"""

_READERS = frozenset(
    "cat tac nl head tail less more bat strings xxd od hexdump base64 base32 cut sort uniq rev"
    " source . grep egrep fgrep rg zcat bzcat xzcat zgrep awk gawk sed diff cmp paste join md5sum"
    " sha256sum sha1sum".split()
)
_READ_AFTER_FIRST = frozenset("grep egrep fgrep rg awk gawk sed zgrep".split())
_READ_VALUES = {"head": "n c", "tail": "n c s", "cut": "d f b c", "grep": "e f A B C m", "rg": "e A B C",
                "sort": "k t o S T", "xxd": "c g l s", "od": "A j N t w", "sed": "e f", "awk": "F v f",
                "gawk": "F v f", "base64": "w", "nl": "b d f h i l n s v w", "less": "p",
                "strings": "n t e", "hexdump": "n s e C", "egrep": "e f A B C m"}  # fmt: skip


def _table() -> dict[str, tuple[Options, tuple[str, ...]]]:
    made = {}
    for line in _WRITERS.splitlines():
        if line:
            name, short, long, writes = (part.strip() for part in line.split(" :", 3))
            made[name] = (
                Options(
                    frozenset(short.lstrip(": ").split()), frozenset(long.lstrip(": ").split())
                ),
                tuple(writes.lstrip(": ").split()),
            )
    return made


_TABLE = _table()


def ordinary(call: Call) -> Output:
    """Note what a program without anything inside writes and reads; return what it prints."""
    name = call.name
    found = _TABLE.get(name)
    if found is not None:
        _writer(call, *found)
    elif name in _READERS:
        _reader(call)
    elif name == "dd":
        _dd(call)
    elif name in downloads.COPIERS:
        _fetched(call, downloads.copied(call))
    if name == "chmod" and len(call.rest) > 1 and _MAKES_RUN.match(call.rest[0].text):
        for field in call.rest[1:]:
            call.f.executable.update(located(call.f, field.text))
    if name == "sed":
        _sed(call)
    elif name in _COMPILERS:
        _sources(call)
    return outputs.printed(call) if call.f.wanted else UNKNOWN


_MAKES_RUN = re.compile(r"[ugoa]*\+[rwst]*x|0?[0-7]?[1357][0-7]{2}$")
_COMPILERS = frozenset(
    "gcc cc c99 g++ clang clang++ tcc rustc javac java ghc gnatmake gfortran".split()
)


def _sources(call: Call) -> None:
    """Look into sources that the line has written itself and compiles."""
    for field in call.rest:
        if field.text == "-":
            content = call.f.stdin
        elif "." in field.text and field.text[0] != "-":
            content = call.f.shell.files.get(located(call.f, field.text)[0])
        else:
            continue
        if content is not None and content.text is not None:
            span = call.span_of([field])
            text = render(content.text)
            call.f.add(Kind.CODE, text, span, program=call.name)
            foreign_code.look(call, call.name, text, span)


def _dd(call: Call) -> None:
    content = call.f.stdin or UNKNOWN
    for kind, key in ((Kind.READ, "if="), (Kind.WRITE, "of=")):
        for field in call.rest:
            if field.text.startswith(key) and len(field.text) > len(key):
                for path in _touch(call, kind, field.text[len(key) :], field):
                    if kind is Kind.READ:
                        content = call.f.shell.files.get(path, Output(None, path))
                    else:
                        call.f.shell.files[path] = content


def _touch(call: Call, kind: Kind, path: str, field: Field) -> list[str]:
    found = located(call.f, path)
    for one in found:
        call.f.add(kind, one, call.span_of([field]))
    return found


def _operands(call: Call, options: Options) -> tuple[list[Field], list[tuple[str, Field | None]]]:
    """Return operands and options, wherever they stand (GNU lets them mix)."""
    operands: list[Field] = []
    seen: list[tuple[str, Field | None]] = []
    at = 1
    fields = call.fields
    while at < len(fields):
        found = options_of(fields, at, options)
        seen += found.options
        if found.first > at and fields[found.first - 1].text == "--":
            operands += fields[found.first :]
            break
        if found.first < len(fields):
            operands.append(fields[found.first])
        at = found.first + 1
    return operands, seen


def _writer(call: Call, options: Options, writes: tuple[str, ...]) -> None:
    operands, seen = _operands(call, options)
    target: list[Field] = []
    for name, value in seen:
        if name in writes and value is not None:
            target.append(value)
    if "all" in writes:
        target += operands
    elif "first" in writes:
        target += operands[:1]
    elif "second" in writes:
        target += operands[1:2]
    elif "last" in writes and not target and len(operands) > 1:
        target.append(operands[-1])
        operands = operands[:-1]
    if "keygen" in writes:
        target += _key_file(seen)
    for field in target:
        for path in _touch(call, Kind.WRITE, field.text, field):
            _remember(call, path, operands)
    if call.name in ("curl", "wget"):
        _fetched(call, downloads.named_by_address(call, operands, seen))
    elif call.name in ("scp", "rsync", "sftp") and target:
        _fetched(call, downloads.from_elsewhere(call, operands, target[-1]))
    if call.name in ("cp", "mv", "install", "ln", "rsync", "scp"):
        for field in operands:
            _touch(call, Kind.READ, field.text, field)


def _fetched(call: Call, found: list[str]) -> None:
    for path in found:
        call.f.add(Kind.WRITE, path, call.span)
        call.f.shell.files[path] = downloads.FETCHED


# With one of these `ssh-keygen -f` reads a file and writes none.
_KEY_READERS = frozenset("-l -y -e -i -B -F -Q -L -D -r -c -p -s -Y -H -R -k -A -U".split())


def _key_file(seen: list[tuple[str, Field | None]]) -> list[Field]:
    """Return the file that `ssh-keygen` writes: a new key, a changed one, a list of hosts."""
    given = {name for name, _ in seen}
    if given & _KEY_READERS and not given & {"-p", "-c", "-R", "-H"}:
        return []
    return [value for name, value in seen if name == "-f" and value is not None]


def _remember(call: Call, path: str, operands: list[Field]) -> None:
    """Remember what is in a file now, or which program is behind a new name."""
    shell = call.f.shell
    name = call.name
    if name == "tee":
        shell.files[path] = call.f.stdin or Output()
    elif name in ("cp", "mv", "install", "ln"):
        for field in operands:
            source = located(call.f, field.text)[0]
            real = shell.renamed.get(source, name_of(source))
            content = file_output(call.f, field.value)
            for place in (path, path.rstrip("/") + "/" + name_of(source)):
                shell.renamed[place] = real
                shell.files[place] = content
        shell.version += 1
    elif name in ("curl", "wget", "aria2c"):
        shell.files[path] = downloads.FETCHED
    elif name in ("scp", "rsync"):
        for field in operands:
            source = located(call.f, field.text)[0]
            shell.files[path] = shell.files.get(source, Output(None, source))
    elif name == "mkfifo":
        shell.files[path] = UNKNOWN  # whatever somebody writes into it
    elif name in ("gpg", "openssl", "xxd"):
        shell.files[path] = Output(None, None, frozenset({"decoder"}))
    elif name in ("sort", "uniq", "patch"):
        shell.files[path] = Output()


def _reader(call: Call) -> None:
    letters = frozenset(_READ_VALUES.get(call.name, "").split())
    operands, seen = _operands(call, Options(letters, frozenset()))
    if call.name in _READ_AFTER_FIRST and not any(name in ("-e", "-f") for name, _ in seen):
        operands = operands[1:]
    for field in operands:
        if field.text != "-" and not field.text.startswith("<("):
            _touch(call, Kind.READ, field.text, field)


_SED_PUTS = re.compile(
    r"s([^\w\s\\])(?:\\.|(?!\1)[^\\])*+\1((?:\\.|(?!\1)[^\\])*+)\1|[aic]\\?\s*([^\n]+)", re.DOTALL
)


def _put_in(call: Call) -> Iterator[str]:
    """Yield the lines that look like commands among those that sed puts into a file."""
    for field in call.rest:
        for found in _SED_PUTS.finditer(field.text[:2_000]):
            line = (found[2] or found[3] or "").replace("\\/", "/")
            first = line.split(None, 1)[0].rpartition("/")[2] if line.strip() else ""
            if " " in line and (first in tables.SHADOWED or first in tables.SHELLS):
                yield line + "\n"


def _sed(call: Call) -> None:
    """`sed -i` writes its operands."""
    operands, seen = _operands(call, Options(frozenset("ef"), frozenset({"expression", "file"})))
    if not any(name in ("-i", "--in-place", "-I") for name, _ in seen):
        return
    if not any(name in ("-e", "-f", "--expression", "--file") for name, _ in seen):
        operands = operands[1:]
    for field in operands:
        for path in _touch(call, Kind.WRITE, field.text, field):
            old = call.f.shell.files.get(path, Output(None, path))
            added = "".join(_put_in(call))
            if added and old.text is None:
                call.f.shell.files[path] = Output(added, old.file, old.origin)
            elif not added or old.text is not None:
                call.f.shell.files.pop(path, None)
