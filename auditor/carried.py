"""A hub that goes on where another one ended: the two readings held against each other.

Checks 3 and 12: the new hub's first header is bound to the last one of the old hub, which is final and has wound down;
numbers, points and journal go on, nets are counted from what settled last, and terms are worth what they were. That the
opening rows are the closing rows is check 15, as between any two batches, and that nets are what the rows say since the
old hub settled is check 18. Called by `audit`. Source: protocol §4.7, docs/decisions/0228, 0241.
"""

from __future__ import annotations

from auditor.chain import Chain, Commit
from auditor.findings import Findings, shown
from proofs.headers import Predecessor, settled_by
from proofs.messages import BatchHeader


def check_carried(before: Chain, after: Chain, opening: Commit, findings: Findings) -> None:
    """What `opening`, the first header of `after`, takes over from `before`."""
    last = before.commits[-1] if before.commits else None
    number = opening.header.batch_no
    if last is None:
        findings.add("carried-from", number, "the old hub", expected="a header", actual="none")
        return
    due = Predecessor(before.chain_id, before.hub, last.header_hash)
    final = last.on_chain is not None and last.on_chain.final
    facts = {
        "predecessor": (_told(due), "nobody" if after.carried is None else _told(after.carried)),
        "the old hub's last header is final": (True, final),
        "the old hub winds down": (True, before.winds_down_since > 0),
        **_figures(last.header, opening.header),
    }
    for place, (expected, actual) in facts.items():
        if expected != actual:
            findings.add("carried-from", number, place, expected=expected, actual=actual)
    _check_terms(before, after, number, findings)


def _told(each: Predecessor) -> str:
    return f"chain {each.chain_id}, hub {shown(each.hub)}, header {shown(each.header_hash)}"


def _figures(last: BatchHeader, opening: BatchHeader) -> dict[str, tuple[object, object]]:
    return {
        "header.batchNo": (last.batch_no + 1, opening.batch_no),
        "header.netsSinceBatch": (settled_by(last), opening.nets_since_batch),
        "header.firstLeafNo": (last.first_leaf_no + last.leaf_count, opening.first_leaf_no),
        "header.totalPoints": (last.total_points, opening.total_points),
        "header.journalHead": (last.journal_head, opening.journal_head),
        "header.openedAt no earlier": (True, opening.opened_at >= last.sealed_at),
    }


def _check_terms(before: Chain, after: Chain, number: int, findings: Findings) -> None:
    """A point is worth under the new hub what it was worth under the old one."""
    for terms_id, old in before.registry.terms.items():
        new = after.registry.terms.get(terms_id)
        due = old.issuer_id, old.acceptor_id, old.num, old.den, old.mode
        there = None if new is None else (new.issuer_id, new.acceptor_id, new.num, new.den, new.mode)
        if due != there:
            findings.add("carried-terms", number, f"terms {terms_id}", expected=due, actual=there)
