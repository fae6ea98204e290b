"""Random commands that set the alliance up or change it: merchants, terms, rates, campaigns, tiers; and its cycles."""

from __future__ import annotations

from tests.properties.promises import HOUR_MS, Promises
from tests.properties.worlds import DAY_MS, LEAVING, MERCHANTS, MODES, Plain, merchant, tiers


class Settings(Promises):
    """What operators and merchants decide, and what happens at the end of a cycle."""

    def publish_exchange(self) -> Plain:
        num, den = self.dice.choice(((3, 7), (7, 3), (1, 2), (1_000, 1), (1, 1)))
        return {"from_issuer_id": self.merchant(), "to_issuer_id": self.merchant(), "num": num, "den": den}

    def open_merchant(self) -> Plain:
        """One that comes late: a new number mostly, under a code of its own mostly."""
        number = 7 + self.dice.randrange(4)
        return {
            **merchant(number, code=f"c{self.dice.choice((number, number, 1))}"),
            "hold_ms": self.dice.choice((0, HOUR_MS)),
            "earn": {"points": self.dice.choice((1, 7)), "per_minor": self.dice.choice((13, 100))},
            "redemption_fee_bps": self.dice.choice((0, 150)),
            "refund_policy": self.dice.choice(("debt", "within_balance", "only_pending")),
            "credit_limit_au": self.dice.choice((None, 50)),
            "notice_ms": self.dice.choice((0, DAY_MS)),
        }

    def set_tiers(self) -> Plain:
        """Other needs, a tier more or less, another way down; now and then out of order."""
        needs = [0, self.dice.choice((300, 700)), self.dice.choice((2_500, 900, 500))]
        codes = self.dice.choice((("regular", "gold", "diamond"), ("regular", "gold", "black"), ("gold", "silver")))
        return {
            **tiers(),
            "tiers": [{"code": code, "qualifying_au": au} for code, au in zip(codes, needs, strict=False)],
            "downgrade": self.dice.choice(("one", "reached")),
        }

    def publish_terms(self) -> Plain:
        issuer = self.dice.choice(MERCHANTS if self.chance(85) else list(self.oracle.books.merchants))
        rate = self.dice.choice(((7, 3), (1, 2), (5, 1), (3, 1_000), (2, 7), (1, 1)))
        return {
            "terms_id": 10 + self.dice.randrange(2_000),
            "issuer_id": issuer,
            "au_num": rate[0],
            "au_den": rate[1],
            "mode": MODES.get(issuer, 0) if self.chance(50) else self.dice.choice((0, 1)),
            "from_ms": self.dice.choice((None, self.at_ms + DAY_MS)),
        }

    def stop_campaign(self) -> Plain:
        campaigns = list(self.oracle.books.campaigns)
        return {"campaign_id": self.one_of(campaigns) if campaigns and self.chance(90) else 99}

    def of_merchant(self) -> Plain:
        """The one that was opened to leave; rarely one that everybody needs."""
        return {"merchant_id": LEAVING if self.chance(97) else self.merchant()}

    def freeze_merchant(self) -> Plain:
        return {**self.of_merchant(), "reason": "leaves"}

    def set_collateral(self) -> Plain:
        """Often enough for what was agreed, so that it counts in full again."""
        return {"merchant_id": self.merchant(), "collateral_au": self.dice.choice((0, 40, 700, 10_000, 10_000))}

    def unfreeze_merchant(self) -> Plain:
        """Mostly one that is about to leave."""
        about = sorted(self.oracle.books.leaving - self.oracle.books.left)
        return {"merchant_id": self.dice.choice(about) if about and self.chance(90) else self.merchant()}

    def publish_campaign(self) -> Plain:
        bps = self.dice.choice((0, 50, 333, 2_600))
        return {
            "campaign_id": 10 + self.dice.randrange(1_000),
            "merchant_id": self.merchant(),
            "level_bps": self.dice.choice(((bps,), (bps, 50), (bps, bps))),
            "until_ms": self.at_ms + self.dice.choice((0, HOUR_MS, 2 * DAY_MS)),
            "basis_bucket_minor": self.dice.choice((1, 1_000)),
            "reward_au_max": self.dice.choice((None, 30)),
        }

    def charge_fees(self) -> Plain:
        return {"cycle": self.name()}

    def settle_nets(self) -> Plain:
        """All positions, or a part of two."""
        positions = sorted(self.oracle.books.positions().items())
        if len(positions) > 1 and self.chance(50):
            au, first = min(self.points(), 333), self.dice.randrange(len(positions) - 1)
            positions = [(positions[first][0], au), (positions[-1][0], -au)]
        if self.chance(3):
            positions = positions[::-1]
        if positions and self.chance(3):
            positions[0] = (positions[0][0], positions[0][1] + 1)
        recovered = {"recovered_in": self.serial} if self.chance(20) else {}
        batch_no = max(1, self.serial - self.dice.randrange(3))
        return {"batch_no": batch_no, "nets": [{"merchant_id": party, "au": au} for party, au in positions]} | recovered
