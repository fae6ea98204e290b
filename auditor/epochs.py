"""Epochs of tiers: what the operator published of them, held against the registry on the chain.

The chain says which headers were published, under which key, in which order, and what was taken back; the operator's
files say what stands in them. Everything is believed only where both agree: each header hashes to what the contract
holds, follows the one before, was signed by the key that was in force, names a circuit that is registered, and nothing
is on one side only. Whether a root tells the truth about members' tiers nobody can see from outside. Called by the
command line. Source: docs/contracts.md, contracts/interfaces/ITierRegistry.sol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from auditor.findings import shown
from auditor.logs import LogError, Value, parse
from auditor.questions import block, call_words, logs, number
from auditor.rpc import Nodes, RpcError
from proofs.json_form import hex_bytes, hex_text
from proofs.keccak import keccak256
from proofs.tier.cohorts import Cohorts
from proofs.tier.decoding import DecodingError, decode
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.statement import alliance_id
from proofs.words import uint_word

FILE_BYTES_MAX: Final = 2**26
NO_HASH: Final = bytes(32)
SETUPS: Final = ("development", "ceremony")
"""By the contract's numbers."""

_HEADER = EpochHeader.TYPE.removeprefix("TierEpoch")
EVENTS: Final = {
    event.topic: event
    for event in map(
        parse,
        (
            f"EpochPublished(uint32 indexed epoch,bytes32 indexed headerHash,address signer,{_HEADER} header)",
            "EpochWithdrawn(uint32 indexed epoch,address indexed by)",
            "EpochKeySet(address key)",
            (
                "CircuitRegistered(uint32 indexed circuitNo,bytes32 indexed circuitId,bytes32 vkHash,"
                "address verifier,uint8 setup)"
            ),
            "CircuitWithdrawn(uint32 indexed circuitNo,address indexed by)",
        ),
    )
}
"""The registry's events that tell the life of epochs."""


class Problem(NamedTuple):
    """Something that is not as it was published; `epoch` 0 is the registry itself."""

    code: str
    epoch: int
    expected: str
    actual: str


@dataclass(slots=True)
class Anchored:
    """One epoch as the chain tells it: the header in its event, and what the contract holds now."""

    header: EpochHeader
    header_hash: bytes
    signer: bytes
    key: bytes
    """Which address was to sign when it was published."""
    stored: tuple[int, ...] = ()
    """The contract's record: root, header's hash, notBefore, notAfter, number of the circuit, revoked."""
    withdrawn: bool = False


@dataclass(slots=True)
class Circuit:
    """One circuit as the chain tells it."""

    circuit_id: bytes
    vk_hash: bytes
    setup: str
    retired: bool = False


