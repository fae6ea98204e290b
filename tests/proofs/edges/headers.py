"""What chains headers together, at its limits: anchors of genesis and of the step to another hub, the history tree
(SHA-256), configuration, the private journal's links. By a library's abi.encode and by the definitions of RFC 6962.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode

from proofs.keccak import keccak256
from tests.proofs.edges.places import hexed, split_of

HUBS = ("0x5fbdb2315678afecb367f032d93f642f64180aa3", "0x" + "00" * 20, "0x" + "ff" * 20, "0x" + "00" * 19 + "01")
CHAINS = (0, 1, 31_337, 2**64 - 1, 2**64, 2**256 - 1)
HISTORY_SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33)
VERSIONS = ((0, 0, 0), (1, 1, 1), (1, 2, 3), (3, 2, 1), (2**64 - 1, 2**64 - 1, 2**64 - 1))


def header_hash(number: int) -> bytes:
    """Some header's hash."""
    return keccak256(b"header" + number.to_bytes(4, "big"))


def history(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return sha256(b"\x00" + hashes[0]).digest()
    split = split_of(len(hashes))
    return sha256(b"\x01" + history(hashes[:split]) + history(hashes[split:])).digest()


def _anchor(chain_id: int, hub: str) -> dict[str, str]:
    words = encode(["bytes32", "uint256", "address"], [keccak256(b"LPA-GENESIS"), chain_id, hub])
    return {"chainId": str(chain_id), "hub": hub, "anchor": hexed(keccak256(words))}


def _carried(chain_id: int, hub: str, old_chain_id: int, old_hub: str) -> dict[str, Any]:
    types = ["bytes32", "uint256", "address", "uint256", "address", "bytes32"]
    last = header_hash(old_chain_id % 2**32)
    words = encode(types, [keccak256(b"LPA-CARRIED"), chain_id, hub, old_chain_id, old_hub, last])
    old = {"chainId": str(old_chain_id), "hub": old_hub, "headerHash": hexed(last)}
    return {"chainId": str(chain_id), "hub": hub, "old": old, "anchor": hexed(keccak256(words))}


def _config(versions: tuple[int, int, int]) -> dict[str, Any]:
    words = encode(["uint256"] * 3, list(versions))
    return {"versions": [str(each) for each in versions], "hash": hexed(keccak256(words))}


def _link(head: bytes, entry: bytes) -> dict[str, str]:
    return {"head": hexed(head), "entry": hexed(entry), "next": hexed(keccak256(b"\x02" + head + keccak256(entry)))}


def vectors() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "Anchors of genesis by chain and hub, and of a hub that goes on after another one's last header; "
        "roots of the history tree over the first header hashes; "
        "configHash of three versions; links of the journal's chain.",
        "anchors": [_anchor(chain_id, hub) for chain_id in CHAINS for hub in HUBS],
        "carried": [
            _carried(chain_id, HUBS[0], old_chain_id, old_hub)
            for chain_id, old_chain_id in ((31_337, 31_337), (1, 2**256 - 1), (2**256 - 1, 1))
            for old_hub in HUBS
        ],
        "headerHashes": [hexed(header_hash(number)) for number in range(max(HISTORY_SIZES))],
        "histories": [
            {"size": size, "root": hexed(history([header_hash(number) for number in range(size)]))}
            for size in HISTORY_SIZES
        ],
        "configs": [_config(versions) for versions in VERSIONS],
        "links": [_link(head, entry) for head in (bytes(32), b"\xff" * 32) for entry in (b"", b"\x00", b"x" * 200)],
    }
