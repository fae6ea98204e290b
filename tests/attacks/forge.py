"""The dishonest operator's workshop: batches whose parts can be changed, put together again so that they look right.

`World` starts as the honest history. An attack changes records, rows, nets or header fields of one batch; `relink`
recomputes all running figures as a liar would, `rehead` recomputes roots, file and header, and the headers after it
follow. What is left is one contradiction, and the test says which check must find it. What is published is encrypted
here again, by the form the protocol gives, because the operator's publisher would not take part in this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from auditor.audit import Means, audit
from auditor.chain import Chain, Commit, Governance, OnChain, Params
from auditor.evidence import Evidence
from auditor.fetch import AuditorKey
from auditor.findings import RULES
from auditor.mirrors import mirror
from auditor.outcome import Outcome
from auditor.progress import Watch
from auditor.registry import Key, Registry
from proofs.accounts import CASH, lane_account
from proofs.headers import history_root, nets_from, nets_hash
from proofs.lpb1 import BatchFile, Record, Row, Step
from proofs.messages import BatchHeader, PointsEvent, domain_separator, signed_digest
from proofs.signature import address_of, sign
from proofs.tariff import TARIFF_CONTEXT, Tariff
from proofs.tree import root_of
from proofs.words import ZERO_WORD
from settlement.publish import Recipient
from tests.attacks import alliance
from tests.attacks.alliance import CHAIN_ID, HUB

KID = "auditor-1"
PRIVATE = X25519PrivateKey.from_private_bytes(sha256(b"attack auditor").digest())
SEPARATOR = domain_separator(chain_id=CHAIN_ID, hub=HUB)
PARAMS = Params(21_600, 604_800, 21_600, 604_800, 3, 0, 10**12, 10**13)
ATTESTERS = [PrivateKey(sha256(f"attester {n}".encode()).digest()) for n in range(3)]
COMMIT_LAG_SECONDS = 60
SLOTS = ("issuer", "debtor", "creditor", "member")


@dataclass
class Forged:
    """One batch in parts, and what a liar does to it on its way out.

    `forced` header fields keep their value whatever the rest says; `plain` and `manifest` spoil what is published,
    `on_chain`, `chain_nets` and `announced` what the chain shows.
    """

    header: BatchHeader
    rows: list[Row]
    nets: list[tuple[int, int]]
    records: list[Record]
    secret: bytes
    forced: dict[str, Any] = field(default_factory=dict)
    plain: Callable[[bytes], bytes] = lambda data: data
    manifest: Callable[[dict[str, Any]], None] = lambda _: None
    chain_nets: list[tuple[int, int]] | None = None
    on_chain: Callable[[OnChain], None] = lambda _: None
    announced: bytes | None = None
    data_hash: bytes | None = None
    tariff: Tariff | None = None

    def plain_file(self) -> bytes:
        """The file as an honest publisher would write it."""
        return BatchFile(self.header, self.rows, self.nets, self.records).to_bytes()


@dataclass
class World:
    """All batches, the registry, and the folder in which everything is published."""

    folder: Path
    batches: list[Forged]
    registry: Registry

    def relink(self, batch_no: int) -> None:
        """All running figures of a batch and those after it from their events and deltas: the lie made consistent."""
        for number in range(batch_no, len(self.batches)):
            _relink(self.batches[: number + 1])

    def rehead(self, batch_no: int) -> None:
        """Roots of a batch from its parts, and the chain of headers anew from it on."""
        for number in range(batch_no, len(self.batches)):
            batch = self.batches[number]
            leaves = [record.leaf(batch.secret).hash_struct() for record in batch.records]
            settling = batch.header.nets_hash != ZERO_WORD
            batch.header = replace(
                batch.header,
                first_leaf_no=1 + sum(len(each.records) for each in self.batches[:number]),
                leaf_count=len(batch.records),
                leaves_root=root_of(leaves),
                accounts_count=len(batch.rows),
                accounts_root=root_of([row.row_hash(batch.secret) for row in batch.rows]),
                total_points=batch.records[-1].total_points_after if batch.records else 0,
                nets_hash=nets_hash(batch.nets, settling=settling),
            )
        self.rechain()

    def rechain(self) -> None:
        """Links, forced fields, file and dataHash of every batch, in order."""
        for number, batch in enumerate(self.batches):
            hashes = [each.header.hash_struct() for each in self.batches[:number]]
            if number:
                batch.header = replace(batch.header, prev_header_hash=hashes[-1], history_root=history_root(hashes))
            for name, value in batch.forced.items():
                batch.header = replace(batch.header, **{name: value})
            batch.header = replace(batch.header, data_hash=batch.data_hash or publish(batch, self.folder))

    def chain(self) -> Chain:
        """The chain on which all this was committed, finalised and settled."""
        commits = [_commit(batch) for batch in self.batches]
        return Chain(CHAIN_ID, HUB, bytes(20), bytes(32), 100, bytes(32), self.registry, commits)

    def audit(
        self,
        chain: Chain | None = None,
        mirrors: Sequence[Path | str] = (),
        evidence: Evidence | None = None,
        kept: Path | None = None,
    ) -> Outcome:
        """The real audit of this world, from its own folder or from `mirrors`; what was fetched goes to `kept`."""
        chain = chain or self.chain()
        places = [mirror(str(each)) for each in mirrors or [self.folder]]
        means = Means(places, AuditorKey(KID, PRIVATE), 1, Watch(quiet=True), evidence or Evidence(), kept)
        return audit(chain, chain.commits, means)


@cache
def _honest() -> list[alliance.Batch]:
    return alliance.history(Recipient(KID, PRIVATE.public_key().public_bytes_raw()))


def honest_registry() -> Registry:
    """All lanes and terms, from batch 1 on."""
    registry = Registry(terms=dict(alliance.rules().terms))
    for lane in alliance.keystore().roster:
        registry.add_merchant(lane.merchant_id)
        registry.keys[lane.id] = Key(lane.address, 1, 0, lane.kind_mask)
    return registry


def honest_world(folder: Path) -> World:
    """The honest history, as the operator's code published it."""
    (folder / "blobs").mkdir(parents=True)
    for batch in _honest():
        for name, blob in batch.package.blobs.items():
            (folder / "blobs" / name).write_bytes(blob)
    batches = [
        Forged(b.header, list(b.sealed.rows), list(b.sealed.nets), list(b.sealed.records), b.sealed.batch_secret)
        for b in _honest()
    ]
    return World(folder, batches, honest_registry())


