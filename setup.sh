#!/bin/bash
# Puts gatesh and what its tests need into a virtual environment: ./.venv, or $1.
# Installs missing system packages only as root on a Debian-like system; elsewhere it names them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
venv=${1:-.venv}

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need python3 python3
need cc gcc
need ssh-keygen openssh-client
need openssl openssl
need jq jq
need git git
need pgrep procps
if ! echo '#include <glob.h>' | cc -E - >/dev/null 2>&1; then missing+=(libc6-dev); fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
if ((${#missing[@]})); then
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
  else
    echo "setup: error: these are missing: ${missing[*]}" >&2
    echo "setup: hint: install them first, for instance with: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: error: $(python3 --version) is too old: Python 3.11 or newer is needed" >&2
  exit 1
}

[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
# Not editable: what is tried and tested is what the wheel installs, the compiled program too.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check ".[test]"
