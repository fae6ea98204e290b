"""Check 27: acceptance receipts that merchants give to an auditor, held against what was merged.

The operator's key promised that an event would be in a batch sealed no later than `mergeBy`. A merchant that doubts it
hands its receipts over as JSON files: {"receipt": {…}, "r": "0x…", "vs": "0x…"}, or a list of such. A receipt counts
only under a key that may sign receipts. A promise ends with its lane, as in the contract: a batch in which the key is
revoked or its merchant restricted breaks nothing, and the last one before had to hold what was accepted half an hour
before. Source: protocol §4.7, §6; docs/decisions/0185.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from auditor.findings import Findings
from auditor.originals import Originals
from auditor.registry import Registry
from proofs.accounts import lane_account
from proofs.json_form import JsonFormError, from_json, hex_text, raw, to_json
from proofs.messages import AcceptanceReceipt, BatchHeader, event_id, signed_digest
from proofs.signature import SignatureError, recover

RECEIPT_FILES_MAX = 100_000
RECEIPT_FILE_BYTES_MAX = 2**26
KEPT, BROKEN, WAITING, BEFORE, FOREIGN = "kept", "broken", "not due yet", "before the range", "not by a receipt key"
ENDED = "ended with its lane"
LAST_BATCH_SECONDS = 1_800
"""How long before a lane's last batch is sealed an event has to be accepted to be due in it."""


class ReceiptError(ValueError):
    """A file does not hold receipts; the message names it."""


@dataclass(frozen=True, slots=True)
class Held:
    """One receipt as a merchant holds it."""

    receipt: AcceptanceReceipt
    r: bytes
    vs: bytes


def load_receipts(place: Path) -> list[Held]:
    """The receipts in a file, or in the *.json of a folder. Raises `ReceiptError`, and OSError."""
    files = sorted(place.glob("*.json"))[:RECEIPT_FILES_MAX] if place.is_dir() else [place]
    return [each for file in files for each in _read(file)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was audited: all leaves from batch `first` on, and the headers up to the last."""

    originals: Originals
    headers: Sequence[BatchHeader]
    first: int
    registry: Registry

    def due_by(self, receipt: AcceptanceReceipt, batch_no: int) -> int | None:
        """When this batch had to hold what was promised, in Unix seconds; None where it could not."""
        here, next_one = (
            self.registry.answers(receipt.merchant_id, receipt.key_id, batch_no=no) for no in (batch_no, batch_no + 1)
        )
        if not here:
            return None
        return receipt.merge_by if next_one else min(receipt.merge_by, receipt.accepted_at + LAST_BATCH_SECONDS)

    def is_broken_by(self, receipt: AcceptanceReceipt, header: BatchHeader) -> bool:
        """Whether a batch without the event shows that the promise was not kept."""
        due = self.due_by(receipt, header.batch_no)
        return due is not None and header.sealed_at > due

    def batch_of(self, leaf_no: int) -> BatchHeader:
        """The header whose batch holds a leaf that was audited."""
        return next(h for h in self.headers if h.first_leaf_no <= leaf_no < h.first_leaf_no + h.leaf_count)


def check_receipts(
    held: Sequence[Held], signers: Mapping[bytes, int], separator: bytes, *, seen: Seen, findings: Findings
) -> dict[str, int]:
    """Judge each receipt; answers how many came to what. `signers` is until when each key may sign receipts.

    A receipt by no such key proves nothing, and one whose event may lie before the range is not judged.
    """
    told = dict.fromkeys((KEPT, BROKEN, WAITING, BEFORE, FOREIGN, ENDED), 0)
    for each in held:
        promised = _is_promised(each, signers, separator)
        told[_judge(each, seen, findings) if promised else FOREIGN] += 1
    return told


def _judge(held: Held, seen: Seen, findings: Findings) -> str:
    receipt = held.receipt
    lane = f"lane {receipt.merchant_id}:{receipt.key_id}, nonce {receipt.nonce}"
    account = lane_account(receipt.merchant_id, receipt.key_id)
    by = event_id(merchant_id=receipt.merchant_id, key_id=receipt.key_id, nonce=receipt.nonce)
    wanted, original = f"merged by {receipt.merge_by}", seen.originals.find(by)
    attached = {"receipt": {"receipt": to_json(receipt), "r": hex_text(held.r), "vs": hex_text(held.vs)}}
    broken = partial(findings.add, account=account, attached=attached)
    if original is None:
        over = next((header for header in seen.headers if seen.is_broken_by(receipt, header)), None)
        if over is None:
            return ENDED if seen.due_by(receipt, seen.headers[-1].batch_no + 1) is None else WAITING
        if seen.first:
            return BEFORE
        broken("receipt-broken", over.batch_no, lane, expected=wanted, actual=f"not by {over.sealed_at}")
        return BROKEN
    header, leaf_no = seen.batch_of(original.leaf_no), original.leaf_no
    if original.event_hash != receipt.event_hash:
        due, got = receipt.event_hash, original.event_hash
        broken("receipt-of-another", header.batch_no, lane, expected=due, actual=got, leaf_no=leaf_no)
        return BROKEN
    if header.sealed_at > receipt.merge_by:
        late = f"sealed at {header.sealed_at}"
        broken("receipt-broken", header.batch_no, lane, expected=wanted, actual=late, leaf_no=leaf_no)
        return BROKEN
    return KEPT


def _is_promised(held: Held, signers: Mapping[bytes, int], separator: bytes) -> bool:
    """Whether a key signed it that might, when the promise was made."""
    try:
        signer = recover(signed_digest(separator, held.receipt.hash_struct()), held.r, held.vs)
    except SignatureError:
        return False
    return held.receipt.accepted_at < signers.get(signer, 0)


def _read(file: Path) -> list[Held]:
    if file.stat().st_size > RECEIPT_FILE_BYTES_MAX:
        raise ReceiptError(f"{file}: too long for receipts")
    try:
        told: Any = json.loads(file.read_bytes())
        entries = told if isinstance(told, list) else [told]
        return [Held(from_json(AcceptanceReceipt, e["receipt"]), raw(e, "r"), raw(e, "vs")) for e in entries]
    except (JsonFormError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ReceiptError(f"{file}: not receipts: {error}") from error
