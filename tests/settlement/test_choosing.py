"""Which legs go and which wait: merchant 2 signs for itself, the others are hosted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from coincurve import PrivateKey

from ledger.answers import LegRef
from proofs.accounts import lane_account, points_account
from proofs.kinds import Kind
from proofs.lpb1 import Row
from settlement.sealing.choosing import Chosen, Late, choose
from settlement.sealing.ends import NO_ENDS, Begun, Ends
from settlement.sealing.lanes import DELEGATED, POS, LaneId
from settlement.sealing.leaves import LeafMaker, needs
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.self_signed import Inbox, SelfLane, Signed, void
from tests.settlement.alliance import MEMBERS, Journal, Operator, digest, keystore, secret_of

OWN = LaneId(2, 9)
KEY = PrivateKey(digest("own key"))
LANE = SelfLane(*OWN, bytes(20), frozenset({Kind.EARN, Kind.REDEEM, Kind.REFUND_REDEEM, Kind.VOID}), 0, None)
SIGNATURE = (b"\x01" * 32, b"\x02" * 32)


class Desk:
    """A journal, and what merchant 2 has signed of it."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.inbox = Inbox(lanes=(LANE,), signed={}, free={})
        self.rows = [*Operator().opening.rows, Row(LANE.account, 0, 0, 0)]
        self.nonce = 0
        self.sealed: dict[LegRef, bytes] = {}

    def maker(self) -> LeafMaker:
        members = needs(self.journal.entries).members
        return LeafMaker(
            roster=keystore().roster,
            secrets={member: secret_of(member) for member in members},
            references=self.sealed,
            batch_secret=bytes(32),
        )

    def sign(self, seq: int, *, nonce: int | None = None) -> None:
        """The only leg of an entry."""
        self.nonce = nonce or self.nonce + 1
        entry = self.journal.entries[seq - 1]
        maker = self.maker()
        for before in self.journal.entries[: seq - 1]:
            for leg in before.legs:
                signed = self.inbox.signed.get(LegRef(before.seq, leg.no))
                if signed is not None:
                    maker.leaf(before, leg, OWN, signed.event.nonce)
        event = maker.leaf(entry, entry.legs[0], OWN, self.nonce).event
        source = LegRef(seq, 1)
        self.inbox = replace(self.inbox, signed={**self.inbox.signed, source: Signed(event, SIGNATURE, source)})

    def burn(self) -> None:
        self.nonce += 1
        free = Signed(void(LANE, nonce=self.nonce, occurred_at=1), SIGNATURE, None)
        self.inbox = replace(self.inbox, free={**self.inbox.free, (OWN, self.nonce): free})

    def choose(
        self, *, first: int = 1, late: int = 0, ends: Ends = NO_ENDS, held: Mapping[LegRef, LaneId] | None = None
    ) -> Chosen:
        """All entries from `first` on, the first `late` of them from earlier ranges."""
        entries = self.journal.entries[first - 1 :]
        before: list[Late] = [(entry, leg) for entry in entries[:late] for leg in entry.legs]
        return choose(
            before,
            entries[late:],
            maker=self.maker(),
            inbox=self.inbox,
            rows=self.rows,
            batch_no=1,
            last_seq=len(self.journal.entries),
            ends=ends,
            held=held,
        )


def went(chosen: Chosen) -> list[tuple[int, int, int]]:
    """(entry, key, nonce) of each leaf."""
    return [(leaf.source.seq, leaf.event.key_id, leaf.event.nonce) for leaf in chosen.leaves]


def earned(*issuers: int) -> Desk:
    desk = Desk()
    for number, issuer in enumerate(issuers):
        desk.journal.points(Kind.EARN, issuer, MEMBERS[number], 10)
    return desk


def test_what_is_not_signed_waits_alone() -> None:
    desk = earned(1, 2, 2)
    desk.sign(3)
    chosen = desk.choose()
    assert went(chosen) == [(1, POS, 1), (3, 9, 1)]
    assert chosen.parked == [LegRef(2, 1)]
    assert list(chosen.given.values()) == [SIGNATURE]
    account = points_account(2)
    assert [leaf.issuer for leaf in chosen.leaves if leaf.issuer and leaf.issuer.account == account] == [
        (account, 1, 10, 10)
    ], "numbered as if the parked one had not been"


