"""An oracle to play with by hand: short words for commands, keys that count up. Only the oracle's own tests use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.oracle.books import DAY_MS, ON_ISSUANCE, ON_REDEMPTION
from tests.oracle.oracle import Oracle, Outcome

DEFAULTS: dict[str, dict[str, Any]] = {
    "open_merchant": {
        "earn": {"points": 1, "per_minor": 100},
        "hold_ms": 0,
        "validity": {"days": 365},
        "redemption_fee_bps": 200,
        "issuance_fee_bps": 0,
        "refund_policy": "debt",
        "credit_limit_au": None,
        "haircut_bps": 10_000,
        "transfers": "none",
        "adjust_alone_max": None,
        "breakage_bps": 0,
        "notice_ms": 0,
    },
    "publish_terms": {"mode": ON_REDEMPTION, "from_ms": None},
    "redeem": {"at_most": False, "over_limit": "skip"},
    "authorize": {"at_most": False, "over_limit": "skip", "hold_until_ms": DAY_MS},
    "capture": {"au": None},
    "cancel_redemption": {"au": None},
    "open_balance": {"source": "old", "expires_at_ms": None},
    "adjust": {"reason": "counted again", "by": "ann"},
}


@dataclass
class Alone:
    """The oracle, and a count for its keys."""

    oracle: Oracle = field(default_factory=Oracle)
    serial: int = 0

    @classmethod
    def founded(cls, *, mode: int = ON_REDEMPTION, rates: dict[int, tuple[int, int]], **changes: Any) -> Alone:
        """Issuers with these rates, members m and n."""
        alone = cls()
        for number, (num, den) in rates.items():
            alone.done("open_merchant", merchant_id=number, code=f"c{number}", **changes)
            alone.done("publish_terms", terms_id=number, issuer_id=number, au_num=num, au_den=den, mode=mode)
        for member in ("m", "n"):
            alone.done("enrol", member=member)
        return alone

    @classmethod
    def on_issuance(cls, *, rates: dict[int, tuple[int, int]], **changes: Any) -> Alone:
        """As `founded`, paid for when points are issued."""
        return cls.founded(mode=ON_ISSUANCE, rates=rates, **changes)

    def ask(self, verb: str, /, *, at_ms: int = 0, **fields: Any) -> Outcome:
        self.serial += 1
        command = {"key": f"k{self.serial}", "at_ms": at_ms, "verb": verb, **DEFAULTS.get(verb, {}), **fields}
        return self.oracle.apply(command)

    def done(self, verb: str, /, **fields: Any) -> dict[int, int]:
        """What it cleared."""
        outcome = self.ask(verb, **fields)
        assert "done" in outcome, (verb, fields, outcome)
        cleared: dict[int, int] = outcome["clearing"]
        return cleared

    def refused(self, verb: str, /, **fields: Any) -> str:
        return str(self.ask(verb, **fields).get("refused"))

    def earn(self, merchant: int, points: int, *, member: str = "m", order: str = "o", at_ms: int = 0) -> None:
        """That many points of a merchant that gives one per 100."""
        buys = {"merchant_id": merchant, "member": member, "order": order, "amount_minor": points * 100}
        self.done("earn", at_ms=at_ms, **buys)

    def points(self, issuer: int, member: str = "m") -> int:
        return self.oracle.balances().get((member, issuer), 0)
