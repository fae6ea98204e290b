"""What ticks work with, opened for one turn and closed after it: connections, the chain, the keys, a writer's seat.

Invariants: nothing is kept between turns, so a server that was started again, a key that was renewed or a chain on
another port is found by the next one; the ledger's writer is opened only by a turn that has something to post, for two
writers cost each other speed (decision 0140). Called by `turn` and `ticks`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from ledger.answers import Answer
from ledger.commands import Command
from ledger.store import BATCH_COMMANDS_MAX, Store, open_store
from proofs.json_form import hex_bytes
from proofs.tier.decoding import decode
from proofs.tier.grid import PolicyGrid
from settlement import tables
from settlement.alliance import Alliance, NotFounded, attach
from settlement.batches import LaneKeys, Settlement
from settlement.chain import senders
from settlement.chain.client import Chain
from settlement.chain.outbox import Checkpoint, Outbox, unwatched
from settlement.chain.senders import LocalSigner, RemoteSigner, TransactionSigner
from settlement.embedded_chain.process import start
from settlement.founding import Publication
from settlement.mirrors import Mirror
from settlement.networks import require_addresses
from settlement.publish import Recipient
from settlement.sealing.closing import BUCKETS_LEAVES
from settlement.sealing.inspection import UNINSPECTED, Inspector, auditor_for
from settlement.sealing.lanes import Roster, open_keystore
from settlement.sealing.remote_lanes import RemoteLanes, read_roster, read_signers
from settlement.settings import SettlementSettings
from settlement.tables import Conn
from settlement.tiers import registry
from settlement.tiers.clock import EpochClock
from settlement.tiers.epochs import Desk
from settlement.tiers.place import registry_place
from settlement.tiers.trees import Trees
from settlement.vault import Vault

LEAD_WAIT_S = 20.0
SECOND_PART = 5
GRID_BYTES_MAX = 64 * 1024
MS_PER_SECOND = 1_000


class Writer:
    """The ledger's second writer: opened when there is something to post."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._store: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._store is not None:
            self._store.close()

    def post(self, commands: Sequence[Command]) -> list[Answer]:
        """One durable answer for each command, in order."""
        if self._store is None:
            self._store = open_store(self._dsn)
        answers: list[Answer] = []
        for begin in range(0, len(commands), BATCH_COMMANDS_MAX):
            answers += self._store.post(commands[begin : begin + BATCH_COMMANDS_MAX])
        return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """Where everything is. `now_ms` is this moment, `checkpoint` is told where sealing and sending stand.

    Ticks of one beat that fall together take turns; who waits longer than `lead_wait_s` comes again with the next beat.
    """

    settings: SettlementSettings
    dsn: str
    now_ms: Callable[[], int]
    checkpoint: Checkpoint = unwatched
    lead_wait_s: float = LEAD_WAIT_S

    @contextmanager
    def connection(self) -> Iterator[Conn]:
        """A connection in autocommit mode."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            yield conn

    @contextmanager
    def reading(self) -> Iterator[Conn]:
        """A connection whose statements all see the same moment and can change nothing."""
        with self.connection() as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield conn

    def rpc_url(self) -> str:
        """The node's address; an embedded chain that does not run is started."""
        if self.settings.rpc_url is not None:
            return self.settings.rpc_url
        return start(self.settings.var / "chain", fund=[f"0x{self._sender().address.hex()}"]).url

    def chain(self) -> Chain:
        """The node, once the chain behind it bears out the file of addresses. Raises `OtherChain`, `OtherCode`."""
        made = Chain(self.rpc_url(), confirmations=self.settings.confirmations)
        if self.settings.addresses is not None:
            require_addresses(made, self.settings.addresses)
        return made

    def second(self) -> Chain | None:
        """Another node that has to say the same about what is final, if there is one. It gets a part of a turn's time,
        so that one which is slow or silent holds up what is final and nothing else.
        """
        settings, patience_s = self.settings, self.settings.task_seconds_max / SECOND_PART
        if settings.rpc_check_url is None:
            return None
        return Chain(settings.rpc_check_url, confirmations=settings.confirmations, patience_s=patience_s)

    @contextmanager
    def settlement(self, conn: Conn) -> Iterator[Settlement]:
        """The alliance's settlement. Raises `AllianceError`, `senders.KeyRefused`."""
        if tables.anchor(conn) is None:  # before any key or chain is asked for
            raise NotFounded("no contracts are recorded in this database")
        keys, chain = self.settings.keys_folder, self.chain()
        alliance, mirrors = attach(conn, chain, second=self.second()), self.settings.open()
        with ExitStack() as stack:
            yield Settlement(
                conn=conn,
                alliance=alliance,
                outbox=Outbox(conn, chain, self._sender(), checkpoint=self.checkpoint),
                publication=Publication(
                    vault=self.vault(),
                    recipients=read_recipients(keys / "recipients.json"),
                    mirrors=mirrors,
                ),
                lanes=self.lanes(),
                ledger=stack.enter_context(Writer(self.dsn)),
                checkpoint=self.checkpoint,
                inspector=self._inspector(alliance, mirrors),
                padding=BUCKETS_LEAVES if self.settings.padding else (),
            )

    def vault(self) -> Vault:
        """Secrets at rest, under the key in the folder of keys."""
        return Vault(self._secret(self.settings.keys_folder / "vault.key"))

    def trees(self) -> Trees:
        """The trees of epochs, on this machine."""
        return Trees(self.settings.var / "tiers")

    def now_s(self) -> int:
        """This moment in Unix seconds."""
        return self.now_ms() // MS_PER_SECOND

    @contextmanager
    def tiers(self, conn: Conn) -> Iterator[Desk]:
        """What epochs of tiers are sealed with. Raises `AllianceError`, `senders.KeyRefused`."""
        if registry_place(conn) is None:  # before any key or chain is asked for
            raise NotFounded("no TierRegistry is recorded in this database")
        settings, chain = self.settings, self.chain()
        yield Desk(
            conn=conn,
            vault=self.vault(),
            clock=EpochClock(settings.tier_epoch_seconds, settings.tier_epochs_start),
            trees=self.trees(),
            registry=registry.attach(
                conn,
                chain,
                Outbox(conn, chain, self._sender(), checkpoint=self.checkpoint),
                second=self.second(),
            ),
            now=self.now_s(),
            grid=None if settings.tier_grid is None else read_grid(settings.tier_grid),
            production=settings.environment == "production",
            checkpoint=self.checkpoint,
        )

    def _inspector(self, alliance: Alliance, mirrors: Sequence[Mirror]) -> Inspector:
        keys = self.settings.inspector_file
        if keys is None:
            return UNINSPECTED
        return auditor_for(alliance, mirrors, private=self.settings.var / "inspected", keys=keys)

    def lanes(self) -> LaneKeys:
        """Who signs for hosted lanes: a signer elsewhere, or development keys."""
        settings, path = self.settings, self.settings.keys_folder / "lanes.json"
        if settings.lanes_url is None:
            return open_keystore(path, production=settings.environment == "production")
        token = settings.lanes_token_file
        line = None if token is None else senders.kept_line(token)
        elsewhere = {} if settings.lanes_signers is None else read_signers(settings.lanes_signers)
        return RemoteLanes(settings.lanes_url, read_roster(path), token=line, elsewhere=elsewhere)

    def roster(self) -> Roster:
        """Whose lanes there are, for whoever registers them and signs for none: in production the public list."""
        if self.settings.environment == "production" and self.settings.lanes_url is None:
            return read_roster(self.settings.keys_folder / "lanes.json")
        return self.lanes().roster

    def _sender(self) -> TransactionSigner:
        """Who pays and signs, which in production is nobody whose key everybody has, wherever it is kept."""
        signer = self._told_sender()
        if self.settings.environment == "production":
            senders.refuse_test_keys(signer)
        return signer

    def _told_sender(self) -> TransactionSigner:
        """A signer elsewhere, an encrypted keystore, or a development key, as the settings say."""
        settings = self.settings
        if settings.signer_url is not None and settings.signer_address is not None:
            return RemoteSigner(settings.signer_url, hex_bytes(settings.signer_address))
        if settings.signer_password_file is not None:
            return senders.open_keystore(settings.keys_folder / "operator.json", settings.signer_password_file)
        return LocalSigner(self._secret(settings.keys_folder / "operator.key"))

    def _secret(self, path: Path) -> bytes:
        """The 32 bytes of a key file: one line of hex, in production for its owner's eyes only."""
        production = self.settings.environment == "production"
        return bytes.fromhex(senders.kept_line(path) if production else path.read_text("ascii").strip())


def read_recipients(path: Path) -> list[Recipient]:
    """Who may read published batches: a JSON object from key name to X25519 public key in hex."""
    return [Recipient(kid, bytes.fromhex(key)) for kid, key in sorted(json.loads(path.read_text("ascii")).items())]


def read_grid(path: Path) -> PolicyGrid:
    """What partners may ask, as the operator has written it down. Raises `DecodingError`."""
    return PolicyGrid.from_json(decode(path.read_bytes(), path.name, bytes_max=GRID_BYTES_MAX))
