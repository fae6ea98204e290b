"""What an operator can set for the serving process: environment variables TONGDUI_*, read once by the entry point.

Invariants: frozen after reading; every limit carries its unit in its name; a setting that would open the door wider
than loopback, or let test keys in, has to be made on purpose. Called by the entry points of this room only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from proofs.tier.circuit_folder import CircuitKeys, CircuitUnfit, read_keys
from proofs.tier.trusted import Setup
from settlement.chain.secret_files import secret_line
from settlement.cycles import CycleSettings

DEVELOPMENT_CIRCUIT = Path(__file__).resolve().parent.parent / "proofs" / "circuits" / "dev"
KEY_BYTES = 32
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(CycleSettings):
    """Everything `python -m api.serve` and `python -m api.keys` are told from outside."""

    environment: Literal["development", "production"] | None = None
    """In production test keys are refused and a database of one's own has to be named. Left out: development, on
    loopback alone.
    """
    database_url: str | None = None
    """A PostgreSQL address; without one an embedded server keeps its data under `var`."""
    var: Path = Path("var")
    """Where everything lives that is not in the repository."""
    published: Path | None = None
    """The folder of published batches; `published` under `var` when left out."""
    vault_key_file: Path | None = None
    """A file with the vault's 32 bytes as hex; `keys/vault.key` under `var` when left out and there. Without it
    receipts carry no proofs.
    """
    receipt_key_file: Path | None = None
    """A file with the 32 bytes of the operator's receipt key as hex; `keys/receipt.key` under `var` when left out and
    there. Without it no merchant's own signature is taken in.
    """
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes any free port and says which."""
    public: bool = False
    """Has to be true to listen on anything but loopback: TLS ends in front of this process."""
    tasks: bool = False
    """Whether the periodic tasks run beside the API, in a process that ends with this one: for development."""
    readers_max: int = Field(default=4, ge=1, le=64)
    """Database connections for reading; writes have one of their own."""
    tier_circuit: Path | None = None
    """The folder of the circuit that tier proofs are checked with: circuit.json and verification_key.json. Left out:
    outside production, the development keys of the clone, where they are; in production, none.
    """
    tier_epoch_seconds: int = Field(default=86_400, ge=60, le=366 * 86_400)
    tier_epochs_start: int = Field(default=0, ge=0, lt=2**32)
    """As settlement has them: they number epochs."""
    tier_assisted: bool = False
    """Whether members may have the workers prove for them, which then has to be on there too."""
    broker_url: str | None = None
    """As settlement has it: where messages for workers go; left out, a queue in the database."""

    @property
    def production(self) -> bool:
        """Whether the points are real."""
        return self.environment == "production"

    @property
    def published_folder(self) -> Path:
        return self.published or self.var / "published"

    def vault_key(self) -> bytes | None:
        """The key that opens batch secrets, None when this process has none. Raises ValueError for another file."""
        return self._key(self.vault_key_file, "vault.key", "a vault's key")

    def receipt_key(self) -> bytes | None:
        """The key that signs acceptance receipts, None without one. Raises ValueError for another file."""
        return self._key(self.receipt_key_file, "receipt.key", "a receipt key")

    def _key(self, named: Path | None, usual: str, what: str) -> bytes | None:
        """One line of hex, in production for its owner's eyes only."""
        path = named or self.var / "keys" / usual
        if named is None and not path.exists():
            return None
        line = secret_line(path) if self.production else path.read_text(encoding="ascii").strip()
        try:
            key = bytes.fromhex(line)
        except ValueError as error:
            raise ValueError(f"{path}: not a line of hex") from error
        if len(key) != KEY_BYTES:
            raise ValueError(f"{path}: holds {len(key)} bytes, not the {KEY_BYTES} of {what}")
        return key

    def tier_circuits(self) -> tuple[CircuitKeys, ...]:
        """The circuits whose proofs are taken. Raises `CircuitUnfit`."""
        usual = not self.production and (DEVELOPMENT_CIRCUIT / "circuit.json").exists()
        folder = self.tier_circuit or (DEVELOPMENT_CIRCUIT if usual else None)
        if folder is None:
            return ()
        keys = read_keys(folder)
        if self.production and keys.circuit.setup is Setup.DEV:
            raise CircuitUnfit(f"{folder}: holds a development key, with which anybody can forge proofs")
        return (keys,)

    @model_validator(mode="after")
    def consistent(self) -> Settings:
        if self.public and self.environment is None:
            raise ValueError("TONGDUI_ENVIRONMENT: has to be said when TONGDUI_PUBLIC=true")
        if self.production and not self.database_url:
            raise ValueError("TONGDUI_DATABASE_URL: has to name a database when TONGDUI_ENVIRONMENT=production")
        if self.host not in LOOPBACK and not self.public:
            raise ValueError(f"TONGDUI_HOST={self.host}: is not loopback; set TONGDUI_PUBLIC=true if that is meant")
        return self
