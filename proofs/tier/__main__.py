"""The partner's command line: what a request asks, and whether responses prove it.

    python -m proofs.tier explain request.json [--tiers Basic,Silver,Gold]
    python -m proofs.tier verify request.json response.json --trusted trusted.json [--now SECONDS] [--allow-dev]
    python -m proofs.tier verify --batch DIR --trusted trusted.json        (NAME.request.json beside NAME.response.json)

Exit codes: 0 everything was accepted; 1 something was refused; 2 what was given cannot be read, or is not to be
trusted. The clock is read here and nowhere else of tier proofs. Used by partners; nothing imports it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from proofs.tier.decoding import DecodingError, shown
from proofs.tier.packing import PackingError
from proofs.tier.request import REQUEST_BYTES_MAX, Flaw, SignedRequest
from proofs.tier.response import RESPONSE_BYTES_MAX
from proofs.tier.trusted import TRUSTED_BYTES_MAX, Setup, Trusted, TrustError
from proofs.tier.verify import BATCH_MAX, Verdict, verify_response, verify_responses

ACCEPTED: Final = 0
REFUSED: Final = 1
BAD_INPUT: Final = 2

REQUEST_SUFFIX: Final = ".request.json"
RESPONSE_SUFFIX: Final = ".response.json"
ADDRESS_DIGITS: Final = 40
NAME_LETTERS_MAX: Final = 255


class BadInput(Exception):
    """Something that was given cannot be used; the message says what."""


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit code."""
    chosen = _arguments().parse_args(words)
    try:
        return _explain(chosen) if chosen.command == "explain" else _verify(chosen)
    except (BadInput, DecodingError, TrustError, PackingError) as error:
        sys.stderr.write(f"bad input: {error}\n")
        return BAD_INPUT


def _arguments() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m proofs.tier", description="Tier proofs, checked by a partner.")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="check responses against the requests they answer",
        description="Checks a response against the request it answers, or a folder of both.",
        epilog="Exit codes: 0 accepted, 1 refused, 2 bad input. That a request is answered once, and a nullifier"
        " counted once in its scope, is for you to keep: both are printed.",
    )
    verify.add_argument("request", nargs="?", type=Path, help="the request as you signed it")
    verify.add_argument("response", nargs="?", type=Path, help="the response as it came")
    verify.add_argument("--trusted", required=True, type=Path, help="circuits and epochs that you trust")
    verify.add_argument(
        "--batch", type=Path, metavar="DIR", help=f"NAME{REQUEST_SUFFIX} and NAME{RESPONSE_SUFFIX} in DIR"
    )
    verify.add_argument("--now", type=int, metavar="SECONDS", help="Unix time to judge by, instead of the clock's")
    verify.add_argument("--allow-dev", action="store_true", help="take development keys, whose maker can forge proofs")
    verify.add_argument("--partner-key", metavar="ADDRESS", help="the address that has to have signed the request")
    verify.add_argument(
        "--second-opinion", action="store_true", help="ask py_ecc too, which takes long and has to be installed"
    )
    verify.add_argument("--json", action="store_true", help="one JSON object a response instead of lines to read")
    explain = commands.add_parser(
        "explain", help="say in words what a request asks", description="Says in words what a request asks a member."
    )
    explain.add_argument("request", type=Path)
    explain.add_argument("--tiers", default="", metavar="NAMES", help="names of tiers from the lowest, with commas")
    explain.add_argument("--now", type=int, metavar="SECONDS", help="Unix time to judge by, instead of the clock's")
    return whole


def _explain(chosen: argparse.Namespace) -> int:
    """0 when the request can be answered as it stands, 1 when a wallet would refuse it whatever else it knows."""
    asked = SignedRequest.decode(_bytes(chosen.request, REQUEST_BYTES_MAX))
    request, now = asked.request, _now(chosen)
    names = [name.strip() for name in chosen.tiers.split(",") if name.strip()]
    flaw = asked.flaw(now=now)
    signer = asked.signer()
    words = "" if flaw is Flaw.POLICY else request.predicate.in_words(names)
    for label, value in (
        ("asks", f"partner {request.partner_id}, {request.audience}"),
        ("for", f"{request.purpose} (window {request.window_id})"),
        ("to prove", words or str(flaw)),
        ("in epoch", str(request.epoch)),
        ("until", f"{_moment(request.expires_at)}"),
        ("signed by", f"0x{signer.hex()}" if signer else "nobody"),
        ("taken", "on chain, for 0x" + request.recipient.hex() if any(request.recipient) else "off chain"),
        ("is", f"not to be answered: {flaw}" if flaw else "in order by itself"),
    ):
        sys.stdout.write(f"{label:<10} {value}\n")
    return REFUSED if flaw else ACCEPTED


