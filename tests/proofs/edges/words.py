"""Every field of every struct at its limits, one at a time: hashes by a library's abi.encode, and what fits no word.

A case names the fields that are not zero. `refused` values do not fit their type: as JSON they are no struct, and as
the word that two's complement makes of them they are no calldata.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eth_abi.abi import encode

from proofs.keccak import keccak256

TYPES = (
    (
        "PointsEvent(uint8 kind,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 occurredAt,uint32 issuerId,"
        "bytes32 memberRef,uint64 points,uint32 termsId,uint128 settleAmount,bytes32 refEventId,uint32 campaignId,"
        "uint8 level,uint128 basis,bytes32 detailHash)"
    ),
    "Posting(bytes32 account,uint64 seq,uint64 prevLeafNo,int128 delta,int128 balance,bytes32 salt)",
    (
        "SettlementLeaf(uint64 leafNo,uint64 lanePrevLeafNo,bytes32 eventHash,bytes32 sigR,bytes32 sigVS,"
        "bytes32 issuerPosting,bytes32 debtorPosting,bytes32 creditorPosting,bytes32 memberPosting,"
        "int128 totalPointsAfter)"
    ),
    "AccountRow(bytes32 account,uint64 seq,uint64 lastLeafNo,int128 balance,bytes32 salt)",
    (
        "BatchHeader(uint64 batchNo,bytes32 prevHeaderHash,uint64 firstLeafNo,uint32 leafCount,bytes32 leavesRoot,"
        "uint32 accountsCount,bytes32 accountsRoot,bytes32 historyRoot,bytes32 journalHead,int128 totalPoints,"
        "bytes32 netsHash,uint64 netsSinceBatch,bytes32 dataHash,bytes32 blobHash,uint64 openedAt,uint64 sealedAt,"
        "bytes32 configHash)"
    ),
    "AcceptanceReceipt(bytes32 eventHash,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 acceptedAt,uint64 mergeBy)",
    "ClaimTo(bytes32 payee,uint32 campaignId,uint64 leafNo,address recipient,uint64 deadline)",
    "LiabilityLeaf(bytes32 account,uint64 seq,uint128 balance,bytes32 authKey,bytes32 salt)",
    "IssuerLiability(uint32 issuerId,bytes32 sumRoot,uint128 total,uint128 debtTotal,uint64 memberCount,bytes32 salt)",
)
FIXED_BYTES = {"bytes32": 32, "address": 20}


def fields_of(type_string: str) -> list[tuple[str, str]]:
    """(type, name) of each field."""
    inside = type_string[type_string.index("(") + 1 : -1]
    return [(field.split(" ")[0], field.split(" ")[1]) for field in inside.split(",")]


def limits(kind: str) -> tuple[int, int]:
    """The smallest and the largest number of an integer type."""
    bits = int(kind.lstrip("uint"))
    return (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def edges_of(kind: str) -> list[str]:
    """A field's values at its limits, as JSON has them."""
    if kind in FIXED_BYTES:
        return ["0x" + "ff" * FIXED_BYTES[kind], "0x01" + "00" * (FIXED_BYTES[kind] - 1)]
    low, high = limits(kind)
    return [str(value) for value in (low, high, -1) if value and low <= value]


def beyond(kind: str) -> list[str]:
    """Values just outside an integer type."""
    low, high = limits(kind)
    return [str(high + 1), str(low - 1), str(2 * high + 2)]


def hash_of(type_string: str, values: dict[str, str]) -> str:
    """HashStruct with zero for every field that is not named."""
    kinds = [kind for kind, _ in fields_of(type_string)]
    given = [_argument(kind, values.get(name)) for kind, name in fields_of(type_string)]
    return "0x" + keccak256(keccak256(type_string.encode()) + encode(kinds, given)).hex()


def _argument(kind: str, text: str | None) -> Any:
    if kind == "address":
        return text or "0x" + "00" * 20
    if kind == "bytes32":
        return bytes.fromhex(text[2:]) if text else bytes(32)
    return int(text or 0)


def word_of(value: int) -> str:
    """Two's complement in 32 bytes."""
    return "0x" + (value % 2**256).to_bytes(32, "big").hex()


def _cases(type_string: str) -> Iterator[dict[str, Any]]:
    name = type_string[: type_string.index("(")]
    every: list[dict[str, str]] = [{}]
    every += [{field: value} for kind, field in fields_of(type_string) for value in edges_of(kind)]
    every += [{field: edges_of(kind)[at] for kind, field in fields_of(type_string)} for at in (0, -1)]
    for values in every:
        yield {"struct": name, "set": values, "hash": hash_of(type_string, values)}


def _refused(type_string: str) -> Iterator[dict[str, Any]]:
    name = type_string[: type_string.index("(")]
    for kind, field in fields_of(type_string):
        if kind == "address":
            yield {"struct": name, "field": field, "value": "0x01" + "00" * 20, "word": word_of(2**160)}
        elif kind != "bytes32":
            for value in beyond(kind):
                yield {"struct": name, "field": field, "value": value, "word": word_of(int(value))}


def vectors() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "hashStruct of every struct with fields at their limits (those not named are zero), and values that "
        "do not fit: `value` in JSON, `word` in calldata.",
        "hashes": [case for each in TYPES for case in _cases(each)],
        "refused": [case for each in TYPES for case in _refused(each)],
    }
