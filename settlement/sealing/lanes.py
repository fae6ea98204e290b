"""Lanes: the signing keys of each merchant, which kinds each may sign, and the one `sign()` port behind which hosted
keys live.

A lane is one key with one counter. The alliance hosts three for each merchant that has no signer of its own: one for
the till, one for the back office and one it has delegated (expiry, fees, transfers), so that a stolen till key cannot
charge fees. The sealer asks the port for all signatures of a batch at once; a remote signer is another object with
the same `sign()`. Here is the keystore of development keys: a file of plain keys, marked as such, readable by its
owner only, and refused where production is configured. Called by the sealer and by deployment, which registers the
addresses. Source: docs/protocol §1, §4.2.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from coincurve import PrivateKey

from proofs.accounts import OPERATOR_ID, lane_account
from proofs.json_form import hex_bytes
from proofs.kinds import Kind
from proofs.messages import PointsEvent
from proofs.signature import address_of, sign

POS, BACK_OFFICE, DELEGATED = 1, 2, 3
"""The key ids of hosted lanes."""

HOSTED_KINDS: Final[Mapping[int, frozenset[Kind]]] = {
    POS: frozenset({Kind.EARN, Kind.REDEEM, Kind.REFUND_EARN, Kind.REFUND_REDEEM, Kind.VOID}),
    BACK_OFFICE: frozenset(
        {
            Kind.EXCHANGE_OUT,
            Kind.EXCHANGE_IN,
            Kind.REFERRAL,
            Kind.VOID,
            Kind.ADJUST_UP,
            Kind.ADJUST_DOWN,
            Kind.REFERRAL_CASH,
        }
    ),
    DELEGATED: frozenset({Kind.EXPIRE, Kind.VOID, Kind.FEE, Kind.TRANSFER_OUT, Kind.TRANSFER_IN}),
}
"""Which kinds each hosted lane signs. Every lane may sign VOID, which burns one of its own nonces."""

KEYSTORE_NOTE = "DEVELOPMENT KEYS in plain text. Never use them where anything is worth anything."
OWNER_ONLY = 0o600

Signature = tuple[bytes, bytes]
"""(r, vs), two words: the compact form of `proofs.signature`."""


class LaneId(NamedTuple):
    """One signing key of one merchant."""

    merchant_id: int
    key_id: int


@dataclass(frozen=True, slots=True)
class Lane:
    """What the registry says of one signing key: whose it is, its address (20 bytes) and the kinds it may sign."""

    merchant_id: int
    key_id: int
    address: bytes
    kinds: frozenset[Kind]

    @property
    def id(self) -> LaneId:
        return LaneId(self.merchant_id, self.key_id)

    @property
    def account(self) -> bytes:
        """The lane's account: its seq is the last nonce used."""
        return lane_account(self.merchant_id, self.key_id)

    @property
    def kind_mask(self) -> int:
        """The registry's uint16: bit k opens kind k."""
        return sum(1 << kind for kind in self.kinds)


class LaneUnknown(LookupError):
    """No lane of this merchant may sign this kind. Carries `merchant_id` and `kind`."""

    def __init__(self, merchant_id: int, kind: Kind) -> None:
        super().__init__(f"merchant {merchant_id} has no lane that may sign {kind.name}")
        self.merchant_id = merchant_id
        self.kind = kind


class KeystoreRefused(ValueError):
    """The keystore may not be used: production is configured, others can read it, or it is not a keystore. The
    message names the file.
    """


class Roster:
    """All lanes that are in force, as the registry lists them; a merchant's lane for a kind is the one with the
    lowest key id that may sign it.
    """

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = {lane.id: lane for lane in sorted(lanes, key=lambda lane: lane.id)}
        self._by_kind: dict[tuple[int, int], Lane] = {}
        for lane in self._lanes.values():
            for kind in lane.kinds:
                self._by_kind.setdefault((lane.merchant_id, kind), lane)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def get(self, lane_id: tuple[int, int]) -> Lane | None:
        """The lane, or None if it is not registered."""
        return self._lanes.get(LaneId(*lane_id))

    def lane_for(self, merchant_id: int, kind: Kind) -> Lane:
        """The lane of `merchant_id` that signs `kind`. Raises `LaneUnknown`."""
        lane = self._by_kind.get((merchant_id, kind))
        if lane is None:
            raise LaneUnknown(merchant_id, kind)
        return lane


