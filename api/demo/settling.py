"""The chain's half of the demonstration: contracts and lanes, sealing, attesting, committing, the challenge window,
finalising.

Invariants: each step asks the chain and the database what is already done and does the rest, so that it may be
interrupted anywhere; the window passes only in the embedded chain's time; attesters are asked as separate processes and
believed only through their signatures. Who may call: the demo's run and tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from coincurve import PrivateKey

from api.demo import keys
from api.demo.auditing import Attester as AttesterProcess
from api.demo.auditing import Outside, attest
from api.demo.merchants import COLLATERAL_AU, PARTNERS
from api.keys import issue
from ledger import queries
from ledger.poster import Poster
from proofs.accounts import OPERATOR_ID
from proofs.kinds import BASE_UNITS_PER_AU
from proofs.signature import address_of
from settlement.alliance import AUDITOR, MERCHANT_WATCHER, Attester
from settlement.attestations import take_attestations
from settlement.batches import Settlement, seal_next
from settlement.chain.client import Chain
from settlement.chain.outbox import LocalSigner, Outbox
from settlement.deploy import found
from settlement.founding import Founding, Publication
from settlement.mirrors.folder import FolderMirror
from settlement.networks import write_addresses
from settlement.publish import Recipient
from settlement.sealing.inspection import auditor_for
from settlement.sealing.lanes import Keystore, create_keystore
from settlement.steps import TERMINAL, State
from settlement.submitter import Standing, drive
from settlement.tiers import signing_keys
from settlement.tiers.founding import DEVELOPMENT, TierFounding, read_circuit
from settlement.vault import Vault

LEAVES_PER_BATCH = 8_192
ATTESTERS = {"first-auditor": (AUDITOR, 2), "second-auditor": (AUDITOR, 1), "merchants-watch": (MERCHANT_WATCHER, 2)}
"""Role and weight: five together, so that three make a quorum."""
AUDITOR_KID = "auditor"
MIRRORS = ("published", "mirror")
INSPECTED = "inspected"
"""Where batches stand while the auditor looks at them, before anybody else may."""

Connection = psycopg.Connection[Any]
_NEWEST_MS = "SELECT max(at_ms) FROM ledger.journal WHERE shard = 0"


class Stuck(Exception):
    """A batch waits for something that the demonstration cannot bring about; the message says what."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key of the demonstration, by file; made on first use."""

    folder: Path

    def operator(self) -> LocalSigner:
        """Who deploys, submits and pays for gas."""
        return LocalSigner(keys.signer(self.folder / "operator.key").secret)

    def vault(self) -> Vault:
        """What wraps the members' secrets."""
        return Vault(keys.signer(self.folder / "vault.key").secret)

    def lanes(self, merchants: Iterable[int]) -> Keystore:
        """The hosted signing lanes of all merchants and the operator."""
        return create_keystore(self.folder / "lanes.json", sorted(merchants))

    def attesters(self) -> list[Attester]:
        """Those whose signatures shorten the window."""
        return [Attester(self._address(name), role, weight) for name, (role, weight) in ATTESTERS.items()]

    def recipients(self) -> list[Recipient]:
        """Everybody who may read the published files."""
        return [Recipient(kid, keys.reader(self.reader(kid), kid)) for kid in (AUDITOR_KID, *ATTESTERS)]

    def keep_recipients(self) -> None:
        """Write them down for the periodic tasks, which hold no reader's key."""
        said = {recipient.kid: recipient.public_key.hex() for recipient in self.recipients()}
        keys.keep(self.folder / "recipients.json", json.dumps(said) + "\n")

    def reader(self, kid: str) -> Path:
        """The data key of one recipient."""
        return self.folder / f"{kid}.reader.json"

    def api_token(self, dsn: str) -> Path:
        """A file with a bearer key of the first merchant for the served API, issued on first use."""
        path = self.folder / "api.token"
        if not path.exists():
            with psycopg.connect(dsn) as conn:
                keys.keep(path, issue(conn, merchant_id=1, environment="test") + "\n")
        return path

    def operator_token(self, dsn: str) -> Path:
        """A file with a bearer key of the operator for the API, issued on first use."""
        path = self.folder / "operator.token"
        if not path.exists():
            with psycopg.connect(dsn) as conn:
                keys.keep(path, issue(conn, merchant_id=OPERATOR_ID, environment="test") + "\n")
        return path

    def partner(self, number: int) -> PrivateKey:
        """The key with which a partner signs its requests for tier proofs."""
        return keys.signer(self.folder / f"partner-{number}.key")

    def processes(self, answers: Path) -> list[AttesterProcess]:
        """What each attester's own process is given."""
        return [
            AttesterProcess(self.reader(name), self._of(name), answers / f"{name}.signed", answers / f"{name}.json")
            for name in ATTESTERS
        ]

    def _address(self, name: str) -> bytes:
        return address_of(keys.signer(self._of(name)).public_key)

    def _of(self, name: str) -> Path:
        return self.folder / f"{name}.key"


@dataclass(frozen=True, slots=True)
class Settling:
    """The settlement and what surrounds it: the keys, the folder of the attesters' files, and that of one mirror."""

    settlement: Settlement
    keys: Keys
    answers: Path
    published: Path

    @property
    def outside(self) -> Outside:
        """What an auditor is told."""
        alliance = self.settlement.alliance
        return Outside(alliance.chain.url, f"0x{alliance.anchor.hub.hex()}", self.published)


