"""A wrong byte anywhere in what is published or committed: the auditor names a check that fails, each time.

Bytes are chosen by a seeded die, the same at every run: of blobs on a mirror, which their hashes name; of a manifest,
a file and a header to which the operator commits, so that hashes agree with what is false; of the nets and attestations
on the chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from auditor.attest import AttestRefused
from auditor.chain import OnChain
from auditor.findings import RULES
from auditor.outcome import Outcome, Verdict
from proofs.lpb1 import HEADER_BYTES, NET_BYTES, ROW_BYTES, FileError, open_file
from proofs.messages import BatchHeader
from proofs.words import WORD_BYTES, WordError, snake
from tests.attacks.forge import World, honest_world, store
from tests.attacks.test_attest import attested, sealed_world

SEED = 8_195
SETTLING = 2
"""A batch with nets, and batches before and after it."""
FLIPS_OF_A_BLOB = 10
FLIPS_OF_A_FILE_PART = 14
FLIPS_OF_A_MANIFEST = 30
FLIPS_OF_A_FIELD = 2
WAYS = (0x01, 0x80, 0xFF)
FOUND = {Verdict.FINDINGS}
FOUND_OR_MISSING = {Verdict.FINDINGS, Verdict.INCOMPLETE}


def turned(data: bytes, at: int, mask: int) -> bytes:
    """The same bytes but for one."""
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def checks_of(outcome: Outcome) -> set[int]:
    return {RULES[code].check for code in outcome.findings.counts}


def blobs(world: World) -> dict[str, Path]:
    """Manifest and chunks of the batch."""
    folder = world.folder / "blobs"
    manifest = folder / world.batches[SETTLING].header.data_hash.hex()
    chunks = json.loads(manifest.read_bytes())["chunks"]
    return {"manifest": manifest, **{f"chunk {at}": folder / name for at, name in enumerate(chunks)}}


@pytest.mark.parametrize("which", ["manifest", "chunk 0"])
def test_a_byte_of_a_blob(world: World, which: str) -> None:
    """Changed on the mirror: its name is its hash."""
    path, dice = blobs(world)[which], Random(SEED)
    good = path.read_bytes()
    places = {0, len(good) - 1, *(dice.randrange(len(good)) for _ in range(FLIPS_OF_A_BLOB))}
    for at in sorted(places):
        path.write_bytes(turned(good, at, dice.choice(WAYS)))
        outcome = world.audit()
        assert (outcome.verdict, set(outcome.findings.counts)) == (Verdict.FINDINGS, {"blob-substituted"}), at
    path.write_bytes(good)
    assert world.audit().verdict == Verdict.CLEAN


def test_a_byte_of_a_manifest_that_is_committed_to(world: World) -> None:
    """The chain names the changed manifest, so only what it says gives it away: a finding, or data that nobody has."""
    dice = Random(SEED)
    good = blobs(world)["manifest"].read_bytes()
    told: set[str] = set()
    for _ in range(FLIPS_OF_A_MANIFEST):
        at, mask = dice.randrange(len(good)), dice.choice(WAYS)
        outcome = _committed_to(world, turned(good, at, mask))
        assert outcome.verdict in FOUND_OR_MISSING, (at, mask, good[max(0, at - 9) : at + 9])
        assert outcome.findings.counts or outcome.incomplete
        told |= set(outcome.findings.counts)
    assert len(told) > 1, "not one way alone"


def _committed_to(world: World, manifest: bytes) -> Outcome:
    world.batches[SETTLING].data_hash = bytes.fromhex(store(world.folder, manifest))
    world.rechain()
    return world.audit()


def parts_of(data: bytes) -> Iterator[tuple[str, int, int]]:
    """(name, from, to) of each part of a file."""
    reader = open_file(data)
    at = WORD_BYTES
    yield "prelude", 0, at
    for name, size in (
        ("header", HEADER_BYTES),
        ("rows", len(reader.rows) * ROW_BYTES),
        ("nets", len(reader.nets) * NET_BYTES),
        ("leaves", len(data) - reader.records_at),
    ):
        yield name, at, at + size
        at += size


@pytest.mark.parametrize("part", ["prelude", "header", "rows", "nets", "leaves"])
def test_a_byte_of_a_file_that_is_committed_to(world: World, part: str) -> None:
    """Encrypted, hashed and committed anew: only what the auditor recomputes can give it away."""
    dice, batch = Random(f"{SEED} {part}"), world.batches[SETTLING]
    good = batch.plain_file()
    [(start, stop)] = [(start, stop) for name, start, stop in parts_of(good) if name == part]
    assert start < stop
    places = {start, stop - 1, *(dice.randrange(start, stop) for _ in range(FLIPS_OF_A_FILE_PART))}
    for at in sorted(places):
        spoilt = turned(good, at, dice.choice(WAYS))
        batch.plain = lambda _, spoilt=spoilt: spoilt  # type: ignore[misc] # the bytes of this turn
        world.rechain()
        outcome = world.audit()
        assert outcome.verdict in FOUND, (part, at - start)
        assert checks_of(outcome), (part, at - start)


FIELDS = [field.split(" ")[1] for field in BatchHeader.TYPE[BatchHeader.TYPE.index("(") + 1 : -1].split(",")]


@pytest.mark.parametrize("word", range(BatchHeader.WORDS), ids=FIELDS)
def test_a_byte_of_a_header_that_is_committed_to(world: World, word: int) -> None:
    """Committed, attested and built upon; the file stays what it was."""
    dice, batch, field = Random(SEED + word), world.batches[SETTLING], snake(FIELDS[word])
    good, file, honest = batch.header, batch.plain_file(), batch.plain
    batch.plain = lambda _: file
    for at in sorted({WORD_BYTES - 1, *(dice.randrange(WORD_BYTES) for _ in range(FLIPS_OF_A_FIELD))}):
        try:
            spoilt = BatchHeader.from_words(turned(good.words(), word * WORD_BYTES + at, dice.choice(WAYS)))
        except WordError:
            continue  # no header at all: no call could carry it
        _commit_to(world, good, {field: getattr(spoilt, field)})
        outcome = world.audit()
        withheld = field == "data_hash" and any(f"batch {SETTLING}" in gap for gap in outcome.incomplete)
        assert outcome.findings.counts or withheld, (field, at)
    batch.plain = honest
    _commit_to(world, good, {})
    assert world.audit().verdict == Verdict.CLEAN


def _commit_to(world: World, good: BatchHeader, fields: dict[str, Any]) -> None:
    """The good header but for these fields; what comes after is built upon it."""
    batch = world.batches[SETTLING]
    batch.header, batch.data_hash = good, fields.pop("data_hash", None)
    batch.forced = fields
    world.rechain()


def test_a_byte_of_a_header_that_is_to_be_signed(world: World, tmp_path: Path) -> None:
    """As a mirror hands it to an attester: refused as no header, or looked at and not signed."""
    chain, dice = sealed_world(world, SETTLING), Random(SEED)
    path = world.folder / "headers" / f"{SETTLING}.json"
    good, refused = path.read_bytes(), 0
    for turn in range(FLIPS_OF_A_MANIFEST):
        path.write_bytes(turned(good, dice.randrange(len(good)), dice.choice(WAYS)))
        try:
            _, signed = attested(world, chain, tmp_path / f"{turn}.json")
        except AttestRefused:
            refused += 1
        else:
            assert signed == [], path.read_bytes()
    assert 0 < refused < FLIPS_OF_A_MANIFEST, "both ways"
    path.write_bytes(good)
    assert [each.batch_no for each in attested(world, chain, tmp_path / "state.json")[1]] == [2, 3, 4]


def _attestation(place: int) -> Callable[[OnChain, bytes], None]:
    def put(on_chain: OnChain, spoilt: bytes) -> None:
        signatures = list(on_chain.signatures or ())
        signatures[place] = (spoilt[:WORD_BYTES], spoilt[WORD_BYTES:])
        on_chain.signatures = tuple(signatures)

    return put


@pytest.mark.parametrize("place", range(3))
def test_a_byte_of_an_attestation(world: World, place: int) -> None:
    dice, batch = Random(SEED + place), world.batches[SETTLING]
    found: list[bytes] = []
    batch.on_chain = lambda on_chain: found.append(b"".join((on_chain.signatures or ())[place]))
    world.chain()
    for _ in range(FLIPS_OF_A_BLOB):
        spoilt = turned(found[0], dice.randrange(2 * WORD_BYTES), dice.choice(WAYS))
        batch.on_chain = lambda on_chain, spoilt=spoilt: _attestation(place)(on_chain, spoilt)  # type: ignore[misc] # of this turn
        outcome = world.audit()
        assert (outcome.verdict, checks_of(outcome)) == (Verdict.FINDINGS, {5})


def test_a_unit_of_a_net_on_the_chain(world: World) -> None:
    """Every net, by its lowest bit and by its sign."""
    batch = world.batches[SETTLING]
    assert batch.nets
    for at, (merchant, amount) in enumerate(batch.nets):
        for other in (amount ^ 1, -amount):
            batch.chain_nets = [*batch.nets[:at], (merchant, other), *batch.nets[at + 1 :]]
            outcome = world.audit()
            assert outcome.verdict == Verdict.FINDINGS
            assert 18 in checks_of(outcome)


def test_the_places_are_the_same_at_every_run(tmp_path: Path) -> None:
    first, second = (honest_world(tmp_path / name).batches[SETTLING].plain_file() for name in ("first", "second"))
    assert first == second
    with pytest.raises(FileError):
        open_file(first[:-1])
