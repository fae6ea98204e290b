"""A merchant's extract of one batch: its own leaves, rows and postings, and how the merchant proves to itself that
nothing of its own is missing, doubled or altered, up to header hashes that the chain must hold.

    {chainId, hub, merchantId, header, previous, settled, rows: [{account, opening, closing, settled}],
     after, leaves: [{leafNo, lanePrevLeafNo, event | eventHash, sigR, sigVS, postings, own: {slot: posting},
                      totalPointsAfter, path}], more}

`previous` is the header before (null for genesis), `settled` that of the last settling batch (null in a log batch);
`opening`, `closing` and the cash row's `settled` are {row, index, path} under them, `opening` null for an account that
is new. A leaf that the merchant signed has its event; of another's leaf that moved the merchant's accounts it has the
hash. A batch may be spread over pages: all alike but for `after`, `leaves` and `more`. Structs are in their JSON form.

Why nothing can be missing: a lane's nonces and an account's numbers go on without a gap from the proven opening row to
the proven closing row, each by a leaf under the batch's root. Source: docs/protocol §3.3, §3.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proofs.accounts import CASH, LANE, POINTS, cash_account, points_account
from proofs.json_form import JsonFormError, from_json, integer, raw
from proofs.messages import (
    AccountRow,
    BatchHeader,
    PointsEvent,
    Posting,
    SettlementLeaf,
    domain_separator,
    signed_digest,
)
from proofs.receipt import SLOTS, belongs, change_of, part_of, path_of, posting_hashes_of
from proofs.receipt import ReceiptError as _ReceiptError
from proofs.signature import SignatureError, recover
from proofs.tree import root_from_path
from proofs.words import ZERO_WORD, WordError

PAGES_MAX: Final = 2_000
MERCHANT_ID_MAX: Final = 2**32 - 1
HEAD: Final = ("chainId", "hub", "merchantId", "header", "previous", "settled", "rows")
PAGE: Final = frozenset({*HEAD, "after", "leaves", "more"})
LEAF: Final = frozenset({"leafNo", "lanePrevLeafNo", "sigR", "sigVS", "postings", "own", "totalPointsAfter", "path"})


class ExtractError(ValueError):
    """The extract proves nothing. `step` is where it fails: form, header, row, leaf, signature, posting, others, gap or
    net; the message says at which leaf or account.
    """

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(f"{step}: {problem}")
        self.step = step


@dataclass(frozen=True, slots=True)
class Standing:
    """An account at one batch's end."""

    seq: int = 0
    last_leaf_no: int = 0
    balance: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """One proven account: as it stood before the batch and after; every step between was shown."""

    account: bytes
    opening: Standing
    closing: Standing


@dataclass(frozen=True, slots=True)
class Proven:
    """What an extract proves, once the chain holds `headers` (batch number → header hash). `signers` are the addresses
    that signed, by key number; `net` is the base units that this settling batch moves to the merchant, None in a log
    batch.
    """

    chain_id: int
    hub: bytes
    merchant_id: int
    batch_no: int
    headers: Mapping[int, bytes]
    leaves: int
    signed: int
    signers: Mapping[int, frozenset[bytes]]
    accounts: Sequence[Moved]
    net: int | None


@dataclass(slots=True)
class _Walk:
    """How far each account was followed."""

    merchant_id: int
    separator: bytes
    header: BatchHeader
    at: dict[bytes, Standing]
    signers: dict[int, set[bytes]] = field(default_factory=dict)
    leaves: int = 0
    signed: int = 0
    last_leaf_no: int = 0


def check(pages: Sequence[Mapping[str, Any]]) -> Proven:
    """What the pages of one extract prove. Raises `ExtractError`."""
    try:
        return _check(pages)
    except (JsonFormError, WordError, KeyError, TypeError, AttributeError) as error:
        raise ExtractError("form", str(error)) from error
    except _ReceiptError as error:
        raise ExtractError("form" if error.step == "form" else "leaf", str(error)) from error


def _check(pages: Sequence[Mapping[str, Any]]) -> Proven:
    head = _one_head(pages)
    header, previous, settled = (_header(head, name) for name in ("header", "previous", "settled"))
    if header is None:
        raise ExtractError("form", "an extract has its batch's header")
    _check_chain(header, previous, settled)
    merchant_id, chain_id, hub = integer(head, "merchantId"), integer(head, "chainId"), raw(head, "hub", 20)
    if not 0 < merchant_id <= MERCHANT_ID_MAX:
        raise ExtractError("form", f"there is no merchant {merchant_id}")
    rows = {raw(row, "account"): row for row in head["rows"]}
    if len(rows) != len(head["rows"]) or cash_account(merchant_id) not in rows:
        raise ExtractError("row", "each of the merchant's accounts has one entry, its cash account among them")
    moved = [_moved(account, row, merchant_id, header, previous) for account, row in rows.items()]
    separator = domain_separator(chain_id=chain_id, hub=hub)
    walk = _Walk(merchant_id, separator, header, {each.account: each.opening for each in moved})
    for page in pages:
        for leaf in page["leaves"]:
            _take(walk, leaf)
    for each in moved:
        ends = walk.at[each.account]
        if ends != each.closing:
            raise ExtractError("gap", f"{_name(each.account)} ends at {ends}, its row at {each.closing}")
    return Proven(
        chain_id=chain_id,
        hub=hub,
        merchant_id=merchant_id,
        batch_no=header.batch_no,
        headers={each.batch_no: each.hash_struct() for each in (header, previous, settled) if each is not None},
        leaves=walk.leaves,
        signed=walk.signed,
        signers={key_id: frozenset(found) for key_id, found in walk.signers.items()},
        accounts=moved,
        net=_net(rows[cash_account(merchant_id)], merchant_id, settled, moved),
    )


