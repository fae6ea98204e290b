"""Golden vectors of tier proofs for Python, JavaScript, Solidity and the circuit, made by definition and by libraries.

    python -m tests.proofs.tier.vectors     writes proofs/vectors/tier.json

Hashes of fields come from the textbook Poseidon, digests from eth_account, scopes from eth_abi: none from our code.
Keys and secrets are the keccak256 of open words ("tongdui-test-..") and good for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak

from proofs.poseidon import R
from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import counted
from proofs.tier.grid import PolicyGrid
from proofs.tier.policy import Metric, Policy, at_least
from tests.proofs.tier import textbook

VECTORS = Path(__file__).parents[3] / "proofs" / "vectors" / "tier.json"
DEPTH = 24
CHAIN_ID = 31_337
EPOCH = 7
NOT_BEFORE, NOT_AFTER = 1_785_542_400, 1_788_220_799
PARTNER_ID = 3

HEADER_FIELDS = [
    *(("uint32", "allianceId"), ("uint32", "epoch"), ("uint256", "root"), ("uint8", "depth"), ("bytes32", "cohorts")),
    *(("bytes32", "policyGrid"), ("bytes32", "circuitId"), ("bytes32", "vkHash"), ("uint64", "notBefore")),
    *(("uint64", "notAfter"), ("bytes32", "previous")),
]
REQUEST_FIELDS = [
    *(("uint32", "partnerId"), ("string", "audience"), ("string", "purpose"), ("uint32", "windowId")),
    *(("uint256", "scope"), ("uint256", "policy"), ("uint32", "epoch"), ("bytes32", "circuitId"), ("bytes32", "nonce")),
    *(("uint64", "expiresAt"), ("uint8", "maxUses"), ("address", "recipient")),
]

ATTRIBUTES = (
    Attributes(points=12_345, spend=98_765, since=1_600_000_000, valid_until=1_800_000_000, key_epoch=1, tier=3),
    Attributes(points=0, spend=0, since=1_785_000_000, valid_until=1_790_000_000, key_epoch=7, tier=0),
    Attributes(points=500, spend=4_999, since=1_700_000_000, valid_until=1_786_000_000, key_epoch=2, tier=1),
    Attributes(points=999, spend=5_000, since=1_700_000_001, valid_until=1_785_542_400, key_epoch=3, tier=2),
    Attributes(
        points=2**64 - 1,
        spend=2**64 - 1,
        since=2**32 - 1,
        valid_until=2**32 - 1,
        key_epoch=2**32 - 1,
        tier=15,
        programme=255,
    ),
)
POLICIES = (
    Policy(tier_mask=at_least(3), valid_on=NOT_BEFORE, key_epoch_max=EPOCH),
    Policy(lo=5_000, metric=Metric.SPEND, since_max=1_700_000_000, tier_mask=at_least(1), max_uses=3),
    Policy(lo=500, hi=999, since_max=1_700_000_001, tier_mask=0b0110, valid_on=NOT_BEFORE, key_epoch_max=3, max_uses=2),
    Policy(hi=2**64 - 1, valid_on=2**32 - 1, tier_mask=1 << 15, metric=Metric.SPEND, max_uses=255),
    Policy(),
)
GRID = PolicyGrid(
    tier_masks=tuple(sorted([0b0110, *(at_least(rank) for rank in range(1, 5))])),
    points_edges=(500, 1_000, 10_000),
    spend_edges=(5_000, 50_000),
    since_edges=(1_600_000_000, 1_700_000_000),
)


def word(text: str) -> bytes:
    return bytes(keccak(text=f"tongdui-test-{text}"))


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


REGISTRY = word("registry")[12:]
PARTNER_KEY, EPOCH_KEY = word("partner"), word("epoch-key")


def above_8(data: bytes) -> int:
    return int.from_bytes(data, "big") >> 8


TAG_ID, TAG_NULL = (above_8(keccak(text=f"tongdui.tier.v1.{name}")) for name in ("identity", "nullifier"))
CIRCUIT_ID = bytes(keccak(text="TierProofV1(24)"))
ALLIANCE_ID = int.from_bytes(keccak(encode(["uint256", "address"], [CHAIN_ID, hexed(REGISTRY)]))[:4], "big")
EPOCH_TAG = ALLIANCE_ID * 2**32 + EPOCH


def packed(fields: Mapping[str, int], bits: Mapping[str, int]) -> int:
    """Lowest field first, by multiplication: nothing of it overlaps when all fit."""
    whole, place = 0, 1
    for name, size in bits.items():
        whole += fields[name] * place
        place *= 2**size
    return whole


ATTRIBUTE_BITS = {"points": 64, "spend": 64, "since": 32, "valid_until": 32, "key_epoch": 32, "tier": 4, "programme": 8}
POLICY_BITS = {
    "lo": 64,
    "hi": 64,
    "since_max": 32,
    "valid_on": 32,
    "key_epoch_max": 32,
    "tier_mask": 16,
    "metric": 1,
    "max_uses": 8,
}


def scope(purpose: str, window_id: int, partner_id: int = PARTNER_ID) -> int:
    types = ["bytes32", "uint256", "address", "uint32", "bytes32", "uint32"]
    values = [keccak(text="LAZK-scope-v1"), CHAIN_ID, hexed(REGISTRY), partner_id, keccak(text=purpose), window_id]
    return above_8(keccak(encode(types, values)))


def typed(kind: str, fields: list[tuple[str, str]], values: list[Any]) -> SignableMessage:
    """What eth_account makes of a struct under our domain."""
    domain = {"name": "Tongdui Tier", "version": "1", "chainId": CHAIN_ID, "verifyingContract": hexed(REGISTRY)}
    types = {kind: [{"type": abi_type, "name": name} for abi_type, name in fields]}
    message = dict(zip((name for _, name in fields), values, strict=True))
    return encode_typed_data(domain_data=domain, message_types=types, message_data=message)


def sealed(kind: str, fields: list[tuple[str, str]], values: list[Any], key: bytes) -> dict[str, str]:
    """Struct hash, digest, signature and signer by eth_account."""
    message = typed(kind, fields, values)
    digest = keccak(b"\x19\x01" + message.header + message.body)
    signed = Account.sign_message(message, key)
    return {
        "struct_hash": hexed(message.body),
        "digest": hexed(digest),
        "signature": hexed(bytes(signed.signature)),
        "signer": Account.from_key(key).address.lower(),
    }


def secret_of(at: int) -> int:
    return above_8(word(f"secret-{at}"))


def members() -> list[dict[str, Any]]:
    made = []
    for at, attributes in enumerate(ATTRIBUTES):
        commitment, salt = textbook.poseidon([TAG_ID, secret_of(at)]), above_8(word(f"salt-{at}"))
        whole = packed(asdict(attributes), ATTRIBUTE_BITS)
        made.append(
            {
                "secret": str(secret_of(at)),
                "commitment": str(commitment),
                "attributes": at,
                "salt": str(salt),
                "leaf": str(textbook.poseidon([commitment, EPOCH_TAG, whole, salt])),
            }
        )
    return made


def tree(leaves: list[int]) -> dict[str, Any]:
    paths = [
        {
            "index": at,
            "siblings": [str(one) for one in textbook.path(leaves, DEPTH, at)],
            "positions": [at >> level & 1 for level in range(DEPTH)],
        }
        for at in range(len(leaves))
    ]
    return {"leaves": [str(one) for one in leaves], "root": str(textbook.root(leaves, DEPTH)), "paths": paths}


def header(root: int, cohorts: bytes) -> dict[str, Any]:
    values = [ALLIANCE_ID, EPOCH, root, DEPTH, cohorts, GRID.hash(), CIRCUIT_ID, word("vk"), NOT_BEFORE, NOT_AFTER]
    values.append(word("previous"))
    form = {
        "alliance_id": ALLIANCE_ID,
        "epoch": EPOCH,
        "root": str(root),
        "depth": DEPTH,
        "cohorts": hexed(cohorts),
        "policy_grid": hexed(GRID.hash()),
        "circuit_id": hexed(CIRCUIT_ID),
        "vk_hash": hexed(word("vk")),
        "not_before": str(NOT_BEFORE),
        "not_after": str(NOT_AFTER),
        "previous": hexed(word("previous")),
    }
    return {"header": form, **sealed("TierEpoch", HEADER_FIELDS, values, EPOCH_KEY)}


REQUESTS = (
    ("Café Lindenhof", "breakfast for gold members", 202_608, 0, bytes(20)),
    ("云岭书店", "会员日八折", 1, 1, bytes(20)),
    ("On-chain lounge", "lounge", 0, 2, word("recipient")[12:]),
    ("Nobody's shop", "never", 2**32 - 1, 3, bytes(20)),
    ("Everybody's shop", "any member", 5, 4, bytes(20)),
)


def request(at: int) -> dict[str, Any]:
    audience, purpose, window_id, policy_at, recipient = REQUESTS[at]
    policy, bound = POLICIES[policy_at], scope(purpose, window_id)
    whole, nonce, expires_at = packed(asdict(policy), POLICY_BITS), word(f"nonce-{at}"), NOT_BEFORE + 86_400 + at
    values: list[Any] = [PARTNER_ID, audience, purpose, window_id, bound, whole, EPOCH, CIRCUIT_ID, nonce, expires_at]
    values += [policy.max_uses, hexed(recipient)]
    seal = sealed("ProofRequest", REQUEST_FIELDS, values, PARTNER_KEY)
    form = {
        "partner_id": PARTNER_ID,
        "audience": audience,
        "purpose": purpose,
        "window_id": window_id,
        "scope": str(bound),
        "policy": str(whole),
        "epoch": EPOCH,
        "circuit_id": hexed(CIRCUIT_ID),
        "nonce": hexed(nonce),
        "expires_at": str(expires_at),
        "max_uses": policy.max_uses,
        "recipient": hexed(recipient),
    }
    signed = {"request": form, "chain_id": CHAIN_ID, "registry": hexed(REGISTRY), "signature": seal["signature"]}
    challenge = above_8(keccak(bytes.fromhex(seal["digest"][2:])))
    return {"signed": signed, **{name: seal[name] for name in ("struct_hash", "digest", "signer")}} | {
        "challenge": str(challenge),
        "policy": policy_at,
    }


WITNESSES = ((0, 0, 0), (0, 1, 2), (3, 2, 1), (4, 3, 254), (1, 4, 0), (2, 4, 0))
"""Member, request, use: each meets the request's policy."""


