"""Contracts by their committed ABI: calls encoded, answers and errors decoded by name.

Invariants: ABI and bytecode come from `proofs/abi`, which a test compares with a fresh compilation; a revert becomes
`Refused` with the error's name and arguments, so that callers match on names and never on bytes. Called by deployment,
orchestration and the submitter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple, get_args

from eth_abi.exceptions import DecodingError, EncodingError
from web3 import Web3
from web3.contract import Contract as WebContract
from web3.exceptions import Web3Exception

from proofs.keccak import keccak256
from settlement.chain.answers import said
from settlement.chain.client import Chain, ChainUnclear, Log, Reverted, Tag

ADDRESS_BYTES = 20

Name = Literal[
    "SettlementHub",
    "GuaranteeFund",
    "ForcedQueue",
    "AlliancePolicy",
    "MerchantRegistry",
    "TierRegistry",
    "Council",
    "Timelock",
    "TestToken",
]


class Refused(Exception):
    """A contract said no; `name` is its error's, empty where the data is no error it declares."""

    def __init__(self, name: str, arguments: tuple[Any, ...], data: bytes) -> None:
        shown = ", ".join(f"0x{one.hex()}" if isinstance(one, bytes) else str(one) for one in arguments)
        super().__init__(said(f"{name}({shown})" if name else f"reverted with 0x{data.hex()}"))
        self.name, self.arguments, self.data = name, arguments, data


class ViewRefused(Refused, ChainUnclear):
    """A view said no. Most of ours have an answer to everything: then it is the node that does not know better, and
    whoever waits for nodes waits for this one.
    """


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded log of a contract. A log that the committed ABI does not know has the name "" and no fields."""

    name: str
    fields: dict[str, Any]
    log: Log
    contract: str = ""


_CODEC = Web3().codec
_UNDECODABLE = (DecodingError, ValueError, OverflowError)


@cache
def artifact(name: Name) -> dict[str, Any]:
    """The committed compilation of a contract: `abi`, `bytecode`, `deployedBytecode`."""
    found: dict[str, Any] = json.loads((files("proofs") / "abi" / f"{name}.json").read_text())
    return found


@cache
def _codec(name: Name) -> WebContract:
    return Web3().eth.contract(abi=artifact(name)["abi"])  # type: ignore[return-value] # web3 answers with a class when it gets no address


@cache
def _errors() -> dict[bytes, dict[str, Any]]:
    """Four-byte selector to ABI entry, of all our contracts: a call may fail in one that it calls."""
    entries = (item for name in get_args(Name) for item in artifact(name)["abi"])
    return {_selector(item): item for item in entries if item["type"] == "error"}


@cache
def _events(name: Name) -> dict[bytes, str]:
    return {keccak256(_signature(item)): item["name"] for item in artifact(name)["abi"] if item["type"] == "event"}


def _signature(item: dict[str, Any]) -> bytes:
    return f"{item['name']}({','.join(_type(one) for one in item['inputs'])})".encode()


def _type(one: dict[str, Any]) -> str:
    kind: str = one["type"]
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(_type(part) for part in one["components"]) + ")" + kind.removeprefix("tuple")


def _selector(item: dict[str, Any]) -> bytes:
    return keccak256(_signature(item))[:4]


def plain(value: Any) -> Any:
    """Arguments as the codec wants them, all the way down: structs of ours as tuples, 20 bytes as an address."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, tuple):
        return tuple(plain(one) for one in value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, bytes) and len(value) == ADDRESS_BYTES:
        return Web3.to_checksum_address(value)
    return value


def deployment_data(name: Name, *arguments: Any) -> bytes:
    """Creation code with its encoded constructor arguments."""
    contract = Web3().eth.contract(abi=artifact(name)["abi"], bytecode=artifact(name)["bytecode"])
    return bytes.fromhex(str(contract.constructor(*map(plain, arguments)).data_in_transaction).removeprefix("0x"))


class Input(NamedTuple):
    """One argument of a function; `parts` are a struct's fields (of each, where the type ends in [])."""

    name: str
    type: str
    parts: tuple[Input, ...]


def _input(item: dict[str, Any]) -> Input:
    parts = tuple(_input(part) for part in item.get("components", ()))
    return Input(item["name"], item["type"], parts)


def _function(name: Name, function: str) -> dict[str, Any]:
    entries = artifact(name)["abi"]
    found = next((one for one in entries if one["type"] == "function" and one["name"] == function), None)
    if found is None:
        raise LookupError(f"{name} has no function {function}")
    return dict(found)


def inputs_of(name: Name, function: str) -> list[Input]:
    """What a function takes, by the ABI. Raises LookupError."""
    return [_input(one) for one in _function(name, function)["inputs"]]