def found_settlement(conn: Connection, poster: Poster, chain: Chain, own: Keys, var: Path) -> Settling:
    """Contracts, registry, lanes, terms and collateral for every merchant in the ledger, as far as they are missing."""
    merchants = [merchant.merchant_id for merchant in queries.merchants(conn)]
    lanes, outbox = own.lanes(merchants), Outbox(conn, chain, own.operator())
    founding = Founding(
        merchants=merchants,
        roster=lanes.roster,
        terms=queries.terms(conn),
        attesters=own.attesters(),
        collateral=dict.fromkeys(merchants, COLLATERAL_AU * BASE_UNITS_PER_AU),
    )
    publication = Publication(
        vault=own.vault(), recipients=own.recipients(), mirrors=[FolderMirror(var / name) for name in MIRRORS]
    )
    own.keep_recipients()
    founding = replace(founding, tiers=_tiers(conn, publication.vault, own, now=chain.now()))
    alliance = found(conn, chain, outbox, founding, publication)
    write_addresses(conn, alliance, var / "addresses.json")
    settlement = Settlement(
        conn=conn,
        alliance=alliance,
        outbox=outbox,
        publication=publication,
        lanes=lanes,
        ledger=poster,
        inspector=auditor_for(alliance, publication.mirrors, private=var / INSPECTED, keys=own.reader(AUDITOR_KID)),
    )
    return Settling(settlement, own, var / "attesters", var / MIRRORS[0])


def _tiers(conn: Connection, vault: Vault, own: Keys, *, now: int) -> TierFounding | None:
    """A registry of tiers over the development keys, with which anybody can forge, and the partners that may ask; only
    where the sources are.
    """
    if not DEVELOPMENT.is_dir():
        return None
    epoch_key = signing_keys.newest(conn) or signing_keys.make(conn, vault, now=now)
    partners = {number: address_of(own.partner(number).public_key) for number in PARTNERS}
    return TierFounding(epoch_key=epoch_key, circuit=read_circuit(DEVELOPMENT), partners=partners)


def seal(settling: Settling, charge_fees: Callable[[], None]) -> None:
    """What the journal holds becomes log batches, then the fees are charged and a settling batch closes the cycle.

    Batches left over from an interrupted run come first, for what they settle must not be settled twice.
    """
    _pass_on(settling)
    _catch_up(settling)
    while seal_next(settling.settlement, leaves_max=LEAVES_PER_BATCH):
        pass
    if any(position.total for position in queries.positions(settling.settlement.conn).values()):
        charge_fees()
        seal_next(settling.settlement, settling=True)


def _catch_up(settling: Settling) -> None:
    """The chain's time follows the journal's, which somebody who moved the test clock has put ahead of it: what a leaf
    dates later than its batch cannot be sealed. Only where no batch is on its way, so that none grows old by it.
    """
    (newest_ms,) = settling.settlement.conn.execute(_NEWEST_MS).fetchone() or (None,)
    chain = settling.settlement.alliance.chain
    chain.advance_time(max(0, (newest_ms or 0) // 1_000 - chain.now()))


def attest_all(settling: Settling) -> None:
    """The attesters verify what is published, each in its own process, and their signatures are taken in.

    Nobody is asked where no published batch waits for a signature. A batch that an interruption made too old after it
    was signed is sealed anew when its header has lapsed, to which the chain's clock is moved; then they sign it again.
    """
    for answer in sorted(settling.answers.glob("*.json")):
        take_attestations(settling.settlement, answer)
    late = [standing.until or 0 for standing in _unfinished(settling) if standing.alarm == "batch-late"]
    if late:
        chain = settling.settlement.alliance.chain
        chain.advance_time(max(0, max(late) - chain.now()))
        _unfinished(settling)
    if not any(standing.state is State.PUBLISHED for standing in _unfinished(settling)):
        return
    settling.answers.mkdir(parents=True, exist_ok=True)
    for answer in attest(settling.outside, settling.keys.processes(settling.answers)):
        take_attestations(settling.settlement, answer)


def commit(settling: Settling) -> None:
    """Headers, nets and signatures go to the chain."""
    _unfinished(settling)


def finalise(settling: Settling) -> None:
    """The challenge window passes and the collateral moves. Raises Stuck when a batch waits for anything but time."""
    chain = settling.settlement.alliance.chain
    before: list[Standing] = []
    while waiting := _unfinished(settling):
        if waiting == before:
            raise Stuck("; ".join(map(_said, waiting)))
        over = max((standing.until or 0 for standing in waiting), default=0)
        chain.advance_time(max(0, over - chain.now()))
        before = waiting


def _pass_on(settling: Settling) -> None:
    """Everything that was sealed before to its end, whatever state an interruption left it in."""
    attest_all(settling)
    finalise(settling)


def _unfinished(settling: Settling) -> list[Standing]:
    """Every batch as far as it goes now; those that have further to go. Raises Stuck when one has failed."""
    standings = drive(settling.settlement)
    failed = [standing for standing in standings if standing.state in TERMINAL - {State.FINALISED}]
    if failed:
        raise Stuck("; ".join(map(_said, failed)))
    return [standing for standing in standings if standing.state not in {State.FINALISED, State.OPEN}]


def _said(standing: Standing) -> str:
    return f"batch {standing.batch_no}: {standing.reason}"
