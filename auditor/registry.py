"""Who may sign what in which batch, and on which terms: the registry as its logs tell it.

Validity is judged by batch number, never by an event's own clock, exactly as the contract's `keyAt` does; the tests
hold the two against each other. Built by `chain` from logs, then only read: `scan` asks it for every leaf.
Source: protocol §4.2, contracts/interfaces/IMerchantRegistry.sol.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from proofs.kinds import RESTRICTED_KINDS, Terms

NO_END = 0
"""The registry's word for a key or terms without an end."""

ACTIVE = 1
"""The only status under which all kinds of a key are open."""


@dataclass(slots=True)
class Key:
    """One lane: valid for from_batch <= batch < to_batch, NO_END apart; bit k of `kind_mask` opens kind k.

    `registered_at` is the time of the block that opened it, in Unix seconds.
    """

    signer: bytes
    from_batch: int
    to_batch: int
    kind_mask: int
    registered_at: int = 0


@dataclass(slots=True)
class Registry:
    """Everything registered, with its history. `statuses` holds (from_batch, status) in log order."""

    keys: dict[tuple[int, int], Key] = field(default_factory=dict)
    terms: dict[int, Terms] = field(default_factory=dict)
    statuses: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def add_merchant(self, merchant_id: int) -> None:
        """A merchant was registered, or handed to other addresses."""
        self.statuses.setdefault(merchant_id, [])

    def set_status(self, merchant_id: int, status: int, *, from_batch: int) -> None:
        """Its keys answer by `status` from this batch on; a later word for the same batch replaces the earlier."""
        history = self.statuses.setdefault(merchant_id, [])
        if history and history[-1][0] == from_batch:
            history.pop()
        history.append((from_batch, status))

    def end_terms(self, terms_id: int, *, to_batch: int) -> None:
        """Terms end before this batch."""
        old = self.terms[terms_id]
        self.terms[terms_id] = Terms(
            old.terms_id, old.issuer_id, old.acceptor_id, old.num, old.den, old.mode, old.from_batch, to_batch
        )

    def status_at(self, merchant_id: int, batch_no: int) -> int:
        """The status by which a merchant's keys answer in a batch; 0 for one never registered."""
        history = self.statuses.get(merchant_id)
        if history is None:
            return 0
        return next((status for since, status in reversed(history) if since <= batch_no), ACTIVE)

    def key_at(self, merchant_id: int, key_id: int, *, batch_no: int, kind: int) -> bytes | None:
        """The 20-byte address that must have signed such an event, None if nobody may sign it."""
        key = self.keys.get((merchant_id, key_id))
        if key is None or batch_no < key.from_batch or not key.kind_mask >> kind & 1:
            return None
        if key.to_batch != NO_END and batch_no >= key.to_batch:
            return None
        if kind not in RESTRICTED_KINDS and self.status_at(merchant_id, batch_no) != ACTIVE:
            return None
        return key.signer

    def answers(self, merchant_id: int, key_id: int, *, batch_no: int) -> bool:
        """Whether everything that a lane may sign can be in a batch: its key is in force, its merchant is active."""
        key = self.keys.get((merchant_id, key_id))
        if key is None or batch_no < key.from_batch or (key.to_batch != NO_END and batch_no >= key.to_batch):
            return False
        return self.status_at(merchant_id, batch_no) == ACTIVE

    def lanes_before(self, opened_at: int) -> list[tuple[int, int]]:
        """(merchant, key) of every lane that was registered before a batch was opened, ascending.

        The number of the batch would not do: several may be sealed already when a lane is opened from the next on.
        """
        return sorted(lane for lane, key in self.keys.items() if key.registered_at < opened_at)
