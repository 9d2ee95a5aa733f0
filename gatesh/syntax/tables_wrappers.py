"""Programs that run the program named after them.  One line each.

    name [subcommand] : short options with a value : long options with a value : flags

Without flags, the first word that is neither an option nor an option's value is the
program that runs.  Flags:

    skip=N      N operands come before the program (`timeout 5 cmd`)
    assigns     NAME=value may come before it (`sudo A=1 cmd`)
    joined      the rest is joined with blanks and given to a shell (`watch 'a | b'`)
    code=-c,…   options whose value is given to a shell (`su -c 'cmd'`)
    foreign     it runs with another environment or elsewhere: nothing is known there
    asks        without a program it starts a shell
    after=--    the program comes only after this word
    program=-x  an option whose value is a program, with the operands as its arguments
    pairs=x,…   long options with two values
    each        every operand is given to a shell (`concurrently 'a' 'b'`)
    bash        the rest is given to bash as its arguments
    mixed       options may follow the operands that are skipped (`su root -c cmd`)
    python      `-` or a file of Python runs in Python (`uv run x.py`)
    image       what starts with a dash is for a program that is not named here
    drop=-x,…   with one of these options no program is run
    options-only  only its `code=` options matter, no operand is run
"""

# ruff: noqa: E501
from __future__ import annotations

from typing import Final

