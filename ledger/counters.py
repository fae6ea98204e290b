"""What the records of rules are called: one place, so that what is loaded is what is read and written. No decisions."""

from __future__ import annotations

from ledger.records import RecordKind, RecordName

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
