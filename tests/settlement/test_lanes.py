"""Lanes and the keystore of development keys: who signs what, and where the file may not be used."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ledger.answers import LegRef
from proofs.accounts import OPERATOR_ID, lane_account
from proofs.kinds import Kind
from proofs.signature import recover
from settlement.sealing.lanes import (
    BACK_OFFICE,
    DELEGATED,
    HOSTED_KINDS,
    POS,
    KeystoreRefused,
    Lane,
    LaneId,
    LaneUnknown,
    Roster,
    SignRequest,
    create_keystore,
    open_keystore,
)
from settlement.sealing.leaves import void_leaves


def test_every_kind_has_exactly_one_hosted_lane_but_void() -> None:
    for kind in Kind:
        lanes = [key_id for key_id, kinds in HOSTED_KINDS.items() if kind in kinds]
        assert len(lanes) == (3 if kind == Kind.VOID else 1), kind


def test_the_till_cannot_charge_fees_or_adjust() -> None:
    assert not HOSTED_KINDS[POS] & {Kind.FEE, Kind.EXPIRE, Kind.ADJUST_UP, Kind.ADJUST_DOWN, Kind.TRANSFER_OUT}


def test_kind_mask_is_the_registrys() -> None:
    assert Lane(1, POS, bytes(20), frozenset({Kind.EARN, Kind.VOID})).kind_mask == 0b10_0000_0010
    assert Lane(1, POS, bytes(20), frozenset(Kind)).kind_mask == 0xFFFE
    assert Lane(1, POS, bytes(20), frozenset()).account == lane_account(1, POS)


def test_roster_finds_the_lane_for_a_kind() -> None:
    kinds = frozenset({Kind.EARN})
    roster = Roster([Lane(1, 9, bytes(20), kinds), Lane(1, 4, bytes(20), kinds), Lane(2, 1, bytes(20), kinds)])
    assert roster.lane_for(1, Kind.EARN).key_id == 4
    assert [lane.id for lane in roster] == [(1, 4), (1, 9), (2, 1)]
    assert roster.get((3, 1)) is None
    with pytest.raises(LaneUnknown) as caught:
        roster.lane_for(2, Kind.FEE)
    assert (caught.value.merchant_id, caught.value.kind) == (2, Kind.FEE)


def test_a_keystore_signs_for_its_roster(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "lanes.json"
    made = create_keystore(path, [1, 2])
    opened = open_keystore(path, production=False)
    digests = [bytes([at]) * 32 for at in range(1, 10)]
    lanes = list(opened.roster)
    assert [lane.id for lane in lanes] == [
        LaneId(merchant, key_id) for merchant in (1, 2, OPERATOR_ID) for key_id in (POS, BACK_OFFICE, DELEGATED)
    ]
    (leaf,) = void_leaves(1, after=[], source=LegRef(1, 0), roster=opened.roster, nonces={}, occurred_at=1)
    requests = [SignRequest(lane.id, digest, leaf.event) for lane, digest in zip(lanes, digests, strict=True)]
    given = opened.sign(requests)
    assert given == made.sign(requests)
    for lane, digest, (r, vs) in zip(lanes, digests, given, strict=True):
        assert recover(digest, r, vs) == lane.address


def test_creating_again_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "lanes.json"
    first = {lane.id: lane.address for lane in create_keystore(path, [1]).roster}
    second = {lane.id: lane.address for lane in create_keystore(path, [1, 2]).roster}
    assert first.items() < second.items()
    assert len(second) == 9
    assert {lane.id: lane.address for lane in open_keystore(path, production=False).roster} == second


def test_the_file_is_marked_and_private(tmp_path: Path) -> None:
    path = tmp_path / "lanes.json"
    create_keystore(path, [1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["development"] is True
    assert [child.name for child in tmp_path.iterdir()] == ["lanes.json"]


def test_production_refuses_development_keys(tmp_path: Path) -> None:
    path = tmp_path / "lanes.json"
    create_keystore(path, [1])
    with pytest.raises(KeystoreRefused, match="production"):
        open_keystore(path, production=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"development": true}', '{"development": false, "lanes": []}'])
def test_what_is_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lanes.json"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(KeystoreRefused, match=r"lanes\.json"):
        open_keystore(path, production=False)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lanes.json"
    create_keystore(path, [1])
    path.chmod(0o640)
    with pytest.raises(KeystoreRefused, match="chmod"):
        open_keystore(path, production=False)


def test_a_lane_that_is_not_held_is_not_signed_for(tmp_path: Path) -> None:
    keystore = create_keystore(tmp_path / "lanes.json", [1])
    (leaf,) = void_leaves(1, after=[], source=LegRef(1, 0), roster=keystore.roster, nonces={}, occurred_at=1)
    with pytest.raises(KeyError):
        keystore.sign([SignRequest(LaneId(5, POS), bytes(32), leaf.event)])