WRAPPERS: Final = r"""
# -- another user, another place
sudo            : C D g h p R r T t U u : chdir close-from chroot group host prompt role type command-timeout other-user user : assigns foreign drop=-l,-v,-k,-K,-e,--list,--validate,--edit
sudo-rs         : C D g h p R r T t U u : user group chdir : assigns foreign
doas            : a C u : : foreign drop=-L
pkexec          : u : user : foreign
run0            : u g D E : user group chdir setenv unit property slice : foreign
su              : c g G s T w P : command session-command group supp-group shell whitelist-environment : skip=1 code=-c,--command,--session-command foreign mixed
runuser         : c g G s u w : command session-command group supp-group shell user whitelist-environment : code=-c,--command,--session-command foreign
sg              : c : command : skip=1 joined code=-c mixed
winpty          : : :
cmd             : : : after=/c,/C,/k,/K,//c,//C joined foreign
gosu            : : : skip=1 foreign
su-exec         : : : skip=1 foreign
setpriv         : : ruid euid reuid rgid egid regid groups inh-caps ambient-caps bounding-set securebits pdeathsig selinux-label apparmor-profile :
chroot          : : userspec groups : skip=1 foreign
fakechroot      : l d s e b : lib faked config-dir environment bindir :
fakeroot        : l s i b : lib faked save load :
unshare         : R w S G : root wd setuid setgid propagation map-user map-group map-users map-groups monotonic boottime load-interp :
nsenter         : t S G : target setuid setgid : foreign
runcon          : t u r l : type user role range :
capsh           : : : after=-- bash
systemd-run     : u p E H M C D : unit property setenv host machine slice uid gid working-directory description nice service-type timer-property on-active on-boot on-startup on-unit-active on-unit-inactive on-calendar path-property socket-property : foreign
systemd-inhibit : : what who why mode :
machinectl shell : E M H : setenv machine host uid : skip=1 foreign mixed
bwrap           : : bind ro-bind dev-bind bind-try ro-bind-try dev-bind-try proc dev tmpfs mqueue dir file symlink chdir setenv unsetenv hostname uid gid lock-file sync-fd seccomp remount-ro chmod perms size args block-fd userns-block-fd info-fd json-status-fd cap-add cap-drop exec-label file-label overlay-src tmp-overlay ro-overlay overlay pidns userns userns2 : pairs=bind,ro-bind,dev-bind,bind-try,ro-bind-try,dev-bind-try,symlink,setenv,file,bind-data,ro-bind-data,chmod
proot           : r b q w k : rootfs bind qemu cwd pwd kernel-release : foreign
toolbox run     : c d r : container distro release : foreign
distrobox enter : n a : name additional-flags : after=-- foreign
distrobox-enter : n a : name additional-flags : after=-- foreign
flatpak-spawn   : : directory env sandbox-expose forward-fd unset-env :
snap run        : : command :
sandbox-exec    : f n p D : :

# -- priority, limits, terminals, time
nice            : n : adjustment :
ionice          : c n p P u : class classdata pid pgid uid : drop=-p,-P,-u,--pid
chrt            : T P D : sched-runtime sched-period sched-deadline : skip=1 drop=-p,--pid
taskset         : : : skip=1 drop=-p,--pid
numactl         : i N C m p P w : interleave cpunodebind physcpubind membind preferred weighted-interleave :
cpulimit        : l p e P : limit pid exe path :
prlimit         : p o : pid output :
choom           : n p : adjust pid :
cgexec          : g : :
chpst           : u U e / n l L m d o p f c b : :
setarch         : : :
linux32         : : :
linux64         : : :
i386            : : :
x86_64          : : :
arch            : e d : :
nohup           : : :
setsid          : : :
stdbuf          : i o e : input output error :
unbuffer        : : :
timeout         : k s : kill-after signal : skip=1
gtimeout        : k s : kill-after signal : skip=1
time            : f o : format output :
gtime           : f o : format output :
faketime        : f p : : skip=1
caffeinate      : t w : :
torsocks        : a P u p : address port user pass :
torify          : : :
tsocks          : : :
proxychains     : f : :
proxychains4    : f : :
dbus-run-session : : config-file dbus-daemon :
dbus-launch     : : :
xvfb-run        : e f n p s w : error-file auth-file server-num xauth-protocol server-args wait :
rlwrap          : b C D f g h H i l m M O p P q s S t w W x z : :
script          : c E I O B T m o : command echo log-in log-out log-io log-timing logging-format output-limit : code=-c,--command skip=1 mixed
eatmydata       : : :
catchsegv       : : :
ltrace          : a A D e F l n o p s u w x X : output library :
strace          : a A b e E I o O p P s S u U X : attach columns env trace output string-limit user :
valgrind        : : :
heaptrack       : o : output :
rr record       : o : output-trace-dir :
perf record     : e o F c p t C g m u : event output freq count pid tid cpu call-graph : drop=-p,--pid
perf stat       : e o p t C r : event output pid tid cpu repeat : drop=-p,--pid
perf trace      : e o p t C : event output pid tid cpu : drop=-p,--pid
gdb             : x d s e c p : command directory symbols exec core pid : after=--args
lldb            : o s f p n : one-line source file : after=--
flock           : E w : timeout wait conflict-exit-code : skip=1 code=-c,--command mixed
lockf           : t : : skip=1
setlock         : : : skip=1
start-stop-daemon : a p n u c g d r N x s R : startas pidfile name user chuid group chdir chroot nicelevel exec signal retry make-pidfile : program=-a,--startas,-x,--exec after=--
daemonize       : a c e o p l u E : :
daemon          : n u p P F X c : name user : joined
run-one         : : :
ts              : L N S : :
sem             : j : jobs id :
busybox         : : : applet
toybox          : : : applet
command         : : : drop=-v,-V
builtin         : : :
exec            : a : :
noglob          : : :
repeat          : : : skip=1
-               : : :
nocorrect       : : :
catch           : : :
coproc          : : :
ld.so           : : library-path inhibit-rpath audit preload argv0 : drop=--list,--verify
ld-linux-x86-64.so.2 : : library-path inhibit-rpath audit preload argv0 : drop=--list,--verify
ld-linux.so.2   : : library-path inhibit-rpath audit preload argv0 : drop=--list,--verify
ld-linux-aarch64.so.1 : : library-path inhibit-rpath audit preload argv0 : drop=--list,--verify
ld-musl-x86_64.so.1 : : library-path preload argv0 : drop=--list

# -- again and again
watch           : n s : interval equexit shotsdir : joined
entr            : : :
watchexec       : w e i f d s : watch exts ignore filter debounce signal :
nodemon         : w e i d x : watch ext ignore delay exec : code=-x,--exec options-only
chronic         : : :
onchange        : e d i : exclude delay : after=--
chokidar        : c d t p i : command debounce throttle polling ignore initial : code=-c,--command options-only
forever         : c : : code=-c options-only
pueue add       : w g d a l p o : working-directory group delay after label priority : joined
pm2 start       : n i o e l p c : name interpreter output error log pid cron : joined
nq              : : :
ssh-agent       : a t E O P : : drop=-k
aoss            : : :
padsp           : : :
grc             : c : config colour :
pexec           : n p j l s e o r u m z : number parameters list :
ksu             : n c k r s e a p : : options-only code=-e
genie           : c : command : options-only code=-c,--command
pidstat         : C e G p T t U : : after=-e
xdotool exec    : : args arg terminator :
ydotool exec    : : :
task execute    : : : joined
rustup run      : : : skip=1
codex sandbox   : : : skip=1
scrot           : e d q a D F : exec delay : options-only code=-e,--exec
dhclient        : s c l p e : sf lf pf cf : options-only code=-sf
enscript        : I o p : filter output : options-only code=-I,--filter
perlbug         : e s r c : : options-only code=-e
gem open        : e v : editor version : options-only code=-e,--editor
restic          : r p o : password-command repo password-file option : options-only code=--password-command
borg            : : rsh remote-path : options-only code=--rsh
csvtool call    : t u o : : joined
cdist shell     : s : shell : options-only code=-s,--shell
msgfilter       : i o n : input output-file :
plymouth        : : command prompt : options-only code=--command
dmsetup ls      : o : target exec options : options-only code=--exec
zic             : y d l p L : : options-only code=-y
scanmem         : c p : command pid : options-only
tsp             : E S L D N : : drop=-l,-c,-t,-k,-r,-S,-C,-K
task-spooler    : E S L D N : :
mispipe         : : : each
pee             : : : each
run-one-constantly : : :
keep-one-running : : :
zellij run      : d n : direction name cwd height width x y : after=--
asciinema rec   : c t e i : command title env idle-time-limit : code=-c,--command options-only
tlog-rec        : c : command : code=-c,--command options-only
abduco          : e : : skip=1 drop=-a
dtach           : e r : : skip=1 drop=-a
ttyd            : p i u g t T m P c w s O W b : port interface uid gid cwd signal credential client-option max-clients base-path :
ifne            : : :
retry           : t d m : times delay max :

# -- project tools that run what is installed in the project
poetry run      : C P : directory project :
pipenv run      : : :
pdm run         : p s : project site-packages :
uv run          : p w C : python with with-editable with-requirements extra group package directory project env-file index index-url extra-index-url find-links no-extra only-group module refresh-package upgrade-package config-setting : drop=-m,--module python
uvx             : p w : python with from with-requirements index index-url directory :
uv tool run     : p w : python with from with-requirements index index-url :
pipx run        : : spec python pip-args index-url : python
rye run         : : pyproject : python
hatch run       : e : env :
pixi run        : e : environment manifest-path :
conda run       : n p : name prefix cwd :
mamba run       : n p : name prefix cwd :
micromamba run  : n p r : name prefix root-prefix cwd :
npx             : p c w : package call workspace : code=-c,--call
npm exec        : c w : package call workspace : code=-c,--call
pnpm exec       : C : dir :
pnpm dlx        : C : dir package :
pnpx            : : package :
yarn exec       : : cwd :
yarn dlx        : p : package :
bunx            : : :
bun x           : : :
bundle exec     : : gemfile :
rbenv exec      : : :
pyenv exec      : : :
nodenv exec     : : :
asdf exec       : : :
mise exec       : C : cd : after=--
mise x          : C : cd : after=--
direnv exec     : : : skip=1
dotenv          : e f c v p : file :
dotenvx run     : e f : env env-file : after=--
cross-env       : : : assigns
cross-env-shell : : : assigns joined
concurrently    : n c p m : names prefix-colors prefix max-processes : each
hyperfine       : w r m M p c s S n i P D L : warmup runs min-runs max-runs prepare cleanup setup conclude shell command-name export-json export-markdown export-csv export-asciidoc export-orgmode parameter-scan parameter-list parameter-step-size time-unit output input style : each code=-p,--prepare,-c,--cleanup,-s,--setup,--conclude
nix-shell       : p I A E : packages attr expr run command : code=--run,--command options-only
nix develop     : c f : command expr file : after=-c,--command
nix shell       : c f : command expr file : after=-c,--command
guix shell      : L m e f : load-path manifest expression file : after=--
devbox run      : c e : config env :
opam exec       : : switch root : after=--
stack exec      : : resolver package stack-yaml :
cabal exec      : : project-file :
cargo watch     : x s w i d : exec shell watch ignore delay : code=-s,--shell options-only
lerna exec      : : scope ignore concurrency : after=--

# -- secrets handed to a command
aws-vault exec  : d m t : duration mfa-token region : skip=1 mixed
doppler run     : p c : project config token command : code=--command after=--
op run          : : env-file account : after=--
chamber exec    : b r : backend retries : after=--
infisical run   : : env path token projectId command : code=--command after=--
teller run      : c : config : after=--
envchain        : : : skip=1
sops exec-env   : : : skip=1 joined
sops exec-file  : : : skip=1 joined
vault-env       : : :
summon          : p f e D : provider file environment :
with-contenv    : : :
dumb-init       : r : rewrite :
tini            : p e : :
catatonit       : : :

# -- containers and hosts
docker exec     : e u w : env env-file user workdir detach-keys : skip=1 foreign
docker container exec : e u w : env env-file user workdir detach-keys : skip=1 foreign
docker run      : a c e h l m p u v w : add-host annotation attach blkio-weight cap-add cap-drop cgroup-parent cgroupns cidfile cpu-period cpu-quota cpu-shares cpus cpuset-cpus cpuset-mems device device-cgroup-rule dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-timeout hostname ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network network-alias net oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir : skip=1 foreign program=--entrypoint image
docker create   : a c e h l m p u v w : add-host cap-add cap-drop cpus device dns entrypoint env env-file expose gpus group-add hostname label link log-driver log-opt memory mount name network net pid platform publish pull restart runtime security-opt shm-size tmpfs ulimit user volume volumes-from workdir : skip=1 foreign image program=--entrypoint
podman unshare  : : :
buildah run     : v : user volume mount network workingdir isolation env add-history cap-add cap-drop : skip=1 foreign
buildah unshare : m : mount :
nerdctl run     : e p v w u m : name network entrypoint env publish volume workdir user restart platform : skip=1 foreign image program=--entrypoint
devcontainer exec : : workspace-folder container-id config remote-env id-label docker-path : foreign
ctr run         : : runtime mount env platform label cwd snapshotter : skip=2 foreign image
docker container run : a c e h l m p u v w : add-host cap-add cap-drop device dns entrypoint env env-file expose gpus group-add hostname label link memory mount name network net pid platform publish pull restart runtime security-opt shm-size tmpfs ulimit user volume volumes-from workdir cpus : skip=1 foreign program=--entrypoint image
docker compose exec : e u w : env index user workdir : skip=1 foreign
docker compose run : e l p u v w : cap-add cap-drop entrypoint env label name publish pull user volume workdir : skip=1 foreign program=--entrypoint image
docker-compose exec : e u w : env index user workdir : skip=1 foreign
docker-compose run : e l p u v w : entrypoint env label name publish user volume workdir : skip=1 foreign program=--entrypoint image
kubectl exec    : c f n : container filename namespace pod-running-timeout : skip=1 foreign mixed
kubectl run     : n f l : namespace image env labels port restart overrides image-pull-policy : after=-- foreign
kubectl debug   : c n f : container namespace image target profile copy-to set-image env : after=-- foreign
oc exec         : c f n : container filename namespace : skip=1 foreign mixed
oc rsh          : c n f : container namespace shell timeout : skip=1 foreign asks mixed
crictl exec     : : timeout transport : skip=1 foreign
ctr task exec   : : exec-id user cwd : skip=1 foreign
ctr tasks exec  : : exec-id user cwd : skip=1 foreign
lxc exec        : t : env mode user group cwd : skip=1 foreign mixed
incus exec      : t : env mode user group cwd : skip=1 foreign mixed
lxc-attach      : n e a s v u g : name elevated-privileges arch namespaces set-var uid gid : foreign asks
lxc-execute     : n f s u g : name rcfile define uid gid : foreign
systemd-nspawn  : D M u E b i : directory machine user setenv bind bind-ro image template network-bridge network-interface port tmpfs capability drop-capability chdir : foreign
vagrant ssh     : c : command host : code=-c,--command foreign
minikube ssh    : n p : node profile : joined foreign
multipass exec  : d : working-directory : skip=1 foreign mixed
limactl shell   : : workdir shell : skip=1 foreign mixed
colima ssh      : p : profile : after=-- foreign
gcloud compute ssh : : command zone project ssh-flag ssh-key-file account impersonate-service-account : code=--command foreign options-only
heroku run      : a r s e : app remote size env type : foreign
fly ssh console : C a r g u s : command app region group user machine : code=-C,--command foreign
salt            : L E G I N C t : : after=cmd.run,cmd.shell,cmd.run_all,cmd.run_stdout,cmd.script joined foreign
salt-call       : l c : log-level config-dir : after=cmd.run,cmd.shell,cmd.run_all joined
salt-ssh        : : : after=cmd.run,cmd.shell joined foreign
knife ssh       : x P i G a : ssh-user ssh-password ssh-identity-file attribute : skip=1 joined foreign mixed
fab             : H i c r u : hosts identity collection : after=-- joined foreign
wsl             : d u : cd distribution user shell-type : foreign
gh codespace ssh : c : codespace profile server-port : joined foreign
gh cs ssh       : c : codespace profile server-port : joined foreign
flyctl ssh console : C a r g u s : command app region group user machine : code=-C,--command foreign
railway run     : s e : service environment :
ecs-cli compose exec : : :
aws ecs execute-command : : command cluster task container region profile : code=--command foreign
pssh            : h H l p o e t O x P : hosts host user par outdir errdir timeout options extra-args : joined foreign
parallel-ssh    : h H l p o e t O x : hosts host user par outdir errdir timeout options extra-args : joined foreign
pdsh            : w x l t u f g : : joined foreign
clush           : w x g t u f l : nodes group : joined foreign
mosh            : p : ssh port predict server client family : skip=1 foreign mixed
rsh             : l : : skip=1 joined foreign mixed
sshpass         : f d p P : :
setuidgid       : : : skip=1
envuidgid       : : : skip=1
s6-setuidgid    : : : skip=1
s6-envuidgid    : : : skip=1
s6-applyuidgid  : u g G : :
softlimit       : m a d s l p f c t o r : :
envdir          : : : skip=1
s6-envdir       : : : skip=1
pgrphack        : : :
openvt          : c : console : drop=-v
aa-exec         : p n : profile namespace :
nsjail          : : : after=--
firejail        : : :
logsave         : : : skip=1
multitime       : n i r s o : :
ccache          : M F o k d x p X : max-size max-files set-config get-config dir recompress trim-dir :
sccache         : : :
distcc          : : :
icecc           : : :
strace-log-merge : : :
tsh ssh         : l p i : login proxy identity cluster : skip=1 joined foreign
"""

# Programs under another name that take the same arguments.
SAME_AS: Final = {
    "podman": "docker", "nerdctl": "docker", "podman-compose": "docker-compose",
    "k": "kubectl", "microk8s.kubectl": "kubectl",
    "youtube-dl": "yt-dlp", "batcat": "bat", "bazelisk": "bazel",
    "gtar": "tar", "bsdtar": "tar", "gsort": "sort", "gsplit": "split", "gnice": "nice",
    "gstdbuf": "stdbuf", "genv": "env", "gxargs": "xargs", "gfind": "find", "gsed": "sed",
    "gnohup": "nohup", "gchroot": "chroot",
}  # fmt: skip
