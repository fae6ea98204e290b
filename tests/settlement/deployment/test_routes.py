"""The way of a council's call against the contracts' own sources: which role each function takes, and who has that."""

import re
from pathlib import Path

import pytest

from settlement.chain.contracts import Name, decode_call, encode_call, inputs_of
from settlement.council.routes import _OF_ROLE, _TAKES, Route, route
from settlement.council.words import CallUnfit, Known, duration, make_call, words
from settlement.handover import Handover, seats

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
SOURCES: dict[str, Name] = {
    "AlliancePolicy.sol": "AlliancePolicy",
    "policy/Floors.sol": "AlliancePolicy",
    "MerchantRegistry.sol": "MerchantRegistry",
    "SettlementHub.sol": "SettlementHub",
    "hub/Collateral.sol": "SettlementHub",
    "hub/Sequence.sol": "SettlementHub",
    "hub/Settling.sol": "SettlementHub",
    "TierRegistry.sol": "TierRegistry",
    "tiers/Circuits.sol": "TierRegistry",
    "tiers/Epochs.sol": "TierRegistry",
}
GUARDED = re.compile(r"function (\w+)\([^{;]*?onlyRole\((\w+)\)", re.DOTALL)
COUNCIL, SLOW, FAST, POLICY = (bytes([number]) * 20 for number in (1, 2, 3, 4))
KNOWN = Known(
    chain_id=1,
    council=COUNCIL,
    slow=SLOW,
    fast=FAST,
    names={
        COUNCIL: ("council", "Council"),
        SLOW: ("slow", "Timelock"),
        FAST: ("fast", "Timelock"),
        POLICY: ("policy", "AlliancePolicy"),
    },
)


def guarded() -> dict[tuple[Name, str], str]:
    """Every function of the sources that takes a role, but for what founding alone calls."""
    found = {
        (name, function): role
        for file, name in SOURCES.items()
        for function, role in GUARDED.findall((CONTRACTS / file).read_text())
    }
    assert found.pop(("MerchantRegistry", "bindHub")) == "DEFAULT_ADMIN_ROLE"
    return found


def test_every_function_of_governance_has_the_way_of_its_role() -> None:
    sources = {each: role for each, role in guarded().items() if role in _OF_ROLE}
    assert len(sources) >= 15
    assert {each: role for each, role in _TAKES.items() if each in sources} == sources
    for name, function in _TAKES:
        assert inputs_of(name, function) is not None


def test_the_ways_are_those_of_the_hand_over() -> None:
    to = Handover(guardians=[b"g"], submitter=b"s", operator=b"o", merchants_admin=b"m")
    held = {Route.AT_ONCE: COUNCIL, Route.SLOW: SLOW, Route.FAST: FAST}
    for seat in seats(to, council=COUNCIL, slow=SLOW, fast=FAST, tiers=True):
        if seat.role in _OF_ROLE:
            assert seat.holder == held[_OF_ROLE[seat.role]], seat


def test_a_timelock_changes_itself_and_nobody_else_may() -> None:
    assert route("Timelock", "updateDelay", "slow") is Route.SLOW
    assert route("Timelock", "grantRole", "fast") is Route.FAST
    for name, function in (("AlliancePolicy", "pause"), ("SettlementHub", "commitBatch"), ("Timelock", "execute")):
        with pytest.raises(CallUnfit, match="no call of the council's"):
            route(name, function, "x")  # type: ignore[arg-type] # names from the tuple


def test_words_are_decoded_to_the_last_byte() -> None:
    target, name, function, data = make_call(KNOWN, "policy.grantRole", ["GUARDIAN_ROLE", "0x" + "ab" * 20])
    assert (target, name, function) == (POLICY, "AlliancePolicy", "grantRole")
    said = "\n".join(words(KNOWN, target, data))
    assert "(GUARDIAN_ROLE)" in said
    assert "0x" + "ab" * 20 in said
    assert decode_call("AlliancePolicy", data + b"\0") is None
    assert decode_call("AlliancePolicy", b"\x12\x34\x56\x78") is None
    batch = [[POLICY, POLICY], [0, 0], [data, data], bytes(32), bytes(32), 172_800]
    scheduled = encode_call("Timelock", "scheduleBatch", [["0x" + POLICY.hex()] * 2, *batch[1:]])
    said = "\n".join(words(KNOWN, SLOW, scheduled))
    assert said.count("policy (AlliancePolicy") == 2
    assert "delay = 172,800 (2 d)" in said


def test_a_duration_is_told_in_its_parts() -> None:
    assert [duration(each) for each in (0, 59, 3_600, 90_061)] == ["0 s", "59 s", "1 h", "1 d 1 h 1 min 1 s"]
