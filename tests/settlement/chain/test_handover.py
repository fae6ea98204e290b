"""An alliance that is founded and handed over: the founding key can do nothing, the council acts with notice only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from coincurve import PrivateKey
from eth_abi.abi import encode

from proofs.keccak import keccak256
from settlement.alliance import PARAMS, UNIT, Alliance
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, Refused
from settlement.chain.outbox import LocalSigner, Outbox
from settlement.chain.transactions import call
from settlement.deploy import found
from settlement.founding import Founding
from settlement.handover import (
    FAST_DELAY_S,
    SLOW_DELAY_S,
    Governance,
    Handover,
    HandoverUnfit,
    hand_over,
)
from settlement.sealing.lanes import create_keystore
from tests.settlement.chain.field import MERCHANTS, Field, address, founding
from tests.settlement.chain.tiny import SENDER

SIGNERS = [keccak256(b"council-%d" % number) for number in range(3)]
GUARDIAN, SUBMITTER, OPERATOR, HOST = (address(keccak256(name)) for name in (b"guard", b"submit", b"operate", b"host"))
TO = Handover(
    signers=[address(key) for key in SIGNERS],
    threshold=2,
    guardians=[GUARDIAN],
    submitter=SUBMITTER,
    operator=OPERATOR,
    merchants_admin=HOST,
)
NO_WORD = bytes(32)
FOREVER = 2**63
REFUSED = "AccessControlUnauthorizedAccount"


@dataclass(frozen=True, slots=True)
class Ruled:
    """The alliance after its hand-over, and the outbox of the account that founded it."""

    alliance: Alliance
    outbox: Outbox
    council: Contract
    governance: Governance

    def refused(self, contract: Contract, function: str, *arguments: object, sender: bytes = b"") -> str:
        """What the contract says to this call, "" if it would do it."""
        try:
            contract.try_out(contract.data(function, *arguments), sender=sender or self.outbox.sender)
        except Refused as error:
            return error.name
        return ""

    def signed(self, target: Contract, data: bytes, keys: Sequence[bytes]) -> tuple[object, ...]:
        """The arguments of the council's `execute`, signed by these."""
        digest = self.council.read("digestOf", target.address, data, FOREVER)
        ordered = sorted(keys, key=lambda key: keccak256(address(key)))
        signatures = [_signature(key, digest) for key in ordered]
        packed = encode(["bytes[]", "bytes[]"], [[address(key) for key in ordered], signatures])
        return target.address, data, FOREVER, packed

    def schedule(self, timelock: Contract, delay_s: int, target: Contract, data: bytes) -> tuple[object, ...]:
        """Have the council schedule a call; the arguments that execute it."""
        arguments = (target.address, 0, data, NO_WORD, keccak256(data))
        scheduling = timelock.data("schedule", *arguments, delay_s)
        purpose = f"test:{keccak256(scheduling).hex()}"
        call(
            self.outbox, purpose, self.council, "execute", *self.signed(timelock, scheduling, SIGNERS[1:]), gas=400_000
        )
        return arguments


def _signature(key: bytes, digest: bytes) -> bytes:
    signature = PrivateKey(key).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


@contextmanager
def ruled(field: Field) -> Iterator[Ruled]:
    lanes = create_keystore(field.folder / "lanes.json", MERCHANTS)
    with psycopg.connect(field.dsn, autocommit=True) as conn:
        chain = Chain(field.url)
        outbox = Outbox(conn, chain, LocalSigner(SENDER.key))
        base = founding(conn, lanes)
        handed = Founding(
            merchants=base.merchants,
            roster=base.roster,
            terms=base.terms,
            attesters=base.attesters,
            collateral=base.collateral,
            handover=TO,
        )
        alliance = found(conn, chain, outbox, handed, field.publication())
        with outbox.leading() as led:
            governance = hand_over(alliance, led, TO)
            yield Ruled(alliance, led, Contract(chain, "Council", governance.council), governance)


