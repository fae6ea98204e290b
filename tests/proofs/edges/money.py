"""Rates and nets where they round, run out or do not cancel.

A rate is judged by fractions, from the words of protocol §2.4: acceptors' points are the worth rounded up, a return is
off by less than a point, and the reserve stands behind balances above zero (decision 0110). What the contract answers
for a forced event follows from what it cannot see: a member's balance (decision 0195).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

from eth_abi.abi import encode

from proofs.keccak import keccak256
from tests.proofs.edges.places import hexed

REDEMPTION, ISSUANCE = 0, 1
EARN, REDEEM, REFUND_EARN, REFUND_REDEEM, EXPIRE, TRANSFER_OUT, TRANSFER_IN = 1, 2, 3, 4, 5, 14, 15
ADDS, TAKES = {1, 4, 7, 8, 10, 15}, {2, 3, 5, 6, 11, 14}
ACCEPTORS = {2, 4, 6}
FORCEABLE = {1, 8}
AU = 10_000
RATES = ((10_000, 1), (1, 1), (10_000, 7), (70_000, 3), (1, 9))
INT128_MAX = 2**127 - 1


def worth_of(points: int, num: int, den: int) -> Fraction:
    """What points are worth, in base units."""
    return Fraction(points * num, den)


def rate_holds(row: dict[str, int]) -> bool:
    """Whether cash and points may stand together, looking at the event and its terms alone."""
    num, den, settle = row["num"], row["den"], row["settleAmount"]
    worth = worth_of(row["points"], num, den)
    point = worth_of(1, num, den)
    if row["mode"] == ISSUANCE and row["kind"] not in ACCEPTORS:
        return settle < worth + max(point, Fraction(AU))
    if row["kind"] == REFUND_REDEEM:
        return abs(settle - worth) < point
    return row["points"] == ceil(settle / point)


def reserve_follows(row: dict[str, int]) -> bool:
    """Whether the reserve keeps up with the member's balance above zero."""
    if row["mode"] != ISSUANCE or row["kind"] in ACCEPTORS:
        return True
    after = row["memberBalance"]
    sign = 1 if row["kind"] in ADDS else -1
    moved = abs(max(0, after) - max(0, after - sign * row["points"]))
    due = {TRANSFER_OUT: 0, TRANSFER_IN: row["points"] - moved}.get(row["kind"], moved)
    point = worth_of(1, row["num"], row["den"])
    return abs(row["settleAmount"] - worth_of(due, row["num"], row["den"])) < max(point, Fraction(AU))


def forced(row: dict[str, int]) -> str | None:
    """What the queue of forced events says to it; None of kinds that nobody can force for another reason."""
    if row["kind"] not in FORCEABLE:
        return None
    return "None" if row["mode"] == REDEMPTION and not row["settleAmount"] else "Rate"


def _around(kind: int, mode: int, points: int, rate: tuple[int, int], balance: int) -> Iterator[dict[str, int]]:
    """Cash at and beside every limit of these points."""
    num, den = rate
    worth, step = points * num // den, -(-num // den)
    near = {worth + by for by in (-1, 0, 1)} | {worth + step + by for by in (-1, 0, 1)}
    near |= {worth - step + by for by in (-1, 0, 1)} | {worth + AU + by for by in (-1, 0, 1)} | {worth - AU, 0, 1}
    for settle in sorted(each for each in near if 0 <= each < 2**128):
        yield {
            "kind": kind,
            "mode": mode,
            "points": points,
            "settleAmount": settle,
            "num": num,
            "den": den,
            "memberBalance": balance,
        }


def _rows() -> Iterator[dict[str, int]]:
    for rate in RATES:
        for kind, points in ((REDEEM, 1), (REDEEM, 7), (REFUND_REDEEM, 7), (REDEEM, 1_000_003)):
            yield from _around(kind, REDEMPTION, points, rate, 10**9)
        yield from _around(EARN, ISSUANCE, 7, rate, 7)
        yield from _around(EARN, ISSUANCE, 7, rate, 3)
        yield from _around(EARN, ISSUANCE, 7, rate, -1)
        yield from _around(REFUND_EARN, ISSUANCE, 7, rate, -3)
        yield from _around(TRANSFER_IN, ISSUANCE, 7, rate, 3)
    yield from _around(EARN, REDEMPTION, 7, (10_000, 1), 7)
    yield from _around(8, ISSUANCE, 7, (10_000, 1), 7)
    yield from _around(8, REDEMPTION, 7, (10_000, 1), 7)
    yield from _around(TRANSFER_OUT, ISSUANCE, 7, (10_000, 1), 0)
    yield from _around(EXPIRE, ISSUANCE, 7, (10_000, 1), 0)
    yield from _around(REDEEM, REDEMPTION, 2**64 - 1, (1, 1), 0)
    yield from _around(REDEEM, REDEMPTION, 2**64 - 1, (2**63, 1), 0)
    yield from _around(REDEEM, REDEMPTION, 2**64 - 1, (2**128 - 1, 2**128 - 1), 0)
    yield from _around(EARN, ISSUANCE, 2**64 - 1, (2**63, 1), 2**64 - 1)


