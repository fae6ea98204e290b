"""The outcome of an audit as JSON: what a machine files and another auditor can compare.

Amounts are decimal strings, hashes 0x-hex. A check's state is `held`, `broken` or `not checked`: a check that had
nothing to look at is never called held. Called by the command line. Source: protocol §6 "report JSON".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from auditor.chain import Chain
from auditor.figures import figures
from auditor.findings import CHECKS, RULES, shown
from auditor.outcome import BatchOutcome, Outcome
from auditor.receipts import BROKEN, KEPT

_RATIO_SCALE = 10_000
_DATA_CHECKS = frozenset(range(6, 19)) | {25}
_UNTOLD = "the batch was published without a tariff, or the leaf they name lies before the range"
_RELATIONS = {
    20: ("no refund lies in the range", "the leaf they name lies before the range"),
    21: ("no expiry lies in the range", "expiries name no earning, so no more than the age of the account is seen"),
    22: ("no exchange and no transfer lies in the range", _UNTOLD),
    23: ("no fee was charged in the range", _UNTOLD),
    24: ("no referral reward lies in the range", _UNTOLD),
}
"""Why the checks of relations between leaves were not made: there was nothing, or not all of it could be seen."""

INFORMATION = 31
"""The check that promises nothing: its figures are told."""

_LATER = {
    26: "no epochs of liabilities are on the chain",
}


def report(outcome: Outcome, *, rpc: Sequence[str], anchored: bool) -> dict[str, Any]:
    """The whole report. `anchored` says whether the anchor named a code hash (check 1)."""
    chain = outcome.chain
    return {
        "verdict": outcome.verdict.value,
        "anchor": {
            "chainId": chain.chain_id,
            "hub": shown(chain.hub),
            "registry": shown(chain.registry_address),
            "codeHash": shown(chain.code_hash),
            "genesisHeaderHash": _genesis(outcome),
            "contracts": contracts(chain),
            "roles": list(chain.roles),
        },
        "carried": [_carried(each) for each in chain.hubs if each.carried is not None],
        "range": {"from": outcome.first, "to": outcome.last},
        "finalizedBlock": {"number": chain.block_no, "hash": shown(chain.block_hash), "time": chain.block_time},
        "rpc": list(rpc),
        "batches": [_batch(each) for each in outcome.batches],
        "checks": checks(outcome, anchored=anchored),
        "findings": [_finding(outcome, at) for at in range(len(outcome.findings.kept))],
        "findingsTotal": outcome.findings.total,
        "incomplete": outcome.incomplete,
        "takenOnTrust": outcome.on_trust,
        "totals": totals(outcome),
        "nets": nets(outcome),
        "figures": figures(outcome.figures),
        "exhibits": outcome.exhibits.as_json(),
        "evidence": {
            "receipts": outcome.receipts,
            "journalEntries": outcome.journal_entries,
            "checkpoints": outcome.checkpoints,
        },
        "attest": not outcome.incomplete and not outcome.findings.object_to(outcome.last),
        "seconds": round_seconds(outcome.seconds),
    }


def _carried(chain: Chain) -> dict[str, Any]:
    """Which hub goes on after which, and whether the older one was read too."""
    assert chain.carried is not None, "only hubs that go on after another are told"
    old = chain.carried
    told = {"chainId": old.chain_id, "hub": shown(old.hub), "headerHash": shown(old.header_hash)}
    return {"hub": shown(chain.hub), "after": told, "read": chain.before is not None}


def _finding(outcome: Outcome, at: int) -> dict[str, object]:
    """A finding, with the names of the exhibits that show it, and what is evidence by itself."""
    evidence = outcome.exhibits.of.get(at)
    return outcome.findings.kept[at].as_json() | ({"evidence": evidence} if evidence else {})


def contracts(chain: Chain) -> dict[str, dict[str, str]]:
    """The hub's partners: where they are and what their code is."""
    return {
        name: {"address": shown(address), "codeHash": shown(code_hash)}
        for name, (address, code_hash) in chain.contracts.items()
    }


def checks(outcome: Outcome, *, anchored: bool) -> list[dict[str, Any]]:
    """Every check with what it came to; one that was not made, or not wholly, says why."""
    why = why_not(outcome, anchored=anchored)
    told = []
    for number, promise in CHECKS.items():
        broken = outcome.findings.of_check(number)
        state = "broken" if broken else ("not checked" if number in why else "held")
        if number == INFORMATION:
            state = "information"
        entry: dict[str, Any] = {"check": number, "promise": promise, "state": state, "findings": broken}
        told.append(entry | ({"why": why[number]} if number in why else {}))
    return told


