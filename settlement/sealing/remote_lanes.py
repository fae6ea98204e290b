"""Hosted lanes whose keys are elsewhere: the roster in a public file, the signatures from a signer over HTTP.

    POST {"jsonrpc": "2.0", "id": 1, "method": "lane_signDigests", "params": [["0x<address>", "0x<digest>"], …]}
    answer {"result": ["0x<r><vs>", …]}, as many, in the same order; with a bearer token where one is set

Invariants: no key is ever here; what the signer answers is only taken apart here, and held against the registered
addresses by whoever asked (`signing`); pieces are bounded. A signer that does not answer is `SignerRefused`: nothing is
sealed, and the next attempt asks again. `python -m settlement.lane_signer` is such a signer. Called by entry points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import requests

from proofs.kinds import Kind
from proofs.words import WORD_BYTES
from settlement.chain.senders import SignerRefused
from settlement.sealing.lanes import Lane, LaneId, Roster, Signature

METHOD: Final = "lane_signDigests"
DIGESTS_PER_REQUEST_MAX: Final = 1_024
SIGN_SECONDS_MAX: Final = 20.0
ROSTER_FILE_BYTES_MAX: Final = 2**26


class RosterRefused(ValueError):
    """The file does not list lanes; the message names it."""


class RemoteLanes:
    """The lanes of `roster`, signed for at `url`."""

    def __init__(self, url: str, roster: Roster, *, token: str | None = None) -> None:
        self.roster = roster
        self._url = url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def sign(self, requests: Sequence[tuple[LaneId, bytes]]) -> list[Signature]:
        """As `LaneSigner`. Raises `SignerRefused`; KeyError for a lane that is not in the roster."""
        return [signature for piece in _pieces(requests) for signature in self._asked(piece)]

    def _asked(self, piece: Sequence[tuple[LaneId, bytes]]) -> list[Signature]:
        wanted = [[f"0x{self._address(lane_id).hex()}", f"0x{digest.hex()}"] for lane_id, digest in piece]
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": METHOD, "params": wanted}
        try:
            with requests.Session() as session:  # of its own: pieces are asked for by several threads
                session.trust_env = False
                answer = session.post(self._url, json=body, headers=self._headers, timeout=SIGN_SECONDS_MAX).json()
            found = [_halves(bytes.fromhex(each.removeprefix("0x"))) for each in answer["result"]]
        except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SignerRefused(f"the signer of lanes gave no signatures: {type(error).__name__}") from error
        if len(found) != len(piece):
            raise SignerRefused(f"the signer of lanes gave {len(found)} signatures for {len(piece)} digests")
        return found

    def _address(self, lane_id: LaneId) -> bytes:
        lane = self.roster.get(lane_id)
        if lane is None:
            raise KeyError(lane_id)
        return lane.address


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
        raise RosterRefused(f"{path}: not a list of lanes: {error!r}") from error


def _lane(told: Mapping[str, Any]) -> Lane:
    address = bytes.fromhex(told["address"].removeprefix("0x"))
    kinds = frozenset(Kind(kind) for kind in told["kinds"])
    return Lane(int(told["merchant_id"]), int(told["key_id"]), address, kinds)


def _halves(signature: bytes) -> Signature:
    if len(signature) != 2 * WORD_BYTES:
        raise ValueError(f"{len(signature)} bytes are no signature")
    return signature[:WORD_BYTES], signature[WORD_BYTES:]


def _pieces(asked: Sequence[tuple[LaneId, bytes]]) -> Iterator[Sequence[tuple[LaneId, bytes]]]:
    for start in range(0, len(asked), DIGESTS_PER_REQUEST_MAX):
        yield asked[start : start + DIGESTS_PER_REQUEST_MAX]
