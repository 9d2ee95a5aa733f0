"""Birth and death of the process: one per home, started on demand, gone without a trace.

Order matters.  The lock on the ledger comes first (it decides who is the one),
the socket last (who connects finds everything ready).
"""

from __future__ import annotations

import datetime
import logging
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatesh import __version__
from gatesh.approval.standing import Standing
from gatesh.approval.state import States
from gatesh.broker import logs, surroundings
from gatesh.broker.channel import sweep
from gatesh.broker.finishing import Finishing
from gatesh.broker.law import LawBook
from gatesh.broker.lawacts import law_acts
from gatesh.broker.lineage import Lineage
from gatesh.broker.notify import Notifier
from gatesh.broker.proposals import Proposals
from gatesh.broker.push import pushing
from gatesh.broker.retaining import KIND, RetentionAct
from gatesh.broker.server import BACKLOG, Server
from gatesh.broker.witnesses import witnessing
from gatesh.config import Config, Places, refuse_if_others_can_write
from gatesh.config import load as load_config
from gatesh.docket import Docket
from gatesh.errors import ConfigError, GateshError, LedgerError, render
from gatesh.gate import Gate
from gatesh.keys.logkey import LogKey
from gatesh.ledger.blobs import Blobs
from gatesh.ledger.store import Ledger
from gatesh.transcript.recorder import Limits, salvage

log = logging.getLogger("gatesh.broker")


def now() -> datetime.datetime:
    """Return the time, aware."""
    return datetime.datetime.now(datetime.timezone.utc)


def run(places: Places, notify: int | None) -> int:
    """Be the broker until stopped; return the exit status.

    *notify* is a descriptor that is told `ready`, or a status, a hint and what
    is wrong, a line each; then it is closed.
    """

    def tell(words: str) -> None:
        if notify is not None:
            os.write(notify, words.encode("utf-8", "replace")[:4000])
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(null, 2)  # whoever started us reads it to its end
            os.close(null)
            os.close(notify)

    try:
        _prepare_process()
        _make_private(places)
        _log_to(places, also_stderr=notify is None)
        with _open(places) as server:
            tell("ready\n")
            log.info("version %s listens in %s, pid %d", __version__, places.run, os.getpid())
            asked = server.serve()
            if asked:
                server.kill_running()
            return 0 if asked else 125
    except GateshError as error:
        # Told first: until then standard error is where whoever started us listens.
        tell(f"{error.exit_code}\n{error.hint or ''}\n{error}")
        log.error("%s", error)
        if notify is None:
            raise
        return error.exit_code
    except OSError as problem:
        tell(f"125\nsee {places.state / 'broker.log'}\n{problem}")
        log.exception("the broker cannot run")
        if notify is None:
            print(render(GateshError(str(problem))))
        return 125


def _prepare_process() -> None:
    """Shed what whoever started us left behind: limits, directory, mask."""
    os.chdir("/")
    os.umask(0o077)
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (hard, hard))
    # The log's key is in memory: no core file of it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        raise ConfigError(
            "whoever started the broker has limited the size of files (ulimit -f)",
            hint="start it without the limit: gatesh broker run",
        )


def _make_private(places: Places) -> None:
    for directory in (places.config, places.state, places.run):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise ConfigError(
                f"{directory} cannot be made: {problem.strerror}",
                hint="set GATESH_HOME to a directory of your own",
            ) from None
        refuse_if_others_can_write(directory)


def _log_to(places: Places, *, also_stderr: bool) -> None:
    handlers: list[logging.Handler] = [logging.FileHandler(places.state / "broker.log")]
    if also_stderr:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=handlers,
        force=True,
    )


@contextmanager
def _open(places: Places) -> Iterator[Server]:
    """Yield a server that holds the ledger and listens; put all of it away afterwards."""
    settings, unusable = _settings(places)
    key, ledger = logs.open_log(places, settings, now)
    clean = False
    try:
        blobs = Blobs(places.state / "blobs")
        docket, book = _docket(places, key, ledger, blobs)
        if unusable is not None and not book.standing.settled:
            raise unusable
        notifier = _telling(docket, key.secret("webhooks"))
        running = places.state / "running"
        _settle_losses(docket, running)
        sweep(places.run)
        shutil.rmtree(places.state / "scripts", ignore_errors=True)

        def config() -> Config:
            return docket.law().config

        with (
            witnessing(places.ledger, ledger.signed_head, ledger.consistency, config) as seats,
            pushing(ledger.signed_head, config),
        ):
            with _listening(places) as listener:
                gate = Gate(docket, salt=key.secret("environment"))
                retention = RetentionAct(places.state, blobs, now)
                retention.resume()
                proposals = Proposals(docket, book, {**law_acts(book), KIND: retention})
                proposals.settle()
                server = Server(gate, proposals, listener, running, guarded=places.guarded)
                server.desk.facts["webhook_key"] = lambda: notifier.public
                server.desk.facts["witnesses"] = seats.status
                finishing = Finishing(
                    gate,
                    server.desk.inside,
                    lambda: logs.closing_entry(places, settings, key),
                    lambda: not server.links,
                )
                server.desk.operations["close-log"] = finishing.close
                server.desk.operations["lineage"] = Lineage(places.state).answer
                yield server
                clean = True
            _farewell(docket, finishing.last)
    finally:
        ledger.close()
        log.info("stopped%s", "" if clean else ", not cleanly")


