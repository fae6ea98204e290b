"""Merchants that the ledger has and the registry not, or not wholly: what they owe the books waits; a person is told.

A merchant can sell from the moment it is in the ledger. Its keys and terms come into the registry by the council and
its administrator (`python -m settlement register`); until then none of its legs is in a batch (`sealing.ends`), and
everybody else's go on. Told from rows alone: the watcher's events of finalised blocks. Called by the periodic
comparison. Source: docs/decisions/0223.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger import queries
from settlement.batches import Settlement
from settlement.sealing import desk
from settlement.tables import Conn
from settlement.watch import alerts
from settlement.watch.alerts import Alert

SOURCE = "registrations"
_KEYED = """
SELECT DISTINCT (fields->>'merchantId')::bigint FROM settlement.chain_event
WHERE name = 'KeySet' AND contract = 'MerchantRegistry' AND block_number >= %s
"""
_TERMS = """
SELECT (fields->>'termsId')::bigint FROM settlement.chain_event
WHERE name = 'TermsAdded' AND contract = 'MerchantRegistry' AND block_number >= %s
"""


def tell_unregistered(s: Settlement) -> list[Alert]:
    """What the registry, or the list of lanes, has yet to get. Safe to repeat."""
    hosted = {lane.merchant_id for lane in s.lanes.roster}
    told = [
        Alert(
            code="merchant-unregistered",
            place=f"merchant {merchant}",
            expected="keys and terms in the registry, and a lane that signs",
            actual=f"{lacks}: python -m settlement register says what to do",
        )
        for merchant, lacks in lacking(s.conn, hosted, first_block=s.alliance.anchor.deploy_block)
    ]
    alerts.keep(s.conn, SOURCE, told)
    return told


def lacking(conn: Conn, hosted: set[int], *, first_block: int) -> Iterator[tuple[int, str]]:
    """Each merchant that lacks something, and what; `hosted` have lanes of which keys are kept. What another hub's
    registry had before `first_block` is not there.
    """
    keyed = {merchant for (merchant,) in conn.execute(_KEYED, [first_block]).fetchall()}
    registered = {number for (number,) in conn.execute(_TERMS, [first_block]).fetchall()}
    signing = hosted | {lane.merchant_id for lane in desk.lanes(conn)}
    missing: dict[int, list[int]] = {}
    for terms in queries.terms(conn):
        if terms.terms_id not in registered:
            missing.setdefault(terms.issuer_id, []).append(terms.terms_id)
    for merchant in (each.merchant_id for each in queries.merchants(conn)):
        lacks = [words for words, so in (("no key", merchant not in keyed), ("no lane", merchant not in signing)) if so]
        lacks += [f"no terms {number}" for number in missing.get(merchant, ())]
        if lacks:
            yield merchant, ", ".join(lacks)
