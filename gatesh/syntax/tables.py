# ruff: noqa: E501
"""Small tables: names that matter, options that do not.  One entry each; add freely."""

from __future__ import annotations

from functools import cache
from typing import Final

# A function, alias or link with one of these names is not what a reader thinks it is.
SHADOWED: Final = frozenset(
    "cd ls cat rm cp mv ln chmod chown dd git sudo su doas ssh scp curl wget bash sh zsh env"
    " python python3 pip pip3 node npm npx docker kubectl terraform aws gcloud az gh find grep sed"
    " awk tar make echo printf export source . eval exec builtin command kill ps mount systemctl"
    " apt apt-get yum dnf which type unset alias unalias trap set true false pwd test [ read"
    " touch mkdir head tail sort less more xargs tee helm psql mysql gatesh passwd crontab".split()
)

SHELLS: Final = frozenset(
    "gatesh bash sh dash ash zsh ksh ksh93 mksh pdksh rbash rzsh yash fish csh tcsh posh busybox-sh"
    " osh oil lksh loksh elvish xonsh nu rc es sash hush bosh gsh msh ysh brush".split()
)

# `sh` is dash on Debian, and programs that join words give them to `sh`.
MAYBE_DASH: Final = frozenset(
    "sh dash ash posh busybox ssh watch su env xargs parallel make find at batch".split()
)

# Options before the subcommand: `git -C x push` is offered as `git push` too.
#   name : short options with a value : long options with a value : short ones that count anywhere
GLOBAL_OPTIONS: Final = """
git        : C c : git-dir work-tree namespace super-prefix config-env exec-path list-cmds attr-source
kubectl    : n s v : namespace context cluster user kubeconfig server token as as-group as-uid certificate-authority client-certificate client-key cache-dir request-timeout tls-server-name password username profile profile-output log-flush-frequency vmodule v : n
oc         : n s : namespace context cluster user kubeconfig server token as as-group : n
helm       : n : namespace kube-context kubeconfig kube-apiserver kube-token kube-as-user kube-as-group kube-ca-file registry-config repository-cache repository-config burst-limit qps : n
docker     : H c l : host context config log-level tlscacert tlscert tlskey
docker compose : f p : file project-name profile env-file project-directory ansi progress parallel
docker-compose : f p H c : file project-name profile env-file project-directory ansi host context log-level
podman     : c r : connection url identity root runroot runtime storage-driver log-level cgroup-manager network-config-dir tmpdir storage-opt events-backend module ssh
nerdctl    : n a H : namespace address host cgroup-manager snapshotter data-root
terraform  : : chdir
tofu       : : chdir
terragrunt : : terragrunt-working-dir terragrunt-config working-dir chdir
pulumi     : C s v : cwd stack verbose color profiling tracing
aws        : : profile region output endpoint-url query color ca-bundle cli-read-timeout cli-connect-timeout cli-binary-format
gcloud     : : project account configuration format verbosity impersonate-service-account billing-project flags-file trace-token access-token-file
gsutil     : h o u i : impersonate-service-account
az         : o : output query subscription
gh         : R : repo hostname : R
glab       : R : repo : R
npm        : C w : prefix workspace registry userconfig loglevel cache
pnpm       : C F : dir filter
yarn       : : cwd registry
bun        : : cwd config
cargo      : C Z : config color manifest-path
go         : C :
pip        : : python log proxy retries timeout cert client-cert cache-dir exists-action trusted-host
pip3       : : python log proxy retries timeout cert client-cert cache-dir exists-action trusted-host
uv         : : directory project config-file color cache-dir allow-insecure-host
poetry     : C P : directory project
systemctl  : H M t n o p s P : host machine type lines output property signal kill-who kill-whom what job-mode root image state
journalctl : H M D u t p n : machine directory unit
loginctl   : H M : host machine
apt        : o c t : option config-file target-release
apt-get    : o c t : option config-file target-release
apt-cache  : o c : option config-file
aptitude   : o t : target-release
dnf        : c x d e : config exclude installroot releasever setopt enablerepo disablerepo repo repoid forcearch
yum        : c x d e : config exclude installroot releasever setopt enablerepo disablerepo
zypper     : c R D : config root reposd-dir cache-dir raw-cache-dir solv-cache-dir pkg-cache-dir plus-repo
pacman     : b r : dbpath root arch cachedir config gpgdir hookdir logfile sysroot
brew       : :
snap       : :
flatpak    : : installation
vault      : : address agent-address ca-cert ca-path client-cert client-key header mfa namespace tls-server-name
consul     : : http-addr token datacenter
nomad      : : address region namespace token
ansible    : i u M f e : inventory user module-path forks extra-vars
flyctl     : a t : app access-token config : a
fly        : a t : app access-token config : a
heroku     : a r : app remote : a r
doctl      : t c u : access-token config context api-url output
linode-cli : : as-user
ip         : b n f l rc : batch netns family loops
nft        : I D : includepath define
tmux       : L S f T c :
screen     : c S e h p s t :
redis-cli  : h p a u n s r i d : user pass sni cacert cert key
psql       : h p U d w : host port username dbname
mysql      : h P u D S : host port user database socket protocol defaults-file defaults-extra-file default-character-set
mongosh    : u p : host port username password authenticationDatabase
rclone     : v : config transfers checkers bwlimit log-level
restic     : r p o : repo password-file repository-file cacert limit-upload limit-download option
borg       : : remote-path rsh umask lock-wait
svn        : : username password config-dir config-option
hg         : R : repository cwd config encoding
make       : C f I j l o W : directory file makefile include-dir jobs load-average old-file assume-old what-if new-file assume-new eval
ninja      : C f j k l t d w :
bazel      : : output_base output_user_root bazelrc host_jvm_args
gradle     : p b c I g x P D : project-dir build-file settings-file init-script gradle-user-home
mvn        : f s P D l T pl : file settings activate-profiles define log-file threads projects
eksctl     : v C : verbose color
argocd     : : server auth-token grpc-web-root-path config plaintext
flux       : n : namespace context kubeconfig timeout : n
istioctl   : n i c : namespace istioNamespace context kubeconfig : n
skaffold   : v f p n : verbosity filename profile namespace kube-context
minikube   : p v : profile logtostderr bootstrapper
virsh      : c d k l : connect debug keepalive-interval log
vagrant    : :
sqlite3    : : cmd separator init
wp         : : path url ssh http user require context exec
"""