def encode_call(name: Name, function: str, arguments: Sequence[Any]) -> bytes:
    """Calldata of values that are as the codec wants them. Raises what the codec raises."""
    return bytes.fromhex(_codec(name).encode_abi(function, args=list(arguments)).removeprefix("0x"))


def decode_call(name: Name, data: bytes) -> tuple[str, list[Input], tuple[Any, ...]] | None:
    """Function, what it takes, and the values; None for calldata that is no function's, to the byte."""
    for item in artifact(name)["abi"]:
        if item["type"] == "function" and _selector(item) == data[:4]:
            types = [_type(one) for one in item["inputs"]]
            try:
                values = _CODEC.decode(types, data[4:])
                if _CODEC.encode(types, values) != data[4:]:  # what is decoded has to be all that is there
                    return None
            except (DecodingError, EncodingError, ValueError, OverflowError):
                return None
            return item["name"], [_input(one) for one in item["inputs"]], values
    return None


@dataclass(frozen=True, slots=True)
class Contract:
    """One deployed contract of ours."""

    chain: Chain
    name: Name
    address: bytes

    def data(self, function: str, *arguments: Any) -> bytes:
        """Calldata of a function."""
        return encode_call(self.name, function, [plain(one) for one in arguments])

    def read(self, function: str, *arguments: Any, tag: Tag = "latest") -> Any:
        """The answer of a view: one value, or a tuple of several (structs are tuples in field order). Raises
        `ViewRefused`.
        """
        try:
            answer = self.chain.call(self.address, self.data(function, *arguments), tag=tag)
        except Reverted as error:
            refused = self.refusal(error.data)
            raise ViewRefused(refused.name, refused.arguments, refused.data) from error
        if not answer:
            raise ChainUnclear(f"no {self.name} at 0x{self.address.hex()}: another chain, or a node that lags behind")
        item = next(one for one in artifact(self.name)["abi"] if one["type"] == "function" and one["name"] == function)
        try:
            values = _CODEC.decode([_type(one) for one in item["outputs"]], answer)
        except _UNDECODABLE as error:
            raise ChainUnclear(f"{self.chain.place}: {self.name}.{function} answers with something else") from error
        return values[0] if len(values) == 1 else values

    def try_out(
        self, data: bytes, *, sender: bytes | None = None, gas: int | None = None, tag: Tag = "latest"
    ) -> bytes:
        """`eth_call` of encoded calldata. Raises `Refused` for what the contract refuses."""
        try:
            return self.chain.call(self.address, data, sender=sender, gas=gas, tag=tag)
        except Reverted as error:
            raise self.refusal(error.data) from error

    def try_creation(self, data: bytes, *, sender: bytes) -> bytes:
        """`eth_call` of creation code; the code it would leave. Raises `Refused`."""
        try:
            return self.chain.call(None, data, sender=sender)
        except Reverted as error:
            raise self.refusal(error.data) from error

    def refusal(self, data: bytes) -> Refused:
        """The decoded error of a revert."""
        item = _errors().get(data[:4])
        try:
            if item is not None:
                return Refused(item["name"], _CODEC.decode([_type(one) for one in item["inputs"]], data[4:]), data)
        except _UNDECODABLE:
            pass  # whoever reverts chooses the bytes
        return Refused("", (), data)

    def events(
        self, event: str, *, first: int, last: Tag = "latest", topics: Sequence[bytes | None] = ()
    ) -> list[Event]:
        """Decoded events by name, `topics` being the indexed arguments as words."""
        wanted = next(topic for topic, name in _events(self.name).items() if name == event)
        found = self.chain.logs(self.address, first=first, last=last, topics=[wanted, *topics])
        return [self.decode(log) for log in found]

    def decode(self, log: Log) -> Event:
        """One log of this contract. Raises `ChainUnclear` for one that it cannot have emitted."""
        name = _events(self.name).get(log.topics[0], "") if log.topics else ""
        if not name:
            return Event("", {}, log, self.name)
        raw: Any = {
            "address": Web3.to_checksum_address(log.address),
            "topics": list(log.topics),
            "data": log.data,
            "logIndex": log.log_index,
            "transactionIndex": 0,
            "transactionHash": log.tx_hash,
            "blockHash": log.block_hash,
            "blockNumber": log.block_number,
        }
        try:
            told = _codec(self.name).events[name]().process_log(raw)["args"]
        except (*_UNDECODABLE, Web3Exception) as error:
            raise ChainUnclear(f"{self.chain.place}: a log of {self.name} that is no {name}") from error
        return Event(name, dict(told), log, self.name)
