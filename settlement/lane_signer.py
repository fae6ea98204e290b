"""A signer of hosted lanes: keys in a file under a password, a process that reads events and signs them within limits.

    python -m settlement.lane_signer new --password-file PW --merchant 1 --merchant 2 --roster lanes.json lanes.sealed
    python -m settlement.lane_signer serve --password-file PW --token-file TOKEN --limits limits.json --port 8655 \
        lanes.sealed

Invariants: the file is AES-256-GCM under a key that scrypt makes of the password; lanes that it has are kept when more
are added; keys are in this process's memory only and never shown; it listens on loopback unless told otherwise, answers
one method, and nobody without the token. What it signs it has read: the digest is made anew from the event, on the one
chain and hub of its limits, and what is beyond them is refused by name (`lane_limits`), a day's amounts counted on its
own disk (`lane_budget`) before anything is signed. So whoever has the token gets no more out of a lane than its limits.
Run by itself, on a machine of its own; the settling processes talk to it by `remote_lanes`.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

from coincurve import PrivateKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from proofs.accounts import OPERATOR_ID
from proofs.json_form import from_json, raw
from proofs.kinds import Kind
from proofs.messages import PointsEvent
from settlement.chain.secret_files import SecretRefused, secret_line
from settlement.lane_budget import Budget
from settlement.lane_limits import LimitsRefused, Policy, Refusal, read_policy
from settlement.listening import Listener, body_length
from settlement.sealing.lanes import HOSTED_KINDS, Keystore, LaneId, Signature, SignRequest
from settlement.sealing.remote_lanes import EVENTS_PER_REQUEST_MAX, METHOD, write_roster

Keys = dict[LaneId, PrivateKey]
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1
KEY_BYTES, SALT_BYTES, NONCE_BYTES = 32, 16, 12
PASSWORD_LETTERS_MIN: Final = 16
REQUEST_BYTES_MAX: Final = 2_048 * EVENTS_PER_REQUEST_MAX
ADDRESS_BYTES: Final = 20
SECONDS_PER_DAY: Final = 86_400
IDLE_SECONDS_MAX: Final = 60.0
_CONTEXT: Final = b"tongdui lanes"
_EXITS = "Exit codes: 0 done; 1 the file, the password, the token or the limits do not do."


class KeysRefused(ValueError):
    """The file does not open with this password, or password or token are too short. The message says which."""


def seal_keys(path: Path, keys: Keys, password: str) -> None:
    """Write the keys under the password: aside, flushed, renamed."""
    plain = json.dumps(
        [[*lane_id, key.secret.hex()] for lane_id, key in sorted(keys.items(), key=lambda item: item[0])]
    )
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(_key_of(password, salt)).encrypt(nonce, plain.encode(), _CONTEXT)
    aside = path.with_name(path.name + ".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)


def open_keys(path: Path, password: str) -> Keys:
    """The keys in the file. Raises `KeysRefused`."""
    try:
        told = {name: bytes.fromhex(value) for name, value in json.loads(path.read_text("ascii")).items()}
        plain = AESGCM(_key_of(password, told["salt"])).decrypt(told["nonce"], told["sealed"], _CONTEXT)
        return {LaneId(merchant, key): PrivateKey(bytes.fromhex(secret)) for merchant, key, secret in json.loads(plain)}
    except (InvalidTag, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeysRefused(f"{path}: does not open with this password") from error


def new_lanes(keys: Keys, merchants: Iterable[int]) -> Keys:
    """With the three hosted lanes of each merchant and of the operator; those that are there stay as they are."""
    wanted = (LaneId(merchant, key_id) for merchant in sorted({*merchants, OPERATOR_ID}) for key_id in HOSTED_KINDS)
    return {lane: keys.get(lane) or PrivateKey(secrets.token_bytes(KEY_BYTES)) for lane in [*keys, *wanted]}


def keystore_of(keys: Keys) -> Keystore:
    """The keys behind the port, with the kinds of hosted lanes."""
    kinds: Mapping[int, frozenset[Kind]] = HOSTED_KINDS
    return Keystore({lane_id: (key, kinds[lane_id.key_id]) for lane_id, key in keys.items()})


class Server(Listener):
    """Signs within the limits for whoever shows the token."""

    def __init__(
        self, place: tuple[str, int], keystore: Keystore, token: str, *, policy: Policy, budget: Budget
    ) -> None:
        super().__init__(place, _Handler)
        self.token = token
        self._keystore = keystore
        self._policy = policy
        self._budget = budget
        self._lanes = {lane.address: lane.id for lane in keystore.roster}

    def signed(self, asked: Any) -> list[dict[str, str]]:
        """For each a signature, or the name of what speaks against it. Raises ValueError, KeyError, TypeError."""
        if not isinstance(asked, list) or len(asked) > EVENTS_PER_REQUEST_MAX:
            raise ValueError("too many")
        wanted = [self._request(each) for each in asked]
        refusals = [
            Refusal.LANE if each is None else self._policy.refusal(each.lane_id, each.event, each.digest)
            for each in wanted
        ]
        sound = [at for at, refusal in enumerate(refusals) if refusal is None]
        requests = {at: request for at in sound if (request := wanted[at]) is not None}
        for at, decided in zip(
            sound, self._budget.decide([(each.lane_id, each.event) for each in requests.values()]), strict=True
        ):
            refusals[at] = decided
        to_sign = {at: request for at, request in requests.items() if refusals[at] is None}
        signatures = dict(zip(to_sign, self._keystore.sign(list(to_sign.values())), strict=True))
        return [
            {"signature": _hex(signatures[at])} if refusal is None else {"refused": refusal.value}
            for at, refusal in enumerate(refusals)
        ]

    def _request(self, told: Any) -> SignRequest | None:
        """One of the request's entries; None where the lane is not held here."""
        address, digest = raw(told, "lane", ADDRESS_BYTES), raw(told, "digest")
        event, lane_id = from_json(PointsEvent, told["event"]), self._lanes.get(address)
        return None if lane_id is None else SignRequest(lane_id, digest, event)


