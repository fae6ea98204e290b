"""The order of the tier part: tiers and commitments, an epoch on the chain, one member's proof before everybody who may
check it, the second time, and at another partner. What each of them said becomes a line of the report.

Invariants: a step that cannot be made is left out with its reason, and the others go on as far as they do not stand on
it; what must be refused and was not, or the other way round, is a broken line; all of it may be done again. Called by
the demonstration's run and by `python -m api.demo.tiers`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from api.demo.merchants import PARTNERS
from api.demo.progress import Phases
from api.demo.report import Shown, Tiers
from api.demo.tiers import members, onchain, outside
from api.demo.tiers.door import Caller, Unexpected
from api.demo.tiers.epoch import NotSealed, publishing_gas, sealed
from api.demo.tiers.members import Asked
from api.demo.tiers.partner import Partner, Place, registered
from api.demo.tiers.programs import Missing
from api.demo.tiers.scene import Ground, Member, let_in, place
from api.demo.tiers.wallet import Device, NotAnswered, taken_up, wallet
from proofs.tier.cohorts import MEMBERS_MIN
from proofs.tier.policy import Policy, at_least
from proofs.tier.request import SignedRequest
from settlement.chain.outbox import NotMinedYet, TransactionFailed
from settlement.lease import LeaseHeld
from settlement.tasks.leading import leading
from settlement.tasks.ticks import TIERS
from settlement.tasks.works import LEAD_WAIT_S
from settlement.tiers.rows import Epoch

BREAKFAST: Final = "a free breakfast"
VOUCHER: Final = "a voucher, on chain"
ADDRESS_BYTES: Final = 20
REFUSED: Final = "proof-refused"
ON_CHAIN_AGAIN: Final = frozenset({"RequestUsed", "NullifierUsed"})


@dataclass
class Told:
    """The lines so far."""

    lines: list[Shown] = field(default_factory=list)
    again: str = ""

    def seen(self, name: str, said: str, *, held: bool = True) -> None:
        self.lines.append(Shown(name, said, "held" if held else "broken"))

    def left_out(self, name: str, why: str) -> None:
        self.lines.append(Shown(name, why, "left-out"))


@dataclass(frozen=True, slots=True)
class Answered:
    """A request and the proof for it."""

    signed: SignedRequest
    response: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everybody who takes part."""

    at: Ground
    told: Told
    epoch: Epoch
    policy: Policy
    member: Member
    first: Partner
    second: Partner

    def place(self) -> Place:
        return place(self.at, self.epoch)


def show(at: Ground, phases: Phases) -> Tiers:
    """All of it, in order; what was seen."""
    told = Told()
    if at.settling.settlement.alliance.tiers is None:
        told.left_out("everything", "the sources of the circuit are not here, and no registry of tiers was founded")
        return Tiers(told.lines)
    at.folder.mkdir(exist_ok=True)
    try:
        with ExitStack() as stack:
            _shown(at, told, phases, stack)
    except Missing as why:
        told.left_out("proof", str(why))
    except (NotSealed, LeaseHeld) as error:
        told.seen("epoch", str(error), held=False)
    except (NotAnswered, Unexpected, TransactionFailed, NotMinedYet) as error:
        told.seen("proof", str(error), held=False)
    return Tiers(told.lines, told.again)


def _shown(at: Ground, told: Told, phases: Phases, stack: ExitStack) -> None:
    asked = members.asked_of(at.settling.settlement.conn, at.now() * 1_000)
    with phases.phase("device"):
        device = _device(at, told, asked, stack)
    if device is None or asked is None:
        _sealed(at, told, phases, wanted=0)
        return
    operator = stack.enter_context(at.operator())
    mine = let_in(at, operator, device).caller.told("PUT", "/v1/me/tier-commitment", {"commitment": device.commitment})
    epoch = _sealed(at, told, phases, wanted=int(mine["from_epoch"]))
    with phases.phase("proof"):
        scene = Scene(at, told, epoch, Policy(tier_mask=at_least(asked.rank)), *_people(at, operator, device))
        _to_a_partner(scene)
        _to_the_chain(scene)


def _device(at: Ground, told: Told, asked: Asked | None, stack: ExitStack) -> Device | None:
    """The device of a member that may be asked, in a browser where there is one; None where nobody may or can prove."""
    if asked is None:
        told.left_out(
            "proof", f"no tier has {MEMBERS_MIN} members: nobody may be asked, for whoever answers stands out"
        )
        return None
    try:
        found, why = wallet(stack, at.folder / "wallet")
    except Missing as missing:
        told.left_out("proof", str(missing))
        return None
    if why:
        told.left_out("browser", why)
    return taken_up(found, at.settling.keys.folder / "wallet.json", asked.shows)


