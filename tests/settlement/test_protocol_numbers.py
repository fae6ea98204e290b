"""The numbers that the protocol names, as numbers: tests that compare with a constant say nothing about what it is."""

from __future__ import annotations

import pytest

from auditor.attestations import quorum_weight
from auditor.chain import Governance
from auditor.chain import Params as AuditedParams
from proofs import headers, kinds, lpb1, receipt
from proofs.kinds import Kind
from settlement import alliance, steps
from settlement.chain import gas
from settlement.chain.gas import Fees, raised
from settlement.mirrors import keeping
from settlement.mirrors import settings as mirrors
from settlement.sealing import closing, lanes, self_signed
from settlement.settings import SettlementSettings

HOUR, DAY, UNIT = 3_600, 86_400, 10**6
NUMBERS = {
    "§2.4 levels of referral": (kinds.LEVELS_MAX, 2),
    "§2.4 an event's clock ahead of the sealing": (kinds.CLOCK_SKEW_SECONDS_MAX, 300),
    "§2.8 buckets of padding": (closing.BUCKETS_LEAVES, (1_024, 4_096, 16_384, 65_536)),
    "§3.1 leaves at which a batch closes": (closing.BATCH_LEAVES_MAX, 65_536),
    "§3.1 leaves that a batch may have": (lpb1.LEAVES_MAX, 1_048_576),
    "§3.1 age at which a batch closes": (closing.BATCH_AGE_SECONDS_MAX, 900),
    "§3.1 a forced event's deadline": (closing.FORCED_MARGIN_SECONDS, 2 * HOUR),
    "§3.1 settling batches pending": (closing.SETTLING_PENDING_MAX, 8),
    "§3.1 nets": (lpb1.NETS_MAX, 512),
    "§3.6 years that data are kept": (keeping.RETENTION_YEARS_MIN, 7),
    "§3.6 mirrors that do not fail together": (mirrors.INDEPENDENT_MIN, 2),
    "§4.1 batches pending": (closing.BATCHES_PENDING_MAX, 1_024),
    "§4.1 the seal lag that no parameter exceeds": (headers.SEAL_LAG_SECONDS_BOUND, DAY),
    "§4.1 defaults": (
        alliance.PARAMS,
        (6 * HOUR, 7 * DAY, 6 * HOUR, 7 * DAY, 3, 50_000 * UNIT, 100_000 * UNIT, 2_000_000 * UNIT),
    ),
    "§4.6 what a delinquent merchant may sign": ({*map(int, kinds.RESTRICTED_KINDS)}, {3, 4, 9, 13}),
    "§4.7 until when a receipt promises": (self_signed.MERGE_SECONDS_MAX, 2 * HOUR),
    "§5 how long attesters are waited for": (steps.ATTESTATION_WAIT_S, 30 * 60),
    "§5 replacements": (steps.BUMPS_MAX, 10),
    "§5 the fee that a person decides about": (gas.FEE_WEI_MAX, 1_000 * 10**9),
    "§8 gas of a transaction": (gas.TRANSACTION_GAS_MAX, 2**24),
    "§3.2 a path": (receipt.PATH_HASHES_MAX, 20),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_the_protocols(name: str) -> None:
    ours, theirs = NUMBERS[name]
    assert ours == theirs


def test_the_day_ends_at_two_in_china() -> None:
    settings = SettlementSettings()
    assert (settings.cut_off_minute, settings.utc_offset_minutes) == (120, 480)


def test_a_replacement_pays_an_eighth_more_and_never_less() -> None:
    """Nodes want a tenth; what does not divide is rounded up."""
    assert raised(Fees(1_000, 80), Fees(0, 0)) == Fees(1_125, 90)
    assert raised(Fees(1, 1), Fees(0, 0)) == Fees(2, 2)
    assert raised(Fees(1_000, 80), Fees(5_000, 10)) == Fees(5_000, 90), "the market's where that is more"
    assert raised(Fees(gas.FEE_WEI_MAX, 1), Fees(0, 0)) is None


def test_a_quorum_is_never_one_alone() -> None:
    """K = N + 1 - H, and two at least, whatever parameters say."""
    params = AuditedParams(*alliance.PARAMS)
    weights = {1: 2, 3: 2, 4: 2, 5: 3, 7: 5}
    for total, due in weights.items():
        attesters = {bytes([number]) * 20: (1, 1) for number in range(total)}
        assert quorum_weight(Governance(params, attesters, frozenset())) == due


def test_hosted_lanes_sign_what_the_protocol_gives_them() -> None:
    """Till, back office, delegated; each may also burn a number of its own."""
    assert {key_id: {*map(int, kinds_of)} - {Kind.VOID} for key_id, kinds_of in lanes.HOSTED_KINDS.items()} == {
        1: {1, 2, 3, 4},
        2: {6, 7, 8, 10, 11, 12},
        3: {5, 13, 14, 15},
    }
