"""What a founding writes into the file of addresses: a draft before its first transaction and after each one, the whole
file at the end with a record of how it came about.

Invariants: the file is replaced whole or not at all; a draft names chain, genesis block and founding account, and is
only gone on with by the database that began it, so that nobody founds a second alliance in the place of the first; a
draft is no file of addresses for anybody else. Called by `python -m settlement deploy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from proofs.json_form import hex_bytes, hex_text
from proofs.keccak import keccak256
from settlement import second_node
from settlement.alliance import Alliance
from settlement.chain.client import Chain
from settlement.chain.contracts import Name, artifact
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import created, data_of
from settlement.deployment.plan import Recorded
from settlement.deployment.roles import Governance, Holding, governance_of, holdings
from settlement.networks import RECORD, addresses, read_told, replace_told
from settlement.tables import Conn, anchor

SCOPE: Final = "@"
DRAFT: Final = "founding"
FIRST_BATCH: Final = "firstBatch"

_PURPOSES: Final = """
SELECT nonce.purpose, nonce.nonce, tx.tx_hash, tx.block_number, tx.raw
FROM settlement.chain_nonce AS nonce LEFT JOIN settlement.chain_tx AS tx
    ON (tx.chain_id, tx.sender, tx.nonce, tx.status) = (nonce.chain_id, nonce.sender, nonce.nonce, 'MINED')
WHERE nonce.chain_id = %(chain_id)s AND nonce.sender = %(sender)s AND nonce.batch_no IS NULL
ORDER BY nonce.nonce
"""


class OtherFounding(RuntimeError):
    """The file at hand belongs to another alliance, chain, account or database; nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a draft is bound to."""

    chain_id: int
    genesis_hash: bytes
    founder: bytes
    scope: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "chainId": self.chain_id,
            "genesisBlockHash": hex_text(self.genesis_hash),
            "deployer": hex_text(self.founder),
            **({FIRST_BATCH: int(self.scope.removeprefix(SCOPE))} if self.scope else {}),
        }


def scope_of(first_batch: int) -> str:
    """What purposes of a founding end with, so that a second hub's are others than the first one's."""
    return f"{SCOPE}{first_batch}" if first_batch else ""


def _purposes(conn: Conn, *, chain_id: int, sender: bytes, scope: str) -> list[tuple[Any, ...]]:
    """Those of one founding, without its scope."""
    rows = conn.execute(_PURPOSES, {"chain_id": chain_id, "sender": sender}).fetchall()
    ours = (row for row in rows if (row[0].endswith(scope) if scope else SCOPE not in row[0]))
    return [(row[0].removesuffix(scope), *row[1:]) for row in ours]


def recorded(conn: Conn, outbox: Outbox) -> dict[str, Recorded]:
    """Every purpose outside of batches that the outbox has a nonce for."""
    rows = _purposes(conn, chain_id=outbox.chain_id, sender=outbox.sender, scope=outbox.scope)
    return {purpose: Recorded(nonce, mined=block is not None) for purpose, nonce, _, block, _ in rows}


def require_ours(conn: Conn, chain: Chain, outbox: Outbox, path: Path) -> None:
    """Nothing, if the file is not there, or is this database's. Raises `OtherFounding`, `NotAddresses`."""
    if not path.exists():
        return
    told, origin = read_told(path), origin_of(chain, outbox)
    if DRAFT not in told:
        held = anchor(conn)
        if held is None or told.get("hub") != hex_text(held.hub):
            raise OtherFounding(f"{path}: names an alliance that this database did not found; move it away first")
        return
    draft = told[DRAFT]
    for name, value in origin.as_json().items():
        if name == FIRST_BATCH and not draft.get("transactions"):
            continue  # nothing was founded yet, and the hub before took another batch meanwhile
        if draft.get(name) != value:
            raise OtherFounding(f"{path}: {name}: was begun with {draft.get(name)}, not with {value}")
    if draft.get("transactions") and not recorded(conn, outbox):
        raise OtherFounding(f"{path}: was begun from another database; go on there, or move the file away")


def origin_of(chain: Chain, outbox: Outbox) -> Origin:
    genesis = chain.genesis_hash()
    return Origin(chain_id=outbox.chain_id, genesis_hash=genesis, founder=outbox.sender, scope=outbox.scope)


