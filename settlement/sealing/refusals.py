"""Why a batch cannot be sealed. A refusal aborts the whole sealing and leaves no trace: sealing is a function, it has
no state to undo.

    SealRefused        reason, where (a journal leg or an account), expected, actual

Raised by `leaves` and `seal`; the orchestration shows it to a person, because none of these happens while the ledger,
the registry and the batches before agree with each other.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What does not fit."""

    UNLEAFED = "unleafed"
    """A public account was posted to outside any leg, so no leaf would show it."""
    SLOT_TWICE = "slot-twice"
    """One leg posts twice to what is one slot of its leaf."""
    SECRET_MISSING = "secret-missing"  # noqa: S105 - the name of a reason, not a secret
    """A member in the range has no secret."""
    REFERENCE_UNKNOWN = "reference-unknown"
    """A leg refers to a leg that is neither in this range nor in an earlier batch."""
    LANE_UNKNOWN = "lane-unknown"
    """The signing lane is not registered, or no lane of the merchant may sign the kind."""
    LANE_GAP = "lane-gap"
    """A lane's nonce is not the one after its last."""
    RULE = "rule"
    """The event breaks stateless rules of its kind; `actual` names them."""
    CLOCK = "clock"
    """The event says it happened after the batch is sealed, or the batch's own times run backwards."""
    POSTINGS = "postings"
    """The ledger posted something else than what follows from the event."""
    NO_ROW = "no-row"
    """An account of a merchant is touched before a batch has given it a row."""
    STEP_GAP = "step-gap"
    """A posting's number is not the one after the account's last."""
    BALANCE = "balance"
    """A posting's running balance is not the last one plus its change."""
    OVERDRAWN = "overdrawn"
    """A kind that may not make a debt leaves a member account below zero."""
    SIGNATURE = "signature"
    """What the port gave is not the signature of the lane's registered key."""
    SIGNED_OTHERWISE = "signed-otherwise"
    """What a merchant signed for a leg is not the event that follows from it."""
    LEAVES = "leaves"
    """A batch has at least one leaf and at most 2^20."""
    OPENING = "opening"
    """What is called the previous batch is not consistent in itself."""
    UNBALANCED = "unbalanced"
    """Nets, or the points of all issuers, do not come to the sum they must."""
    NETS = "nets"
    """More parties with a net than one settling batch takes."""


class SealRefused(ValueError):
    """The batch is not sealed. `where` is a (seq, leg) of the journal, an account in hex, or empty; `expected` and
    `actual` are both sides of a mismatch.
    """

    def __init__(self, reason: Reason, where: object = "", *, expected: object = None, actual: object = None) -> None:
        place = f" at {where}" if where != "" else ""
        super().__init__(f"{reason}{place}: expected {expected}, found {actual}")
        self.reason = reason
        self.where = where
        self.expected = expected
        self.actual = actual
