"""Points that no purchase brings or takes: opening balances and adjustments, with a second person over a threshold."""

from __future__ import annotations

from tests.oracle.books import DAY_MS, Books, Command, No, refuse_if
from tests.oracle.earning import expiry, issue, known_member, known_merchant, take
from tests.oracle.limits import may_issue
from tests.oracle.moving import fresh_lot
from tests.oracle.pricing import in_turn, terms_at


def open_balance(books: Books, command: Command) -> None:
    """Points a member brought from the issuer's old system, each balance of it once."""
    merchant = known_merchant(books, command["issuer_id"])
    refuse_if(command["issuer_id"] in books.leaving, "merchant-frozen")
    member = known_member(books, command["member"])
    name = ("opening", command["issuer_id"], f"{command['source']} of {command['member']}")
    refuse_if(name in books.names, "opening-exists")
    terms = needed_terms(books, command)
    expires = command["expires_at_ms"]
    expires = expiry(merchant, command["at_ms"]) if expires is None else expires
    refuse_if(expires <= command["at_ms"], "already-expired")
    refuse_if(not may_issue(books, terms["terms_id"], [(member, command["points"])]), "issuer-over-limit")
    books.names.add(name)
    books.adjusted[command["issuer_id"]] += command["points"]
    issue(books, {fresh_lot(books, member, terms, command["at_ms"], expires): command["points"]})


def needed_terms(books: Books, command: Command) -> Command:
    terms = terms_at(books, command["issuer_id"], command["at_ms"])
    if terms is None:
        raise No("terms-missing")
    return terms


def adjust(books: Books, command: Command) -> None:
    """A correction; what is more than one person may do in a day waits for somebody else's approval."""
    issuer = command["issuer_id"]
    merchant = known_merchant(books, issuer)
    known_member(books, command["member"])
    refuse_if(("adjustment", issuer, command["adjustment"]) in books.names, "adjustment-exists")
    refuse_if(not command["points"], "adjustment-zero")
    refuse_if(command["points"] > 0 and issuer in books.leaving, "merchant-frozen")
    alone_max, day = merchant["adjust_alone_max"], (issuer, command["by"], command["at_ms"] // DAY_MS)
    if alone_max is not None and books.alone[day] + abs(command["points"]) > alone_max:
        books.waiting[issuer, command["adjustment"]] = command
    else:
        carry_out(books, command)
        books.alone[day] += abs(command["points"])
    books.names.add(("adjustment", issuer, command["adjustment"]))


def carry_out(books: Books, command: Command) -> None:
    """Up: a lot as if confirmed now. Down: out of the issuer's lots; what was spent becomes a debt where refunds may
    leave one.
    """
    points, issuer, member = command["points"], command["issuer_id"], books.who(command["member"])
    refuse_if(points > 0 and issuer in books.leaving, "merchant-frozen")
    terms = needed_terms(books, command)
    if points > 0:
        refuse_if(not may_issue(books, terms["terms_id"], [(member, points)]), "issuer-over-limit")
        books.adjusted[issuer] += points
        issue(books, {fresh_lot(books, member, terms, command["at_ms"], None): points})
        return
    mine = [lot for lot in in_turn(books.members[member]) if lot.issuer == issuer]
    missing = max(0, -points - sum(lot.left for lot in mine))
    refuse_if(missing and books.merchants[issuer]["refund_policy"] != "debt", "balance-too-low")
    take(books, member, mine, -points, terms["terms_id"])
    books.adjusted[issuer] += points


def approve_adjustment(books: Books, command: Command) -> None:
    """Somebody else lets it happen, as things are now."""
    waiting = known_adjustment(books, command)
    refuse_if(command["by"] == waiting["by"], "same-person")
    known_member(books, waiting["member"])
    carry_out(books, {**waiting, "at_ms": command["at_ms"]})
    del books.waiting[command["issuer_id"], command["adjustment"]]


def reject_adjustment(books: Books, command: Command) -> None:
    """It never happens; its name stays used."""
    known_adjustment(books, command)
    del books.waiting[command["issuer_id"], command["adjustment"]]


def known_adjustment(books: Books, command: Command) -> Command:
    known_merchant(books, command["issuer_id"])
    name = command["issuer_id"], command["adjustment"]
    refuse_if(("adjustment", *name) not in books.names, "adjustment-unknown")
    refuse_if(name not in books.waiting, "adjustment-decided")
    return books.waiting[name]