def test_the_founding_key_can_do_nothing_afterwards(unfounded: Field) -> None:
    with ruled(unfounded) as r:
        hub, policy, registry = r.alliance.hub, r.alliance.policy, r.alliance.registry
        founder, a_merchant = r.outbox.sender, (99, r.outbox.sender, r.outbox.sender)
        for contract, function, *arguments in (
            (policy, "setParams", tuple(PARAMS)),
            (policy, "setHonestWeight", 1),
            (policy, "setDisputeParams", (86_400, 86_400, 1)),
            (policy, "setAttesters", []),
            (policy, "setCampaignRules", founder),
            (policy, "addReceiptSigner", founder),
            (policy, "retireReceiptSigner", founder),
            (policy, "advanceRulesVersion"),
            (policy, "pause"),
            (policy, "unpause"),
            (policy, "setFloor", 1, 1),
            (registry, "addMerchants", [a_merchant]),
            (registry, "setStatus", 1, 3),
            (registry, "bindHub", founder),
            (hub, "withdrawBond", 1, founder),
        ):
            assert r.refused(contract, function, *arguments) == REFUSED, function
        for contract in (hub, policy, registry):
            assert r.refused(contract, "grantRole", bytes(32), founder) == REFUSED
            assert not contract.read("hasRole", bytes(32), founder)
        assert r.refused(hub, "beginWindDown") == "WindDownTooEarly"
        for merchant in MERCHANTS:
            assert r.refused(registry, "setAddresses", merchant, founder, founder) == "NotMerchantAdmin"
            assert r.refused(hub, "requestWithdraw", merchant, 1) == "NotPayoutAdmin"
            assert r.refused(hub, "requestWithdraw", merchant, 1, sender=HOST) == ""
        assert hub.read("hasRole", hub.read("SUBMITTER_ROLE"), SUBMITTER)
        assert r.refused(policy, "pause", sender=GUARDIAN) == ""
        assert r.refused(policy, "unpause", sender=GUARDIAN) == REFUSED


def test_what_the_council_schedules_goes_through_after_its_delay_only(unfounded: Field) -> None:
    with ruled(unfounded) as r:
        policy, chain, fast, slow = r.alliance.policy, r.alliance.chain, r.governance.fast, r.governance.slow
        cap = policy.data("setParams", tuple(PARAMS._replace(gross_cap_slow=PARAMS.gross_cap_slow - UNIT)))
        threshold = policy.data("setHonestWeight", 2)
        ripe = r.schedule(fast, FAST_DELAY_S, policy, cap)
        later = r.schedule(slow, SLOW_DELAY_S, policy, threshold)
        early = slow.data("schedule", policy.address, 0, threshold, NO_WORD, NO_WORD, FAST_DELAY_S)
        assert r.refused(r.council, "execute", *r.signed(slow, early, SIGNERS)) == "TimelockInsufficientDelay"
        chain.advance_time(FAST_DELAY_S - 60)
        assert r.refused(fast, "execute", *ripe) == "TimelockUnexpectedOperationState"
        chain.advance_time(60)
        call(r.outbox, "test:execute-fast", fast, "execute", *ripe, gas=300_000)
        assert policy.read("params")[6] == PARAMS.gross_cap_slow - UNIT
        assert r.refused(slow, "execute", *later) == "TimelockUnexpectedOperationState"
        chain.advance_time(SLOW_DELAY_S - FAST_DELAY_S)
        assert policy.read("quorum") == (3, 5)
        call(r.outbox, "test:execute-slow", slow, "execute", *later, gas=300_000)
        assert policy.read("quorum") == (4, 5)


def test_one_signer_is_no_council(unfounded: Field) -> None:
    with ruled(unfounded) as r:
        registry = r.alliance.registry
        data = registry.data("addMerchants", [(99, HOST, HOST)])
        assert r.refused(r.council, "execute", *r.signed(registry, data, SIGNERS[:1])) == "SignaturesInvalid"
        assert (
            r.refused(r.council, "execute", *r.signed(registry, data, [SIGNERS[0], SENDER.key])) == "SignaturesInvalid"
        )
        assert r.refused(r.council, "execute", *r.signed(registry, data, SIGNERS[:2])) == ""


@pytest.mark.parametrize(
    ("signers", "threshold"),
    [([], 0), (SIGNERS, 1), (SIGNERS, 4), ([SIGNERS[0], SIGNERS[0]], 2), ([SIGNERS[0], SENDER.key], 2)],
)
def test_an_unfit_council_is_refused_before_anything_is_done(
    field: Field, signers: Sequence[bytes], threshold: int
) -> None:
    with field.settlement() as s, s.outbox.leading() as led:
        unfit = Handover(
            signers=[address(key) for key in signers],
            threshold=threshold,
            guardians=[GUARDIAN],
            submitter=SUBMITTER,
            operator=OPERATOR,
            merchants_admin=HOST,
        )
        before = s.alliance.chain.nonce(led.sender)
        with pytest.raises(HandoverUnfit):
            hand_over(s.alliance, led, unfit)
        assert s.alliance.chain.nonce(led.sender) == before