def _settings(places: Places) -> tuple[Config, ConfigError | None]:
    """Return the settings on disk; where they cannot be used, defaults and what is wrong.

    Only for a log that there is already: which key a new one has stands in them.
    """
    try:
        return load_config(places.settings), None
    except ConfigError as problem:
        if not (places.ledger / "checkpoint").exists():
            raise
        return Config(), problem


def _docket(places: Places, key: LogKey, ledger: Ledger, blobs: Blobs) -> tuple[Docket, LawBook]:
    """Return the docket and the law, with every state computed from the log."""
    states, standing = States(), Standing()
    last, first = "", True  # type of the last entry; is this the first broker of the log?

    def document(sha256: str) -> dict[str, Any]:
        from gatesh.approval import request

        return request.read(blobs.get(sha256))

    for entry in ledger.entries():
        states.apply(entry, document)
        standing.take(entry)
        last, first = entry["type"], first and entry["type"] != "broker.started"
    law = LawBook(places, ledger.append, blobs, standing)
    docket = Docket(
        ledger=ledger,
        blobs=blobs,
        law=law.current,
        states=states,
        origin=key.origin,
        boot_id=surroundings.boot_id(),
        clock=now,
    )
    ledger.observe = docket.observe
    ledger.append(
        [
            {
                "type": "broker.started",
                "version": __version__,
                "boot_id": docket.boot_id,
                "pid": os.getpid(),
                "clean": first or last == "broker.stopped",
                "open": [state.id for state in states.open()],
                "running": sorted(command.id for command in states.unfinished()),
            }
        ]
    )
    law.current()
    return docket, law


def _telling(docket: Docket, seed: bytes) -> Notifier:
    """Tell people of requests from now on, and webhooks once more of those that still wait."""
    notifier = Notifier(docket.blobs.get, lambda: docket.law().config, seed)
    for state in docket.states.open():
        if state.state == "pending":
            notifier.put_again(state.request_sha256)
    docket.tell = notifier.put
    notifier.start()
    return notifier


def _settle_losses(docket: Docket, running: Path) -> None:
    """Say of each command that the last broker left running that nobody knows its end."""
    running.mkdir(mode=0o700, exist_ok=True)
    limits, blobs = Limits.of(docket.law().config), docket.blobs
    for id in sorted(command.id for command in docket.states.unfinished()):
        entry: dict[str, Any] = {
            "type": "command.lost",
            "id": id,
            "why": "the broker stopped while it ran",
        }
        if (running / id).is_dir():
            # What was in its memory is gone: the last of timing, the end of a long stream.
            entry["complete"] = False
            entry["streams"] = salvage(running / id, blobs.adopt, blobs.put, limits)
        docket.ledger.append([entry])
    for left in running.iterdir():
        salvage(left, blobs.adopt, blobs.put, limits)  # never started: kept, by digest only


def _farewell(docket: Docket, closed: Mapping[str, Any] | None) -> None:
    """Say that this broker stops, and with *closed* that the log is finished."""

    def ending() -> list[Mapping[str, Any]]:
        # Nothing comes behind it: a thread that is late finds the log closed.
        entries = logs.loose_ends(docket) if closed else []
        ended = {entry["id"] for entry in entries}
        with docket.lock:
            still = [state.id for state in docket.states.open() if state.id not in ended]
            running = {command.id for command in docket.states.unfinished()} - ended
        stopped = {
            "type": "broker.stopped",
            "version": __version__,
            "boot_id": docket.boot_id,
            "pid": os.getpid(),
            "clean": True,
            "open": still,
            "running": sorted(running),
        }
        return [*entries, stopped, *([closed] if closed else [])]

    try:
        docket.ledger.close(ending=ending)
    except LedgerError as problem:
        log.error("the log failed: %s", problem)


@contextmanager
def _listening(places: Places) -> Iterator[socket.socket]:
    """Yield the listening socket; a stale one is replaced (the ledger's lock says it is stale)."""
    path = places.run / "broker.sock"
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
        else:
            raise ConfigError(f"{path} is there and is no socket", hint="remove it")
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(places.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = (
            str(path) if len(os.fsencode(path)) < 108 else f"/proc/self/fd/{directory}/broker.sock"
        )
        listener.bind(short)
        os.chmod(path, 0o666 if places.guarded else 0o600)
        listener.listen(BACKLOG)
        yield listener
    finally:
        os.close(directory)
        listener.close()
        path.unlink(missing_ok=True)  # still ours: the ledger's lock is held until after this
