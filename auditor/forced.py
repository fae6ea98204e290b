"""Check 28: events that merchants forced, and whether the operator took each of them in before it was due.

A merchant that is ignored puts its signed event into the queue on the chain; from then on the operator has a deadline,
and no batch is taken while the first of the queue is overdue. Fed by `replay` from the queue's logs, judged by `audit`.
Source: protocol §4.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.findings import Findings


@dataclass(slots=True)
class Forced:
    """One event in the queue, in Unix seconds; `batch_no` holds it, None while it waits or where it was dropped."""

    lane: str
    due_at: int
    batch_no: int | None = None
    late: bool = False
    dropped: bool = False
    in_vain: bool = False
    """It came when the hub took no batch any more."""


@dataclass(slots=True)
class Queue:
    """All that was ever forced, by number."""

    events: dict[int, Forced] = field(default_factory=dict)
    hub_ends: bool = False
    """Whether the hub's wind-down has begun."""

    def take(self, name: str, told: Mapping[str, Any]) -> bool:
        """One log by the name of its event; False for events of other contracts."""
        if name == "ForcedQueued":
            lane = f"lane {told['merchantId']}:{told['keyId']}"
            self.events[told["id"]] = Forced(lane, told["dueAt"], in_vain=self.hub_ends)
        elif name == "ForcedDischarged":
            event = self.events[told["id"]]
            event.batch_no, event.late = told["batchNo"], bool(told["late"])
        elif name == "ForcedReopened":  # a court threw out the batch that had held it
            event = self.events[told["id"]]
            event.batch_no, event.late = None, False
        elif name == "ForcedDropped":
            self.events[told["id"]].dropped = True
        else:
            return False
        return True


def check_forced(queue: Queue, now: int, findings: Findings) -> None:
    """Every forced event was taken in by its time, or its time is not over at `now`, or no batch could take it."""
    for number, event in queue.events.items():
        place, due = f"forced event {number}, {event.lane}", f"merged by {event.due_at}"
        if event.batch_no is not None and event.late:
            findings.add("forced-late", event.batch_no, place, expected=due, actual="later")
        elif event.batch_no is None and not (event.dropped or event.in_vain) and now > event.due_at:
            findings.add("forced-overdue", 0, place, expected=due, actual=f"not by {now}")