class SignRequest(NamedTuple):
    """What a lane is asked to sign: the digest (32 bytes), and the event behind it, for a signer that reads it."""

    lane_id: LaneId
    digest: bytes
    event: PointsEvent


class Unsigned(RuntimeError):
    """Some requests got no signature: `refused` has the reason by the place of the request, `given` the signatures of
    the others.
    """

    def __init__(self, refused: Mapping[int, str], given: Mapping[int, Signature]) -> None:
        super().__init__(f"{len(refused)} of {len(refused) + len(given)} requests got no signature")
        self.refused = refused
        self.given = given


SILENT: Final = "silent"
"""The reason where a signer gave no answer: nothing is known of what it would say, so its lanes wait as a whole."""


class LaneSigner(Protocol):
    """The port to whatever holds the keys: signs many requests in one call and answers in the same order."""

    def sign(self, requests: Sequence[SignRequest]) -> list[Signature]:
        """The signatures. Deterministic: the same request gives the same signature. Raises `Unsigned`."""


class Keystore:
    """Development keys in memory, behind the port."""

    def __init__(self, keys: Mapping[LaneId, tuple[PrivateKey, frozenset[Kind]]]) -> None:
        self._keys = {lane_id: key for lane_id, (key, _) in keys.items()}
        self.roster = Roster(
            Lane(*lane_id, address_of(key.public_key), kinds) for lane_id, (key, kinds) in keys.items()
        )

    @property
    def secrets(self) -> dict[LaneId, bytes]:
        """The private keys, for a process that signs for this one."""
        return {lane_id: key.secret for lane_id, key in self._keys.items()}

    def sign(self, requests: Sequence[SignRequest]) -> list[Signature]:
        """As `LaneSigner`. Raises KeyError for a lane it does not hold."""
        keys = self._keys
        return [sign(keys[lane_id], digest) for lane_id, digest, _ in requests]


def create_keystore(path: Path, merchant_ids: Iterable[int]) -> Keystore:
    """A keystore with the three hosted lanes of each merchant and of the operator; lanes that the file has already
    are kept as they are.
    """
    lanes = _read(path) if path.exists() else {}
    for merchant_id in sorted({*merchant_ids, OPERATOR_ID}):
        for key_id, kinds in HOSTED_KINDS.items():
            lanes.setdefault(LaneId(merchant_id, key_id), (PrivateKey(secrets.token_bytes(32)), kinds))
    _write(path, lanes)
    return Keystore(lanes)


def open_keystore(path: Path, *, production: bool) -> Keystore:
    """The keystore in the file. Raises `KeystoreRefused`: development keys do not sign in production."""
    if production:
        raise KeystoreRefused(
            f"{path}: nothing in a file signs in production: name the signer of lanes in TONGDUI_LANES_URL and leave"
            " the public list of lanes here (python -m settlement.lane_signer new --roster)"
        )
    return Keystore(_read(path))


def _read(path: Path) -> dict[LaneId, tuple[PrivateKey, frozenset[Kind]]]:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeystoreRefused(f"{path}: others may read this file; chmod 600 it")
    try:
        form = json.loads(path.read_text())
        if form["development"] is not True:
            raise KeystoreRefused(f"{path}: not marked as development keys")
        return dict(_lane(entry) for entry in form["lanes"])
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, KeystoreRefused):
            raise
        raise KeystoreRefused(f"{path}: not a keystore") from error


def _lane(entry: Mapping[str, Any]) -> tuple[LaneId, tuple[PrivateKey, frozenset[Kind]]]:
    key = PrivateKey(hex_bytes(entry["privateKey"]))
    return LaneId(int(entry["merchantId"]), int(entry["keyId"])), (
        key,
        frozenset(Kind(kind) for kind in entry["kinds"]),
    )


def _write(path: Path, lanes: Mapping[LaneId, tuple[PrivateKey, frozenset[Kind]]]) -> None:
    entries = [
        {
            "merchantId": lane_id.merchant_id,
            "keyId": lane_id.key_id,
            "kinds": sorted(kinds),
            "privateKey": "0x" + key.secret.hex(),
        }
        for lane_id, (key, kinds) in sorted(lanes.items(), key=lambda item: item[0])
    ]
    text = json.dumps({"note": KEYSTORE_NOTE, "development": True, "lanes": entries}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that a crash leaves the old file or the new one, never half a key.
    aside = path.with_name(path.name + ".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
