"""What the tier part of the demonstration stands on, opened once: the alliance, its own door, two partners, a device.

Invariants: the epoch in force has the device's commitment; the door's time is the chain's. Called by `showing` and the
command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.clock import TestClock
from api.demo.settling import Settling
from api.demo.tiers.door import Caller, answering
from api.demo.tiers.onchain import known_of
from api.demo.tiers.partner import Place
from api.demo.tiers.wallet import Device, NotAnswered
from api.settings import Settings
from api.tiers.desk import TierDesk
from ledger import queries
from proofs.tier.request import SignedRequest
from settlement.chain.contracts import Contract
from settlement.tiers.clock import EpochClock
from settlement.tiers.rows import Epoch
from settlement.tiers.trees import Trees

SESSION_SECONDS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The demonstration's alliance in its folder, at its own time."""

    settling: Settling
    dsn: str
    settings: Settings
    clock: TestClock

    @property
    def contract(self) -> Contract:
        """The registry of tiers; whoever asks has seen that there is one."""
        found = self.settling.settlement.alliance.tiers
        assert found is not None, "the alliance was founded without a registry of tiers"
        return found

    @property
    def epochs(self) -> EpochClock:
        return EpochClock(self.settings.tier_epoch_seconds, self.settings.tier_epochs_start)

    @property
    def trees(self) -> Path:
        """The same that workers and the served door use."""
        return self.settings.var / "tiers"

    @property
    def folder(self) -> Path:
        """Where a partner's files are left."""
        return self.settings.var / "partner"

    def now(self) -> int:
        """The alliance's time, which is the chain's."""
        return int(self.clock().timestamp())

    def follow_chain(self) -> None:
        """Let the door's clock be where the chain's is."""
        self.clock.move_to(datetime.fromtimestamp(self.settling.settlement.alliance.chain.now(), UTC))

    @contextmanager
    def operator(self) -> Iterator[Caller]:
        """The operator's program, at a door of this alliance that keeps its time."""
        desk = TierDesk(
            circuits=self.settings.tier_circuits(),
            clock=self.epochs,
            vault=self.settling.keys.vault(),
            trees=Trees(self.trees),
        )
        token = self.settling.keys.operator_token(self.dsn).read_text(encoding="ascii").strip()
        with answering(self.dsn, desk, self.clock) as http:
            yield Caller(http, token)


def ground(settling: Settling, dsn: str, var: Path, real: Callable[[], datetime]) -> Ground:
    """The alliance of a folder, with the clock at the chain's time."""
    made = Ground(settling=settling, dsn=dsn, settings=Settings(var=var), clock=TestClock(real))
    made.follow_chain()
    return made


@dataclass(frozen=True, slots=True)
class Member:
    """A member with its device and a pass; `tiers` are their names, by rank."""

    ground: Ground
    device: Device
    caller: Caller
    tiers: Sequence[str]

    def answer(self, signed: SignedRequest) -> dict[str, Any]:
        """What the device answers after it has looked at everything itself: {"predicate", "cohort", "response", "ms"}.

        Raises `NotAnswered`.
        """
        epoch = signed.request.epoch
        delivered = self.caller.told("GET", f"/v1/me/tier-witness?epoch={epoch}")
        published = Caller(self.caller.http).told("GET", f"/v1/epochs/{epoch}")
        known = known_of(self.ground.contract, signed.request.partner_id, epoch)
        told = {
            "delivered": delivered,
            "grid": published["policy_grid"],
            "cohorts": published["cohorts"],
            "chain": known | {"chain_id": self.ground.settling.settlement.outbox.chain_id},
            "request": signed.to_json(),
            "now": self.ground.now(),
            "tiers": self.tiers,
        }
        answered = self.device.answer(told)
        if "response" not in answered:
            raise NotAnswered(str(answered.get("refused")))
        return answered


def let_in(at: Ground, operator: Caller, device: Device) -> Member:
    """The member's device, with a pass that the operator opened for it."""
    opened = operator.told("POST", f"/v1/members/{device.member}/sessions", {"seconds": SESSION_SECONDS})
    registry = queries.registry(at.settling.settlement.conn)
    tiers = [] if registry.tiers is None else [tier.code for tier in registry.tiers.tiers]
    return Member(at, device, Caller(operator.http, str(opened["token"])), tiers)


def place(at: Ground, epoch: Epoch) -> Place:
    """What requests of this epoch name."""
    signed = epoch.signed
    assert signed is not None, "anchored epochs are signed"
    return Place(
        chain_id=at.settling.settlement.outbox.chain_id,
        registry=at.contract.address,
        epoch=epoch.epoch,
        circuit_id=signed.header.circuit_id,
        now=at.now(),
    )
