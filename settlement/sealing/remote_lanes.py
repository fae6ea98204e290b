"""Hosted lanes whose keys are elsewhere: the roster in a public file, the signatures from signers over HTTP.

    POST {"jsonrpc": "2.0", "id": 1, "method": "lane_signEvents",
          "params": [{"lane": "0x<address>", "digest": "0x<digest>", "event": {a PointsEvent in its JSON form}}, …]}
    answer {"result": [{"signature": "0x<r><vs>"} or {"refused": "<reason>"}, …]}, as many, in the same order;
    with a bearer token where one is set

A signer makes the digest itself from the event, by the domain that it was given, and signs within its own limits.
Merchants may have signers of their own (`elsewhere`), so that one that is slow or down leaves out its own lanes only.
Invariants: no key is ever here; what a signer answers is only taken apart here, and held against the registered
addresses by whoever asked (`signing`); requests, answers and the time for one are bounded, whatever trickles in. A
signer that did not answer is not asked again by this object, which lives for one turn: its lanes are `Unsigned`, and
the next turn asks anew. `python -m settlement.lane_signer` is such a signer. Called by entry points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from proofs.json_form import hex_bytes, to_json
from proofs.kinds import Kind
from proofs.words import WORD_BYTES
from settlement.chain.secret_files import secret_line
from settlement.posting import NOT_POSTED, posted, shown, why
from settlement.sealing.lanes import SILENT, Lane, LaneId, Roster, Signature, SignRequest, Unsigned

METHOD: Final = "lane_signEvents"
EVENTS_PER_REQUEST_MAX: Final = 1_024
SIGN_SECONDS_MAX: Final = 20.0
"""For the whole answer to one request, not for a byte of it."""
ANSWER_BYTES_MAX: Final = 512 * EVENTS_PER_REQUEST_MAX
ROSTER_FILE_BYTES_MAX: Final = 2**26
REASON_LETTERS_MAX: Final = 32
SIGNERS_MAX: Final = 64
log = structlog.get_logger(__name__)


class RosterRefused(ValueError):
    """The file does not list lanes, or signers; the message names it."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a signer listens, and the token it asks for."""

    url: str
    token: str | None = field(default=None, repr=False)


class _NoAnswer(Exception):
    """A signer did not answer, in time or in the form."""


