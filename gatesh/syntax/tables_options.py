# ruff: noqa: E501
"""Programs with an option or a subcommand that runs something; lines as in `tables_wrappers`."""

from __future__ import annotations

from typing import Final

RUNNERS: Final = r"""
# -- version control
git bisect run  : : :
git submodule foreach : : : joined
git rebase      : x s X : exec strategy strategy-option onto : code=-x,--exec options-only
git filter-branch : d : tree-filter index-filter msg-filter env-filter parent-filter commit-filter tag-name-filter setup : code=--tree-filter,--index-filter,--msg-filter,--env-filter,--commit-filter,--parent-filter,--tag-name-filter,--setup options-only
git difftool    : x t : extcmd tool : code=-x,--extcmd options-only
git grep        : O : open-files-in-pager : code=--open-files-in-pager options-only
git clone       : u o b c : upload-pack config branch origin depth : code=-u,--upload-pack options-only
git fetch       : : upload-pack : code=--upload-pack options-only
git pull        : : upload-pack : code=--upload-pack options-only
git ls-remote   : : upload-pack exec : code=--upload-pack,--exec options-only
git push        : o : receive-pack exec push-option : code=--receive-pack,--exec options-only
git archive     : o : exec remote output format prefix : code=--exec options-only
git send-email  : : sendmail-cmd to-cmd cc-cmd smtp-server : code=--sendmail-cmd,--to-cmd,--cc-cmd options-only
git daemon      : : access-hook : code=--access-hook options-only
repo forall     : c : command : code=-c,--command options-only
svn             : m F r u p : editor-cmd diff-cmd diff3-cmd merge-cmd username password message file revision : code=--editor-cmd,--diff-cmd,--diff3-cmd,--merge-cmd options-only

# -- programs with an option that runs something
tar             : f C b T X F I : file directory to-command use-compress-program checkpoint-action rsh-command rmt-command info-script new-volume-script exclude transform : code=--to-command,--use-compress-program,-I,--info-script,--new-volume-script,-F,--rsh-command,--rmt-command options-only
rsync           : e f B T M : rsh rsync-path exclude include exclude-from filter : code=-e,--rsh,--rsync-path options-only
scp             : S i P F l o c J : : code=-S options-only
sftp            : S i P F b B o c J R l s : : code=-S options-only
zip             : b i n t x : unzip-command TT : code=-TT,--unzip-command options-only
split           : a b C l n : filter additional-suffix bytes lines number : code=--filter options-only
sort            : k t o S T : compress-program key output field-separator : code=--compress-program options-only
install         : m o g t S : strip-program mode owner group target-directory suffix : code=--strip-program options-only
man             : P H C M S s L m p r : pager html preprocessor : code=-P,--pager,-H,--html options-only
ncat            : c e p s w i g G m : sh-exec exec lua-exec : code=-c,-e,--sh-exec,--exec options-only
nc              : e c p s w i q X x : : code=-e,-c options-only
nc.traditional  : e c p s w i q : : code=-e,-c options-only
netcat          : e c p s w i q : : code=-e,-c options-only
cpio            : : rsh-command : code=--rsh-command options-only
dpkg            : : pre-invoke post-invoke : code=--pre-invoke,--post-invoke options-only
logrotate       : m s l : mail state log : code=-m,--mail options-only
tcpdump         : z i w r c s C G W F E y : : code=-z options-only
go              : o p C : toolexec exec vettool mod modfile ldflags gcflags tags run count timeout bench benchtime coverprofile o : code=-toolexec,-exec,-vettool options-only
rg              : e f A B C m g t : pre pre-glob hostname-bin glob type max-count : code=--pre,--hostname-bin options-only
ack             : : pager : code=--pager options-only
ag              : : pager : code=--pager options-only
bat             : l r H : pager language line-range theme style : code=--pager options-only
delta           : : pager : code=--pager options-only
fzf             : q d n : preview query delimiter preview-window header prompt : code=--preview options-only
nano            : s : speller : code=-s,--speller options-only
helm            : n f : post-renderer namespace values set : code=--post-renderer options-only
kubectl config set-credentials : : exec-command exec-arg : code=--exec-command options-only
bazel           : : run_under workspace_status_command : code=--run_under,--workspace_status_command options-only
wget            : O P o e : use-askpass output-document : code=--use-askpass options-only
aria2c          : o d : on-download-complete on-download-start on-download-stop on-download-error on-bt-download-complete : code=--on-download-complete,--on-download-start,--on-download-stop,--on-download-error,--on-bt-download-complete options-only
yt-dlp          : o f : exec exec-before-download output format : code=--exec,--exec-before-download options-only
just            : f d : justfile working-directory shell : after=-c,--command
cmake -E        : : :
cmake -E chdir  : : : skip=1
cmake -E env    : : unset modify : assigns
composer exec   : d : working-dir :
agetty          : l : login-program : code=-l,--login-program options-only
ip netns exec   : : : skip=1
ip vrf exec     : : : skip=1
xterm           : T bg fg geometry : : after=-e
gnome-terminal  : : working-directory title : after=--
konsole         : : workdir : after=-e
alacritty       : : working-directory title class config-file : after=-e
foot            : : :
kitty           : : config title class directory name :
urxvt           : : : after=-e
st              : : : after=-e
wezterm start   : : cwd class : after=--
wezterm cli spawn : : cwd pane-id window-id : after=--
terminator      : e x : command execute : code=-e,--command
xfce4-terminal  : e x T : command execute title working-directory : code=-e,--command
tilix           : e : command : code=-e,--command
"""
