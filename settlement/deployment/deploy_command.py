"""`python -m settlement deploy`: found an alliance on a network, planned first, resumable, verified at the end.

    python -m settlement deploy --config alliance.toml --rpc URL --keystore deployer.json --out addresses.json
    python -m settlement deploy … --yes

Without --yes nothing is sent: the plan says chain, account, nonce, gas, cost, every contract in founding order and the
parameters. Merchants and terms come from the ledger (--dsn), lanes, vault, readers and mirrors from where the periodic
tasks have them (TONGDUI_KEYS, TONGDUI_MIRRORS, …). Interrupted anywhere, the same command goes on. Exit codes: 0
planned, or founded and verified; 1 refused, and why; 2 wrong use; 3 node or database away, or blocks not final yet: run
it again; 4 founded, but the chain does not bear it out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Final

import psycopg

from ledger import queries
from ledger.postgres.asked import add_dsn, asked_dsn
from ledger.postgres.migrated import Behind, require_newest
from proofs.accounts import OPERATOR_ID
from settlement.alliance import Alliance
from settlement.chain.client import Chain
from settlement.chain.outbox import Checkpoint, NotMinedYet, Outbox, unwatched
from settlement.chain.passwords import add_signer, asked_signer
from settlement.chain.senders import refuse_test_keys
from settlement.commands import AWAY, DONE, REFUSED, add_check, add_node, asked_chain, refuse, say, second_url
from settlement.deploy import GenesisDiffers, NoGasMoney, found
from settlement.deployment import record
from settlement.deployment.alliance_file import (
    AllianceFile,
    AllianceFileRefused,
    founding_of,
    read_alliance_file,
    require_production,
)
from settlement.deployment.endings import AWAY_BY, REFUSED_BY
from settlement.deployment.leaving import (
    FINAL_POLL_S,
    StillHeld,
    ending_step,
    first_batch,
    going_on,
    has_left,
    leave,
    old_alliance,
    require_free,
)
from settlement.deployment.looking import look, read_addresses
from settlement.deployment.plan import Step, cost_lines, gas_left, money_of, plan, step_lines
from settlement.deployment.trial import Unfit, require_fit_network
from settlement.deployment.verification import differs, judge, table
from settlement.deployment.verify_command import summary
from settlement.founding import Founding, Publication
from settlement.handover import HandoverUnfit, require_fit
from settlement.lease import LEASE_S, Lease
from settlement.networks import NotAddresses
from settlement.settings import SettlementSettings
from settlement.tables import Conn
from settlement.tasks.leading import leading
from settlement.tasks.ticks import SETTLEMENT
from settlement.tasks.works import Works, read_recipients
from settlement.watch.watcher import FinalityBroken

NOT_BORNE_OUT: Final = 4
SENT: Final = "sent"
NOTED_AT: Final = frozenset({"signed", SENT})
FINAL_S_MAX: Final = 3_600

_REFUSED: Final = (
    *REFUSED_BY,
    AllianceFileRefused,
    Behind,
    FinalityBroken,
    GenesisDiffers,
    HandoverUnfit,
    NoGasMoney,
    NotAddresses,
    StillHeld,
    Unfit,
    record.OtherFounding,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Everything that founding takes, opened."""

    conn: Conn
    chain: Chain
    second: Chain | None
    outbox: Outbox
    founding: Founding
    publication: Publication
    out: Path


def main(
    arguments: Sequence[str] | None = None,
    *,
    checkpoint: Checkpoint = unwatched,
    lease_s: int = LEASE_S,
    carrying: bool = False,
) -> int:
    """Plan, or found; answers the exit code. `checkpoint` is told where sending stands; a process that was killed keeps
    the next one waiting for `lease_s`. `carrying` has the ledger go on at the new hub after the one it is at.
    """
    program = _program(carrying=carrying)
    asked = _parser(carrying=carrying).parse_args(arguments)
    try:
        with _ready(asked, checkpoint, lease_s, carrying=carrying) as ready:
            _require_free(ready)
            steps = _planned(ready)
            _tell(ready, steps)
            if not asked.yes:
                say("nothing was sent; the same command with --yes founds the alliance")
                return DONE
            return _found(ready, steps, final_s_max=asked.final_seconds_max)
    except AWAY_BY as error:
        return refuse(program, AWAY, f"{error}\nnothing is lost: the same command goes on where this one stopped")
    except _REFUSED as error:
        return refuse(program, REFUSED, str(error))


