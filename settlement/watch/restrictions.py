"""Merchants that the registry lets sign little: the ledger stops issuing for them, and a person is told.

The registry restricts a merchant that defaulted, that the alliance suspended, or that has left. What it signs beyond
refunds and fees waits from then on (`sealing.ends`); so that little more comes to wait, it is frozen in the ledger as
soon as the watcher has stored its status from a finalised block. Nobody is unfrozen here: why else a merchant may be
frozen is not known here, so a person does. Called by the periodic comparison. Source: docs/decisions/0183.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from ledger import queries
from ledger.answers import Refusal
from ledger.commands import FreezeMerchant
from settlement import second_node
from settlement.batches import Settlement
from settlement.sealing.ends import ACTIVE
from settlement.sealing.leaves import MS_PER_SECOND
from settlement.tables import Conn
from settlement.watch import alerts
from settlement.watch.alerts import Alert

SOURCE = "restrictions"
STATUSES = {2: "delinquent", 3: "suspended", 4: "left"}
"""MerchantStatus of the registry."""
log = structlog.get_logger(__name__)
_NEWEST = """
SELECT DISTINCT ON (merchant_id) merchant_id, (fields->>'status')::integer, block_number, log_index
FROM settlement.chain_event WHERE name = 'StatusSet' AND contract = 'MerchantRegistry'
ORDER BY merchant_id, block_number DESC, log_index DESC
"""


@dataclass(frozen=True, slots=True)
class Restricted:
    """A merchant, its status, and the log that said so."""

    merchant_id: int
    status: int
    block_number: int
    log_index: int


def restricted(conn: Conn) -> list[Restricted]:
    """Who is restricted by the newest word of a finalised block that the watcher has stored."""
    found = [Restricted(*row) for row in conn.execute(_NEWEST).fetchall()]
    return [each for each in found if each.status != ACTIVE]


def freeze_restricted(s: Settlement) -> list[Alert]:
    """Freeze in the ledger whoever is restricted and issues still; what a person has to know. Safe to repeat."""
    found = restricted(s.conn)
    known = queries.registry(s.conn) if found else None
    due = [each for each in found if known is not None and not known.is_frozen(each.merchant_id)]
    for answer in s.ledger.post([_freeze(s, each) for each in due]) if due else ():
        if isinstance(answer.outcome, Refusal):  # registered on the chain only, or frozen by somebody meanwhile
            log.warning("not frozen", code=answer.outcome.code, reason=answer.outcome.message)
    told = [_alert(each) for each in found]
    alerts.keep(s.conn, SOURCE, told)
    return told


def _freeze(s: Settlement, each: Restricted) -> FreezeMerchant:
    at = second_node.block(s.alliance, each.block_number).timestamp
    return FreezeMerchant(
        key=f"chain-status:{each.merchant_id}:{each.block_number}.{each.log_index}",
        at_ms=at * MS_PER_SECOND,
        merchant_id=each.merchant_id,
        reason=f"{STATUSES[each.status]}-on-the-chain",
    )


def _alert(each: Restricted) -> Alert:
    return Alert(
        code="merchant-restricted",
        place=f"merchant {each.merchant_id}",
        expected="active",
        actual=STATUSES[each.status],
    )