# Variables whose value is a command line that some program runs.
COMMAND_VARIABLES: Final = frozenset(
    "PROMPT_COMMAND GIT_SSH_COMMAND GIT_SSH GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_ASKPASS"
    " GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND GIT_TRACE_EXEC PAGER MANPAGER SYSTEMD_PAGER BAT_PAGER"
    " GH_PAGER GH_BROWSER AWS_PAGER DELTA_PAGER PSQL_PAGER EDITOR VISUAL FCEDIT SVN_EDITOR HGEDITOR"
    " KUBE_EDITOR SUDO_EDITOR SYSTEMD_EDITOR GH_EDITOR PSQL_EDITOR BROWSER SSH_ASKPASS SUDO_ASKPASS"
    " LESSOPEN LESSCLOSE LESSEDIT RSYNC_RSH RSYNC_CONNECT_PROG CVS_RSH SVN_SSH FZF_DEFAULT_COMMAND"
    " FZF_CTRL_T_COMMAND TAR_RSH RSH SHELL_COMMAND command_not_found_handle MAKE_SHELL XTERM_SHELL"
    " PERLIO_DEBUG NNN_OPENER RANGER_LOADER TEXEDIT MAILER IPYTHON_EDITOR DEBUGGER"
    " RESTIC_PASSWORD_COMMAND BORG_PASSCOMMAND BORG_RSH AUTOM4TE CRASHPAGER".split()
)

