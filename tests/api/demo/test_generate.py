"""The generated year: repeatable, in shape, and plausible where the design says so."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from api.demo.generate import TRADES, Written, generate
from api.demo.merchants import SMALL_ALLIANCE
from api.demo.purchases import Purchase, Rejects, read_links, read_purchases

LATEST = datetime(2026, 6, 1, tzinfo=UTC)


def read(written: Written, folder: Path) -> tuple[list[Purchase], dict[str, str]]:
    """Both files through the same reader as any other."""
    with Rejects(folder / "rejects.jsonl") as rejects:
        links = read_links(written.links, rejects)
        taken = list(read_purchases(written.events, rejects, currency="CNY", latest=LATEST))
    assert rejects.total == 0
    return taken, links


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    made = [generate(tmp_path / name, seed=seed, events=800) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert made[0].events.read_bytes() == made[1].events.read_bytes()
    assert made[0].links.read_bytes() == made[1].links.read_bytes()
    assert made[0].events.read_bytes() != made[2].events.read_bytes()


def test_every_trade_is_a_merchant_of_the_alliance() -> None:
    assert [trade.code for trade in TRADES] == [plan.code for plan in SMALL_ALLIANCE]


def test_a_year_has_its_size_shape_and_members(tmp_path: Path) -> None:
    taken, _ = read(generate(tmp_path, events=4_000, members=100), tmp_path)
    assert 3_600 <= len(taken) <= 4_800
    assert {purchase.merchant for purchase in taken} == {trade.code for trade in TRADES}
    assert len({purchase.member for purchase in taken}) == 100
    assert [purchase.at_ms for purchase in taken] == sorted(purchase.at_ms for purchase in taken)
    weekdays = Counter(datetime.fromtimestamp(purchase.at_ms // 1_000, UTC).weekday() for purchase in taken)
    assert weekdays[5] > weekdays[1], "Saturdays are busier than Tuesdays"


def test_refunds_follow_their_purchase_and_never_exceed_it(tmp_path: Path) -> None:
    taken, links = read(generate(tmp_path, events=8_000), tmp_path)
    by_id = {purchase.event_id: purchase for purchase in taken}
    refunds = [purchase for purchase in taken if purchase.kind == "refund"]
    assert len(refunds) > 80
    assert 0 < sum(refund.event_id not in links for refund in refunds) < len(refunds) // 8, (
        "a few have lost their origin"
    )
    returned: Counter[str] = Counter()
    for refund in refunds:
        if refund.event_id in links:
            origin = by_id[links[refund.event_id]]
            assert (origin.kind, origin.merchant, origin.member) == ("purchase", refund.merchant, refund.member)
            assert origin.at_ms < refund.at_ms
            returned[origin.event_id] += refund.amount_minor
    assert all(total <= by_id[origin].amount_minor for origin, total in returned.items())
    assert any(total == by_id[origin].amount_minor for origin, total in returned.items())
