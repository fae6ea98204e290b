"""What an operator can set for the settling processes: environment variables TONGDUI_*, read once by the entry point.

Invariants: frozen after reading; every limit carries its unit in its name; without any of them everything is embedded
under `var`, as the demonstration leaves it there. In production a database has to be named. Called by
`settlement.tasks` only.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, model_validator

from proofs.json_form import hex_bytes
from proofs.tier.circuit_folder import CircuitUnfit, setup_in
from proofs.tier.trusted import Setup
from settlement.cycles import CycleSettings
from settlement.mirrors.settings import MirrorsSettings
from settlement.posting import leads_elsewhere
from settlement.tiers.proving import CIRCUITS, JOB_S_MAX, PROVE_S_MAX

BROKERS = ("amqp://", "amqps://")


class SettlementSettings(MirrorsSettings, CycleSettings):
    """Everything `python -m settlement.tasks` is told from outside, with the mirrors of published batches and the ends
    of cycles.
    """

    database_url: str | None = None
    """A PostgreSQL address; without one an embedded server keeps its data under `var`."""
    broker_url: str | None = None
    """RabbitMQ's address (amqp:// or amqps://); without one the queues live in the database itself."""
    rpc_url: str | None = None
    """An Ethereum node's address; without one an embedded chain runs under `var`."""
    rpc_check_url: str | None = None
    """A second node of the same chain, run by somebody else: nothing is called final before both say the same."""
    confirmations: int | None = Field(default=None, ge=0, le=10_000)
    """How many blocks make one final, on a network whose nodes know no `finalized` block."""
    addresses: Path | None = None
    """The file of addresses (`settlement.networks`) that the chain has to bear out before anything is done on it."""
    keys: Path | None = None
    """The folder of operator.key, vault.key, lanes.json and recipients.json; `keys` under `var` when left out."""
    inspector_keys: Path | None = None
    """The data key of one reader, with which the auditor looks at each batch before it is published;
    `auditor.reader.json` in the folder of keys when left out. Where neither is there, nobody looks.
    """
    uninspected_because: str | None = None
    """Why nobody looks: production asks for an inspector, or for this sentence."""
    lanes_url: str | None = None
    """A signer elsewhere for hosted lanes (`settlement.lane_signer`), instead of the keys in lanes.json: that file is
    then the public list of lanes. Production takes no other.
    """
    lanes_token_file: Path | None = None
    """The token that the signer of lanes asks for, one line."""
    lanes_signers: Path | None = None
    """Merchants whose hosted lanes have signers of their own: a JSON list of {"url", "tokenFile", "merchants"}."""
    signer_url: str | None = None
    """A signer elsewhere for transactions (`eth_signTransaction`), instead of operator.key."""
    signer_address: str | None = None
    """The account that signer signs for, 0x and 40 hex digits."""
    signer_password_file: Path | None = None
    """Opens operator.json, an encrypted keystore, instead of operator.key."""
    attestations: Path | None = None
    """The folder that attesters' files arrive in; `attesters` under `var` when left out."""
    cut_off_minute: int = Field(default=120, ge=0, le=1_439)
    """Minute of the local day at which a settling batch closes the day; 120 is two o'clock."""
    padding: bool = False
    """Whether batches are padded to a few sizes, so that the chain does not show how much was sold."""
    tasks_off: frozenset[str] = frozenset()
    """Names of periodic tasks that are not to run here, as a JSON list (`python -m settlement.tasks status`)."""
    tier_epoch_seconds: int = Field(default=86_400, ge=60, le=366 * 86_400)
    """How long an epoch of tiers takes. Together with the start it numbers epochs, so neither is changed later but to
    make numbers go up.
    """
    tier_epochs_start: int = Field(default=0, ge=0, lt=2**32)
    """The Unix second at which epoch 1 of tiers begins."""
    tier_grid: Path | None = None
    """A JSON file with the grid of what partners may ask; left out, it follows from the ledger's tiers."""
    tier_assisted: bool = False
    """Whether the workers prove for members who ask them to; it takes node, and the folder of a circuit."""
    tier_circuit: Path | None = None
    """The folder of the circuit's keys that assisted proofs are made with; the development keys when left out."""
    workers: int = Field(default=2, ge=1, le=32)
    """Tasks at a time in one worker."""
    task_seconds_max: int = Field(default=600, ge=10, le=1_500)
    """A task that takes longer is ended, and counted as failed. RabbitMQ gives up on a consumer after 30 minutes."""
    redelivery_seconds: int = Field(default=660, ge=1)
    """How long the queue in the database waits for a worker that took a task and says nothing more."""
    attempts_max: int = Field(default=5, ge=1, le=100)
    """A task that fails so often in a row is parked until a person releases it."""

    @property
    def keys_folder(self) -> Path:
        return self.keys or self.var / "keys"

    @property
    def submitter(self) -> bytes | None:
        """The account that commits, as far as it is known without a password."""
        told = self.signer_address
        if told is None and (keystore := self.keys_folder / "operator.json").exists():
            told = json.loads(keystore.read_bytes()).get("address")
        return None if told is None else hex_bytes(told)

    @property
    def inspector_file(self) -> Path | None:
        usual = self.keys_folder / "auditor.reader.json"
        return self.inspector_keys or (usual if usual.exists() else None)

    @property
    def circuit_folder(self) -> Path:
        return self.tier_circuit or CIRCUITS / "dev"

    @property
    def attestations_folder(self) -> Path:
        return self.attestations or self.var / "attesters"

    @model_validator(mode="after")
    def consistent(self) -> SettlementSettings:
        if self.environment == "production" and not self.database_url:
            raise ValueError("TONGDUI_DATABASE_URL: has to name a database when TONGDUI_ENVIRONMENT=production")
        if self.environment == "production" and not (self.inspector_file or self.uninspected_because):
            raise ValueError(
                "TONGDUI_INSPECTOR_KEYS: production has every batch examined before it is published; "
                "or say in TONGDUI_UNINSPECTED_BECAUSE why not"
            )
        if self.rpc_url and self.rpc_check_url and not leads_elsewhere(self.rpc_check_url, self.rpc_url):
            raise ValueError("TONGDUI_RPC_CHECK_URL: has to be another node than TONGDUI_RPC_URL")
        if (self.signer_url is None) != (self.signer_address is None):
            raise ValueError("TONGDUI_SIGNER_URL and TONGDUI_SIGNER_ADDRESS: neither without the other")
        if self.environment == "production" and self.tier_assisted:
            _require_ceremony(self.tier_circuit)
        if self.broker_url is not None and not self.broker_url.startswith(BROKERS):
            raise ValueError("TONGDUI_BROKER_URL: has to begin with amqp:// or amqps://")
        if self.broker_url is None and self.redelivery_seconds <= self.task_seconds_max:
            raise ValueError("TONGDUI_REDELIVERY_SECONDS: has to be more than TONGDUI_TASK_SECONDS_MAX")
        if self.tier_assisted and self.broker_url is None and self.redelivery_seconds + PROVE_S_MAX > JOB_S_MAX:
            raise ValueError(
                f"TONGDUI_REDELIVERY_SECONDS: with TONGDUI_TIER_ASSISTED at most {JOB_S_MAX - PROVE_S_MAX}, or nobody"
                " proves what a dead worker had taken"
            )
        return self


def _require_ceremony(folder: Path | None) -> None:
    """The folder holds keys that production may prove with; nothing is read of it but the manifest."""
    try:
        development = folder is None or setup_in(folder) is Setup.DEV
    except CircuitUnfit as error:
        raise ValueError(f"TONGDUI_TIER_CIRCUIT: {error}") from error
    if development:
        raise ValueError("TONGDUI_TIER_CIRCUIT: production proves with no development keys")