def _sealed(at: Ground, told: Told, phases: Phases, *, wanted: int) -> Epoch:
    """Everybody else's commitment, and an epoch in which all of them count, `wanted` or a later one; under the periodic
    task's own lease.
    """
    conn = at.settling.settlement.conn
    others = members.waiting(conn)
    with phases.phase("epoch", len(others)) as advance:
        wanted = max(wanted, members.enrol(conn, at.epochs, others, now=at.now(), progress=advance))
        with leading(conn, at.dsn, TIERS, wait_s_max=LEAD_WAIT_S):
            epoch = sealed(at.settling, at.epochs, at.trees, wanted=wanted, moved=at.follow_chain)
    day = f"{datetime.fromtimestamp(epoch.not_before, UTC):%Y-%m-%d}"
    root = "" if epoch.root is None else epoch.root.hex()[:16]
    gas = publishing_gas(at.settling, epoch.epoch)
    told.seen(
        "epoch",
        f"number {epoch.epoch} ({day} by the chain's clock): {epoch.members:,} members in one root 0x{root}…, "
        f"anchored in the TierRegistry for {gas:,} gas",
    )
    return epoch


def _people(at: Ground, operator: Caller, device: Device) -> tuple[Member, Partner, Partner]:
    first, second = (registered(operator, number, at.settling.keys.partner(number)) for number in PARTNERS)
    return let_in(at, operator, device), first, second


def _to_a_partner(scene: Scene) -> None:
    """Over the API, by the partner's own verifier, by snarkjs; the second time, and at another partner."""
    told, first, second = scene.told, scene.first, scene.second
    signed = first.request(scene.place(), scene.policy, BREAKFAST)
    request_id = first.ask(signed)
    answered = scene.member.answer(signed)
    told.seen("asked", f"{first.name}, for {BREAKFAST}: {answered['predicate']}")
    told.seen(
        "proven",
        f"by {scene.member.device.member}, unknown to the partner, one of {answered['cohort']} or more: "
        f"{answered['ms']:,} ms in {scene.member.device.wallet.how}",
    )
    mine = Answered(signed, answered["response"])
    others = second.request(scene.place(), scene.policy, BREAKFAST)
    _by_programs(scene, mine, others)
    _expect(told, "the API", first.show(request_id, mine.response), "accepted")
    _expect(told, "the API again", first.show(request_id, mine.response), REFUSED)
    elsewhere = second.show(second.ask(others), mine.response), second.show(request_id, mine.response)
    told.seen(
        f"{second.name}, API",
        f"its own request: {elsewhere[0]}; {first.name}'s: {elsewhere[1]}",
        held=set(elsewhere) == {REFUSED},
    )


def _by_programs(scene: Scene, mine: Answered, others: SignedRequest) -> None:
    """The verifier that partners install, for this partner and for the other, and snarkjs."""
    folder, told, now = scene.at.folder.resolve(), scene.told, scene.at.now()
    trusted = outside.kept(folder, "trusted.json", Caller(scene.first.caller.http).told("GET", "/v1/verification-key"))
    request = outside.kept(folder, "request.json", mine.signed.to_json())
    response = outside.kept(folder, "response.json", mine.response)
    elsewhere = outside.kept(folder, "other-request.json", others.to_json())
    installed = outside.verifier(folder)
    code, said = outside.by_verifier(installed, request, response, trusted, now=now)
    told.again = _try_again(scene.at.folder, now)
    told.seen("partner's verifier", f"{said} (exit code {code}; proofs and two wheels alone)", held=code == 0)
    assert scene.epoch.signed is not None, "anchored epochs are signed"
    try:
        code, said = outside.by_snarkjs(folder, mine.signed, scene.epoch.signed.header, mine.response)
    except Missing as why:
        told.left_out("snarkjs", str(why))
    else:
        told.seen("snarkjs", f"{said} (exit code {code})", held=code == 0)
    code, said = outside.by_verifier(installed, elsewhere, response, trusted, now=now)
    told.seen(f"{scene.second.name}'s verifier", f"{said} (exit code {code})", held=code == 1)


def _to_the_chain(scene: Scene) -> None:
    """A request with a recipient, taken by the contract; the second time, and for another partner's request."""
    contract, outbox, told = scene.at.contract, scene.at.settling.settlement.outbox, scene.told
    recipient = secrets.token_bytes(ADDRESS_BYTES)
    asked, others = (
        each.request(scene.place(), scene.policy, VOUCHER, recipient) for each in (scene.first, scene.second)
    )
    response = scene.member.answer(asked)["response"]
    at_other = onchain.refusal(contract, others, response)
    gas = onchain.taken(contract, outbox, asked, response)
    again = onchain.refusal(contract, asked, response)
    told.seen("the chain", f"verifyTier: taken, {gas or 0:,} gas", held=gas is not None)
    told.seen("the chain again", f"verifyTier: {again}", held=again in ON_CHAIN_AGAIN)
    told.seen(f"{scene.second.name}, chain", f"verifyTier: {at_other}", held=at_other == "ProofInvalid")


def _expect(told: Told, name: str, said: str, wanted: str) -> None:
    told.seen(name, said, held=said == wanted)


def _try_again(folder: Path, now: int) -> str:
    """The command with which anybody asks the partner's verifier again."""
    words = f"{folder}/request.json {folder}/response.json --trusted {folder}/trusted.json"
    return f".venv/bin/python -m proofs.tier verify {words} --allow-dev --now {now}"
