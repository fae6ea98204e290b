"""A ledger that goes on at another hub: what its first header there takes over, and the step from one hub to the next.

Numbers of batches, leaves and lanes go on, so nothing that was settled is touched: an era is the batches from an
anchor's `first_batch` to the one before the next anchor's. Invariants: the opening batch is stored before its hub
exists and is the ledger's newest; as long as it is not final nobody works on either hub (`alliance.attach`); anchor,
opening and what was signed for the old domain change in one SQL transaction. Source: docs/protocol §4.7,
docs/decisions/0228. Called by founding and deployment.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.headers import Predecessor, carried_anchor
from proofs.messages import domain_separator
from settlement import tables
from settlement.steps import State
from settlement.tables import Anchor, Batch, Conn

# No other batch is without a leaf: one that settles and has nothing in it holds a VOID.
_UNDER_WAY = """
SELECT batch_no FROM (
    SELECT batch_no, state, first_leaf, last_leaf FROM settlement.batch
    WHERE superseded_by IS NULL ORDER BY batch_no DESC LIMIT 1
) AS newest WHERE state = 'SEALED' AND first_leaf > last_leaf
"""
_WAIT_FOR_DESK = "LOCK TABLE settlement.signed_event IN SHARE ROW EXCLUSIVE MODE"
_FORGET_SIGNED = """
DELETE FROM settlement.signed_event AS own WHERE NOT EXISTS (
    SELECT FROM settlement.batch_leaf AS leaf WHERE leaf.event_id = decode(
        lpad(to_hex(own.merchant_id), 8, '0') || lpad(to_hex(own.key_id), 8, '0') || lpad(to_hex(own.nonce), 16, '0')
        || repeat('0', 32), 'hex')
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """What is carried over: the last batch of the hub before, which is final and need not settle, and its name."""

    last: Batch
    before: Predecessor

    @property
    def first_batch(self) -> int:
        """The number of the new hub's first header."""
        return self.last.batch_no + 1

    def anchor_of(self, *, chain_id: int, hub: bytes) -> bytes:
        """PrevHeaderHash of that header."""
        return carried_anchor(self.before, chain_id=chain_id, hub=hub)


def carry(conn: Conn, first_batch: int) -> Carry:
    """What a hub whose first header has this number takes over."""
    last, anchor = tables.batch(conn, first_batch - 1), tables.anchor(conn, batch_no=first_batch - 1)
    assert last is not None, "the batch before an opening is there"
    assert anchor is not None, "batches exist only on a chain"
    return Carry(last=last, before=Predecessor(anchor.chain_id, anchor.hub, last.header_hash))


def predecessor(conn: Conn, anchor: Anchor) -> Predecessor | None:
    """The header that an anchor's first one follows; None where the ledger began there."""
    return carry(conn, anchor.first_batch).before if anchor.first_batch else None


def under_way(conn: Conn) -> int | None:
    """The number of an opening whose hub is being founded; None where there is none."""
    row = conn.execute(_UNDER_WAY).fetchone()
    return None if row is None else row[0]


def hub_wanted(conn: Conn, separator: bytes) -> str | None:
    """For which hub a signature has to be, where that is not the one of this domain."""
    anchor = tables.anchor(conn)
    assert anchor is not None, "nobody signs before there is a hub"
    if (opening := under_way(conn)) is not None and opening > anchor.first_batch:
        return "the hub that is being founded"
    if separator != domain_separator(chain_id=anchor.chain_id, hub=anchor.hub):
        return anchor.hub.hex()
    return None


def step_over(conn: Conn, anchor: Anchor, opening: Batch) -> None:
    """From here on the ledger settles at `anchor`. What merchants signed and no batch holds is theirs to sign again:
    it was signed for the hub before. Whoever takes a signature in meanwhile is waited for, and then sees the new hub.
    """
    with conn.transaction():
        if anchor.first_batch:
            conn.execute(_WAIT_FOR_DESK)
        tables.set_anchor(conn, anchor)
        tables.advance(conn, opening, State.FINALISED)
        if anchor.first_batch:
            conn.execute(_FORGET_SIGNED)
