"""What members did as far as rules remember it: days of check-in, steps of tasks, whether somebody ever ordered.

A streak is a set of the member's own days, a task is what was done for each of its steps, and both know nothing of the
order in which they were told. How far back is remembered is a rule of its own: a check-in more than thirty days behind
the newest comes too late to count. Of two members who turn out to be one person, everything counts together.
"""

from __future__ import annotations

from tests.oracle.books import Books, Command, Rule
from tests.oracle.conditions import Event, asks, holds

LATE_DAYS_MAX = 30


def check_in(books: Books, event: Event) -> int:
    """Remember the day; the days in a row that it ends, 0 if it was known or is too late."""
    days = books.check_ins.setdefault((event.merchant, event.member), set())
    today = event.day()
    if today in days or (days and today < max(days) - LATE_DAYS_MAX):
        return 0
    days.add(today)
    return in_a_row(days, today)


def in_a_row(days: set[int], last: int) -> int:
    """How many days without a gap end with `last`."""
    count = 0
    while last - count in days:
        count += 1
    return count


def one_calendar(mine: set[int], theirs: set[int]) -> set[int]:
    """The days of both, as far back as a late one would still count; before that the longer of the two runs."""
    oldest = max(mine | theirs) - LATE_DAYS_MAX
    before = max(in_a_row(mine, oldest - 1), in_a_row(theirs, oldest - 1))
    return {day for day in mine | theirs if day >= oldest} | {oldest - 1 - ago for ago in range(before)}


def advance(rule: Rule, steps: list[Command], event: Event) -> bool | None:
    """Take the event into a task; whether it is completed by that, None where it moves nothing. Once completed, a task
    is over for the member.
    """
    if event.member in rule.completed:
        return None
    meeting = [step["trigger"] == event.trigger and holds(step["condition"], event) for step in steps]
    done = rule.done.get(event.member) or [[] for _ in steps]
    more = [
        step_after(step, days, event.day()) if meets else days
        for step, days, meets in zip(steps, done, meeting, strict=True)
    ]
    open_steps = [step for step, days in zip(steps, more, strict=True) if progress(step, days) < step["times"]]
    is_over = any(meeting) and not open_steps
    if not is_over and more == done:
        return None
    rule.done[event.member] = more
    if is_over:
        rule.completed.add(event.member)
    return is_over


def far(rule: Rule, steps: list[Command], member: str) -> tuple[int, int]:
    """(done, in all) of a task."""
    done = [progress(step, days) for step, days in zip(steps, rule.done[member], strict=True)]
    return sum(done), sum(step["times"] for step in steps)


def step_after(step: Command, days: list[int], today: int) -> list[int]:
    """The days on which something was done for a step, with what was done today."""
    is_full = progress(step, days) == step["times"]
    return days if is_full or (step["daily"] and today in days) else [*days, today]


def progress(step: Command, days: list[int]) -> int:
    return min(len(days), int(step["times"]))


def unite_task(rule: Rule, member: str, into: str) -> None:
    """Both together; who had not completed it begins anew if the merge is taken back."""
    steps = rule.versions[0]["steps"]
    if member in rule.completed:
        rule.completed.add(into)
    if member in rule.done:
        theirs = rule.done.get(into) or [[] for _ in steps]
        rule.done[into] = [together(*each) for each in zip(steps, rule.done[member], theirs, strict=True)]
        if member not in rule.completed:
            del rule.done[member]


def together(step: Command, mine: list[int], theirs: list[int]) -> list[int]:
    return sorted({*mine, *theirs}) if step["daily"] else (mine + theirs)[: step["times"]]


def watch(books: Books, merchant: int, rule: Command) -> None:
    """From the first rule on that asks for first orders, itself or in a step, the merchant's orders are watched."""
    if any(asks(each["condition"], "first_order") for each in [rule, *rule["steps"]]):
        books.watching.add(merchant)


def is_first_order(books: Books, event: Event) -> bool:
    """Whoever had anything to do with the issuer's points before anybody watched counts as an old customer."""
    if event.trigger != "order.paid" or event.merchant not in books.watching:
        return False
    pair = (event.member, event.merchant)
    return not books.customers.get(pair, pair in books.touched)


def remember_customer(books: Books, event: Event, *, was_given: bool) -> None:
    """An order makes a customer; points given for something else must not make one look like one afterwards."""
    pair, ordered = (event.member, event.merchant), event.trigger == "order.paid"
    if event.merchant not in books.watching:
        return
    if ordered:
        books.customers[pair] = True
    elif was_given:
        books.customers.setdefault(pair, pair in books.touched)


def unite_doings(books: Books, member: str, into: str) -> None:
    """Streaks and customers of two who are one person."""
    for merchant in books.merchants:
        mine = books.check_ins.get((merchant, member))
        if mine:
            theirs = books.check_ins.get((merchant, into))
            books.check_ins[merchant, into] = one_calendar(mine, theirs) if theirs else set(mine)
        if (member, merchant) in books.customers:
            both = books.customers[member, merchant], books.customers.get((into, merchant), False)
            books.customers[into, merchant] = any(both)
