"""Receipts of sealed events and merchants' own leaves, made from a batch's published file: the operator's side of
`proofs.receipt` and `proofs.extract`.

A batch is opened once and kept by the caller for as many receipts as it likes; opening recomputes the whole tree, so
nothing is handed out that the header does not prove. Called by the front door, which knows from the tables in which
batch and at which number an event stands. Source: docs/protocol §6.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from proofs.accounts import CASH, POINTS, cash_account, points_account, salt
from proofs.json_form import hex_text, to_json
from proofs.lpb1 import Record, Step, open_file
from proofs.messages import BatchHeader, PointsEvent, Posting, SettlementLeaf, domain_separator, signed_digest
from proofs.receipt import SLOTS
from proofs.signature import recover
from proofs.tree import Tree


class NoReceipt(LookupError):
    """There is nothing to give: the leaf is not in this batch, or it has no posting in the slot asked for. The
    message says which.
    """


def parties(record: Record) -> set[int]:
    """Whose leaf it is: the signer's, and everybody's whose points or cash it moves."""
    accounts = (step.account for step in record.steps if step is not None and step.account[0] in {POINTS, CASH})
    return {record.event.merchant_id, *(int.from_bytes(account[1:5], "big") for account in accounts)}


class BatchReceipts:
    """One batch, opened for receipts. `header` is the finished one. Raises ValueError when the file is not the one
    the header proves.
    """

    def __init__(self, file: bytes, header: BatchHeader, *, batch_secret: bytes, chain_id: int, hub: bytes) -> None:
        self._reader = open_file(file)
        self._header = header
        self._secret = batch_secret
        self._place = {"chainId": str(chain_id), "hub": hex_text(hub)}
        self._separator = domain_separator(chain_id=chain_id, hub=hub)
        leaves: list[bytes] = []
        self._of_party: dict[int, list[int]] = {}
        for index, record in enumerate(self._reader.records()):
            leaves.append(record.leaf(batch_secret).hash_struct())
            for party in parties(record):
                self._of_party.setdefault(party, []).append(index)
        self._tree = Tree(leaves)
        if self._tree.root != header.leaves_root:
            raise ValueError(f"batch {header.batch_no}: the file's leaves are not those of the header")

    def of(self, leaf_no: int, slot: str = "member") -> dict[str, Any]:
        """The receipt of leaf `leaf_no`, opening the posting in `slot` (issuer, debtor, creditor or member), ready
        for JSON. Raises `NoReceipt`.
        """
        index = leaf_no - self._header.first_leaf_no
        if not 0 <= index < self._reader.leaf_count:
            raise NoReceipt(f"leaf {leaf_no} is not in batch {self._header.batch_no}")
        record = self._reader.record(index)
        own = dict(zip(SLOTS, record.steps, strict=True))[slot]
        if own is None:
            raise NoReceipt(f"leaf {leaf_no} has no {slot} posting")
        return {
            **self._place,
            "signer": hex_text(self._signer(record)),
            "header": to_json(self._header),
            "event": to_json(record.event),
            "own": {"slot": slot, "posting": to_json(self._posting(own))},
            **self._in_tree(index, record),
        }

    def of_merchant(self, merchant_id: int, *, after: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """The leaves numbered above `after` that this merchant signed or that moved its accounts, at most `limit`, as
        they stand in its extract (`proofs.extract`); and whether there are more.
        """
        own = self._of_party.get(merchant_id, [])
        start = bisect_right(own, after - self._header.first_leaf_no)
        chosen = own[start : start + limit]
        return [self._own_leaf(index, merchant_id) for index in chosen], len(own) > start + limit

    def _own_leaf(self, index: int, merchant_id: int) -> dict[str, Any]:
        """What the merchant signed is opened, of what another signed only the merchant's own postings are."""
        record = self._reader.record(index)
        mine = {points_account(merchant_id), cash_account(merchant_id)}
        opened = {
            name: to_json(self._posting(step))
            for name, step in zip(SLOTS, record.steps, strict=True)
            if step is not None and step.account in mine
        }
        signed = record.event.merchant_id == merchant_id
        event = {"event": to_json(record.event)} if signed else {"eventHash": hex_text(record.event.hash_struct())}
        return {**event, "own": opened, **self._in_tree(index, record)}

    def _in_tree(self, index: int, record: Record) -> dict[str, Any]:
        """What every proof of a leaf needs besides its event."""
        return {
            "sigR": hex_text(record.sig_r),
            "sigVS": hex_text(record.sig_vs),
            "postings": {
                name: hex_text(self._posting_hash(step)) for name, step in zip(SLOTS, record.steps, strict=True)
            },
            "leafNo": str(record.leaf_no),
            "lanePrevLeafNo": str(record.lane_prev_leaf_no),
            "totalPointsAfter": str(record.total_points_after),
            "path": [hex_text(sibling) for sibling in self._tree.path(index)],
        }

    def proof_of(self, leaf_no: int) -> tuple[SettlementLeaf, int, list[bytes], PointsEvent]:
        """A leaf with its index, its path and its event, as contracts take them. Raises `NoReceipt`."""
        index = leaf_no - self._header.first_leaf_no
        if not 0 <= index < self._reader.leaf_count:
            raise NoReceipt(f"leaf {leaf_no} is not in batch {self._header.batch_no}")
        record = self._reader.record(index)
        return record.leaf(self._secret), index, list(self._tree.path(index)), record.event

    def _posting(self, step: Step) -> Posting:
        return Posting(
            step.account,
            step.seq,
            step.prev_leaf_no,
            step.delta,
            step.balance,
            salt(self._secret, step.account, step.seq),
        )

    def _posting_hash(self, step: Step | None) -> bytes:
        return self._posting(step).hash_struct() if step else bytes(32)

    def _signer(self, record: Record) -> bytes:
        """Whoever signed it: the address that the registry must show for the lane."""
        return recover(signed_digest(self._separator, record.event.hash_struct()), record.sig_r, record.sig_vs)
