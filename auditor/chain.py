"""What the chain says, as data: every header committed, its nets, its attesters, the rules of the moment, the money.

Made by `reading` from one or more nodes; headers out of order or hashes that do not fit are kept as they are, for
`headers` and `attestations` to find. Nothing here asks or judges. Source: protocol §4.2, §4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from auditor.forced import Queue
from auditor.money import Holdings, Money
from auditor.registry import Registry
from proofs.headers import Predecessor
from proofs.messages import BatchHeader


class Params(NamedTuple):
    """The hub's parameters, in the order of its struct; seconds, weights and base units as their names say."""

    fast_window_seconds: int
    slow_window_seconds: int
    seal_lag_seconds_max: int
    withdraw_delay_seconds: int
    honest_weight: int
    operator_bond_min: int
    gross_cap_slow: int
    gross_cap_fast: int


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration's hash at one commit: the current one, and the one before until `previous_until` (Unix
    seconds). `previous` is None while it is the one that genesis carries.
    """

    current: bytes
    previous: bytes | None
    previous_until: int


@dataclass(frozen=True, slots=True)
class Governance:
    """The rules in force at one commit; `attesters` are address → (role, weight), `admins` those of all merchants."""

    params: Params
    attesters: dict[bytes, tuple[int, int]]
    admins: frozenset[bytes]
    config: Config | None = None


@dataclass(slots=True)
class OnChain:
    """Where and how a header was committed. `signatures` is None when they cannot be read from the transaction."""

    place: str
    stored_hash: bytes
    block_time: int
    final_after: int
    weight: int
    attesters: tuple[bytes, ...]
    signatures: tuple[tuple[bytes, bytes], ...] | None
    governance: Governance
    final: bool = False
    settled: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Commit:
    """One header, with the hash it was announced under. `on_chain` is None while it is only sealed (attester mode)."""

    header: BatchHeader
    header_hash: bytes
    nets: list[tuple[int, int]] | None = None
    on_chain: OnChain | None = None

    @property
    def opens(self) -> bool:
        """Whether it is a hub's first header: no other is without a leaf."""
        return self.header.leaf_count == 0


@dataclass(slots=True)
class Chain:
    """All that was read at one block. `commits` are in log order, as announced."""

    chain_id: int
    hub: bytes
    registry_address: bytes
    code_hash: bytes
    block_no: int
    block_hash: bytes
    registry: Registry
    commits: list[Commit]
    block_time: int = 0
    receipt_signers: dict[bytes, int] = field(default_factory=dict)
    """Until when each key may sign receipts, in Unix seconds."""
    reverted: frozenset[bytes] = frozenset()
    """Hashes of headers that the hub threw out: another one may stand under their number."""
    contracts: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Address and hash of the code, by name: all contracts that the hub works with, for ever."""
    roles: tuple[str, ...] = ()
    """Who may do what, each as one line: contract, role, account."""
    money: Money | None = None
    holdings: Holdings | None = None
    queue: Queue | None = None
    winds_down_since: int = 0
    """Unix seconds; 0 while it does not."""
    carried: Predecessor | None = None
    """The last header of the hub that this one goes on after; None for one that began with nothing."""
    before: Chain | None = None
    """That hub, where it was read too."""
    rivals: Sequence[bytes] = ()
    """Other contracts of the same chain that say they go on after the same header."""

    @property
    def hubs(self) -> list[Chain]:
        """Every hub of this ledger that was read, the oldest first."""
        return [*([] if self.before is None else self.before.hubs), self]
