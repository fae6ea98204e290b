"""The events of hub, policy, registry, fund and queue, read from raw logs: topics and data in, names and values out.

The contracts' events use only one-word values, structs of such, and one level of arrays of those; this module reads
exactly that and refuses the rest. It is written here, and not left to a library, so that what an auditor trusts fits
on one page; the tests hold it against the published ABI and against eth_abi. Used by `chain` alone. Source: Solidity
ABI specification; the declarations follow contracts/interfaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from proofs.keccak import keccak256
from proofs.messages import BatchHeader, PointsEvent
from proofs.words import WORD_BYTES

Value: TypeAlias = "int | bytes | tuple[Value, ...]"
"""Integers, bytes32 and addresses (20 bytes) as they are; structs and arrays as tuples."""

_FIXED = re.compile(r"(.+)\[(\d+)\]")
"""An array of known length, which stands where it is, without a length before it."""
ITEMS_MAX = 2**16
"""Longest array that is read from one log."""


class LogError(ValueError):
    """A log's bytes do not fit the event its first topic names."""


_HEADER = BatchHeader.TYPE.removeprefix("BatchHeader")
_EVENT = PointsEvent.TYPE.removeprefix("PointsEvent")
DECLARED = (
    (
        f"BatchCommitted(uint64 indexed batchNo,bytes32 indexed headerHash,{_HEADER} header,"
        "uint64 finalAfter,uint256 weight,address[] attesters)"
    ),
    "CarriedOver(uint256 indexed chainId,address indexed hub,bytes32 indexed headerHash)",
    "WindDownBegun(address indexed account,uint64 since)",
    "NetsCommitted(uint64 indexed batchNo,(uint32 merchantId,int128 amount)[] nets)",
    "BatchFinalised(uint64 indexed batchNo,bytes32 indexed headerHash)",
    "NetSettled(uint64 indexed batchNo,uint32 indexed merchantId,int256 net,uint256 shortfall)",
    (
        "ParamsChanged(uint32 paramsVersion,(uint32 fastWindowSeconds,uint32 slowWindowSeconds,"
        "uint32 sealLagSecondsMax,uint32 withdrawDelaySeconds,uint32 honestWeight,uint96 operatorBondMin,"
        "uint128 grossCapSlow,uint128 grossCapFast) params,bytes32 configHash)"
    ),
    "AttesterSet(address indexed attester,uint8 role,uint16 weight)",
    "MerchantSet(uint32 indexed merchantId,address admin,address payoutAddress,uint8 status)",
    "StatusSet(uint32 indexed merchantId,uint8 status,uint32 fromBatch)",
    "KeySet(uint32 indexed merchantId,uint32 indexed keyId,address indexed signer,uint32 fromBatch,uint16 kindMask)",
    "KeyRevoked(uint32 indexed merchantId,uint32 indexed keyId,uint32 toBatch)",
    (
        "TermsAdded(uint32 indexed termsId,uint32 indexed issuerId,uint32 indexed acceptorId,"
        "uint128 num,uint128 den,uint8 mode,uint32 fromBatch)"
    ),
    "TermsEnded(uint32 indexed termsId,uint32 toBatch)",
    (
        "DisputeParamsChanged(uint32 paramsVersion,(uint32 answerWindowSeconds,uint32 forceDeadlineSeconds,"
        "uint96 demandBond) params,bytes32 configHash)"
    ),
    "RulesVersionChanged(uint32 rulesVersion,bytes32 configHash)",
    "AttesterSetChanged(uint32 attesterSetVersion,uint256 totalWeight,bytes32 configHash)",
    "ReceiptSignerSet(address indexed signer,uint64 until)",
    "RoleGranted(bytes32 indexed role,address indexed account,address indexed sender)",
    "RoleRevoked(bytes32 indexed role,address indexed account,address indexed sender)",
    "BatchReverted(uint64 indexed batchNo,uint16 code,address indexed challenger,uint256 slashed)",
    "Deposited(uint32 indexed merchantId,address indexed from,uint256 amount)",
    "Withdrawn(uint32 indexed merchantId,address indexed to,uint256 amount)",
    "BondPosted(address indexed from,uint256 amount,uint256 bond)",
    "BondWithdrawn(address indexed to,uint256 amount,uint256 bond)",
    "PenaltyPaid(uint32 indexed merchantId,uint256 amount,uint256 bond)",
    "OwnSharesTaken(uint64 indexed defaultId,uint32 indexed merchantId,uint256 amount)",
    "LossCovered(uint64 indexed defaultId,uint256 fromBond,uint256 fromFund,uint256 left)",
    "LossAllocated(uint64 indexed batchNo,uint32 indexed creditorId,uint256 cut)",
    "DebtRepaid(uint64 indexed defaultId,uint32 indexed merchantId,uint256 amount,uint256 stillOwed)",
    "ReservesRestored(uint64 indexed defaultId,uint256 toFund,uint256 toBond)",
    "ClaimCollected(uint64 indexed defaultId,uint32 indexed creditorId,uint256 amount)",
    "GuaranteeJoined(uint32 indexed merchantId,uint256 amount,uint256 shares)",
    "GuaranteeLeft(uint32 indexed merchantId,uint256 amount,uint256 shares)",
    "BountyEarned(address indexed account,uint256 amount)",
    "BountyPaid(address indexed account,uint256 amount)",
    "AssetsChanged(uint256 assets,uint256 totalShares)",
    (
        "ForcedQueued(uint64 indexed id,uint32 indexed merchantId,uint32 indexed keyId,uint32 dueAt,"
        f"bytes32 eventHash,{_EVENT} pointsEvent,bytes32[2] signature)"
    ),
    "ForcedDischarged(uint64 indexed id,uint64 indexed batchNo,bool late)",
    "ForcedReopened(uint64 indexed id,uint32 dueAt)",
    "ForcedDropped(uint64 indexed id,uint8 fault)",
)
"""The events an audit reads, as declared."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of an event: its name, its type without names, and whether it stands in a topic."""

    name: str
    type: str
    indexed: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One declared event."""

    name: str
    parameters: tuple[Parameter, ...]

    @property
    def topic(self) -> bytes:
        """The first topic of its logs: keccak256 of the canonical signature."""
        return keccak256(f"{self.name}({','.join(each.type for each in self.parameters)})".encode())

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Value]:
        """Its values by name. Raises `LogError` when topics or data are short or long for it."""
        indexed = [each for each in self.parameters if each.indexed]
        if len(topics) != 1 + len(indexed):
            raise LogError(f"{self.name}: {len(topics)} topics, {1 + len(indexed)} expected")
        told: dict[str, Value] = {
            each.name: _word_value(each.type, topic) for each, topic in zip(indexed, topics[1:], strict=True)
        }
        rest = [each for each in self.parameters if not each.indexed]
        values = decode_values([each.type for each in rest], data)
        return told | {each.name: value for each, value in zip(rest, values, strict=True)}


def decode_values(types: Sequence[str], data: bytes) -> tuple[Value, ...]:
    """The values of `abi.encode`d data, one for each type. Raises `LogError` when the data are too short for them."""
    values: list[Value] = []
    at = 0
    for kind in types:
        if kind.endswith("[]"):
            values.append(_array(kind.removesuffix("[]"), data, _length(data, at)))
            at += WORD_BYTES
        else:
            values.append(_static(kind, data, at))
            at += WORD_BYTES * _words(kind)
    return tuple(values)


def parse(declaration: str) -> Event:
    """An event from its declaration: `Name(type [indexed] name, ...)`."""
    name, body = declaration.split("(", 1)
    return Event(name, tuple(_parameter(part) for part in _split(body.removesuffix(")"))))


def _parameter(part: str) -> Parameter:
    type_text, *words = _outer_words(part)
    return Parameter(words[-1], _bare(type_text), "indexed" in words)


def _outer_words(part: str) -> list[str]:
    """`part` at its spaces outside brackets."""
    end = part.rfind(")") + 1
    head, *rest = part[end:].split(" ")
    return [part[:end] + head, *rest]


def _bare(kind: str) -> str:
    """A type without the names of a struct's fields: (uint32 id,int128 amount)[] is (uint32,int128)[]."""
    return re.sub(r" \w+", "", kind)