# Variables that name code some program loads, and what makes the value harmless.
CODE_VARIABLES: Final[dict[str, str]] = {
    "BASH_ENV": r"/dev/null|",
    "ENV": r"/dev/null|(?!.*[/$`]).*|",  # ENV=production is what most people mean
    "LD_PRELOAD": "",
    "LD_AUDIT": "",
    "LD_LIBRARY_PATH": r"(?!(?:.*:)?(?:(?:/tmp|/var/tmp|/dev/shm)(?:/|:|$)|\.(?::|$))).*",
    "DYLD_INSERT_LIBRARIES": "",
    "DYLD_LIBRARY_PATH": r"(?!(?:.*:)?(?:(?:/tmp|/var/tmp)(?:/|:|$)|\.(?::|$))).*",
    "GCONV_PATH": "",
    "NODE_OPTIONS": r"(?!.*(?:--require|-r\b|--import|--loader|--experimental-loader|--inspect)).*",
    "PYTHONSTARTUP": r"/dev/null|",
    "PYTHONHOME": r"/usr.*|/opt.*|",
    "PYTHONINSPECT": r"[01]?",
    "PYTHONWARNINGS": r"(?!.*::[^:]*\.).*",
    "PYTHONBREAKPOINT": r"0?|(?:pdb|ipdb)\.set_trace",
    "PERL5OPT": "",
    "PERL5DB": "",
    "PERLLIB": "",
    "RUBYOPT": r"(?:-W\S*|-w|--?\w*jit|\s)*",
    "JAVA_TOOL_OPTIONS": r"(?!.*-(?:javaagent|agentlib|agentpath|Xbootclasspath|XX:On)).*",
    "_JAVA_OPTIONS": r"(?!.*-(?:javaagent|agentlib|agentpath|Xbootclasspath|XX:On)).*",
    "JDK_JAVA_OPTIONS": r"(?!.*-(?:javaagent|agentlib|agentpath|Xbootclasspath|XX:On)).*",
    "TAR_OPTIONS": r"(?!.*(?:checkpoint-action|to-command|use-compress|-I|rsh|script)).*",
    "MAKEFLAGS": r"(?!.*(?:--eval|-f|SHELL)).*",
    "ZDOTDIR": "",
    "SHELLOPTS": r"(?!.*xtrace).*",
    "GIT_EXEC_PATH": "",
    "GIT_TEMPLATE_DIR": "",
    "GIT_CONFIG_GLOBAL": r"/dev/null|",
    "GIT_CONFIG_SYSTEM": r"/dev/null|",
    "GIT_CONFIG_PARAMETERS": "",
    "OPENSSL_CONF": r"/dev/null|/etc/.*|",
    "OPENSSL_ENGINES": "",
    "KRB5_CONFIG": r"/etc/.*|",
    "VIMINIT": "",
    "EXINIT": "",
    "GVIMINIT": "",
    "INPUTRC": r"/dev/null|/etc/.*|",
    "LUA_INIT": "",
    "LESS": r"(?!.*\+!).*",
    "MANOPT": r"(?!.*(?:-[PH]|--pager|--html)).*",
    "FZF_DEFAULT_OPTS": r"(?!.*(?:execute|reload|become|preview)).*",
    "R_PROFILE": r"/dev/null|",
    "R_PROFILE_USER": r"/dev/null|",
    "PHPRC": "",
    "PHP_INI_SCAN_DIR": "",
    "GTK_MODULES": "",
    "QT_PLUGIN_PATH": r"/usr/.*|",
    "CLASSPATH": r"(?!(?:.*:)?/tmp).*",
    "RUSTC_WRAPPER": r"(?:.*/)?s?ccache|",
    "RUSTC_WORKSPACE_WRAPPER": r"(?:.*/)?s?ccache|clippy-driver|",
    "GOFLAGS": r"(?!.*-toolexec).*",
    "CARGO_BUILD_RUSTC_WRAPPER": r"(?:.*/)?s?ccache|",
    "npm_config_script_shell": r"(?:/usr)?/bin/(?:ba|da)?sh|",
    "SHELL": r"(?:/usr)?(?:/local)?/bin/(?:ba|da|z|fi|k)?sh|gatesh|.*/gatesh(?:/bash)?|",
}

# Values of command variables that nobody needs to look at.
HARMLESS_COMMANDS: Final = frozenset(
    "cat less more true : vi vim nvim nano emacs pico micro code ed ex head tail ssh most bat delta"
    " echo false notepad subl mate kate gedit open xdg-open firefox w3m lynx none vimdiff editor sensible-editor sensible-pager diff-so-fancy difft pspg".split()
)

# Prompts: run only what they hold in `$( )` and backticks.
PROMPT_VARIABLES: Final = frozenset("PS0 PS1 PS2 PS3 PS4 PROMPT RPROMPT MAILPATH".split())


@cache
def watched_variables() -> frozenset[str]:
    """Return every variable that makes something run."""
    return COMMAND_VARIABLES | CODE_VARIABLES.keys() | PROMPT_VARIABLES | {"PATH", "IFS"}
