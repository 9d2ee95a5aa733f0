"""Where output comes from, as far as it matters when somebody runs it as code.

Tables, one name each: add to them freely.
"""

from __future__ import annotations

from typing import Final

NETWORK: Final = "network"
DECODER: Final = "decoder"
GENERATOR: Final = "generator"  # known to print harmless shell code, made to be eval'ed
WORD: Final = "word"  # prints one word: a path, a number, a name

NETWORK_PROGRAMS: Final = frozenset(
    "curl wget aria2c axel fetch lwp-request GET POST http https xh nc ncat netcat socat telnet"
    " ftp tftp lynx links w3m elinks dig nslookup host drill gh glab scp sftp ssh rsync"
    " openssl-s_client aws gsutil az rclone mc s3cmd youtube-dl yt-dlp ipfs magic-wormhole"
    " croc kubectl docker redis-cli".split()
)

# A name, and the words that must be among its arguments for it to decode.
DECODERS: Final[dict[str, tuple[str, ...]]] = {
    "base64": ("-d", "-D", "--decode", "-di", "-id", "--d", "--de", "--dec", "--deco", "--decod"),
    "base32": ("-d", "--decode"), "basenc": ("-d", "--decode"), "gbase64": ("-d", "--decode"),
    "openssl": ("-d", "enc", "base64", "rsautl", "pkeyutl", "cms", "smime"),
    "xxd": ("-r", "-rp", "-p", "-ps", "-pr"), "uudecode": (), "uuencode": (), "rev": (), "tac": (),
    "tr": (), "gpg": ("-d", "--decrypt", "--decrypt-files"), "gpg2": ("-d", "--decrypt"),
    "age": ("-d", "--decrypt"), "gunzip": (), "zcat": (), "bzcat": (), "xzcat": (), "lzcat": (),
    "zstdcat": (), "bunzip2": (), "unxz": (), "unzstd": (), "unlzma": (), "uncompress": (),
    "gzip": ("-d", "-dc", "-cd", "--decompress"), "bzip2": ("-d", "-dc", "-cd"),
    "xz": ("-d", "-dc", "-cd"), "zstd": ("-d", "-dc", "-cd"), "lz4": ("-d", "-dc"),
    "brotli": ("-d", "-dc"), "funzip": (), "recode": (), "iconv": (), "dd": ("conv=",),
    "od": (), "hexdump": (), "strings": (), "qprint": ("-d",), "ascii85": ("-d",),
    "base58": ("-d",), "crypt": (), "ccat": (), "rot13": (), "jq": ("@base64d",), "zpipe": (),
    "unshar": (), "ccrypt": ("-d",), "pigz": ("-d", "-dc"), "7z": ("-so",), "unzip": ("-p",),
    "caesar": (), "mimencode": ("-u",),
}  # fmt: skip

# `eval "$(… )"` of these is how they are meant to be used.
GENERATORS: Final = tuple(
    line.split()
    for line in """
ssh-agent
gpg-agent
keychain
dircolors
gdircolors
lesspipe
resize
tset
pyenv init
pyenv virtualenv-init
rbenv init
nodenv init
goenv init
jenv init
plenv init
phpenv init
tfenv init
fnm env
nvm
mise activate
mise env
mise hook-env
rtx activate
asdf
direnv hook
direnv export
conda shell.bash
conda shell.zsh
conda shell.posix
conda shell.sh
conda
mamba shell
micromamba shell
micromamba
brew shellenv
/opt/homebrew/bin/brew shellenv
opam env
opam config
starship init
zoxide init
atuin init
thefuck
fzf
register-python-argcomplete
_COMPLETE
luarocks path
perl -I
docker-machine env
minikube docker-env
minikube -p
podman-machine env
vcpkg
cargo env
rustup completions
rustup env
kubectl completion
helm completion
gh completion
glab completion
docker completion
npm completion
pip completion
poetry completions
poetry env
uv generate-shell-completion
uvx --generate-shell-completion
just --completions
ng completion
deno completions
bun completions
oh-my-posh init
gulp --completion
grunt --completion
tmuxp
pipenv --completion
pipx completions
pkgx
devbox shellenv
devbox global
nix print-dev-env
guix package
spack load
spack env
module
modulecmd
swiftly
ros2
vault print
direnv
aws configure
getopt
stty
locale
dpkg-architecture
dpkg-buildflags
apt-config shell
xdg-user-dirs-update
tput
shopt
set
declare
export
alias
complete
hash
""".split("\n")
    if line
)

# Print one word.
WORD_PROGRAMS: Final = frozenset(
    "pwd which whereis command type realpath readlink dirname basename mktemp date whoami id"
    " hostname uname arch nproc wc tty getconf seq tput logname uuidgen xcrun brew go npm yarn pnpm"
    " node-gyp rustc rustup pyenv rbenv nvm fnm conda poetry pipenv pdm git pkg-config llvm-config"
    " python-config python3-config pg_config gem bundle composer stat du df expr factor cksum"
    " md5sum sha1sum sha256sum sha512sum b2sum shasum md5 tempfile cygpath winpath wslpath"
    " lsb_release dpkg-architecture nm-online ps pgrep pidof lsof find fd ls sw_vers"
    " docker kubectl".split()
)
