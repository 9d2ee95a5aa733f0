"""A small world: a throwaway home, a real broker, real keys, real shells.

Nothing in it is pretended.  It plays the people around gatesh and offers the
verbs a test wants to say:

    world.enrol("bob")
    asking = world.start("-c", "sudo -n true")
    world.approve(world.waiting(), by="bob")
    assert asking.wait() == 0
"""

from __future__ import annotations

import datetime
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatesh import wire
from gatesh.approval import rosterfile
from gatesh.approval.roster import Roster
from gatesh.keys.publickey import PublicKey

BIN = Path(sys.executable).parent
GATESH = str(BIN / "gatesh")
PATIENCE = 30.0  # seconds until a thing that must happen is taken not to happen

# A rule of our own, so that no test needs a privileged program to be installed.
RULES = """\
pack: tests
about: Commands that exist only here.
rules:
  - id: tests.guarded
    match: '^guarded\\b'
    verdict: approve
    reason: does something only a second person may allow
    examples: {match: [guarded x], miss: [echo guarded]}
  - id: tests.forbidden
    match: '^forbidden\\b'
    verdict: deny
    reason: is never done here
    instead: leave it
    examples: {match: [forbidden x], miss: [echo forbidden]}
"""


@dataclass
class Result:
    """How a program ended."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def words(self) -> str:
        """Standard error as text."""
        return self.err.decode()


class Asking:
    """A call of the shell that is still under way."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.pid = process.pid

    def end(self) -> Result:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return Result(self.process.returncode, out, err)

    def wait(self) -> int:
        """Wait for its end and return the status."""
        return self.end().status

    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self.process.poll() is None