def is_whole(path: Path) -> bool:
    """Whether the file is there and no draft any more."""
    return path.exists() and DRAFT not in read_told(path)


def write_draft(conn: Conn, origin: Origin, path: Path) -> None:
    """How far it is: what has a nonce, what is in a block, and where contracts are."""
    rows = _purposes(conn, chain_id=origin.chain_id, sender=origin.founder, scope=origin.scope)
    told = origin.as_json() | {
        "transactions": {
            purpose: {"nonce": nonce, "block": block} | _where(purpose, origin.founder, nonce)
            for purpose, nonce, _, block, _ in rows
        }
    }
    replace_told(path, {DRAFT: told})


def last_words(conn: Conn, origin: Origin) -> str:
    """The newest transaction, for whoever watches: `12  approve:founding`."""
    rows = conn.execute(_PURPOSES, {"chain_id": origin.chain_id, "sender": origin.founder}).fetchall()
    return f"sent {rows[-1][1]:>5}  {rows[-1][0]}" if rows else "sent"


def _where(purpose: str, founder: bytes, nonce: int) -> dict[str, str]:
    return {"address": hex_text(created(founder, nonce))} if purpose.startswith("deploy:") else {}


def write_record(conn: Conn, alliance: Alliance, outbox: Outbox, path: Path) -> dict[str, Any]:
    """The whole file, as it stays; an existing record of the same alliance is kept."""
    told = second_node.agreed(alliance, "what the file of addresses says", lambda each: addresses(conn, each))
    held = read_told(path) if path.exists() else {}
    told[RECORD] = held.get(RECORD) or record(conn, alliance, outbox)
    replace_told(path, told)
    return told


def record(conn: Conn, alliance: Alliance, outbox: Outbox) -> dict[str, Any]:
    """How the contracts came about and who holds which role now."""
    found = holdings(alliance.chain, _ruled(alliance), first=alliance.anchor.deploy_block)
    governance = governance_of(alliance.chain, found, first=alliance.anchor.deploy_block)
    rows = _purposes(conn, chain_id=outbox.chain_id, sender=outbox.sender, scope=outbox.scope)
    return {
        "deployer": hex_text(alliance.anchor.deployer),
        "contracts": {
            purpose.removeprefix("deploy:"): {
                "transaction": hex_text(bytes(tx_hash)),
                "block": block,
                **_arguments(purpose, bytes(raw)),
            }
            for purpose, _, tx_hash, block, raw in rows
            if purpose.startswith("deploy:") and block is not None
        },
        "params": dict(zip(PARAMS_NAMES, map(str, alliance.policy.read("params")), strict=True)),
        "roles": [line(each) for each in found],
        "governance": None if governance is None else _governance(alliance.chain, governance),
    }


PARAMS_NAMES: Final = (
    "fastWindowSeconds",
    "slowWindowSeconds",
    "sealLagSecondsMax",
    "withdrawDelaySeconds",
    "honestWeight",
    "operatorBondMin",
    "grossCapSlow",
    "grossCapFast",
)


def line(held: Holding) -> str:
    """`SettlementHub SUBMITTER_ROLE 0x…`."""
    return f"{held.contract} {held.role} {hex_text(held.holder)}"


def _ruled(alliance: Alliance) -> Mapping[Name, bytes]:
    ruled = [alliance.hub, alliance.policy, alliance.registry, *([alliance.tiers] if alliance.tiers else [])]
    return {contract.name: contract.address for contract in ruled}


def _governance(chain: Chain, governance: Governance) -> dict[str, Any]:
    places = {"council": governance.council, "slow": governance.slow, "fast": governance.fast}
    return {
        name: {"address": hex_text(address), "codeHash": hex_text(keccak256(chain.code(address)))}
        for name, address in places.items()
    }


def _arguments(purpose: str, raw: bytes) -> dict[str, str]:
    """What stood behind the creation code: the constructor's arguments as they were encoded."""
    name = next((each for each in get_args(Name) if each == purpose.split(":")[1]), None)
    if name is None:  # a verifier, which has none
        return {}
    code, data = hex_bytes(artifact(name)["bytecode"]), data_of(raw)
    return {"constructorArguments": hex_text(data[len(code) :])} if data.startswith(code) else {}