def resigned(record: Record, event: PointsEvent, key: PrivateKey | None = None) -> Record:
    """The record with another event, signed by its own lane's key or by `key`."""
    by = key or alliance.key_of(event.merchant_id, event.key_id)
    r, vs = sign(by, signed_digest(SEPARATOR, event.hash_struct()))
    return replace(record, event=event, sig_r=r, sig_vs=vs)


def address(key: PrivateKey) -> bytes:
    return address_of(key.public_key)


def publish(batch: Forged, folder: Path) -> bytes:
    """Encrypt and store one batch; returns its dataHash."""
    plain = batch.plain(batch.plain_file())
    key = sha256(b"key" + plain).digest()
    stream = zstandard.ZstdCompressor(level=3).compress(plain)
    pieces = [stream[at : at + 2**20] for at in range(0, len(stream), 2**20)]
    chunks = [AESGCM(key).encrypt(at.to_bytes(12, "big"), piece, None) for at, piece in enumerate(pieces)]
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = b"LPB1 tongdui batch key" + batch.header.batch_no.to_bytes(8, "big")
    sealed = suite.encrypt(key + batch.secret, PRIVATE.public_key(), info)
    manifest: dict[str, Any] = {
        "batchNo": batch.header.batch_no,
        "chunks": [store(folder, chunk) for chunk in chunks],
        "plainLen": len(plain),
        "recipients": [{"kid": KID, "enc": sealed[:32].hex(), "wrapped": sealed[32:].hex()}],
    }
    if batch.tariff is not None:
        nonce = bytes([0x80]) + bytes(11)
        sealed_tariff = AESGCM(key).encrypt(nonce, batch.tariff.to_bytes(), TARIFF_CONTEXT)
        manifest["tariff"] = {"blob": store(folder, sealed_tariff), "nonce": nonce.hex()}
    batch.manifest(manifest)
    return bytes.fromhex(store(folder, json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()))