def why_not(outcome: Outcome, *, anchored: bool) -> dict[int, str]:
    """The checks that had nothing to look at, or could not see all of it, each with the reason."""
    committed = [commit for commit in outcome.chain.commits if commit.on_chain is not None and not commit.opens]
    settled = any(commit.on_chain is not None and commit.on_chain.final and commit.nets for commit in committed)
    why = dict(_LATER)
    if not anchored:
        why[1] = "no anchor names the contracts, their code and all roles"
    if not committed:
        why[5] = "nothing was committed yet"
    if not settled:
        why[19] = "no settling batch is final yet"
    elif outcome.chain.holdings is None:
        why[19] = "the contracts were not asked what they hold"
    if outcome.chain.queue is None or not outcome.chain.queue.events:
        why[28] = "nothing was ever forced"
    if not any(batch.checked for batch in outcome.batches):
        why |= dict.fromkeys(_DATA_CHECKS, "no file was read")
    judged = sum(outcome.receipts.get(each, 0) for each in (KEPT, BROKEN))
    if not judged:
        given = ", ".join(f"{count} {name}" for name, count in outcome.receipts.items() if count)
        why[27] = f"no receipt could be judged: {given}" if given else "no receipts were given"
    if outcome.journal_entries is None:
        why[29] = "no export of the journal was given"
    for number, (nothing, unseen) in _RELATIONS.items():
        if not outcome.looked[number]:
            why[number] = nothing
        elif outcome.unseen[number]:
            looked = outcome.looked[number]
            why[number] = f"{min(outcome.unseen[number], looked)} of {looked} only in part: {unseen}"
    return why


def totals(outcome: Outcome) -> dict[str, Any]:
    """Figures over the checked batches; netting is what was paid against what would have been, leg by leg."""
    settled = max((batch.batch_no for batch in outcome.batches if batch.settling), default=-1)
    gross = sum(batch.gross_cash for batch in outcome.batches if batch.batch_no <= settled)
    net = sum(batch.net_cash for batch in outcome.batches)
    leaves = sum(batch.leaves for batch in outcome.batches if batch.checked)
    return {
        "events": leaves,
        "points": str(outcome.points),
        "liabilities": str(outcome.liabilities),
        "debts": str(outcome.debts),
        "grossCash": str(gross),
        "netCash": str(net),
        "nettingRatio": netting_ratio(gross, net),
        "eventsPerSecond": int(leaves / outcome.seconds) if outcome.seconds else 0,
    }


def nets(outcome: Outcome) -> list[dict[str, Any]]:
    """What each merchant receives, or pays where it is negative, by the settling batches of the range on the chain."""
    sums: Counter[int] = Counter()
    for commit in outcome.chain.commits:
        if outcome.first <= commit.header.batch_no <= outcome.last:
            sums.update(dict(commit.nets or ()))
    return [{"merchantId": merchant, "net": str(amount)} for merchant, amount in sorted(sums.items())]


def netting_ratio(gross: int, net: int) -> str | None:
    """The share of gross cash that netting saved, with four decimals, rounded down; None when nothing was owed."""
    if gross == 0:
        return None
    saved = max(0, gross - net) * _RATIO_SCALE // gross
    return f"{saved // _RATIO_SCALE}.{saved % _RATIO_SCALE:04d}"


def round_seconds(seconds: float) -> float:
    """Milliseconds are enough."""
    return int(seconds * 1000) / 1000


def _genesis(outcome: Outcome) -> str | None:
    first = next((each for each in outcome.chain.commits if each.opens), None)
    return None if first is None else shown(first.header_hash)


def _batch(batch: BatchOutcome) -> dict[str, Any]:
    by_check: dict[int, int] = {}
    for code, count in batch.counts.items():
        by_check[RULES[code].check] = by_check.get(RULES[code].check, 0) + count
    return {
        "no": batch.batch_no,
        "headerHash": shown(batch.header_hash),
        "leaves": batch.leaves,
        "sealedAt": batch.sealed_at,
        "settling": batch.settling,
        "checked": batch.checked,
        "rootOk": batch.checked and not by_check.get(8),
        "sigsOk": batch.good_signatures,
        "sigsBad": by_check.get(9, 0),
        "stepsBad": by_check.get(10, 0) + by_check.get(14, 0),
        "netsOk": batch.checked and not by_check.get(18),
        "findings": sum(batch.counts.values()),
        "data": {"manifest": shown(batch.data_hash), "plainBytes": batch.plain_bytes, "bytes": batch.sealed_bytes},
        "seconds": round_seconds(batch.seconds),
    }
