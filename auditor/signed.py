"""A report that its auditor stands by: signed as a text that any wallet can sign and check (EIP-191).

What is signed is the SHA-256 of report.json as it would be filed without its last member, `signature`. Such a text can
never be a header's digest, which begins otherwise, so a key that attests may sign reports too. Who the signer is, and
whether that is an auditor of the alliance, the reader knows. Called by the command line and by `evidence`. Source:
protocol §6 "report JSON".
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from coincurve import PrivateKey

from auditor.findings import shown
from auditor.page import report_text
from proofs.json_form import JsonFormError, hex_text, raw
from proofs.keccak import keccak256
from proofs.signature import SignatureError, address_of, recover, sign

ADDRESS_BYTES = 20
_TEXT = b"\x19Ethereum Signed Message:\n32"


class ReportAltered(ValueError):
    """The signature in a report is none, or of another report."""


def signed_report(report: Mapping[str, Any], key: PrivateKey) -> dict[str, Any]:
    """The report with its auditor's signature in it."""
    r, vs = sign(key, _digest(report))
    return {**report, "signature": {"signer": hex_text(address_of(key.public_key)), "r": shown(r), "vs": shown(vs)}}


def signer_of(report: Mapping[str, Any]) -> str | None:
    """The address that signed it, None where nobody did. Raises `ReportAltered`."""
    if "signature" not in report:
        return None
    told = report["signature"]
    try:
        named, r, vs = raw(told, "signer", ADDRESS_BYTES), raw(told, "r"), raw(told, "vs")
        found = recover(_digest({name: each for name, each in report.items() if name != "signature"}), r, vs)
    except (AttributeError, JsonFormError, KeyError, SignatureError, TypeError) as error:
        raise ReportAltered(f"its signature is none: {error}") from error
    if found != named:
        raise ReportAltered(f"its signature is not by {hex_text(named)}: somebody changed it")
    return hex_text(named)


def _digest(report: Mapping[str, Any]) -> bytes:
    return keccak256(_TEXT + sha256(report_text(report).encode()).digest())
