"""Assisted proving: the server makes a proof for a member who asks for it and gives it the secret for that once.

It is weaker than proving on the device, and members are told so: whoever runs the server could link them. What is done
about the rest: the secret is sealed (HPKE, X25519) to a key of the workers before it goes to any queue, that key lives
for hours and is then destroyed, so a queue that is read later says nothing; it is opened in the task's memory alone,
handed to a process of its own through a pipe, and never stored or logged. The answer is sealed to a key that only who
asked has. Invariants: a job has a row from the asking until it is fetched or too old, and only an open one is proven,
so whoever is handed it again leaves no second answer; a request is proven for the member whose commitment is that of
the secret, in an epoch that is in force; an answer is fetched once, by the member who asked; jobs are bounded, of a
member and in all; nothing here raises words that hold what came in. Called by the door (`ask`, `give_up`, `answer`) and
by the task (`prove`).
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

import proofs
from proofs.json_form import hex_text
from proofs.tier.decoding import DecodingError, Fields, decode
from proofs.tier.request import SignedRequest
from settlement.tables import Conn
from settlement.tiers.trees import Trees
from settlement.tiers.witness import OPERATORS_TROUBLE, NoWitness, witness
from settlement.vault import Vault, VaultError

KEY_S_MAX: Final = 3_600
"""How long requests are sealed to one key; it is destroyed after twice as long."""
JOB_S_MAX: Final = 1_800
"""How long a job may wait for a worker: longer than a queue needs to see that one died and to hand the job on."""
ANSWER_S_MAX: Final = 600
"""How long an answer waits to be fetched."""
JOBS_EACH_MAX: Final = 3
"""Of one member, proven ones that it has not fetched among them."""
JOBS_OPEN_MAX: Final = 100
"""Of all members, that no worker has answered yet."""
PROVE_S_MAX: Final = 60
MEMORY_MEGABYTES_MAX: Final = 1_024
SEALED_BYTES_MAX: Final = 16 * 1024
ANSWER_BYTES_MAX: Final = 4 * 1024
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
CIRCUITS: Final = Path(proofs.__file__).parent / "circuits"
log = structlog.get_logger(__name__)
_INFO: Final = b"tongdui assisted proving"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_FIELDS: Final = ("member", "secret", "use_index", "request", "reply_key")
_EXITS: Final = {0: "", 3: "not-this-secret", 4: "policy-unmet"}

_NEWEST = "SELECT public_key FROM settlement.tier_prover WHERE made_at > %s ORDER BY made_at DESC LIMIT 1"
_PUBLISH = "INSERT INTO settlement.tier_prover (public_key, made_at) VALUES (%s, %s)"
_KEEP = "INSERT INTO vault.tier_prover (public_key, wrapped) VALUES (%s, %s)"
_HELD = "SELECT wrapped FROM vault.tier_prover WHERE public_key = %s"
_DESTROY = """
WITH old AS (DELETE FROM settlement.tier_prover WHERE made_at < %s RETURNING public_key)
DELETE FROM vault.tier_prover WHERE public_key IN (SELECT public_key FROM old)
"""
_FORGET = "DELETE FROM settlement.tier_proving WHERE asked_at < %s OR answered_at < %s"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('tier-proving', 0))"
_TAKEN = """
SELECT count(*) FILTER (WHERE member_no = %s), count(*) FILTER (WHERE answer IS NULL) FROM settlement.tier_proving
"""
_OPEN = "INSERT INTO settlement.tier_proving (id, asked_at, member_no) VALUES (%s, %s, %s)"
_GIVE_UP = "DELETE FROM settlement.tier_proving WHERE id = %s"
_IS_OPEN = "SELECT FROM settlement.tier_proving WHERE id = %s AND answer IS NULL AND asked_at >= %s"
_ANSWER = """
UPDATE settlement.tier_proving SET answer = %s, answered_at = %s WHERE id = %s AND answer IS NULL AND asked_at >= %s
"""
_FETCH = """
DELETE FROM settlement.tier_proving WHERE id = %s AND member_no = %s AND answered_at >= %s RETURNING answer
"""
_THERE = """
SELECT FROM settlement.tier_proving
WHERE id = %s AND member_no = %s AND (answered_at >= %s OR (answer IS NULL AND asked_at >= %s))
"""


class ProverAway(RuntimeError):
    """No worker has said lately that it proves, or the queue does not take the job."""


class TooManyJobs(RuntimeError):
    """As many jobs as there may be are open; of this member's, where `own`."""

    def __init__(self, most: int, *, own: bool) -> None:
        super().__init__(f"{most} jobs are open" + (" of this member" if own else ""))
        self.most, self.own = most, own


