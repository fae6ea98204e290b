"""Points that no purchase brings or takes: opening balances and adjustments, with a second person over a threshold."""

from __future__ import annotations

from tests.oracle.books import Books, Command, No, refuse_if
from tests.oracle.earning import issue, known_member, known_merchant, take
from tests.oracle.moving import fresh_lot
from tests.oracle.pricing import in_turn, terms_at


def open_balance(books: Books, command: Command) -> None:
    """Points a member brought from the issuer's old system."""
    known_merchant(books, command["issuer_id"])
    known_member(books, command["member"])
    bring(books, command, command["points"], command["expires_at_ms"])


def bring(books: Books, command: Command, points: int, expires_ms: int | None) -> None:
    terms = terms_at(books, command["issuer_id"], command["at_ms"])
    if terms is None:
        raise No("terms-missing")
    issue(books, fresh_lot(books, command["member"], terms, command["at_ms"], expires_ms), points)
    books.adjusted[command["issuer_id"]] += points


def adjust(books: Books, command: Command) -> None:
    """A correction; a large one waits for somebody else's approval."""
    merchant = known_merchant(books, command["issuer_id"])
    known_member(books, command["member"])
    name = ("adjustment", command["issuer_id"], command["adjustment"])
    refuse_if(name in books.names, "adjustment-exists")
    refuse_if(not command["points"], "nothing-to-adjust")
    alone_max = merchant["adjust_alone_max"]
    if alone_max is not None and abs(command["points"]) > alone_max:
        books.waiting[command["issuer_id"], command["adjustment"]] = command
    else:
        carry_out(books, command)
    books.names.add(name)


def carry_out(books: Books, command: Command) -> None:
    """Up: a lot as if confirmed now. Down: out of the issuer's lots, and what was spent becomes a debt."""
    points = command["points"]
    if points > 0:
        bring(books, command, points, None)
        return
    issuer, member = command["issuer_id"], command["member"]
    taken = take(books, [lot for lot in in_turn(books.members[member]) if lot.issuer == issuer], -points)
    books.debts[member, issuer] += -points - taken
    books.adjusted[issuer] += points


def approve_adjustment(books: Books, command: Command) -> None:
    waiting = known_adjustment(books, command)
    refuse_if(command["by"] == waiting["by"], "same-person")
    carry_out(books, {**waiting, "at_ms": command["at_ms"]})
    del books.waiting[command["issuer_id"], command["adjustment"]]


def reject_adjustment(books: Books, command: Command) -> None:
    known_adjustment(books, command)
    del books.waiting[command["issuer_id"], command["adjustment"]]


def known_adjustment(books: Books, command: Command) -> Command:
    known_merchant(books, command["issuer_id"])
    name = command["issuer_id"], command["adjustment"]
    refuse_if(("adjustment", *name) not in books.names, "adjustment-unknown")
    refuse_if(name not in books.waiting, "adjustment-decided")
    return books.waiting[name]