@dataclass(slots=True)
class Registry:
    """All that was read at one block."""

    chain_id: int
    address: bytes
    code_hash: bytes
    block_no: int
    block_hash: bytes
    key: bytes = b""
    epochs: list[Anchored] = field(default_factory=list)
    circuits: dict[int, Circuit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """An epoch as the operator tells it; the papers are None where they were not told."""

    signed: SignedHeader
    cohorts: dict[str, Any] | None = None
    grid: dict[str, Any] | None = None


def load(path: Path) -> list[Published]:
    """The epochs in a file: a list of signed headers, a trusted.json, or what the API answers. Raises ValueError."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise ValueError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    told = decode(path.read_bytes(), str(path), bytes_max=FILE_BYTES_MAX)
    items = told.get("epochs") if isinstance(told, dict) else told
    if not isinstance(items, list):
        raise ValueError(f"{path}: holds no epochs")  # noqa: TRY004 - the file is at fault, not the caller
    return [_published(item, f"{path.name}[{place}]") for place, item in enumerate(items)]


def _published(item: object, where: str) -> Published:
    if not isinstance(item, dict) or "signed" not in item:
        return Published(SignedHeader.from_json(item, where))
    return Published(
        SignedHeader.from_json(item["signed"], where), cohorts=item.get("cohorts"), grid=item.get("policy_grid")
    )


def read(nodes: Nodes, address: bytes, *, tag: str = "finalized", from_block: int = 0) -> Registry:
    """The registry at block `tag` as all nodes tell it. Raises `RpcsDisagree`, `RpcError`."""
    chain_id = nodes.agreed(number, "eth_chainId")
    block_no = min(no for no, *_ in nodes.each(block, "eth_getBlockByNumber", tag, False))  # noqa: FBT003 - JSON
    _, block_hash, _ = nodes.agreed(block, "eth_getBlockByNumber", hex(block_no), False)  # noqa: FBT003 - JSON
    code = nodes.agreed(hex_bytes, "eth_getCode", hex_text(address), hex(block_no))
    if not code:
        raise RpcError(f"there is no contract at {hex_text(address)} in block {block_no}")
    registry = Registry(chain_id, address, keccak256(code), block_no, block_hash)
    for log in logs(nodes, [address], from_block, block_no):
        event = EVENTS.get(log.topics[0]) if log.topics else None
        if event is not None:
            try:
                _take(registry, event.name, event.decode(log.topics, log.data))
            except LogError as error:
                raise RpcError(f"a log of {hex_text(address)} in block {log.block_no}: {error}") from error
    for each in registry.epochs:
        words = call_words(nodes, address, "epochOf(uint32)", uint_word(each.header.epoch), block_no)
        each.stored = tuple(words)
    return registry


def _take(registry: Registry, name: str, told: dict[str, Any]) -> None:
    match name:
        case "EpochPublished":
            header = EpochHeader(*_words(told["header"]))
            registry.epochs.append(Anchored(header, told["headerHash"], told["signer"], registry.key))
        case "EpochWithdrawn":
            for each in registry.epochs:
                each.withdrawn |= each.header.epoch == told["epoch"]
        case "EpochKeySet":
            registry.key = told["key"]
        case "CircuitRegistered":
            setup = SETUPS[told["setup"]] if told["setup"] < len(SETUPS) else str(told["setup"])
            registry.circuits[told["circuitNo"]] = Circuit(told["circuitId"], told["vkHash"], setup)
        case _:
            registry.circuits[told["circuitNo"]].retired = True


def _words(header: Value) -> tuple[Any, ...]:
    assert isinstance(header, tuple), "a struct is read as a tuple"
    return header


def judge(registry: Registry, published: Sequence[Published]) -> list[Problem]:
    """Everything that chain and files do not agree on, by epoch."""
    found = [*_chain(registry), *_files(registry, published)]
    return sorted(found, key=lambda problem: problem.epoch)


def _chain(registry: Registry) -> Iterator[Problem]:
    """What the chain itself gets wrong: a contract that is not ours, or a node that makes things up."""
    previous, last = NO_HASH, 0
    ours = alliance_id(registry.chain_id, registry.address)
    for each in registry.epochs:
        header, no = each.header, each.header.epoch
        hashed = header.struct_hash()
        if header.alliance_id != ours:
            yield Problem("epoch-of-another-alliance", no, str(ours), str(header.alliance_id))
        if no <= last:
            yield Problem("epoch-not-rising", no, f"more than {last}", str(no))
        if header.previous != previous:
            yield Problem("epoch-chain-broken", no, hex_text(previous), hex_text(header.previous))
        if each.header_hash != hashed:
            yield Problem("epoch-hash-differs", no, hex_text(hashed), hex_text(each.header_hash))
        if each.signer != each.key:
            yield Problem("epoch-signer-differs", no, hex_text(each.key), hex_text(each.signer))
        yield from _record(registry, each)
        previous, last = hashed, max(last, no)


def _record(registry: Registry, each: Anchored) -> Iterator[Problem]:
    header, no = each.header, each.header.epoch
    stored_hash = int.from_bytes(header.struct_hash(), "big")
    expected = (header.root, stored_hash, header.not_before, header.not_after)
    if len(each.stored) != len(expected) + 2 or each.stored[:4] != expected:
        yield Problem("epoch-record-differs", no, shown(expected), shown(each.stored[:4]))
        return
    circuit = registry.circuits.get(each.stored[4])
    named = (header.circuit_id, header.vk_hash)
    if circuit is None or (circuit.circuit_id, circuit.vk_hash) != named:
        actual = "no circuit" if circuit is None else hex_text(circuit.vk_hash)
        yield Problem("epoch-circuit-differs", no, hex_text(header.vk_hash), actual)
    if bool(each.stored[5]) != each.withdrawn:
        yield Problem("epoch-revocation-differs", no, str(each.withdrawn), str(bool(each.stored[5])))


def _files(registry: Registry, published: Sequence[Published]) -> Iterator[Problem]:
    """What the operator tells otherwise than the chain, or does not tell."""
    anchored = {each.header.epoch: each for each in registry.epochs}
    told: set[int] = set()
    for each in published:
        header, no = each.signed.header, each.signed.header.epoch
        told.add(no)
        held = anchored.get(no)
        if held is None:
            yield Problem("epoch-not-on-chain", no, hex_text(header.struct_hash()), "nothing")
            continue
        if header != held.header:
            yield Problem("epoch-differs", no, hex_text(held.header_hash), hex_text(header.struct_hash()))
        signer = each.signed.signer(registry.chain_id, registry.address)
        if signer != held.key:
            yield Problem("epoch-signature", no, hex_text(held.key), "nobody" if signer is None else hex_text(signer))
        yield from _papers(each)
    for no in sorted(anchored.keys() - told):
        yield Problem("epoch-not-told", no, hex_text(anchored[no].header_hash), "nothing")


def _papers(each: Published) -> Iterator[Problem]:
    """The cohorts and the grid that the header only names by their hash."""
    header = each.signed.header
    papers = (
        ("cohorts", each.cohorts, header.cohorts, Cohorts),
        ("policy_grid", each.grid, header.policy_grid, PolicyGrid),
    )
    for name, form, named, kind in papers:
        if form is None:
            continue
        try:
            actual = kind.from_json(form).hash()
        except DecodingError as error:
            yield Problem("epoch-paper", header.epoch, f"{name} {hex_text(named)}", str(error))
            continue
        if actual != named:
            yield Problem("epoch-paper", header.epoch, f"{name} {hex_text(named)}", hex_text(actual))


def told(registry: Registry) -> str:
    """What was looked at, on one line, for people. Keys that one machine made are named: with them anybody forges."""
    forged = sorted(no for no, each in registry.circuits.items() if each.setup != "ceremony" and not each.retired)
    revoked = sum(each.withdrawn for each in registry.epochs)
    trust = f"; keys of circuit {', '.join(map(str, forged))} are for development" if forged else ""
    return f"{len(registry.epochs)} epochs on the chain, {revoked} revoked, to block {registry.block_no}{trust}"


def line(problem: Problem) -> str:
    """A problem on one line, for people."""
    return f"epoch {problem.epoch}: {problem.code}: expected {problem.expected}, got {problem.actual}"


def as_json(registry: Registry, problems: Sequence[Problem]) -> dict[str, Any]:
    """For a file."""
    return {
        "verdict": "findings" if problems else "clean",
        "chainId": registry.chain_id,
        "registry": hex_text(registry.address),
        "codeHash": hex_text(registry.code_hash),
        "block": {"number": registry.block_no, "hash": hex_text(registry.block_hash)},
        "epochKey": hex_text(registry.key),
        "circuits": [
            {"circuitNo": no, "vkHash": hex_text(each.vk_hash), "setup": each.setup, "retired": each.retired}
            for no, each in sorted(registry.circuits.items())
        ],
        "epochs": [
            {
                "epoch": each.header.epoch,
                "root": str(each.header.root),
                "headerHash": hex_text(each.header_hash),
                "signer": hex_text(each.signer),
                "revoked": each.withdrawn,
            }
            for each in registry.epochs
        ],
        "findings": [problem._asdict() for problem in problems],
    }