def _one_head(pages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What all pages share, if they follow each other to the end."""
    if not 0 < len(pages) <= PAGES_MAX:
        raise ExtractError("form", f"an extract has 1 to {PAGES_MAX} pages")
    after = 0
    for number, page in enumerate(pages, start=1):
        if set(page) != PAGE or not isinstance(page["leaves"], list) or not isinstance(page["rows"], list):
            raise ExtractError("form", f"page {number}: fields missing or unknown: {sorted(PAGE ^ set(page))}")
        if any(page[name] != pages[0][name] for name in HEAD):
            raise ExtractError("form", f"page {number} is of another extract")
        if integer(page, "after") != after or page["more"] is not (number < len(pages)):
            raise ExtractError("form", f"page {number} does not follow, or is not the last")
        after = integer(page["leaves"][-1], "leafNo") if page["leaves"] else after
    return pages[0]


def _header(head: Mapping[str, Any], name: str) -> BatchHeader | None:
    return None if head[name] is None else from_json(BatchHeader, part_of(head, name))


def _check_chain(header: BatchHeader, previous: BatchHeader | None, settled: BatchHeader | None) -> None:
    """The three headers are neighbours as they say. A hub's first header that goes on after another hub's last one
    names that hub too, which stands in no extract: whoever asks the chain has to see that it is this one.
    """
    goes_on = header.batch_no > 0 and header.leaf_count == 0
    if (previous is None) != (header.batch_no == 0):
        raise ExtractError("header", "every batch but genesis has the header before it")
    if previous is not None and not goes_on and previous.hash_struct() != header.prev_header_hash:
        raise ExtractError("header", "the header before is not the one that this batch names")
    if (settled is not None) != (header.nets_hash != ZERO_WORD):
        raise ExtractError("header", "a settling batch, and no other, has the header of the last one that settled")
    if settled is not None and settled.batch_no != header.nets_since_batch:
        raise ExtractError("header", f"the batch settles what is after {header.nets_since_batch}")


def _moved(
    account: bytes, row: Mapping[str, Any], merchant_id: int, header: BatchHeader, previous: BatchHeader | None
) -> Moved:
    """An own account with its proven rows. One that has no row before must stand at nothing after."""
    if set(row) != {"account", "opening", "closing", "settled"}:
        raise ExtractError("form", "a row has account, opening, closing and settled")
    if not _is_own(account, merchant_id):
        raise ExtractError("others", f"{_name(account)} is not an account of merchant {merchant_id}")
    closing = _proven_row(account, row["closing"], header)
    if row["opening"] is None:
        if closing != Standing():
            raise ExtractError("row", f"{_name(account)} is new and does not stand at nothing")
        return Moved(account, Standing(), closing)
    if previous is None:
        raise ExtractError("row", "there is nothing before genesis")
    return Moved(account, _proven_row(account, row["opening"], previous), closing)


def _proven_row(account: bytes, form: Mapping[str, Any], header: BatchHeader) -> Standing:
    if set(form) != {"row", "index", "path"}:
        raise ExtractError("form", "a proven row has row, index and path")
    row = from_json(AccountRow, part_of(form, "row"))
    root = root_from_path(row.hash_struct(), integer(form, "index"), header.accounts_count, path_of(form))
    if row.account != account or root != header.accounts_root:
        raise ExtractError("row", f"{_name(account)} has no such row in batch {header.batch_no}")
    return Standing(row.seq, row.last_leaf_no, row.balance)


def _take(walk: _Walk, form: Mapping[str, Any]) -> None:
    """One leaf: where it stands, whose it is, and the steps of own accounts in it."""
    opened = "event" in form
    if set(form) != LEAF | {"event" if opened else "eventHash"}:
        raise ExtractError("form", "a leaf has its event or the event's hash, and its other fields")
    event = from_json(PointsEvent, part_of(form, "event")) if opened else None
    event_hash = event.hash_struct() if event else raw(form, "eventHash")
    hashes = posting_hashes_of(form)
    leaf = SettlementLeaf(
        leaf_no=integer(form, "leafNo"),
        lane_prev_leaf_no=integer(form, "lanePrevLeafNo"),
        event_hash=event_hash,
        sig_r=raw(form, "sigR"),
        sig_vs=raw(form, "sigVS"),
        issuer_posting=hashes["issuer"],
        debtor_posting=hashes["debtor"],
        creditor_posting=hashes["creditor"],
        member_posting=hashes["member"],
        total_points_after=integer(form, "totalPointsAfter"),
    )
    _check_place(walk, leaf, path_of(form))
    if event is not None:
        _take_event(walk, event, leaf)
    own = part_of(form, "own")
    if event is None and not own:
        raise ExtractError("others", f"leaf {leaf.leaf_no} has nothing of merchant {walk.merchant_id}")
    for slot in own:
        _take_posting(walk, slot, from_json(Posting, part_of(own, slot)), leaf, event)
    walk.leaves += 1


def _check_place(walk: _Walk, leaf: SettlementLeaf, path: list[bytes]) -> None:
    header = walk.header
    index = leaf.leaf_no - header.first_leaf_no
    if leaf.leaf_no <= walk.last_leaf_no or not 0 <= index < header.leaf_count:
        raise ExtractError("leaf", f"leaf {leaf.leaf_no} is out of order, or not of batch {header.batch_no}")
    if root_from_path(leaf.hash_struct(), index, header.leaf_count, path) != header.leaves_root:
        raise ExtractError("leaf", f"leaf {leaf.leaf_no}: the path does not lead to the batch's root")
    walk.last_leaf_no = leaf.leaf_no


def _take_event(walk: _Walk, event: PointsEvent, leaf: SettlementLeaf) -> None:
    """An own event: its lane goes on by it."""
    if event.merchant_id != walk.merchant_id:
        raise ExtractError("others", f"leaf {leaf.leaf_no} shows an event of merchant {event.merchant_id}")
    lane = bytes([LANE]) + event.merchant_id.to_bytes(4, "big") + event.key_id.to_bytes(4, "big") + bytes(23)
    _step(walk, lane, Standing(event.nonce, leaf.lane_prev_leaf_no, 0), 0, leaf.leaf_no)
    try:
        signer = recover(signed_digest(walk.separator, leaf.event_hash), leaf.sig_r, leaf.sig_vs)
    except SignatureError as error:
        raise ExtractError("signature", f"leaf {leaf.leaf_no}: {error}") from error
    walk.signers.setdefault(event.key_id, set()).add(signer)
    walk.signed += 1


def _take_posting(walk: _Walk, slot: str, posting: Posting, leaf: SettlementLeaf, event: PointsEvent | None) -> None:
    leaf_no = leaf.leaf_no
    if slot not in SLOTS or posting.hash_struct() != getattr(leaf, f"{slot}_posting"):
        raise ExtractError("posting", f"leaf {leaf_no}: the opened posting is not the leaf's {slot} posting")
    if not _is_own(posting.account, walk.merchant_id):
        raise ExtractError("others", f"leaf {leaf_no} opens a posting of {_name(posting.account)}")
    if event and (posting.delta != change_of(event, slot) or not belongs(posting.account, event, slot)):
        raise ExtractError("posting", f"leaf {leaf_no}: the {slot} posting does not follow from the event")
    then = Standing(posting.seq, posting.prev_leaf_no, posting.balance)
    _step(walk, posting.account, then, posting.delta, leaf_no)


def _step(walk: _Walk, account: bytes, then: Standing, delta: int, leaf_no: int) -> None:
    """`then` must be the step after where the account stood; its leaf number still points backwards."""
    before = walk.at.get(account)
    if before is None:
        raise ExtractError("row", f"leaf {leaf_no} moves {_name(account)}, which has no row")
    expected = Standing(before.seq + 1, before.last_leaf_no, before.balance + delta)
    if then != expected:
        raise ExtractError("gap", f"leaf {leaf_no}: {_name(account)} goes on with {then}, not {expected}")
    walk.at[account] = Standing(then.seq, leaf_no, then.balance)


def _net(row: Mapping[str, Any], merchant_id: int, settled: BatchHeader | None, moved: Sequence[Moved]) -> int | None:
    """Cash now less cash when it was last settled."""
    if (row["settled"] is None) != (settled is None):
        raise ExtractError("net", "a settling batch, and no other, has the cash row of the last one that settled")
    if settled is None:
        return None
    account = cash_account(merchant_id)
    since = _proven_row(account, row["settled"], settled)
    return next(each.closing.balance for each in moved if each.account == account) - since.balance


def _is_own(account: bytes, merchant_id: int) -> bool:
    """Points, cash or a lane of the merchant."""
    if account[0] == LANE:
        return account[1:5] == merchant_id.to_bytes(4, "big") and not any(account[9:])
    return account in {points_account(merchant_id), cash_account(merchant_id)}


def _name(account: bytes) -> str:
    kind = {LANE: "lane", POINTS: "points", CASH: "cash"}.get(account[0], "account")
    number = int.from_bytes(account[1:5], "big")
    return f"{kind} {number}/{int.from_bytes(account[5:9], 'big')}" if kind == "lane" else f"{kind} {number}"