def witness(at: tuple[int, int, int], made: dict[str, Any]) -> dict[str, Any]:
    """The circuit's inputs by their names, and the public signals in order."""
    member_at, request_at, use_index = at
    member, asked, attributes = made["members"][member_at], made["requests"][request_at], ATTRIBUTES[member_at]
    form, where = asked["signed"]["request"], made["tree"]["paths"][member_at]
    mark = textbook.poseidon([TAG_NULL, int(member["secret"]), int(form["scope"]), use_index])
    public = {
        "nullifier": str(mark),
        "root": made["tree"]["root"],
        "epochTag": str(EPOCH_TAG),
        "scope": form["scope"],
        "challenge": asked["challenge"],
        "policy": form["policy"],
    }
    private = {
        "secret": member["secret"],
        "points": str(attributes.points),
        "spend": str(attributes.spend),
        "since": str(attributes.since),
        "validUntil": str(attributes.valid_until),
        "keyEpoch": str(attributes.key_epoch),
        "tier": str(attributes.tier),
        "programme": str(attributes.programme),
        "salt": member["salt"],
        "useIndex": str(use_index),
        "siblings": where["siblings"],
        "positions": where["positions"],
    }
    whole = {"member": member_at, "request": request_at, "use_index": use_index}
    return whole | {"inputs": public | private, "public": list(public.values())}


