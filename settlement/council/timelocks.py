"""What waits in the two timelocks: every operation that was scheduled, its state, and how it is carried out or called
off.

Invariants: operations come from the timelock's events and their state from its own answer; an operation's number is
recomputed from what is to be carried out, so that a node that tells another call is found out. Reading only. Called by
the council's commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.contracts import Contract, Event
from settlement.council.words import Known

NO_WORD = bytes(32)


class OperationState(IntEnum):
    """OpenZeppelin's numbers."""

    UNSET = 0
    WAITING = 1
    READY = 2
    DONE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One scheduled operation; `ready_at` in Unix seconds, 0 once it was called off, 1 once it was carried out."""

    lock: str
    id: bytes
    calls: tuple[tuple[bytes, int, bytes], ...]
    predecessor: bytes
    salt: bytes
    state: OperationState
    ready_at: int

    @property
    def execution(self) -> tuple[str, tuple[object, ...]]:
        """Function and arguments that carry it out."""
        if len(self.calls) == 1:
            ((target, value, data),) = self.calls
            return "execute", (target, value, data, self.predecessor, self.salt)
        targets, values, payloads = (list(each) for each in zip(*self.calls, strict=True))
        return "executeBatch", (targets, values, payloads, self.predecessor, self.salt)


def operations(chain: Chain, known: Known, *, first: int) -> list[Operation]:
    """Everything ever scheduled, the slow timelock's first, each in the order of scheduling."""
    return [
        each
        for lock, address in (("slow", known.slow), ("fast", known.fast))
        for each in _of_lock(Contract(chain, "Timelock", address), lock, first)
    ]


def _of_lock(contract: Contract, lock: str, first: int) -> Iterator[Operation]:
    salts = {bytes(each.fields["id"]): bytes(each.fields["salt"]) for each in contract.events("CallSalt", first=first)}
    grouped: dict[bytes, dict[int, Event]] = {}
    for event in contract.events("CallScheduled", first=first):
        # What was called off may be scheduled again: the same number, the same calls.
        grouped.setdefault(bytes(event.fields["id"]), {})[int(event.fields["index"])] = event
    for operation_id, calls in grouped.items():
        yield _operation(contract, lock, operation_id, [calls[at] for at in sorted(calls)], salts)


def _operation(
    contract: Contract, lock: str, operation_id: bytes, events: list[Event], salts: dict[bytes, bytes]
) -> Operation:
    fields = [event.fields for event in events]
    made = Operation(
        lock=lock,
        id=operation_id,
        calls=tuple((bytes.fromhex(each["target"][2:]), each["value"], bytes(each["data"])) for each in fields),
        predecessor=bytes(fields[0]["predecessor"]),
        salt=salts.get(operation_id, NO_WORD),
        state=OperationState(contract.read("getOperationState", operation_id)),
        ready_at=contract.read("getTimestamp", operation_id),
    )
    function, arguments = made.execution
    number = contract.read("hashOperation" if function == "execute" else "hashOperationBatch", *arguments)
    if number != operation_id:
        raise ChainUnclear(f"{lock} timelock: the node tells another call for operation 0x{operation_id.hex()}")
    return made