def _verify(chosen: argparse.Namespace) -> int:
    trusted = Trusted.decode(_bytes(chosen.trusted, TRUSTED_BYTES_MAX), allow_dev=chosen.allow_dev)
    now, key = _now(chosen), _address(chosen.partner_key)
    if any(each.setup is Setup.DEV for each in trusted.circuits.values()):
        sys.stderr.write("warning: a development key is trusted; whoever made it can forge proofs\n")
    if chosen.batch is not None:
        if chosen.request is not None:
            raise BadInput("either a folder or one request with its response")
        names = _names(chosen.batch)
        pairs = [
            (_request(chosen.batch / f"{n}{REQUEST_SUFFIX}"), _answer(chosen.batch / f"{n}{RESPONSE_SUFFIX}"))
            for n in names
        ]
        verdicts = verify_responses(pairs, trusted, now=now, partner_key=key)
    else:
        if chosen.request is None or chosen.response is None:
            raise BadInput("a request and a response are wanted, or --batch with a folder of them")
        names, pairs = [chosen.response.name], [(_request(chosen.request), _answer(chosen.response))]
        verdicts = [verify_response(*pairs[0], trusted, now=now, partner_key=key)]
    if chosen.second_opinion:
        _ask_py_ecc(_bytes(chosen.trusted, TRUSTED_BYTES_MAX), trusted, pairs, verdicts, names)
    for name, verdict in zip(names, verdicts, strict=True):
        sys.stdout.write((_line_of_json(name, verdict) if chosen.json else _line(name, verdict)) + "\n")
    return ACCEPTED if all(verdict.accepted for verdict in verdicts) else REFUSED


def _ask_py_ecc(
    trust: bytes,
    trusted: Trusted,
    pairs: Sequence[tuple[SignedRequest, bytes]],
    verdicts: Sequence[Verdict],
    names: Sequence[str],
) -> None:
    """See that py_ecc says the same of each proof. Raises `BadInput` where it does not, or is not there."""
    try:
        from proofs.tier.second_opinion import disagreements  # noqa: PLC0415 - a partner need not have py_ecc
    except ModuleNotFoundError as absent:
        raise BadInput(f"--second-opinion wants {absent.name}: pip install py_ecc") from absent
    differing = disagreements(json.loads(trust), trusted, pairs, verdicts)
    if differing:
        raise BadInput("py_ecc says otherwise, take neither's word: " + ", ".join(names[at] for at in differing))
    sys.stderr.write("py_ecc says the same of each proof\n")


def _line(name: str, verdict: Verdict) -> str:
    if verdict.accepted:
        return f"accepted  {name}\n  scope      {verdict.scope}\n  nullifier  {verdict.nullifier}"
    return f"refused   {name}\n  for your log only: {verdict.reason}" + (
        f" ({verdict.detail})" if verdict.detail else ""
    )


def _line_of_json(name: str, verdict: Verdict) -> str:
    reason = None if verdict.reason is None else verdict.reason.name.lower()
    return json.dumps({"name": name, **verdict.public(), "reason": reason, "detail": verdict.detail or None})


def _names(folder: Path) -> list[str]:
    """The names of which a folder has the request; each has to have its response."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder")
    names = sorted(path.name.removesuffix(REQUEST_SUFFIX) for path in folder.glob(f"*{REQUEST_SUFFIX}"))
    if not 0 < len(names) <= BATCH_MAX:
        raise BadInput(f"{folder} has {len(names)} requests, 1 to {BATCH_MAX} are verified at once")
    for path in (folder / f"{name}{suffix}" for name in names for suffix in (REQUEST_SUFFIX, RESPONSE_SUFFIX)):
        if not path.name.isprintable():
            raise BadInput(f"{shown(path.name, NAME_LETTERS_MAX)}: a name that prints is wanted, for it is printed")
        if path.exists() and not path.is_file():
            raise BadInput(f"{path}: is no file")
    return names


def _request(path: Path) -> SignedRequest:
    return SignedRequest.decode(_bytes(path, REQUEST_BYTES_MAX), path.name)


def _answer(path: Path) -> bytes:
    return _bytes(path, RESPONSE_BYTES_MAX)


def _bytes(path: Path, bytes_max: int) -> bytes:
    """The content of a file, and one byte more than is allowed if it has more."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error


def _address(text: str | None) -> bytes | None:
    if text is None:
        return None
    digits = text.removeprefix("0x")
    if len(digits) != ADDRESS_DIGITS or not set(digits.lower()) <= set("0123456789abcdef"):
        raise BadInput(f"--partner-key: 0x and {ADDRESS_DIGITS} hex digits are wanted")
    return bytes.fromhex(digits)


def _now(chosen: argparse.Namespace) -> int:
    return int(time.time()) if chosen.now is None else chosen.now


def _moment(second: int) -> str:
    try:
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {second}"


if __name__ == "__main__":
    sys.exit(main())
