"""Check 18: the nets of a settling batch are the change of every cash account since the last one, and sum to zero.

Called by `batch`, last, because it moves the books to the new settling batch. Source: protocol §3.4.
"""

from __future__ import annotations

from auditor.books import Books, cash_balances
from auditor.chain import Commit
from auditor.findings import Findings
from proofs.accounts import cash_account
from proofs.headers import Nets, nets_from, nets_hash
from proofs.lpb1 import Reader
from proofs.words import ZERO_WORD


def check_nets(commit: Commit, reader: Reader, books: Books, findings: Findings) -> None:
    """Check 18 for one batch; a log batch must have no nets, but its cash accounts sum to zero all the same."""
    header, cash = commit.header, cash_balances(reader.rows)
    if sum(cash.values()):
        findings.add("cash-sum", header.batch_no, "sum of the cash rows", expected=0, actual=sum(cash.values()))
    settling = header.nets_hash != ZERO_WORD
    _check_form(header.batch_no, reader.nets, findings)
    hashed = nets_hash(reader.nets, settling=settling)
    if hashed != header.nets_hash or (reader.nets and not settling):
        findings.add("nets-hash", header.batch_no, "netsHash", expected=hashed, actual=header.nets_hash)
    if commit.on_chain is not None and (commit.nets or []) != reader.nets:
        findings.add("nets-differ", header.batch_no, "NetsCommitted", expected=reader.nets, actual=commit.nets)
    if settling:
        _check_against_cash(header.batch_no, reader.nets, cash, books, findings)
        books.settled_batch, books.settled_cash = header.batch_no, cash


def _check_form(batch_no: int, nets: Nets, findings: Findings) -> None:
    ids = [merchant for merchant, _ in nets]
    if ids != sorted(set(ids)) or any(amount == 0 for _, amount in nets):
        findings.add("nets-form", batch_no, "nets", expected="strictly ascending, none zero", actual=nets)
    if sum(amount for _, amount in nets):
        findings.add("nets-form", batch_no, "nets", expected="sum 0", actual=sum(amount for _, amount in nets))


def _check_against_cash(batch_no: int, nets: Nets, cash: dict[int, int], books: Books, findings: Findings) -> None:
    if books.settled_cash is None:
        return
    due, stated = dict(nets_from(cash, books.settled_cash)), dict(nets)
    for merchant in sorted(due.keys() | stated.keys()):
        expected, actual = due.get(merchant, 0), stated.get(merchant, 0)
        if expected != actual:
            place, account = f"net of merchant {merchant}", cash_account(merchant)
            findings.add("net-wrong", batch_no, place, expected=expected, actual=actual, account=account)