def test_the_same_leaf_whoever_signs() -> None:
    desk = earned(2)
    desk.sign(1)
    (own,) = desk.choose().leaves
    desk.inbox = Inbox()
    (hosted,) = desk.choose().leaves
    assert replace(own.event, key_id=POS) == hosted.event
    assert own[2:] == hosted[2:]


def test_later_legs_of_the_member_wait_too_and_nobody_elses() -> None:
    desk = Desk()
    desk.journal.points(Kind.EARN, 2, "ann", 100)
    desk.journal.points(Kind.EARN, 1, "ann", 100)
    desk.journal.redeem(3, "ann", {2: 5})
    desk.journal.points(Kind.EARN, 1, "bo", 1)
    chosen = desk.choose()
    assert chosen.parked == [LegRef(1, 1), LegRef(3, 1)]
    assert went(chosen) == [(2, POS, 1), (4, POS, 2)]


def test_a_leg_waits_for_what_it_refers_to() -> None:
    desk = Desk()
    desk.journal.points(Kind.EARN, 1, "ann", 100)
    spent = desk.journal.redeem(2, "ann", {1: 40})
    desk.journal.return_goods(spent, 2, "ann", 1, 5)
    desk.sign(2, nonce=2)
    assert desk.choose().parked == [LegRef(2, 1), LegRef(3, 1)]


def test_numbers_of_a_lane_go_in_their_order() -> None:
    desk = earned(2, 2, 2)
    desk.sign(1, nonce=2)
    desk.sign(2, nonce=1)
    chosen = desk.choose()
    assert (went(chosen), chosen.parked) == ([(2, 9, 1)], [LegRef(1, 1), LegRef(3, 1)])


def test_a_burnt_number_makes_way() -> None:
    desk = earned(2, 2)
    desk.burn()
    desk.sign(1)
    desk.burn()
    chosen = desk.choose()
    assert [(leaf.event.kind, leaf.event.nonce) for leaf in chosen.leaves] == [
        (Kind.VOID, 1),
        (Kind.EARN, 2),
        (Kind.VOID, 3),
    ]
    assert len(chosen.given) == 3


def test_late_legs_come_first_and_go_on_from_the_rows() -> None:
    desk = earned(2, 1, 2)
    desk.sign(3)
    desk.sign(1)
    assert went(desk.choose(late=1)) == [(2, POS, 1), (3, 9, 1)]
    desk.sign(1, nonce=1)
    desk.sign(3, nonce=2)
    assert went(desk.choose(late=1)) == [(1, 9, 1), (2, POS, 1), (3, 9, 2)]


def test_a_key_without_a_row_waits_for_one() -> None:
    desk = earned(2)
    desk.sign(1)
    desk.rows = Operator().opening.rows  # type: ignore[assignment] # any sequence does
    assert desk.choose().parked == [LegRef(1, 1)]


def test_a_key_that_has_ended_leaves_its_legs_to_the_alliance() -> None:
    desk = earned(2)
    desk.inbox = replace(desk.inbox, lanes=(LANE._replace(to_batch=1),))
    assert went(desk.choose()) == [(1, POS, 1)]


def test_what_was_signed_must_be_what_was_posted() -> None:
    desk = earned(2)
    desk.sign(1)
    (signed,) = desk.inbox.signed.values()
    other = signed._replace(event=replace(signed.event, points=11))
    desk.inbox = replace(desk.inbox, signed={LegRef(1, 1): other})
    with pytest.raises(SealRefused) as refused:
        desk.choose()
    assert refused.value.reason == Reason.SIGNED_OTHERWISE


