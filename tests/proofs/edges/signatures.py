"""Signatures that are, and everything that looks like one: twins, zeroes, numbers out of range, points that are none,
keys at infinity, other domains. Who signed is said by `curve`, in plain integers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from proofs.keccak import keccak256
from tests.proofs.edges.curve import G, N, P, address, lifted, signed, signer, times
from tests.proofs.edges.places import hexed

KEY = int.from_bytes(keccak256(b"an edge key"), "big") % N
DIGEST = int.from_bytes(keccak256(b"an edge message"), "big")
HUB = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
NO_X = next(x for x in range(1, 100) if lifted(x, 0) is None)
"""The smallest x without a point."""


class Signature(NamedTuple):
    """What is offered for a digest; all are numbers."""

    digest: int
    r: int
    s: int
    odd: int


def word(value: int) -> bytes:
    """32 bytes."""
    return value.to_bytes(32, "big")


def good() -> Signature:
    """An ordinary one."""
    return Signature(DIGEST, *signed(KEY, DIGEST, 12_345))


def compact_cases() -> dict[str, Signature]:
    """What fits two words: s below 2^255."""
    made = good()
    generator = times(1, G)
    assert generator is not None
    r_of_one = generator[0]
    return {
        "an ordinary signature": made,
        "of the smallest nonce": Signature(DIGEST, *signed(KEY, DIGEST, 1)),
        "of the largest nonce": Signature(DIGEST, *signed(KEY, DIGEST, N - 1)),
        "of the smallest key": Signature(DIGEST, *signed(1, DIGEST, 77)),
        "of the largest key": Signature(DIGEST, *signed(N - 1, DIGEST, 77)),
        "over a digest of zeroes": Signature(0, *signed(KEY, 0, 5)),
        "over a digest of ones": Signature(2**256 - 1, *signed(KEY, 2**256 - 1, 5)),
        "over a digest that is the order": Signature(N, *signed(KEY, N, 5)),
        "the other parity: somebody else's": made._replace(odd=1 - made.odd),
        "s of one": made._replace(s=1),
        "the highest s": made._replace(s=N // 2),
        "one above the highest s": made._replace(s=N // 2 + 1),
        "the largest s of two words": made._replace(s=2**255 - 1),
        "r zero": made._replace(r=0),
        "s zero": made._replace(s=0),
        "both zero": made._replace(r=0, s=0),
        "r the order": made._replace(r=N),
        "r one below the order": made._replace(r=N - 1),
        "r above the order and below p": made._replace(r=N + 1),
        "r the field's p": made._replace(r=P),
        "r of ones": made._replace(r=2**256 - 1),
        "r of no point": made._replace(r=NO_X),
        "r of one": made._replace(r=1),
        "a key at infinity": Signature(7, r_of_one, 7, generator[1] & 1),
        "a key at infinity, of an ordinary nonce": _at_infinity(4_242),
        "one beside a key at infinity": Signature(7, r_of_one, 8, generator[1] & 1),
        "the same with the other parity": Signature(7, r_of_one, 7, 1 - (generator[1] & 1)),
    }


def _at_infinity(nonce: int) -> Signature:
    """s·R = z·G: what no key can have signed."""
    point = times(nonce, G)
    assert point is not None
    s = 99
    return Signature(s * nonce % N, point[0], s, point[1] & 1)


def _compact(about: str, told: Signature) -> dict[str, Any]:
    who = signer(*told)
    return {
        "about": about,
        "digest": hexed(word(told.digest)),
        "r": hexed(word(told.r)),
        "vs": hexed(word(told.s | told.odd << 255)),
        "signer": None if who is None else hexed(who),
    }


def _long(about: str, data: bytes, who: bytes | None) -> dict[str, Any]:
    return {
        "about": about,
        "digest": hexed(word(DIGEST)),
        "signature": hexed(data),
        "signer": None if who is None else hexed(who),
    }


def long_cases() -> list[dict[str, Any]]:
    """65 bytes r ‖ s ‖ v, as requests and headers of tiers are signed."""
    _, r, s, odd = good()
    halves, twin = word(r) + word(s), word(r) + word(N - s)
    who = address(times(KEY, G))
    rows = [_long("an ordinary signature", halves + bytes([27 + odd]), who)]
    rows.append(_long("the other v", halves + bytes([28 - odd]), signer(DIGEST, r, s, 1 - odd)))
    rows += [_long(f"v of {v}", halves + bytes([v]), None) for v in (0, 1, 2, 26, 29, 30, 31, 35, 36, 127, 128, 255)]
    rows += [_long(f"the twin with v of {v}", twin + bytes([v]), None) for v in (27, 28)]
    rows.append(_long("the compact form in one piece", word(r) + word(s | odd << 255), None))
    rows += [
        _long(f"{count} bytes", (halves + bytes([27 + odd] * 3))[:count], None) for count in (0, 1, 63, 64, 66, 67)
    ]
    rows.append(_long("s with a bit above 2^255", word(r) + word(s | 1 << 255) + bytes([27 + odd]), None))
    rows.append(_long("zeroes", bytes(65), None))
    rows.append(_long("zeroes with v of 27", bytes(64) + bytes([27]), None))
    return rows


def separator(chain_id: int, hub: bytes, name: str = "PointsAlliance", version: str = "1") -> bytes:
    """The domain of §2.2."""
    parts = [keccak256(DOMAIN), keccak256(name.encode()), keccak256(version.encode()), word(chain_id), bytes(12) + hub]
    return keccak256(b"".join(parts))


def domain_cases() -> list[dict[str, Any]]:
    """One event's hash signed for one hub, and who that is elsewhere: never its signer."""
    struct_hash = keccak256(b"an edge event")
    home = keccak256(b"\x19\x01" + separator(31_337, HUB) + struct_hash)
    r, s, odd = signed(KEY, int.from_bytes(home, "big"), 99)
    other_hub = HUB[:-1] + bytes([HUB[-1] ^ 1])
    places = {
        "at home": (31_337, HUB),
        "another chain": (31_338, HUB),
        "chain 1": (1, HUB),
        "chain 0": (0, HUB),
        "the largest chain id": (2**256 - 1, HUB),
        "another contract": (31_337, other_hub),
        "no contract": (31_337, bytes(20)),
        "another chain and contract": (1, other_hub),
    }
    rows = []
    for about, (chain_id, hub) in places.items():
        there = separator(chain_id, hub)
        digest = keccak256(b"\x19\x01" + there + struct_hash)
        who = signer(int.from_bytes(digest, "big"), r, s, odd)
        told = {"about": about, "chainId": str(chain_id), "hub": hexed(hub), "separator": hexed(there)}
        told |= {"structHash": hexed(struct_hash), "digest": hexed(digest)}
        told |= {"r": hexed(word(r)), "vs": hexed(word(s | odd << 255)), "signer": hexed(who or bytes(20))}
        rows.append(told | {"home": about == "at home"})
    return rows


def vectors() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "Who signed; null where it is nobody and must be refused. `compact` has two words (EIP-2098), `long` "
        "65 bytes; `domains` has one signature under other chains and contracts.",
        "key": hexed(address(times(KEY, G))),
        "compact": [_compact(about, told) for about, told in compact_cases().items()],
        "long": long_cases(),
        "domains": domain_cases(),
    }