def _hex(signature: Signature) -> str:
    return f"0x{b''.join(signature).hex()}"


class _Handler(BaseHTTPRequestHandler):
    """One request: the token first, then its size, then what it asks."""

    server: Server
    timeout = IDLE_SECONDS_MAX
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        length = body_length(self)
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            self._answer(401, {"error": {"code": -32000, "message": "the token is missing or another"}})
        elif not length or length > REQUEST_BYTES_MAX:
            self._answer(413, {"error": {"code": -32600, "message": f"1 to {REQUEST_BYTES_MAX} bytes"}})
        else:
            self._answer(*self._signed(self.rfile.read(length)))

    def _signed(self, body: bytes) -> tuple[int, dict[str, object]]:
        try:
            asked = json.loads(body)
            if asked["method"] != METHOD:
                return 200, {"error": {"code": -32601, "message": f"only {METHOD}"}}
            return 200, {"jsonrpc": "2.0", "id": asked.get("id"), "result": self.server.signed(asked["params"])}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return 200, {"error": {"code": -32602, "message": "a list of lane, digest and event"}}

    def _answer(self, status: int, told: dict[str, object]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close" if status != 200 else "keep-alive")  # noqa: PLR2004 - OK
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = status != 200  # noqa: PLR2004 - what was not read must not be taken for a request

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Nothing: requests are many, and what is in them is the merchants'."""


def _key_of(password: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(password.encode())


def _secret_line(path: Path) -> str:
    line = secret_line(path)
    if len(line) < PASSWORD_LETTERS_MIN:
        raise KeysRefused(f"{path}: shorter than {PASSWORD_LETTERS_MIN} letters")
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Make keys, or serve them."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except (KeysRefused, LimitsRefused, SecretRefused, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"settlement.lane_signer: {error}\n")
        return 1


def _new(asked: argparse.Namespace) -> int:
    password = _secret_line(asked.password_file)
    keys = new_lanes(open_keys(asked.file, password) if asked.file.exists() else {}, asked.merchant)
    seal_keys(asked.file, keys, password)
    write_roster(asked.roster, keystore_of(keys).roster)
    sys.stdout.write(
        f"{len(keys)} lanes; their addresses are in {asked.roster}. A signer that serves is to be started anew\n"
    )
    return 0


def _serve(asked: argparse.Namespace) -> int:
    keystore, policy = keystore_of(open_keys(asked.file, _secret_line(asked.password_file))), read_policy(asked.limits)
    days = asked.days or asked.file.with_name(f"{asked.file.name}.days")
    budget, token = Budget(days, policy, today=_today), _secret_line(asked.token_file)
    with closing(budget), Server((asked.host, asked.port), keystore, token, policy=policy, budget=budget) as server:
        sys.stdout.write(f"http://{asked.host}:{server.server_port}\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _today() -> int:
    return int(time.time()) // SECONDS_PER_DAY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m settlement.lane_signer", description="Keys of hosted lanes, and their signer.", epilog=_EXITS
    )
    commands = parser.add_subparsers(required=True, metavar="new | serve")
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("file", type=Path, help="the keys, under the password")
    both.add_argument("--password-file", type=Path, required=True, help="a file with the password, 16 letters or more")
    new = commands.add_parser("new", parents=[both], epilog=_EXITS, help="make the lanes that are not there yet")
    new.add_argument("--merchant", type=int, action="append", default=[], help="a merchant's number; repeatable")
    new.add_argument("--roster", type=Path, required=True, help="where the public list of lanes goes")
    new.set_defaults(run=_new)
    serve = commands.add_parser(
        "serve", parents=[both], epilog=_EXITS, help="sign events within limits for who has the token"
    )
    serve.add_argument("--token-file", type=Path, required=True, help="a file with the token, 16 letters or more")
    serve.add_argument("--limits", type=Path, required=True, help="chain, hub, and what each lane may sign in a day")
    serve.add_argument("--days", type=Path, help="where days are counted; beside the keys when left out")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen; put TLS in front of anything but loopback")
    serve.add_argument("--port", type=int, default=0, help="the port; any free one when left out, printed")
    serve.set_defaults(run=_serve)
    return parser


if __name__ == "__main__":
    sys.exit(main())
