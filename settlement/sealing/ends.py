"""What the registry has brought to an end, or has not begun: revoked keys, ended terms, merchants that may no longer
sign everything; merchants whose keys or terms nobody has registered yet.

An honest batch must not be made faulty by what somebody does on the chain meanwhile. So this is read before a batch is
chosen, where what may not go waits; and again right before its commit, by what the batch uses, where one that has
been overtaken is sealed anew. The contracts let each end begin after the next batch: whoever looks at a block in which
a batch is the next one sees all that concerns it. Judged by the number of the batch, as the registry's `keyAt` does.
Pure but for `read`. Called by `choosing`, `batches` and `submitter`. Source: docs/protocol §4.2, §4.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from proofs.kinds import RESTRICTED_KINDS
from settlement.sealing.lanes import LaneId

if TYPE_CHECKING:  # `choosing` is loaded by the door, which talks to no chain
    from settlement.chain.client import Tag
    from settlement.chain.contracts import Contract

ACTIVE: Final = 1
"""MerchantStatus.Active of the registry: whoever has no history is."""


class Use(NamedTuple):
    """What a leaf takes for granted: that this key may sign this kind, on these terms (0: none)."""

    merchant_id: int
    key_id: int
    kind: int
    terms_id: int


@dataclass(frozen=True, slots=True)
class Begun:
    """From which batch on each key and each terms that the registry has may be used."""

    keys: Mapping[LaneId, int] = field(default_factory=dict)
    terms: Mapping[int, int] = field(default_factory=dict)

    def allow(self, use: Use, *, batch_no: int) -> bool:
        """Whether all of it is there in this batch."""
        since = [self.keys.get(LaneId(use.merchant_id, use.key_id))]
        since += [self.terms.get(use.terms_id)] if use.terms_id else []
        return all(first is not None and first <= batch_no for first in since)


@dataclass(frozen=True, slots=True)
class Ends:
    """From which batch on a key or terms are over, and each merchant's (from batch, status) in the chain's order.
    `begun` is None where no registry was asked: there everything has begun.
    """

    keys: Mapping[LaneId, int] = field(default_factory=dict)
    terms: Mapping[int, int] = field(default_factory=dict)
    statuses: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    begun: Begun | None = None

    def allow(self, use: Use, *, batch_no: int) -> bool:
        """Whether nothing of it is over in this batch, or has yet to begin."""
        if self.begun is not None and not self.begun.allow(use, batch_no=batch_no):
            return False
        key_end = self.keys.get(LaneId(use.merchant_id, use.key_id))
        terms_end = self.terms.get(use.terms_id)
        over = any(end is not None and batch_no >= end for end in (key_end, terms_end))
        restricted = use.kind not in RESTRICTED_KINDS and self.status_at(use.merchant_id, batch_no) != ACTIVE
        return not over and not restricted

    def status_at(self, merchant_id: int, batch_no: int) -> int:
        """By which status the merchant's keys answer in this batch."""
        history = self.statuses.get(merchant_id, ())
        return next((status for since, status in reversed(history) if since <= batch_no), ACTIVE)

    def overtake(self, uses: Iterable[Use], *, batch_no: int) -> bool:
        """Whether a batch that uses these would be found faulty."""
        return not all(self.allow(use, batch_no=batch_no) for use in uses)


NO_ENDS: Final = Ends()


def read(registry: Contract, *, first_block: int, last: Tag = "latest") -> Ends:
    """As the registry's events tell it. An end counts as soon as it is seen: should its block go, what waited goes
    with the next batch.
    """
    revoked = registry.events("KeyRevoked", first=first_block, last=last)
    ended = registry.events("TermsEnded", first=first_block, last=last)
    statuses: dict[int, list[tuple[int, int]]] = {}
    for event in registry.events("StatusSet", first=first_block, last=last):
        told = event.fields
        statuses.setdefault(told["merchantId"], []).append((told["fromBatch"], told["status"]))
    keys = registry.events("KeySet", first=first_block, last=last)
    terms = registry.events("TermsAdded", first=first_block, last=last)
    return Ends(
        begun=Begun(
            keys={LaneId(each.fields["merchantId"], each.fields["keyId"]): each.fields["fromBatch"] for each in keys},
            terms={each.fields["termsId"]: each.fields["fromBatch"] for each in terms},
        ),
        keys={LaneId(each.fields["merchantId"], each.fields["keyId"]): each.fields["toBatch"] for each in revoked},
        terms={each.fields["termsId"]: each.fields["toBatch"] for each in ended},
        statuses=statuses,
    )
