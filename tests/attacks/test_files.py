"""Attacks on what is published: manifests, chunks, keys, lengths. Data that nobody has is not a finding but a gap."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler
from typing import Any

import pytest

from auditor.outcome import Verdict
from tests.attacks.forge import World, found, store
from tests.loopback import listening

Spoil = Callable[[World], None]


def manifest_path(world: World, batch_no: int) -> Path:
    return world.folder / "blobs" / world.batches[batch_no].header.data_hash.hex()


def chunk_path(world: World, batch_no: int) -> Path:
    chunks: list[str] = json.loads(manifest_path(world, batch_no).read_bytes())["chunks"]
    return world.folder / "blobs" / chunks[0]


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def shortened(path: Path, *, to: int = -1) -> None:
    path.write_bytes(path.read_bytes()[:to])


def published(how: Callable[[dict[str, Any]], object]) -> Spoil:
    """An attack on the manifest by the operator, who commits to it."""

    def spoil(world: World) -> None:
        world.batches[1].manifest = lambda manifest: (how(manifest), None)[1]
        world.rechain()

    return spoil


def plain(how: Callable[[bytes], bytes]) -> Spoil:
    """An attack on the file by the operator, who commits to it."""

    def spoil(world: World) -> None:
        world.batches[1].plain = how
        world.rechain()

    return spoil


def recipients(manifest: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = manifest["recipients"][0]
    return first


CASES: dict[str, tuple[Spoil, str]] = {
    "a manifest with a flipped bit": (lambda world: flipped(manifest_path(world, 1), 5), "blob-substituted"),
    "a manifest cut short": (lambda world: shortened(manifest_path(world, 1)), "blob-substituted"),
    "a chunk with a flipped bit": (lambda world: flipped(chunk_path(world, 1), 100), "blob-substituted"),
    "a chunk cut short": (lambda world: shortened(chunk_path(world, 1)), "blob-substituted"),
    "a chunk that is empty": (lambda world: shortened(chunk_path(world, 1), to=0), "blob-substituted"),
    "a manifest that is not JSON": (
        lambda world: commit_to(world, store(world.folder, b"not a manifest")),
        "manifest-malformed",
    ),
    "a manifest of another batch": (
        lambda world: commit_to(world, world.batches[2].header.data_hash.hex()),
        "manifest-malformed",
    ),
    "a manifest without chunks": (published(lambda manifest: manifest.pop("chunks")), "manifest-malformed"),
    "a manifest with a field that nobody knows": (
        published(lambda manifest: manifest.update(tarif=None)),
        "manifest-malformed",
    ),
    "a chunk named by no hash": (published(lambda m: m.update(chunks=["../../etc/passwd"])), "manifest-malformed"),
    "a length beyond all bounds": (published(lambda m: m.update(plainLen=2**50)), "manifest-malformed"),
    "a length too long": (published(lambda m: m.update(plainLen=m["plainLen"] + 1)), "file-length"),
    "a length too short": (published(lambda m: m.update(plainLen=m["plainLen"] - 1)), "file-length"),
    "a key for somebody else": (published(lambda m: recipients(m).update(enc="11" * 32)), "undecipherable"),
    "a key with a flipped bit": (
        published(lambda m: recipients(m).update(wrapped="00" + recipients(m)["wrapped"][2:])),
        "undecipherable",
    ),
    "a key that is not hex": (published(lambda m: recipients(m).update(wrapped="zz")), "manifest-malformed"),
    "a file cut short": (plain(lambda data: data[:-1]), "file-malformed"),
    "a file with more behind it": (plain(lambda data: data + bytes(32)), "file-malformed"),
    "a file of another kind": (plain(lambda data: b"LPB2" + data[4:]), "file-malformed"),
    "a file that is empty but for a header": (plain(lambda data: data[:32]), "file-malformed"),
    "a file with another header": (plain(lambda data: data[:63] + b"\x07" + data[64:]), "file-header"),
}


def commit_to(world: World, name: str) -> None:
    """The chain names these bytes for batch 1: only its header is changed, and those that follow continue it."""
    world.batches[1].data_hash = bytes.fromhex(name)
    world.rechain()


@pytest.mark.parametrize("name", CASES)
def test_attack_on_the_data_is_found(world: World, name: str) -> None:
    spoil, code = CASES[name]
    spoil(world)
    outcome = world.audit()
    assert found(outcome) == {6}
    assert set(outcome.findings.counts) == {code}
    assert outcome.verdict == Verdict.FINDINGS


def test_a_record_too_many(world: World) -> None:
    """The file has a leaf that the header does not count."""
    world.batches[1].forced = {"leaf_count": 6}
    world.rechain()
    assert "record-count" in world.audit().findings.counts


def test_data_withheld_is_incomplete_and_named(world: World) -> None:
    chunk_path(world, 2).unlink()
    outcome = world.audit()
    assert outcome.verdict == Verdict.INCOMPLETE
    assert outcome.findings.total == 0
    assert any("batch 2" in gap and "no mirror" in gap for gap in outcome.incomplete)
    assert [batch.checked for batch in outcome.batches] == [True, True, False, True, True]


def test_a_batch_not_wrapped_for_this_auditor_is_incomplete(world: World) -> None:
    published(lambda manifest: recipients(manifest).update(kid="somebody else"))(world)
    outcome = world.audit()
    assert outcome.verdict == Verdict.INCOMPLETE
    assert any("not wrapped" in gap for gap in outcome.incomplete)


def test_an_honest_mirror_heals_a_false_one(world: World, tmp_path: Path) -> None:
    honest = tmp_path / "honest"
    (honest / "blobs").mkdir(parents=True)
    for blob in (world.folder / "blobs").iterdir():
        (honest / "blobs" / blob.name).write_bytes(blob.read_bytes())
    flipped(chunk_path(world, 1), 100)
    manifest_path(world, 2).unlink()
    outcome = world.audit(mirrors=[world.folder, honest])
    assert outcome.verdict == Verdict.CLEAN


def test_a_mirror_behind_http_serves_as_well_as_a_folder(world: World) -> None:
    with served(world.folder) as address:
        assert world.audit(mirrors=["http://127.0.0.1:9", address]).verdict == Verdict.CLEAN
        flipped(chunk_path(world, 1), 100)
        assert set(world.audit(mirrors=[address]).findings.counts) == {"blob-substituted"}
        chunk_path(world, 1).write_bytes(bytes(2**22))
        assert set(world.audit(mirrors=[address]).findings.counts) == {"blob-substituted"}
        chunk_path(world, 1).unlink()
        assert world.audit(mirrors=[address]).verdict == Verdict.INCOMPLETE


def test_what_was_fetched_is_kept_and_serves_when_every_mirror_has_lost_it(world: World, tmp_path: Path) -> None:
    """A dispute may need an old leaf; an auditor that kept its files asks nobody for it."""
    kept, lost = tmp_path / "kept", tmp_path / "lost"
    assert world.audit(kept=kept).verdict == Verdict.CLEAN
    published = {path.name: path.read_bytes() for path in (world.folder / "blobs").iterdir()}
    assert {path.name: path.read_bytes() for path in (kept / "blobs").iterdir()}.items() <= published.items()
    assert world.audit(mirrors=[lost]).verdict == Verdict.INCOMPLETE
    assert world.audit(mirrors=[lost], kept=kept).verdict == Verdict.CLEAN
    spoilt = kept / "blobs" / chunk_path(world, 1).name
    flipped(spoilt, 100)
    assert world.audit(kept=kept).verdict == Verdict.CLEAN, "what is spoilt there is taken from a mirror again"
    assert spoilt.read_bytes() == chunk_path(world, 1).read_bytes()


def test_what_is_false_is_not_kept(world: World, tmp_path: Path) -> None:
    flipped(chunk_path(world, 1), 100)
    world.audit(kept=tmp_path)
    assert not (tmp_path / "blobs" / chunk_path(world, 1).name).exists()


@pytest.mark.parametrize("what", ["folder", "pipe", "link to itself"])
def test_what_is_no_file_where_a_blob_should_be_is_a_gap(world: World, tmp_path: Path, what: str) -> None:
    """Whoever fills the folder can hold an auditor up no longer than by leaving the blob out."""
    honest = tmp_path / "honest"
    shutil.copytree(world.folder, honest)
    chunk = chunk_path(world, 1)
    chunk.unlink()
    make: dict[str, Callable[[], None]] = {
        "folder": chunk.mkdir,
        "pipe": lambda: os.mkfifo(chunk),
        "link to itself": lambda: chunk.symlink_to(chunk),
    }
    make[what]()
    assert world.audit().verdict == Verdict.INCOMPLETE
    assert world.audit(mirrors=[world.folder, honest]).verdict == Verdict.CLEAN


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nwrong",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ntoo little",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
def test_a_mirror_that_does_not_speak_http_has_nothing(world: World, answer: bytes) -> None:
    with saying(answer) as address:
        assert world.audit(mirrors=[address]).verdict == Verdict.INCOMPLETE
        assert world.audit(mirrors=[address, world.folder]).verdict == Verdict.CLEAN


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that says the same to everybody."""

    class Same(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(answer)

    with listening(Same) as url:
        yield f"{url}/"


@contextmanager
def served(folder: Path, handler: type[SimpleHTTPRequestHandler] | None = None) -> Iterator[str]:
    """A folder behind HTTP on loopback."""
    with listening(partial(handler or _Quiet, directory=str(folder))) as url:
        yield f"{url}/"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def test_a_stream_that_would_fill_the_disk_is_stopped(world: World) -> None:
    """A megabyte of compressed zeros is gigabytes of file: writing stops at the announced length."""
    batch = world.batches[1]
    announced = len(batch.plain_file())
    batch.plain = lambda data: data + bytes(64 * 2**20)
    batch.manifest = lambda manifest: manifest.update(plainLen=announced)
    world.rechain()
    outcome = world.audit()
    assert set(outcome.findings.counts) == {"file-length"}
    assert sha256(batch.plain_file()).digest() != batch.header.data_hash