class NoSuchJob(LookupError):
    """No job of this name that this member asked for: it was fetched, or its time is over, or it never was."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the member's number and name."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What who asks keeps: the name of the answer and the key that opens it."""

    id: UUID
    reply_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What goes to the queue: nothing of it says who asks for what."""

    id: str
    public_key: str
    ciphertext: str


class Answer(NamedTuple):
    """`response` for the partner, or why there is none: witness-missing, not-this-secret, policy-unmet, failed."""

    response: dict[str, Any] | None
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """What a task proves with. `circuit` is the folder of the circuit's keys."""

    vault: Vault
    trees: Trees
    circuit: Path = CIRCUITS / "dev"
    node: str = "node"
    production: bool = False
    seconds_max: int = PROVE_S_MAX


def ready(conn: Conn, vault: Vault, *, now: int) -> None:
    """Have a key that requests can be sealed to, and destroy those that are old, with jobs that are over."""
    with conn.transaction():
        conn.execute(_DESTROY, [now - 2 * KEY_S_MAX])
        _forget(conn, now)
        if conn.execute(_NEWEST, [now - KEY_S_MAX // 2]).fetchone() is None:
            key = X25519PrivateKey.generate()
            public = key.public_key().public_bytes_raw()
            conn.execute(_PUBLISH, [public, now])
            conn.execute(_KEEP, [public, vault.wrap(key.private_bytes_raw(), _label(public))])


def ask(
    conn: Conn, asker: Asker, secret: int, request: SignedRequest, *, use_index: int, now: int
) -> tuple[Asked, Sealed]:
    """Open a job: what to put into the queue, and what to fetch the answer with. Raises, in this order, `ProverAway`,
    `TooManyJobs`.
    """
    row = conn.execute(_NEWEST, [now - KEY_S_MAX]).fetchone()
    if row is None:
        raise ProverAway("no worker proves at the moment")
    asked, public = Asked(uuid4(), secrets.token_bytes(KEY_BYTES)), bytes(row[0])
    _open(conn, asker.number, asked.id, now)
    told = {
        "member": asker.name,
        "secret": str(secret),
        "use_index": use_index,
        "request": request.to_json(),
        "reply_key": hex_text(asked.reply_key),
    }
    sealed = _SUITE.encrypt(
        json.dumps(told).encode(), X25519PublicKey.from_public_bytes(public), info=_info(str(asked.id))
    )
    return asked, Sealed(str(asked.id), public.hex(), sealed.hex())


def _open(conn: Conn, member_no: int, job: UUID, now: int) -> None:
    """One at a time, so that two at once do not both take the last place."""
    with conn.transaction():
        conn.execute(_ONE_AT_A_TIME)
        _forget(conn, now)
        own, unanswered = conn.execute(_TAKEN, [member_no]).fetchone() or (0, 0)
        if own >= JOBS_EACH_MAX:
            raise TooManyJobs(JOBS_EACH_MAX, own=True)
        if unanswered >= JOBS_OPEN_MAX:
            raise TooManyJobs(JOBS_OPEN_MAX, own=False)
        conn.execute(_OPEN, [job, now, member_no])


def _forget(conn: Conn, now: int) -> None:
    conn.execute(_FORGET, [now - JOB_S_MAX, now - ANSWER_S_MAX])


def give_up(conn: Conn, job: UUID) -> None:
    """Nobody will prove it: the queue did not take it."""
    conn.execute(_GIVE_UP, [job])


def answer(conn: Conn, asked: Asked, *, member_no: int, now: int) -> Answer | None:
    """The answer, once, to the member that asked; None while there is none. Raises `NoSuchJob`, and `InvalidTag` for
    another key, which takes nothing away.
    """
    with conn.transaction():
        row = conn.execute(_FETCH, [asked.id, member_no, now - ANSWER_S_MAX]).fetchone()
        if row is None:
            there = conn.execute(_THERE, [asked.id, member_no, now - ANSWER_S_MAX, now - JOB_S_MAX]).fetchone()
            if there is None:
                raise NoSuchJob(str(asked.id))
            return None  # or answered only now: for whoever asks again
        data = bytes(row[0])
        told = json.loads(AESGCM(asked.reply_key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], asked.id.bytes))
    return Answer(told["response"], told["refused"])


def prove(conn: Conn, prover: Prover, sealed: Sealed, *, now: int) -> str:
    """Prove what was asked, and leave the answer; how it went, in a word that can be logged. A job that was answered,
    fetched or given up before is over.
    """
    told = _opened(conn, prover.vault, sealed)
    if told is None:
        return "not-opened"
    if conn.execute(_IS_OPEN, [sealed.id, now - JOB_S_MAX]).fetchone() is None:
        return "over"
    made = _made(conn, prover, told)
    nonce, plain = secrets.token_bytes(NONCE_BYTES), json.dumps(made._asdict()).encode()
    reply = nonce + AESGCM(told.reply_key).encrypt(nonce, plain, UUID(sealed.id).bytes)
    kept = conn.execute(_ANSWER, [reply, now, sealed.id, now - JOB_S_MAX]).rowcount
    return (made.refused or "proven") if kept else "over"


class _Told(NamedTuple):
    """What was sealed; shown by no one."""

    member: str
    secret: str
    use_index: int
    request: dict[str, Any]
    reply_key: bytes

    def __repr__(self) -> str:
        return "_Told(..)"


def _opened(conn: Conn, vault: Vault, sealed: Sealed) -> _Told | None:
    """What was asked; None for what is not for a key that is held."""
    try:
        public, ciphertext = bytes.fromhex(sealed.public_key), bytes.fromhex(sealed.ciphertext)
        row = conn.execute(_HELD, [public]).fetchone()
        if row is None:
            return None
        key = X25519PrivateKey.from_private_bytes(vault.open(bytes(row[0]), _label(public)))
        plain = _SUITE.decrypt(ciphertext, key, info=_info(sealed.id))
        fields = Fields.of(decode(plain, "job", bytes_max=SEALED_BYTES_MAX), "job", _FIELDS)
        return _Told(
            member=fields.text("member"),
            secret=str(fields.element("secret")),
            use_index=fields.small("use_index", 8),
            request=SignedRequest.from_json(fields.form["request"]).to_json(),
            reply_key=fields.raw("reply_key", KEY_BYTES),
        )
    except (ValueError, InvalidTag, VaultError, DecodingError):
        return None


def _made(conn: Conn, prover: Prover, told: _Told) -> Answer:
    request = SignedRequest.from_json(told.request)
    try:
        mine = witness(conn, prover.vault, prover.trees, told.member, number=request.request.epoch)
    except NoWitness:
        return Answer(None, "witness-missing")
    except OPERATORS_TROUBLE as error:
        log.warning("no witness", epoch=request.request.epoch, reason=type(error).__name__)
        return Answer(None, "failed")
    given = {
        "secret": told.secret,
        "use_index": told.use_index,
        "witness": mine.to_json(),
        "root": str(mine.root),
        "epoch_tag": str(mine.signed.header.tag),
        "request": told.request,
    }
    return _run(prover, json.dumps(given).encode())


def _run(prover: Prover, given: bytes) -> Answer:
    """A process of its own, which is told through a pipe and says nothing but the answer."""
    command = [
        *(prover.node, f"--max-old-space-size={MEMORY_MEGABYTES_MAX}"),
        *(str(CIRCUITS / "prover" / "assist.mjs"), str(prover.circuit)),
        *(["--production"] if prover.production else []),
    ]
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=prover.seconds_max, check=False, env=_environment()
        )
    except (subprocess.TimeoutExpired, OSError):
        return Answer(None, "failed")
    refused = _EXITS.get(done.returncode, "failed")
    if refused or len(done.stdout) > ANSWER_BYTES_MAX:
        return Answer(None, refused or "failed")
    return Answer(json.loads(done.stdout), "")


def _environment() -> dict[str, str]:
    """Where programs are, and nothing else that this process knows."""
    return {"PATH": os.environ.get("PATH", os.defpath)}


def _info(job: str) -> bytes:
    return _INFO + UUID(job).bytes


def _label(public: bytes) -> str:
    return f"tier prover {public.hex()}"