def hashes() -> list[dict[str, Any]]:
    rows = [list(range(1, count + 1)) for count in range(1, 17)]
    rows += [[0], [0, 0], [R - 1, R - 1], [R - 1] * 4, [R - 1] * 16, [2**253, 1, R - 2]]
    return [{"inputs": [str(one) for one in row], "hash": str(textbook.poseidon(row))} for row in rows]


def widths() -> list[dict[str, Any]]:
    """The ends of each width's constants: enough to notice another set."""
    rows = []
    for width in range(2, 18):
        added, matrix = textbook.constants(width)
        ends = {"first": added[0], "last": added[-1], "matrix_first": matrix[0][0], "matrix_last": matrix[-1][-1]}
        rows.append({"width": width, **{name: str(value) for name, value in ends.items()}})
    return rows


def crowd() -> list[Attributes]:
    """Members enough for some cohorts to be published."""
    return [
        Attributes(
            points=at * 5, spend=at * 20, since=1_590_000_000 + at * 50_000, valid_until=2**31, key_epoch=1, tier=at % 5
        )
        for at in range(3_000)
    ]


def numbers(fields: Mapping[str, int], wide: set[str]) -> dict[str, Any]:
    return {name: str(value) if name in wide else int(value) for name, value in fields.items()}


def vectors() -> dict[str, Any]:
    """Everything, in one object."""
    cohorts = counted(GRID, crowd())
    made: dict[str, Any] = {
        "field": str(R),
        "poseidon": hashes(),
        "widths": widths(),
        "tags": {"identity": str(TAG_ID), "nullifier": str(TAG_NULL)},
        "circuit": {"name": "TierProofV1(24)", "circuit_id": hexed(CIRCUIT_ID), "depth": DEPTH},
        "chain_id": CHAIN_ID,
        "registry": hexed(REGISTRY),
        "alliance_id": ALLIANCE_ID,
        "epoch": EPOCH,
        "epoch_tag": str(EPOCH_TAG),
        "partner_id": PARTNER_ID,
        "attributes": [
            numbers(asdict(one), {"points", "spend"}) | {"packed": str(packed(asdict(one), ATTRIBUTE_BITS))}
            for one in ATTRIBUTES
        ],
        "policies": [
            numbers(asdict(one), {"lo", "hi"}) | {"packed": str(packed(asdict(one), POLICY_BITS))} for one in POLICIES
        ],
        "admits": [
            {"policy": at, "attributes": of, "use_index": use, "unmet": unmet.name if unmet else None}
            for at, policy in enumerate(POLICIES)
            for of, attributes in enumerate(ATTRIBUTES)
            for use in (0, policy.max_uses)
            for unmet in (policy.admits(attributes, use),)
        ],
        "scopes": [
            {
                "partner_id": partner,
                "purpose": purpose,
                "window_id": window,
                "scope": str(scope(purpose, window, partner)),
            }
            for partner, purpose, window in (
                (1, "a", 0),
                (1, "a", 1),
                (2, "a", 0),
                (1, "会员日", 0),
                (2**32 - 1, "b", 2**32 - 1),
            )
        ],
        "empty": [str(textbook.empty(level)) for level in range(DEPTH + 1)],
        "members": members(),
    }
    made["tree"] = tree([int(member["leaf"]) for member in made["members"]])
    made["policy_grid"] = {"form": GRID.to_json(), "hash": hexed(GRID.hash())}
    made["cohorts"] = {"form": cohorts.to_json(), "hash": hexed(cohorts.hash())}
    made["header"] = header(int(made["tree"]["root"]), cohorts.hash())
    made["requests"] = [request(at) for at in range(len(REQUESTS))]
    made["witnesses"] = [witness(at, made) for at in WITNESSES]
    return made


def main() -> None:
    """Write the vectors."""
    VECTORS.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