@contextmanager
def _ready(asked: argparse.Namespace, checkpoint: Checkpoint, lease_s: int, *, carrying: bool) -> Iterator[Ready]:
    told, settings = read_alliance_file(asked.config), SettlementSettings()
    chain = asked_chain(asked)
    if (serves := chain.chain_id()) != told.chain_id:
        raise Unfit(f"{asked.config}: chain_id: is {told.chain_id}, but {chain.place} serves chain {serves}")
    second = _second(asked, chain, settings)
    signer = asked_signer(asked)
    if settings.environment == "production":
        refuse_test_keys(signer)
        require_production(told, asked.config)
    dsn = asked_dsn(asked.dsn or settings.database_url)
    require_newest(dsn)
    works = Works(settings=settings, dsn=dsn, now_ms=lambda: 0)
    with psycopg.connect(dsn, autocommit=True) as conn, _alone(conn, dsn, lease_s, carrying=carrying) as lease:
        founding = _founding(conn, works, told, asked.config)
        first = first_batch(conn, asked.out) if carrying else 0
        scope = record.scope_of(first)
        if carrying:
            founding = going_on(conn, chain, founding, first, second=second)
        genesis_hash = chain.genesis_hash()
        origin = record.Origin(chain_id=serves, genesis_hash=genesis_hash, founder=signer.address, scope=scope)
        noting = _noting(conn, origin, asked.out, checkpoint)
        outbox = Outbox(conn, chain, signer, lease_s=lease_s, under=lease, checkpoint=noting, scope=scope)
        publication = Publication(
            vault=works.vault(),
            recipients=read_recipients(settings.keys_folder / "recipients.json"),
            mirrors=settings.open(),
        )
        yield Ready(
            conn=conn,
            chain=chain,
            second=second,
            outbox=outbox,
            founding=founding,
            publication=publication,
            out=asked.out,
        )


def _second(asked: argparse.Namespace, chain: Chain, settings: SettlementSettings) -> Chain | None:
    """The node that has to say the same as the first one, if there is one. Raises `Unfit`."""
    try:
        url = second_url(asked.rpc, asked.check_rpc, settings)
    except ValueError as error:
        raise Unfit(str(error)) from error
    if url is None:
        return None
    second = Chain(url, confirmations=asked.confirmations)
    one, other = ((each.chain_id(), each.genesis_hash()) for each in (chain, second))
    if one != other:
        raise Unfit(f"{second.place} serves another chain than {chain.place}: {other[0]}, block 0 0x{other[1].hex()}")
    return second


def _alone(conn: Conn, dsn: str, lease_s: int, *, carrying: bool) -> AbstractContextManager[Lease | None]:
    """While a ledger goes from hub to hub no task of settlement runs, at either: a turn that began at the old one would
    go on with it. A command that lost this lease (it slept, or the database was away) ends at its next step.
    """
    return leading(conn, dsn, SETTLEMENT, wait_s_max=2 * lease_s, lease_s=lease_s) if carrying else nullcontext()


def _noting(conn: Conn, origin: record.Origin, out: Path, checkpoint: Checkpoint) -> Checkpoint:
    """Keeps the draft current: after each signature, before anything is sent, and after each send, which is told."""

    def noted(point: str) -> None:
        if point in NOTED_AT and not record.is_whole(out):
            record.write_draft(conn, origin, out)
            if point == SENT:
                say(record.last_words(conn, origin))
        checkpoint(point)

    return noted


def _founding(conn: Conn, works: Works, told: AllianceFile, path: Path) -> Founding:
    merchants = [merchant.merchant_id for merchant in queries.merchants(conn)]
    return founding_of(told, path, merchants=merchants, roster=works.roster(), terms=queries.terms(conn))


def _require_known_lanes(founding: Founding) -> None:
    """The registry takes lanes of its merchants alone: another one would be found after the first payments."""
    laned = {lane.merchant_id for lane in founding.roster}
    if strangers := laned - {*founding.merchants, OPERATOR_ID}:
        raise Unfit(f"lanes.json: lists lanes of merchant {min(strangers)}, which the ledger does not have")
    if laneless := set(founding.merchants) - laned:
        say(f"lanes.json: none of merchant {min(laneless)}: what it sells waits until it registers a key of its own")


def _leaves(ready: Ready) -> bool:
    """Whether there is a hub that the ledger has still to leave."""
    return ready.founding.carry is not None and not has_left(ready.conn, ready.founding.first_batch)


def _require_free(ready: Ready) -> None:
    if _leaves(ready):
        require_free(ready.conn, _old(ready), ready.outbox, ready.founding, ready.publication.mirrors)


def _old(ready: Ready) -> Alliance:
    return old_alliance(ready.conn, ready.chain, second=ready.second)


def _leave(ready: Ready, final_s_max: int) -> None:
    if _leaves(ready):
        mirrors = ready.publication.mirrors
        leave(ready.conn, _old(ready), ready.outbox, ready.founding, mirrors, seconds_max=final_s_max)


def _planned(ready: Ready) -> list[Step]:
    """The plan, once everything that would stop it later was looked at. Nothing is sent."""
    record.require_ours(ready.conn, ready.chain, ready.outbox, ready.out)
    _require_known_lanes(ready.founding)
    founder, founding = ready.outbox.sender, ready.founding
    if founding.handover is not None:
        require_fit(founding.handover, founder)
    known = record.recorded(ready.conn, ready.outbox)
    ending = ending_step(_old(ready), ready.outbox) if _leaves(ready) else []
    taken = [each.nonce for each in known.values()] + [each.nonce for each in ending]
    free = max((nonce + 1 for nonce in taken), default=0)
    steps = plan(founding, founder, next_nonce=max(free, ready.chain.nonce(founder)), recorded=known)
    if not known:
        require_fit_network(ready.chain, founding, founder)
    return [*ending, *steps]