class World:
    """One account with gatesh, and the people who can approve."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = base / "home"
        self.work = base / "work"
        self.bin = base / "bin"
        for directory in (self.work, self.bin):
            directory.mkdir(parents=True)
        self.started: list[subprocess.Popen[bytes]] = []
        self.env = {
            "GATESH_HOME": str(self.home),
            "HOME": str(base),
            "PATH": f"{self.bin}:{BIN}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
        }
        # What a privileged program would be: here it only says that it ran.
        self.program("guarded", 'echo "guarded $*"')
        self.program("forbidden", 'echo "forbidden $*"')

    # ---- setting up ---------------------------------------------------------

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def config(self) -> Path:
        return self.home / "config"

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return path

    def rules(self, text: str = RULES, name: str = "tests.yaml") -> Path:
        directory = self.config / "rules"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def settings(self, text: str) -> None:
        self.config.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.config / "config.yaml"
        path.write_text(text)
        path.chmod(0o600)

    def key(self, name: str) -> Path:
        """Return the private key file of *name*, made by ssh-keygen."""
        path = self.base / f"{name}.key"
        if not path.exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)],
                check=True,
                stdin=subprocess.DEVNULL,
            )
        return path

    def set_up(self, me: str = "alice@example.com", *approvers: str) -> World:
        """Have the test rules, *me* answering for this account and *approvers* with keys.

        Writes the roster itself: what `gatesh init` and `people add` do has tests of its own.
        """
        self.rules()
        if not (self.config / "config.yaml").exists():
            self.settings("hold: 10m\n")  # no test is so slow that a call gives up meanwhile
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        account = pwd.getpwuid(os.geteuid()).pw_name
        roster = Roster().add(me, accounts=[account])
        for name in approvers or ("bob",):
            roster = roster.add(
                f"{name}@example.com",
                key=PublicKey.from_line(Path(f"{self.key(name)}.pub").read_text()),
                valid_after=now - datetime.timedelta(minutes=1),
                valid_before=now + datetime.timedelta(days=1),
            )
        rosterfile.save(self.config, roster)
        return self

    def enrol(self, name: str, *more: str) -> None:
        """Add a person with `gatesh people add`."""
        public = f"{self.key(name)}.pub"
        done = self.gatesh("people", "add", f"{name}@example.com", "--key", public, *more)
        assert done.status in (0, 75), done.words
        self.approve_proposals()

    def new_law(self) -> None:
        """Have the roster, rules and settings on disk approved, by bob."""
        done = self.gatesh("propose")
        assert done.status in (0, 75), done.words
        self.approve_proposals()

    def approve_proposals(self, by: str = "bob") -> None:
        """Have what is asked of the broker itself approved; there is one at a time."""
        for asked in self.pending():
            if asked["findings"][0]["pack"] == "gatesh" and asked["state"] == "pending":
                done = self.approve(asked["id"], by)
                assert done.status == 0, done.words

    # ---- using it -------------------------------------------------------------

    def start(
        self,
        *arguments: str | bytes,
        program: str = GATESH,
        env: Mapping[str, str] | None = None,
        **how: Any,
    ) -> Asking:
        """Start gatesh as the shell, or as a people's command."""
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        how.setdefault("cwd", self.work)
        process = subprocess.Popen([program, *arguments], env={**self.env, **(env or {})}, **how)
        self.started.append(process)
        return Asking(process)

    def gatesh(self, *arguments: str | bytes, **how: Any) -> Result:
        """Run gatesh to its end."""
        return self.start(*arguments, **how).end()

    def bash(self, *arguments: str | bytes, **how: Any) -> Result:
        """Run bash, to compare."""
        return self.start(*arguments, program="/bin/bash", **how).end()

    def json(self, *arguments: str) -> Any:
        done = self.gatesh(*arguments, "--json")
        assert done.out, done.words
        return json.loads(done.out)

    def question(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask the broker as people's commands do, without starting one for every look."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(self.home / "run" / "broker.sock"))
            wire.send(sock, b"J", json.dumps({"op": op, **fields}).encode())
            frame = wire.receive(sock)
        assert frame is not None
        answer: dict[str, Any] = json.loads(frame[1])
        return answer

    def pending(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.question("pending")["pending"]
        return found

    def waiting(self, count: int = 1) -> str:
        """Return the id of the request that somebody waits for, once there are *count*."""
        found: list[str] = []

        def enough() -> bool:
            found[:] = self.awaited()
            return len(found) >= count

        until(enough)
        return found[0]

    def awaited(self) -> list[str]:
        """Return the ids of the requests that somebody waits for; none while there is no broker."""
        try:
            return [str(request["id"]) for request in self.pending() if request["waiting"]]
        except (OSError, AssertionError):
            return []

    def approve(self, id: str, by: str = "bob", *more: str) -> Result:
        return self.gatesh("approve", id, "--yes", "--key", str(self.key(by)), *more)

    def reject(self, id: str, by: str = "bob", *more: str) -> Result:
        return self.gatesh("reject", id, "--yes", "--key", str(self.key(by)), *more)

    # ---- looking ----------------------------------------------------------------

    def entries(self, type: str | None = None) -> list[dict[str, Any]]:
        lines = (self.state / "ledger" / "log.jsonl").read_bytes().splitlines()
        found = [json.loads(line) for line in lines]
        return [e for e in found if type is None or e["type"] == type]

    def blob(self, sha256: str) -> bytes:
        return (self.state / "blobs" / "sha256" / sha256[:2] / sha256).read_bytes()

    def audit(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.gatesh("audit", "--json").out)
        return found

    def listening(self) -> bool:
        """Tell whether a broker can be asked."""
        try:
            return bool(self.question("status"))
        except (OSError, AssertionError):
            return False

    def broker(self) -> int:
        """Return the running broker's process id."""
        return int(self.question("status")["pid"])

    def end(self) -> None:
        """Stop everything that was started, the broker too."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr, process.stdin):
                if stream is not None:
                    stream.close()
        for pid in brokers_of(self.home):
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: ended(pid))  # type: ignore[misc]


def ended(pid: int) -> bool:
    """Tell whether process *pid* has ended; init may take seconds to bury an orphan."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in b"ZX"
    except OSError:
        return True


def brokers_of(home: Path) -> list[int]:
    """Return the broker processes of *home*, whether or not they listen."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
            environment = (directory / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = b"GATESH_HOME=" + os.fsencode(home) in environment
        if ours and b"broker" in arguments and b"run" in arguments:
            found.append(int(directory.name))
    return found


def until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait for something that must come true; fail when it does not."""
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true")
        time.sleep(0.01)


def run(*argv: str, check: bool = True, **how: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a stock tool."""
    done = subprocess.run(list(argv), capture_output=True, check=False, **how)
    if check:
        assert done.returncode == 0, done.stderr.decode()
    return done