def _split(body: str) -> Iterator[str]:
    """The parts of a parameter list, at the commas outside brackets."""
    depth, start = 0, 0
    for at, sign in enumerate(body):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            yield body[start:at]
            start = at + 1
    yield body[start:]


def _words(kind: str) -> int:
    fixed = _FIXED.fullmatch(kind)
    if fixed:
        return _words(fixed[1]) * int(fixed[2])
    return len(list(_split(kind[1:-1]))) if kind.startswith("(") else 1


def _static(kind: str, data: bytes, at: int) -> Value:
    fixed = _FIXED.fullmatch(kind)
    if fixed:
        step = WORD_BYTES * _words(fixed[1])
        return tuple(_static(fixed[1], data, at + step * place) for place in range(int(fixed[2])))
    if kind.startswith("("):
        return tuple(_static(field, data, at + WORD_BYTES * place) for place, field in enumerate(_split(kind[1:-1])))
    return _word_value(kind, _word(data, at))


def _array(kind: str, data: bytes, at: int) -> tuple[Value, ...]:
    count, step = _length(data, at), WORD_BYTES * _words(kind)
    if count > ITEMS_MAX:
        raise LogError(f"an array of {count} items, {ITEMS_MAX} are read at most")
    return tuple(_static(kind, data, at + WORD_BYTES + place * step) for place in range(count))


def _length(data: bytes, at: int) -> int:
    return int.from_bytes(_word(data, at), "big")


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + WORD_BYTES]
    if len(word) != WORD_BYTES:
        raise LogError(f"{len(data)} bytes of data end before the word at {at}")
    return word


def _word_value(kind: str, word: bytes) -> Value:
    if kind.startswith("bytes32"):
        return word
    if kind == "address":
        return word[12:]
    return int.from_bytes(word, "big", signed=kind.startswith("int"))


EVENTS: Mapping[bytes, Event] = {event.topic: event for event in map(parse, DECLARED)}
"""Every event an audit reads, by its first topic."""
