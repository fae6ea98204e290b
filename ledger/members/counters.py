"""The records of rules by name: one place, so that what is loaded is what is read and written. No decisions."""

from __future__ import annotations

from ledger.records import AnyRecord, RecordKind, RecordName
from ledger.slice import Slice

# Plain integers: an enum member costs more to name, and records are named for every rule of every event.
_BUDGET = RecordKind.RULE_BUDGET.value
_TALLY = RecordKind.RULE_TALLY.value
_TASK = RecordKind.TASK.value
_CHECK_INS = RecordKind.CHECK_INS.value
_CUSTOMER = RecordKind.CUSTOMER.value


def budget(merchant_id: int, rule_id: int) -> RecordName:
    """What a rule has granted to all."""
    return RecordName(_BUDGET, merchant_id, str(rule_id))


def tally(merchant_id: int, rule_id: int, member_no: int) -> RecordName:
    """What a rule has granted to one member."""
    return RecordName(_TALLY, merchant_id, f"{rule_id}/{member_no}")


def task(merchant_id: int, rule_id: int, member_no: int) -> RecordName:
    """How far a member is with a task."""
    return RecordName(_TASK, merchant_id, f"{rule_id}/{member_no}")


def check_ins(merchant_id: int, member_no: int) -> RecordName:
    """When a member checked in at a merchant."""
    return RecordName(_CHECK_INS, merchant_id, str(member_no))


def customer(merchant_id: int, member_no: int) -> RecordName:
    """Whether a member ever ordered at a merchant."""
    return RecordName(_CUSTOMER, merchant_id, str(member_no))


def find(state: Slice, name: RecordName, member_no: int) -> AnyRecord | None:
    """A member's record. Of a member younger than the load, what is not held does not exist."""
    return state.records.get(name) if member_no > state.accounts.loaded_seq else state.records[name]