def _tell(ready: Ready, steps: Sequence[Step]) -> None:
    """The plan, for the person who has to say yes."""
    chain, founder = ready.chain, ready.outbox.sender
    fees, base = chain.fees(), chain.head().base_fee_wei
    done = sum(step.recorded is not None and step.recorded.mined for step in steps)
    say(f"chain {ready.outbox.chain_id} at {chain.place}, block 0 is 0x{chain.genesis_hash().hex()}")
    say(f"founding account 0x{founder.hex()}, next nonce {chain.nonce(founder)}")
    for name, value in ready.founding.params._asdict().items():
        say(f"  {name} = {value}")
    if (carry := ready.founding.carry) is not None:
        say(f"goes on as batch {carry.first_batch} after header 0x{carry.before.header_hash.hex()}")
        say(f"  of hub 0x{carry.before.hub.hex()}, which takes no batch any more from then on")
    say(_asset_words(ready.founding))
    say(_handover_words(ready.founding))
    for line in step_lines(steps):
        say(line)
    say(f"{len(steps)} transactions, {done} of them in blocks")
    gas, balance = gas_left(steps), chain.balance(founder)
    for line in cost_lines(gas, fees=fees, base_fee_wei=base, balance_wei=balance):
        say(line)


def _asset_words(founding: Founding) -> str:
    money = f"{money_of(founding)} base units of bond and collateral"
    if founding.asset is None:
        return f"asset: a TEST TOKEN that anybody may mint; {money}"
    return f"asset: 0x{founding.asset.hex()}; the founding account pays {money}"


def _handover_words(founding: Founding) -> str:
    to = founding.handover
    if to is None:
        return "rule: the founding account KEEPS EVERY ROLE"
    who = f"0x{to.existing.hex()}" if to.existing is not None else f"{to.threshold} of {len(to.signers)} signers"
    return f"rule: a council ({who}) behind two timelocks; the founding account keeps nothing"


def _found(ready: Ready, steps: Sequence[Step], *, final_s_max: int) -> int:
    """Send what is missing, wait until it is final, write the file, verify."""
    _require_money(ready, steps)
    origin = record.origin_of(ready.chain, ready.outbox)
    if not record.is_whole(ready.out):
        record.write_draft(ready.conn, origin, ready.out)
    _leave(ready, final_s_max)
    alliance = found(ready.conn, ready.chain, ready.outbox, ready.founding, ready.publication, second=ready.second)
    say("everything is in blocks; waiting until they are final")
    _wait_until_final(ready.outbox, final_s_max)
    record.write_record(ready.conn, alliance, ready.outbox, ready.out)
    say(f"{ready.out} written")
    return _verified(alliance, ready.out)


def _require_money(ready: Ready, steps: Sequence[Step]) -> None:
    """Before the first signature: half an alliance is worth nothing."""
    chain, gas = ready.chain, gas_left(steps)
    price = chain.head().base_fee_wei + chain.fees().tip_wei
    balance = chain.balance(ready.outbox.sender)
    if balance < gas * price:
        raise Unfit(f"the founding account has {balance} wei, but {gas * price} wei may be needed; pay in first")


def _wait_until_final(outbox: Outbox, seconds_max: int) -> None:
    """Until every transaction is as deep as the network asks. Raises `NotMinedYet`, `LeaseLost`."""
    open_ones: list[str] = []
    for _ in range(max(1, int(seconds_max / FINAL_POLL_S))):
        outbox.renew()
        outbox.reconcile()
        if not (open_ones := outbox.open_purposes()):
            return
        sleep(FINAL_POLL_S)
    raise NotMinedYet(f"{len(open_ones)} transactions are in blocks that are not final yet")


def _verified(alliance: Alliance, path: Path) -> int:
    told = read_addresses(path)
    code = DONE
    for chain in (alliance.chain, alliance.second):
        if chain is not None:
            lines = judge(told, look(chain, told))
            sys.stdout.write(f"by {chain.place}:\n{table(lines)}{summary(lines)}")
            code = NOT_BORNE_OUT if differs(lines) else code
    return code


def _program(*, carrying: bool) -> str:
    return f"settlement {'carry-over' if carrying else 'deploy'}"


def _parser(*, carrying: bool) -> argparse.ArgumentParser:
    about = "Found another hub at which the ledger goes on" if carrying else "Found an alliance on a network"
    parser = argparse.ArgumentParser(
        prog=f"python -m {_program(carrying=carrying)}",
        description=f"{about}; without --yes only the plan is shown.",
        epilog="Exit codes: 0 planned, or founded and verified; 1 refused; 2 wrong use; 3 node or database away, or "
        "not final yet: run it again; 4 founded, but the chain does not bear it out.",
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="the alliance's file, TOML or JSON")
    add_node(parser)
    add_check(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="where the file of addresses goes")
    parser.add_argument("--final-seconds-max", type=int, default=FINAL_S_MAX, help="how long to wait for that")
    parser.add_argument("--yes", action="store_true", help="send the transactions")
    add_signer(parser)
    add_dsn(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
