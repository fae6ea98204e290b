"""What makes a network ours: the file of addresses that deployment leaves, the check of everything in it, and keys.

    python -m settlement.networks write --dsn postgresql://... --rpc http://... [--confirmations 12] addresses.json
    python -m settlement.networks check --rpc http://... [--confirmations 12] addresses.json
    python -m settlement.networks new-key --password-file FILE operator.json

Invariants: the file is made from the database and the chain, both, and says chain, genesis block, every contract with
the hash of its code, the block before which there is nothing, and the genesis header; its fields are the auditor's
anchor (docs/auditor.md), roles in the auditor's words among them, so it is given to auditors as it is. What the chain
does not bear out is an error, never a warning. A key that is made here is written encrypted and never shown. Exit: 0 as
it should be, 1 not. See docs/networks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from proofs.json_form import hex_bytes, hex_text, to_json
from proofs.keccak import keccak256
from settlement import tables
from settlement.alliance import Alliance, AllianceError, OtherChain, OtherCode, attach
from settlement.carrying import predecessor
from settlement.chain.client import Chain, ChainError
from settlement.chain.contracts import Name
from settlement.chain.senders import KeyRefused, kept_line, open_keystore, write_keystore
from settlement.commands import add_node, asked_chain
from settlement.deployment.roles import holdings
from settlement.tables import Conn

ADDRESSES_BYTES_MAX = 64 * 1024
PASSWORD_CHARS_MIN = 16
KEY_BYTES = 32
PARTNERS: Mapping[str, Name] = {
    "registry": "MerchantRegistry",
    "policy": "AlliancePolicy",
    "fund": "GuaranteeFund",
    "queue": "ForcedQueue",
}
"""The hub's partners: an auditor's name of each, and its contract's."""
SEATED: Mapping[str, Name] = {"hub": "SettlementHub", "policy": "AlliancePolicy", "registry": "MerchantRegistry"}
"""The contracts with roles that an auditor reads, by its names for them."""
MOVES = ("tiers", "roles")
"""What may change in a file that is there: a registry of tiers or a verifier comes, a role moves."""
RECORD = "deployment"
"""What `settlement.deployment.record` adds: how the contracts came about, and who ruled them then."""


class NotAddresses(ValueError):
    """The file is none of ours, or was changed by hand into something else."""


def addresses(conn: Conn, alliance: Alliance) -> dict[str, Any]:
    """Everything that names this alliance on its chain, ready for JSON."""
    anchor = alliance.anchor
    zero = tables.batch(conn, anchor.first_batch)
    assert zero is not None, "founding stores a hub's first batch"
    contracts = {name: _contract(alliance, address) for name, address in _places(alliance).items()}
    return {
        "chainId": anchor.chain_id,
        "hub": hex_text(anchor.hub),
        "codeHash": hex_text(anchor.code_hash),
        "deployBlock": anchor.deploy_block,
        "genesisHeaderHash": hex_text(zero.header_hash),
        "genesisBlockHash": hex_text(anchor.genesis_hash),
        "genesisHeader": to_json(zero.done.header),
        "contracts": contracts,
        "roles": _roles(alliance),
        **_tiers(alliance),
        **_carried(conn, alliance),
    }


def _roles(alliance: Alliance) -> list[str]:
    """Who may do what now, as the auditor's anchor has it: `hub SUBMITTER 0x…`, sorted."""
    ruled = {each.name: each.address for each in (alliance.hub, alliance.policy, alliance.registry)}
    found = holdings(alliance.chain, ruled, first=alliance.anchor.deploy_block)
    names: dict[str, str] = {contract: name for name, contract in SEATED.items()}
    return sorted(f"{names[held.contract]} {held.role.removesuffix('_ROLE')} {hex_text(held.holder)}" for held in found)


def _carried(conn: Conn, alliance: Alliance) -> dict[str, Any]:
    """The hub before and its last header, where the ledger did not begin here."""
    old, before = predecessor(conn, alliance.anchor), alliance.anchor.first_batch - 1
    if old is None or (anchor := tables.anchor(conn, batch_no=before)) is None:
        return {}
    names = {"chainId": old.chain_id, "hub": hex_text(old.hub), "headerHash": hex_text(old.header_hash)}
    return {"carried": {**names, "deployBlock": anchor.deploy_block}}


def _places(alliance: Alliance) -> dict[str, bytes]:
    """The hub's partners, the settlement asset included, by the names that the auditor's anchor has for them."""
    ours: dict[str, bytes] = {contract.name: contract.address for contract in alliance.contracts}
    return {**{name: ours[contract] for name, contract in PARTNERS.items()}, "asset": alliance.token.address}


def _tiers(alliance: Alliance) -> dict[str, Any]:
    """The registry of tiers and the verifiers it has ever had, by the hash of their keys."""
    registry = alliance.tiers
    if registry is None:
        return {}
    verifiers = {}
    for event in registry.events("CircuitRegistered", first=alliance.anchor.deploy_block, last="finalized"):
        told = event.fields
        verifiers[hex_text(told["vkHash"])] = _contract(alliance, hex_bytes(told["verifier"])) | {
            "setup": told["setup"]
        }
    return {"tiers": {"registry": _contract(alliance, registry.address), "verifiers": verifiers}}


def _contract(alliance: Alliance, address: bytes) -> dict[str, Any]:
    return {"address": hex_text(address), "codeHash": hex_text(keccak256(alliance.chain.code(address)))}


