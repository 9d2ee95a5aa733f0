"""What is too large for a line: kept durably, found by its digest, never by a path."""

from __future__ import annotations

import hashlib
import os

import pytest

from gatesh.errors import LedgerError, NotFound
from gatesh.ledger import disk
from gatesh.ledger.blobs import Blobs


@pytest.fixture
def blobs(tmp_path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def test_a_blob_comes_back_under_the_name_that_sha256sum_gives_it(blobs: Blobs):
    sha = blobs.put(b"hello\n")

    assert sha == hashlib.sha256(b"hello\n").hexdigest()
    assert blobs.get(sha) == b"hello\n"
    assert blobs.path(sha).relative_to(blobs.directory).as_posix() == f"sha256/{sha[:2]}/{sha}"
    assert blobs.has(sha) and not blobs.has("0" * 64)


def test_nobody_else_can_read_blobs(blobs: Blobs):
    sha = blobs.put(b"secret")

    assert blobs.path(sha).stat().st_mode & 0o777 == 0o600
    assert blobs.path(sha).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name",
    ["", "0" * 63, "0" * 65, "A" * 64, "../" + "0" * 61, "0" * 63 + "/", "0" * 64 + "\n", "٠" * 64],
)
def test_only_a_digest_is_a_name(blobs: Blobs, name):
    """
    The name comes from requests and becomes a path.
    """
    for use in (blobs.path, blobs.has, blobs.get):
        with pytest.raises(LedgerError, match="not the name of a blob"):
            use(name)


def test_a_blob_that_is_gone_or_changed_is_never_handed_out(blobs: Blobs):
    sha = blobs.put(b"right")

    blobs.path(sha).write_bytes(b"wrong")
    with pytest.raises(LedgerError, match="has been changed"):
        blobs.get(sha)
    blobs.path(sha).unlink()
    with pytest.raises(NotFound):
        blobs.get(sha)


def test_putting_it_again_repairs_a_blob_of_another_length(blobs: Blobs):
    sha = blobs.put(b"right")
    blobs.path(sha).write_bytes(b"rig")

    assert blobs.put(b"right") == sha
    assert blobs.get(sha) == b"right"


def test_a_link_with_the_name_of_a_blob_is_none(blobs: Blobs, tmp_path):
    sha = blobs.put(b"right")
    blobs.path(sha).rename(tmp_path / "elsewhere")
    blobs.path(sha).symlink_to(tmp_path / "elsewhere")

    assert not blobs.has(sha)
    with pytest.raises(LedgerError, match="link"):
        blobs.get(sha)
    assert blobs.put(b"right") == sha
    assert not blobs.path(sha).is_symlink()


def test_a_transcript_is_adopted_by_moving_it(blobs: Blobs, tmp_path):
    data = os.urandom(1 << 20)
    (tmp_path / "stdout").write_bytes(data)

    sha, size = blobs.adopt(tmp_path / "stdout")

    assert (sha, size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert blobs.get(sha) == data
    assert blobs.path(sha).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "stdout").exists()


def test_adopting_what_is_there_already_only_removes_the_file(blobs: Blobs, tmp_path):
    sha = blobs.put(b"same")
    inode = blobs.path(sha).stat().st_ino
    (tmp_path / "stdout").write_bytes(b"same")

    assert blobs.adopt(tmp_path / "stdout") == (sha, 4)
    assert blobs.path(sha).stat().st_ino == inode
    assert not (tmp_path / "stdout").exists()


def test_a_link_is_not_adopted(blobs: Blobs, tmp_path):
    """
    Whoever can put a link where a transcript is expected must not get /etc/shadow archived.
    """
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "stdout").symlink_to(tmp_path / "real")

    with pytest.raises(LedgerError, match="link"):
        blobs.adopt(tmp_path / "stdout")


def test_a_full_disk_leaves_nothing_behind(blobs: Blobs, monkeypatch):
    def full(fd, data):
        os.write(fd, data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "write_all", full)
    with pytest.raises(LedgerError, match="no space is left"):
        blobs.put(b"right")

    assert [p for p in blobs.directory.rglob("*") if p.is_file()] == []