def _rate(row: dict[str, int]) -> dict[str, Any]:
    told: dict[str, Any] = {name: str(value) for name, value in row.items()}
    return told | {"rateHolds": rate_holds(row), "reserveFollows": reserve_follows(row), "forced": forced(row)}


def nets_hash(nets: list[tuple[int, int]]) -> str:
    """keccak256(abi.encode(Net[]))."""
    return hexed(keccak256(encode(["(uint32,int128)[]"], [nets])))


def _listed(nets: list[tuple[int, int]]) -> list[dict[str, str]]:
    return [{"merchantId": str(party), "amount": str(amount)} for party, amount in nets]


def _settled(about: str, now: dict[int, int], since: dict[int, int]) -> dict[str, Any]:
    """Nets as the difference of each party, in order, without zeroes."""
    nets = []
    for party in sorted({*now, *since}):
        change = now.get(party, 0) - since.get(party, 0)
        if change:
            nets.append((party, change))
    told = {name: _listed(sorted(cash.items())) for name, cash in (("now", now), ("since", since))}
    return {"about": about, **told, "nets": _listed(nets), "hash": nets_hash(nets)}


def settled_cases() -> list[dict[str, Any]]:
    """Cash then and now."""
    many = {party: (-1) ** party * party for party in range(1, 512)}
    many[512] = -sum(many.values())
    return [
        _settled("nothing moved", {}, {}),
        _settled("all as it was", {1: 5, 2: -5}, {1: 5, 2: -5}),
        _settled("EX1", {1: -1_500_000, 2: -500_000, 3: 2_000_000}, {}),
        _settled("back to nothing", {1: 0, 2: 0}, {1: 7, 2: -7}),
        _settled("a party that is new and one that is gone", {1: 3, 9: -3}, {2: 4, 3: -4}),
        _settled("one unit", {1: 1, 2: -1}, {}),
        _settled("the largest amounts", {1: INT128_MAX, 2: -INT128_MAX}, {}),
        _settled("the reserved parties", {1: -9, 900_000_001: 4, 900_000_002: 5}, {}),
        _settled("ids from end to end", {1: -1, 2**32 - 1: 1}, {}),
        _settled("512 parties", many, {}),
    ]


def wrong_nets() -> list[dict[str, Any]]:
    """Lists that no batch may have, with the hub's answer."""
    wrong: dict[str, tuple[str, list[tuple[int, int]]]] = {
        "descending": ("NetsNotAscending", [(2, -1), (1, 1)]),
        "one party twice": ("NetsNotAscending", [(1, -1), (1, 1)]),
        "party 0": ("NetsNotAscending", [(0, -1), (1, 1)]),
        "a zero": ("ZeroNet", [(1, -1), (2, 1), (3, 0)]),
        "only a zero": ("ZeroNet", [(1, 0)]),
        "one unit made": ("NetsUnbalanced", [(1, -1), (2, 2)]),
        "one unit lost": ("NetsUnbalanced", [(1, -2), (2, 1)]),
        "a single one": ("NetsUnbalanced", [(1, 1)]),
        "a sum that wraps 128 bits": ("NetsUnbalanced", [(1, INT128_MAX), (2, INT128_MAX), (3, 2)]),
        "513 of them": ("TooManyNets", [(party, (-1) ** party * (1 + (party > 511))) for party in range(1, 514)]),
        "more than the cap": ("GrossCapExceeded", [(1, -INT128_MAX), (2, INT128_MAX)]),
        "the most negative amount": ("GrossCapExceeded", [(1, -INT128_MAX - 1), (2, INT128_MAX), (3, 1)]),
    }
    return [
        {"about": about, "refusal": refusal, "nets": _listed(nets), "hash": nets_hash(nets)}
        for about, (refusal, nets) in wrong.items()
    ]


def vectors() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "`rates`: cash beside points (kind, mode and balance as in reserve.json); `forced` is the contract's "
        "answer to such an event, null where its kind cannot be forced. `settled`: cash now and then, the nets and "
        "their hash. `wrong`: lists of nets that the hub refuses, and how.",
        "rates": [_rate(row) for row in _rows()],
        "settled": settled_cases(),
        "wrong": wrong_nets(),
    }