def write_addresses(conn: Conn, alliance: Alliance, path: Path) -> None:
    """Put the file in place, whole; an existing one is only replaced by itself, with the roles of now and perhaps
    more about tiers.
    """
    told = addresses(conn, alliance)
    if path.exists():
        held = read_told(path)
        if not _goes_on(held, told):
            raise NotAddresses(f"{path}: names another alliance; move it away first")
        told |= {name: held[name] for name in (RECORD,) if name in held}
    replace_told(path, told)


def replace_told(path: Path, told: dict[str, Any]) -> None:
    """Put the file in place, whole: a crash leaves the old one or the new one."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("w", encoding="ascii") as stream:
        stream.write(json.dumps(told, indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)


def _goes_on(held: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether the file that is there says the same, but for roles, and a registry of tiers or a verifier that came
    later.
    """
    before, after = held.get("tiers", {}), told.get("tiers", {})
    same = held | dict.fromkeys((*MOVES, RECORD)) == told | dict.fromkeys((*MOVES, RECORD))
    kept = before.get("verifiers", {}).items() <= after.get("verifiers", {}).items()
    return same and kept and before.get("registry", after.get("registry")) == after.get("registry")


def require_addresses(chain: Chain, path: Path) -> dict[str, Any]:
    """What the file says, once the chain has borne it out. Raises `OtherChain`, `OtherCode`, `NotAddresses`."""
    told = read_told(path)
    try:
        chain_id, genesis = told["chainId"], told["genesisBlockHash"]
        contracts = {name: (hex_bytes(each["address"]), each["codeHash"]) for name, each in told["contracts"].items()}
        contracts["hub"] = (hex_bytes(told["hub"]), told["codeHash"])
        contracts |= _told_tiers(told.get("tiers")) | _told_governance(told.get(RECORD))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotAddresses(f"{path}: not a file of addresses: {error!r}") from error
    if (chain.chain_id(), hex_text(chain.genesis_hash())) != (chain_id, genesis):
        raise OtherChain(f"{chain.place} serves chain {chain.chain_id()}, {path} is for {chain_id}")
    for name, (address, code_hash) in contracts.items():
        if hex_text(keccak256(chain.code(address))) != code_hash:
            raise OtherCode(f"0x{address.hex()} does not hold the {name} that {path} names")
    return told


def _told_tiers(tiers: dict[str, Any] | None) -> dict[str, tuple[bytes, str]]:
    """What the file says of tiers, ready to be checked like the other contracts."""
    if tiers is None:
        return {}
    named = {"registry of tiers": tiers["registry"]}
    named |= {f"verifier of {vk_hash}": each for vk_hash, each in tiers["verifiers"].items()}
    return {name: (hex_bytes(each["address"]), each["codeHash"]) for name, each in named.items()}


def _told_governance(record: dict[str, Any] | None) -> dict[str, tuple[bytes, str]]:
    """What the file says of the council and its timelocks."""
    governance = (record or {}).get("governance") or {}
    return {name: (hex_bytes(each["address"]), each["codeHash"]) for name, each in governance.items()}


def read_told(path: Path) -> dict[str, Any]:
    """The file as it is, a JSON object. Raises `NotAddresses`, OSError."""
    if path.stat().st_size > ADDRESSES_BYTES_MAX:
        raise NotAddresses(f"{path}: larger than a file of addresses")
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise NotAddresses(f"{path}: not JSON") from error
    if not isinstance(told, dict):
        raise NotAddresses(f"{path}: not a file of addresses")
    return told


def new_key(path: Path, password_file: Path) -> bytes:
    """Make a sender's key, encrypted from its first byte on disk; its address. Raises `KeyRefused`."""
    password = kept_line(password_file)
    if len(password) < PASSWORD_CHARS_MIN:
        raise KeyRefused(f"{password_file}: a password of fewer than {PASSWORD_CHARS_MIN} characters")
    write_keystore(path, secrets.token_bytes(KEY_BYTES), password)
    return open_keystore(path, password_file).address


def main(arguments: Sequence[str] | None = None) -> int:
    """One of the three commands."""
    asked = _parser().parse_args(arguments)
    try:
        sys.stdout.write(_done(asked) + "\n")
    except (
        AllianceError,
        ChainError,
        NotAddresses,
        KeyRefused,
        NoDatabase,
        psycopg.OperationalError,
        OSError,
    ) as error:
        sys.stderr.write(f"settlement.networks: {error}\n")
        return 1
    return 0


def _done(asked: argparse.Namespace) -> str:
    if asked.command == "new-key":
        return hex_text(new_key(asked.file, asked.password_file))
    chain = asked_chain(asked)
    if asked.command == "check":
        told = require_addresses(chain, asked.file)
        return f"chain {told['chainId']} holds every contract of {asked.file}"
    with psycopg.connect(asked_dsn(asked.dsn), autocommit=True) as conn:
        write_addresses(conn, attach(conn, chain), asked.file)
    return f"{asked.file} written"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m settlement.networks",
        description="Addresses and keys.",
        epilog="Exit codes: 0 as it should be; 1 not, and why; 2 wrong use.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, tells in (("write", "the addresses of this database's alliance"), ("check", "whether they hold")):
        command = commands.add_parser(name, help=tells, description=tells)
        add_node(command)
        command.add_argument("file", type=Path, help="the file of addresses")
        if name == "write":
            add_dsn(command)
    says = "make an encrypted key and print its address"
    key = commands.add_parser("new-key", help=says, description=says)
    key.add_argument(
        "--password-file",
        type=Path,
        required=True,
        help=f"a file that only you may read, with a password of {PASSWORD_CHARS_MIN} characters or more",
    )
    key.add_argument("file", type=Path, help="where the V3 keystore goes; one that is there is never overwritten")
    return parser


if __name__ == "__main__":
    sys.exit(main())