class RemoteLanes:
    """The lanes of `roster`, signed for at `url`; those of merchants in `elsewhere` at their own signers."""

    def __init__(
        self,
        url: str,
        roster: Roster,
        *,
        token: str | None = None,
        elsewhere: Mapping[int, Route] | None = None,
        sign_seconds_max: float = SIGN_SECONDS_MAX,
    ) -> None:
        self.roster = roster
        self._route = Route(url, token)
        self._elsewhere = dict(elsewhere or {})
        self._seconds_max = sign_seconds_max
        self._silent: set[Route] = set()

    def sign(self, requests: Sequence[SignRequest]) -> list[Signature]:
        """As `LaneSigner`. Raises `Unsigned`; KeyError for a lane that is not in the roster."""
        by_route: dict[Route, list[int]] = {}
        for at, each in enumerate(requests):
            by_route.setdefault(self._elsewhere.get(each.lane_id.merchant_id, self._route), []).append(at)
        given: dict[int, Signature] = {}
        refused: dict[int, str] = {}
        with ThreadPoolExecutor(max(1, len(by_route))) as pool:  # a slow one must not delay the others' answers
            asked = {route: pool.submit(self._of_route, route, requests, places) for route, places in by_route.items()}
        for answer in asked.values():
            for at, one in answer.result().items():
                if isinstance(one, str):
                    refused[at] = one
                else:
                    given[at] = one
        if refused:
            raise Unsigned(refused, given)
        return [given[at] for at in range(len(requests))]

    def _of_route(
        self, route: Route, requests: Sequence[SignRequest], places: Sequence[int]
    ) -> dict[int, Signature | str]:
        found: dict[int, Signature | str] = {}
        for piece in _pieces(places):
            if route in self._silent:
                found |= dict.fromkeys(piece, SILENT)
                continue
            try:
                answers = self._asked(route, [requests[at] for at in piece])
            except _NoAnswer as error:
                log.warning("lanes' signer gave no answer", signer=shown(route.url), problem=str(error))
                self._silent.add(route)
                answers = [SILENT] * len(piece)
            found |= dict(zip(piece, answers, strict=True))
        return found

    def _asked(self, route: Route, piece: Sequence[SignRequest]) -> list[Signature | str]:
        wanted = [
            {"lane": f"0x{self._address(lane_id).hex()}", "digest": f"0x{digest.hex()}", "event": to_json(event)}
            for lane_id, digest, event in piece
        ]
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": METHOD, "params": wanted}
        try:
            answer = posted(
                route.url, body, seconds_max=self._seconds_max, bytes_max=ANSWER_BYTES_MAX, token=route.token
            )
            told = json.loads(answer)["result"]
            answers = [_answer(each) for each in told]
        except (*NOT_POSTED, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _NoAnswer(why(error)) from None
        if len(answers) != len(piece):
            raise _NoAnswer(f"{len(answers)} answers to {len(piece)} requests")
        return answers

    def _address(self, lane_id: LaneId) -> bytes:
        lane = self.roster.get(lane_id)
        if lane is None:
            raise KeyError(lane_id)
        return lane.address


def _answer(told: Mapping[str, Any]) -> Signature | str:
    """A signature, or the reason why there is none."""
    if "signature" in told:
        return _halves(hex_bytes(told["signature"]))
    reason = str(told["refused"])
    if not reason or len(reason) > REASON_LETTERS_MAX or not reason.isascii() or not reason.isprintable():
        raise ValueError("no reason is given")
    return reason


def write_roster(path: Path, roster: Roster) -> None:
    """The public file: whose lanes there are, their addresses and kinds."""
    entries = [
        {**lane.id._asdict(), "address": f"0x{lane.address.hex()}", "kinds": sorted(lane.kinds)} for lane in roster
    ]
    path.write_text(json.dumps({"lanes": entries}, indent=1) + "\n", encoding="ascii")


def read_roster(path: Path) -> Roster:
    """The lanes in a public file. Raises `RosterRefused`, and OSError."""
    if path.stat().st_size > ROSTER_FILE_BYTES_MAX:
        raise RosterRefused(f"{path}: too long for a list of lanes")
    try:
        return Roster([_lane(each) for each in json.loads(path.read_bytes())["lanes"]])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RosterRefused(
            f"{path}: not a public list of lanes, as `settlement.lane_signer new --roster` writes it: {error!r}"
        ) from error


def read_signers(path: Path) -> dict[int, Route]:
    """The merchants' own signers: a JSON list of {"url", "tokenFile", "merchants"}; the token's file is one line, and
    its place is seen from the list's. Raises `RosterRefused`, and OSError.
    """
    try:
        told = json.loads(path.read_bytes())
        found = {
            int(merchant): Route(
                str(each["url"]),
                secret_line(path.parent / each["tokenFile"]) if "tokenFile" in each else None,
            )
            for each in told
            for merchant in each["merchants"]
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RosterRefused(f"{path}: not a list of signers: {error!r}") from error
    if len(set(found.values())) > SIGNERS_MAX:
        raise RosterRefused(f"{path}: more than {SIGNERS_MAX} signers")
    return found


def _lane(told: Mapping[str, Any]) -> Lane:
    address = hex_bytes(told["address"])
    kinds = frozenset(Kind(kind) for kind in told["kinds"])
    return Lane(int(told["merchant_id"]), int(told["key_id"]), address, kinds)


def _halves(signature: bytes) -> Signature:
    if len(signature) != 2 * WORD_BYTES:
        raise ValueError(f"{len(signature)} bytes are no signature")
    return signature[:WORD_BYTES], signature[WORD_BYTES:]


def _pieces(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), EVENTS_PER_REQUEST_MAX):
        yield places[start : start + EVENTS_PER_REQUEST_MAX]
