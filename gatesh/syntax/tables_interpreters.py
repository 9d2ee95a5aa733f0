# ruff: noqa: E501
"""How other languages are called, and which programs take code in them.  One line each."""

from __future__ import annotations

from typing import Final

# name : short options with a value : long options with a value : options whose value is code : flags
#   first   the first operand is the program text, unless -f or -e gave one
#   stdin   without a file, standard input is code
#   file    the first operand is a file of code
#   mixed   options may follow operands
#   rest=x  letters that are followed by their value in the same word or by none (`-i.orig`)
INTERPRETERS: Final = """
python      : c m W X Q : check-hash-based-pycs : -c : stdin
ipython     : c m p : : -c : stdin
perl        : e E I M m : : -e -E : stdin rest=iFxDV
ruby        : e I r E C K T W : encoding external-encoding internal-encoding : -e : stdin rest=iFx
node        : e p r C : eval print require import loader experimental-loader conditions env-file title input-type stack-trace-limit max-old-space-size test-name-pattern test-reporter pe : -e -p -pe --eval --print : stdin
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
ghc         : e : : -e :
ghci        : e : : -e : stdin
runghc      : : : : stdin
ocaml       : e I w : : -e : stdin
jshell      : : : : stdin
pwsh        : c f w : Command File EncodedCommand WorkingDirectory ExecutionPolicy : -c -Command --Command -EncodedCommand -e -ec : stdin
powershell  : c f w : Command File EncodedCommand WorkingDirectory ExecutionPolicy : -c -Command -EncodedCommand -e -ec : stdin
osascript   : e l s : : -e : stdin
octave      : : eval path : --eval : stdin
matlab      : r : batch logfile sd : -r -batch : stdin
maxima      : r b p : batch-string run-string batch : -r --batch-string --run-string : stdin
sage        : c : : -c : stdin
gp          : D s p : : : stdin
clisp       : x i E K M p : : -x : stdin
iex         : e r S : eval : -e --eval : stdin
kotlinc     : e : : -e :
kotlin      : e : : -e : stdin
jjs         : : : : stdin
jrunscript  : e f l cp : : -e : stdin
bb          : e f m : eval main : -e --eval : stdin
m4          : D U I : define : : stdin
bpftrace    : e c p o f B : include : -e :
stap        : e c x o m : : -e : stdin
dtrace      : n s p c o x : : -n :
r2          : c i q A e a b : : -c -qc : mixed
debugfs     : R f c d b s : : -R : stdin
slsh        : e i : : -e : stdin
blender     : P E : python-expr python background : --python-expr : none
gimp        : b : batch batch-interpreter : -b --batch : none
zx          : : eval : --eval : stdin
gnuplot     : e c d : : -e : stdin
gdb         : x d s e c p : eval-command init-eval-command command directory symbols exec core pid ex iex : -ex -iex --eval-command --init-eval-command : stdin
lldb        : o O s S f p n k : one-line one-line-before-file source file : -o -O --one-line : stdin
awk         : f F v e E i l : file field-separator assign source include load exec : -e --source : first
sed         : e f l : expression file line-length : -e --expression : first mixed rest=i
psql        : c d f h o p U v L P F R T : command dbname file host output port username variable set log-file : -c --command : stdin mixed
mysql       : e h u D S p : execute host port user database socket protocol defaults-file : -e --execute : stdin mixed rest=p
sqlite3     : : cmd separator init : --cmd -cmd : second stdin mixed
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
emacsclient : e s f a d : eval execute socket-name : -e --eval --execute : none
rake        : e E p f r C I : execute execute-print execute-continue rakefile : -e -E -p --execute --execute-print --execute-continue : none
make-code   : : : : none
"""

SAME_AS: Final = {
    "python2": "python", "python3": "python", "pypy": "python", "pypy3": "python", "ipython3": "ipython", "nodejs": "node", "tsx": "node", "ts-node": "node", "gawk": "awk",
    "mawk": "awk", "nawk": "awk", "gsed": "sed", "mariadb": "mysql", "irb": "ruby", "jruby": "ruby",
    "php8": "php", "lua5.3": "lua", "lua5.4": "lua", "sqlite": "sqlite3",
    "cockroach": "psql", "pgcli": "psql", "mycli": "mysql", "litecli": "sqlite3", "usql": "psql",
    "winpty": "winpty", "micropython": "python", "perl5": "perl", "truffleruby": "ruby", "clj": "clojure", "rizin": "r2",
    "radare2": "r2", "octave-cli": "octave", "original-awk": "awk", "bwk": "awk", "psysh": "php",
    "pry": "ruby", "jupyter-console": "ipython", "python3-dbg": "python", "python-dbg": "python",
}  # fmt: skip

# Programs whose subcommand takes code: words : language : short options with a value : long ones
#   : options whose value is code : flags as above
FRONTS: Final = """
rails runner     : ruby   : e : environment : : first
rails r          : ruby   : e : environment : : first
rails console    : ruby   : e : environment : : stdin
rails c          : ruby   : e : environment : : stdin
wp eval          : php    : : path url user require : : first
wp shell         : php    : : path url user require : : stdin
drush php-eval   : php    : l r : uri root : : first
drush php:eval   : php    : l r : uri root : : first
drush ev         : php    : l r : uri root : : first
artisan tinker   : php    : : execute env : --execute : stdin
manage.py shell  : python : c i v : command interface settings : -c --command : stdin
django-admin shell : python : c i v : command interface settings : -c --command : stdin
flask shell      : python : : : : stdin
go run           : go     : o p C : exec mod modfile ldflags gcflags tags : : file
cargo script     : rust   : : : : file
mix run          : elixir : e r : eval require : -e --eval :
mix eval         : elixir : : : : first
"""