def test_whose_merchant_is_restricted_waits_but_gives_back() -> None:
    desk = Desk()
    desk.journal.points(Kind.EARN, 1, "ann", 100)
    spent = desk.journal.redeem(1, "ann", {1: 40})
    desk.journal.points(Kind.EARN, 3, "ann", 100)
    desk.journal.return_goods(spent, 1, "ann", 1, 5)
    delinquent, suspended_later = Ends(statuses={1: [(1, 2)]}), Ends(statuses={1: [(2, 3)]})
    chosen = desk.choose(ends=delinquent)
    assert chosen.parked == [LegRef(1, 1), LegRef(2, 1), LegRef(4, 1)], "what refers to a parked leg waits with it"
    assert went(chosen) == [(3, POS, 1)]
    assert desk.choose(ends=suspended_later).parked == []
    held = {leaf.source: LaneId(leaf.event.merchant_id, leaf.event.key_id) for leaf in chosen.leaves}
    assert desk.choose(held=held) == chosen, "made again it holds the same, whatever holds by then"
    again = Ends(statuses={1: [(1, 2), (1, 1)]})
    assert desk.choose(ends=again).parked == [], "the last word for a batch counts"


def test_a_refund_of_a_restricted_merchant_goes() -> None:
    """Once an earlier batch holds what it gives back."""
    desk = Desk()
    desk.journal.points(Kind.EARN, 1, "ann", 100)
    spent = desk.journal.redeem(3, "ann", {1: 40})
    desk.journal.return_goods(spent, 3, "ann", 1, 5)
    restricted = Ends(statuses={3: [(1, 2)]})
    assert desk.choose(ends=restricted).parked == [LegRef(2, 1), LegRef(3, 1)]
    desk.sealed = {spent: bytes(32)}
    assert went(desk.choose(first=3, ends=restricted)) == [(3, POS, 1)]


@pytest.mark.parametrize(
    "ends", [Ends(keys={LaneId(1, POS): 1}), Ends(terms={1: 1})], ids=["its key is revoked", "its terms have ended"]
)
def test_what_nobody_may_sign_any_more_waits(ends: Ends) -> None:
    desk = earned(1, 3)
    assert desk.choose(ends=ends).parked == [LegRef(1, 1)]
    assert desk.choose().parked == []


def test_what_nobody_has_registered_yet_waits_and_nobody_else_does() -> None:
    desk = earned(1, 3, 4)
    own = {LaneId(party, key): 1 for party in (1, 3) for key in (1, 2, 3)}
    terms = dict.fromkeys(range(1, 9), 1)
    begun = Ends(begun=Begun(own, terms))
    assert desk.choose(ends=begun).parked == [LegRef(3, 1)], "merchant 4 has no lane at all"
    assert desk.choose(ends=Ends(begun=Begun(own | {LaneId(3, POS): 2}, terms))).parked == [LegRef(2, 1), LegRef(3, 1)]
    assert len(desk.choose(ends=Ends(begun=Begun(own, {}))).parked) == 3, "no terms are there"


def test_a_new_merchant_waits_for_the_batch_that_gives_it_its_rows() -> None:
    desk = earned(1, 3)
    desk.rows = [row for row in desk.rows if row.account not in {lane_account(3, POS), points_account(3)}]
    chosen = desk.choose()
    assert (went(chosen), chosen.parked) == ([(1, POS, 1)], [LegRef(2, 1)])


def test_points_that_move_wait_on_both_sides() -> None:
    desk = Desk()
    desk.journal.points(Kind.EARN, 2, "bo", 10)
    desk.journal.points(Kind.EARN, 1, "ann", 10)
    desk.journal.transfer(2, "cy", "bo", 4)
    assert desk.choose().parked == [LegRef(1, 1), LegRef(3, 1), LegRef(3, 2)], "bo's points wait, so cy's stay"
    desk.sign(1)
    assert desk.choose().parked == []


def test_fees_wait_for_what_they_were_charged_on() -> None:
    desk = Desk()
    desk.journal.points(Kind.EARN, 2, "ann", 100)
    desk.journal.points(Kind.EARN, 1, "bo", 100)
    desk.journal.fee(1, 3)
    desk.journal.fee(2, 3)
    desk.journal.fee(2, 1)
    chosen = desk.choose()
    assert chosen.parked == [LegRef(1, 1), LegRef(4, 1), LegRef(5, 1)]
    assert went(chosen) == [(2, POS, 1), (3, DELEGATED, 1)]
    desk.sign(1)
    assert went(desk.choose(late=1)) == [
        (1, 9, 1),
        (2, POS, 1),
        (3, DELEGATED, 1),
        (4, DELEGATED, 1),
        (5, DELEGATED, 2),
    ]
