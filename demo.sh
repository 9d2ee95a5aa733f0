#!/bin/bash
# A real round trip, step by step, in a throwaway home: an agent wants to rewrite a shared git
# branch; a second person looks at it and signs; it runs; stock tools prove what happened.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./setup.sh .venv
PATH="$PWD/.venv/bin:$PATH"

here=$(mktemp -d "${TMPDIR:-/tmp}/gatesh-demo-XXXXXX")
export GATESH_HOME="$here/gatesh" GIT_CONFIG_GLOBAL=/dev/null
finish() {
  gatesh broker stop --force >/dev/null 2>&1 || true
  rm -rf "$here"
}
trap finish EXIT

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() {
  local word shown='$'
  for word; do [[ $word == *[[:space:]]* ]] && word="'$word'"; shown+=" ${word//"$here"/.}"; done
  printf '%s%s%s\n' "$bold" "$shown" "$plain"
  "$@"
}
expect() { [[ $1 == "$2" ]] || { echo "demo: expected $2, got $1" >&2; exit 1; }; }

say "Alice sets up gatesh on her account, and enrols Bob, who may approve."
run gatesh init --me alice@example.com 2> "$here/next" || { cat "$here/next" >&2; exit 1; }
ssh-keygen -q -t ed25519 -N '' -C bob -f "$here/bob"
run gatesh people add bob@example.com --key "$here/bob.pub"

say "There is a repository that others use, and a clone in which Alice's agent works."
git init -q --bare -b main "$here/shared.git"
git clone -q "$here/shared.git" "$here/clone" 2>/dev/null
cd "$here/clone"
git config user.name agent; git config user.email agent@example.com
echo 'replicas: 2' > production.yaml; git add .; git commit -qm 'two replicas'
git push -q origin main 2>/dev/null
echo 'replicas: 3' > production.yaml; git commit -qa --amend -m 'three replicas'

say "What the agent does all day runs at once. It is recorded; nobody is asked."
run gatesh -c 'git log --oneline && git status --short'

say "Rewriting shared history is another matter. The agent's command waits."
printf '%s$ gatesh -c "git push --force origin main"   %s(in the background)\n' "$bold" "$plain"
gatesh -c 'git push --force origin main' > "$here/out" 2> "$here/err" &
agent=$!
for _ in {1..100}; do
  [[ $(gatesh pending --json | jq '[.[] | select(.waiting > 0)] | length') == 1 ]] && break
  sleep 0.1
done
cat "$here/err"

say "Bob, in another terminal, looks at what waits ..."
run gatesh pending
id=$(gatesh pending --json | jq -r '.[0].id')
run gatesh show "$id"

say "... and signs the decision with his own key. (On a terminal he is asked; here --yes.)"
run gatesh approve "$id" --key "$here/bob" --yes -m 'change 4711'

say "The agent's command has started by itself, with its own output and status:"
status=0; wait "$agent" || status=$?
sed 1d "$here/err"; cat "$here/out"
echo "exit status $status"
expect "$status" 0
expect "$(git --git-dir "$here/shared.git" show main:production.yaml)" 'replicas: 3'

say "Everything is in the log, with what it printed."
run gatesh log
run gatesh replay "$id"
run gatesh audit

say "And without gatesh: stock ssh-keygen says that Bob signed exactly this decision."
log="$GATESH_HOME/state/ledger/log.jsonl"; blobs="$GATESH_HOME/state/blobs/sha256"
entry=$(jq -c 'select(.type == "decision.accepted")' "$log" | tail -1)
decision=$(jq -r .decision_sha256 <<< "$entry"); signature=$(jq -r .signature_sha256 <<< "$entry")
cp "$blobs/${decision:0:2}/$decision" "$here/decision.json"
cp "$blobs/${signature:0:2}/$signature" "$here/decision.json.sig"
jq -rsj '[.[] | select(.type == "roster.loaded")][-1].allowed_signers' "$log" > "$here/allowed_signers"
at=$(jq -r .at "$here/decision.json"); at=${at%%.*}; at=${at//[-:TZ]/}Z
run ssh-keygen -Y verify -f "$here/allowed_signers" -I bob@example.com -n decision.v1@gatesh \
  -O verify-time="$at" -s "$here/decision.json.sig" < "$here/decision.json"
expect "$(jq -r .request_sha256 "$here/decision.json")" "$(jq -r .request_sha256 <<< "$entry")"

say "That was all of it. Next: README.md, \"Give it to an agent\"."