def store(folder: Path, blob: bytes) -> str:
    """Keep a blob under its hash."""
    name = sha256(blob).hexdigest()
    (folder / "blobs" / name).write_bytes(blob)
    return name


def _commit(batch: Forged) -> Commit:
    header, header_hash = batch.header, batch.header.hash_struct()
    attesters = sorted(ATTESTERS, key=address) if header.batch_no else []
    digest = signed_digest(SEPARATOR, header_hash)
    settling = header.nets_hash != ZERO_WORD
    nets = batch.nets if batch.chain_nets is None else batch.chain_nets
    committed_at = header.sealed_at + COMMIT_LAG_SECONDS
    on_chain = OnChain(
        place="block 1, log 1",
        stored_hash=header_hash,
        block_time=committed_at,
        final_after=committed_at + PARAMS.fast_window_seconds,
        weight=len(attesters),
        attesters=tuple(address(key) for key in attesters),
        signatures=tuple(sign(key, digest) for key in attesters),
        governance=Governance(
            PARAMS, {address(key): (1 + place % 2, 1) for place, key in enumerate(ATTESTERS)}, frozenset()
        ),
        final=True,
        settled={merchant: (amount, 0) for merchant, amount in nets} if settling else {},
    )
    batch.on_chain(on_chain)
    return Commit(header, batch.announced or header_hash, list(nets) if settling else None, on_chain)


def _relink(batches: Sequence[Forged]) -> None:
    """One batch from its events and deltas: numbers, pointers, balances, totals, rows, nets."""
    *earlier, batch = batches
    tips = {row.account: (row.seq, row.last_leaf_no, row.balance) for row in earlier[-1].rows}
    for record in (record for each in earlier for record in each.records):
        if record.member is not None:
            tips[record.member.account] = (record.member.seq, record.leaf_no, record.member.balance)
    total = earlier[-1].records[-1].total_points_after if earlier[-1].records else 0
    first = earlier[-1].header.first_leaf_no + earlier[-1].header.leaf_count
    for at, record in enumerate(batch.records):
        lane = lane_account(record.event.merchant_id, record.event.key_id)
        lane_prev = tips.get(lane, (0, 0, 0))[1]
        tips[lane] = (record.event.nonce, first + at, 0)
        steps: dict[str, Any] = {slot: _next(tips, getattr(record, slot), first + at) for slot in SLOTS}
        total += record.issuer.delta if record.issuer else 0
        numbers: dict[str, Any] = {"leaf_no": first + at, "lane_prev_leaf_no": lane_prev, "total_points_after": total}
        batch.records[at] = replace(record, **numbers, **steps)
    batch.rows = [Row(row.account, *tips[row.account]) for row in batch.rows]
    batch.header = replace(batch.header, first_leaf_no=first, leaf_count=len(batch.records), total_points=total)
    if batch.header.nets_hash != ZERO_WORD:
        since = batches[batch.header.nets_since_batch].rows
        batch.nets = nets_from(_cash(batch.rows), _cash(since))


def _next(tips: dict[bytes, tuple[int, int, int]], step: Step | None, leaf_no: int) -> Step | None:
    if step is None:
        return None
    seq, prev, balance = tips.get(step.account, (0, 0, 0))
    tips[step.account] = (seq + 1, leaf_no, balance + step.delta)
    return Step(step.account, seq + 1, prev, step.delta, balance + step.delta)


def _cash(rows: Sequence[Row]) -> dict[int, int]:
    return {int.from_bytes(row.account[1:5], "big"): row.balance for row in rows if row.account[0] == CASH}


def found(outcome: Outcome) -> set[int]:
    """The checks that found something."""
    return {RULES[code].check for code in outcome.findings.counts}
