"""Sealing: a range of leaves becomes a batch. `seal` is a pure function of what it is given, so a crash at any moment
is repaired by calling it again.

Same range, previous batch, secrets, times and configuration give the same file, header and hash, bit for bit
(signatures are deterministic). Everything an auditor would find is refused here first: a lane with a gap, a rule of a
kind, a posting that does not continue its account, a debt where none may be, nets that do not sum to zero. A refusal
is a `SealRefused` and leaves nothing behind. Header fields are complete but for dataHash, which names the published
file and is put in by `Sealed.finish`. No SQL, no clock, no randomness; called by the orchestration, which persists
the result. Source: docs/protocol §3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from ledger.answers import LegRef
from proofs.accounts import CASH, POINTS, lane_account
from proofs.headers import genesis_header, history_root, nets_from, nets_hash
from proofs.kinds import CLOCK_SKEW_SECONDS_MAX, MAY_OWE, ON_REDEMPTION, Terms, broken_rules, effects, reserve_follows
from proofs.lpb1 import LEAVES_MAX, NETS_MAX, BatchFile, Record, Row, Step
from proofs.messages import BatchHeader, SettlementLeaf
from proofs.tree import root_of
from proofs.words import ZERO_WORD
from settlement.lanes import LaneSigner, Roster, Signature
from settlement.leaves import Move, UnsealedLeaf
from settlement.refusals import Reason, SealRefused
from settlement.signing import signatures


class Tip(NamedTuple):
    """Where an account's chain of postings ends: the last number, the leaf that holds it, the balance after it."""

    seq: int
    leaf_no: int
    balance: int


UNTOUCHED = Tip(0, 0, 0)
_lane_account = lru_cache(maxsize=4096)(lane_account)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the chain says at the time of sealing: where the hub is, who may sign what, the registered terms, the
    configuration's hash.
    """

    chain_id: int
    hub: bytes
    roster: Roster
    terms: Mapping[int, Terms]
    config_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Where the previous batch left off: its header, all header hashes 0 … n-1, its rows; and the last settling batch
    with each party's cash balance in it.
    """

    header: BatchHeader
    header_hashes: Sequence[bytes]
    rows: Sequence[Row]
    settled_batch: int
    settled_cash: Mapping[int, int]

    def after(self, sealed: Sealed, header: BatchHeader) -> Opening:
        """The opening of the batch after `sealed`, whose finished header is `header`."""
        settling = header.nets_hash != ZERO_WORD
        return Opening(
            header=header,
            header_hashes=[*self.header_hashes, header.hash_struct()],
            rows=sealed.rows,
            settled_batch=header.batch_no if settling else self.settled_batch,
            settled_cash=cash_balances(sealed.rows) if settling else self.settled_cash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed batch. `header.data_hash` is zero until `finish`; `member_tips` are the new ends of the member
    accounts touched in this batch.
    """

    header: BatchHeader
    rows: Sequence[Row]
    nets: Sequence[tuple[int, int]]
    records: Sequence[Record]
    leaf_hashes: Sequence[bytes]
    sources: Sequence[LegRef]
    member_tips: Mapping[bytes, Tip]
    batch_secret: bytes

    def file(self) -> bytes:
        """The LPB1 file in the clear."""
        return BatchFile(self.header, self.rows, self.nets, self.records).to_bytes()

    def finish(self, data_hash: bytes) -> BatchHeader:
        """The header that is committed and attested: with the hash of the published manifest in it."""
        return replace(self.header, data_hash=data_hash)

    def opening(self, header: BatchHeader) -> Opening:
        """The opening of batch 1, for a genesis whose finished header is `header`."""
        return Opening(
            header=header, header_hashes=[header.hash_struct()], rows=self.rows, settled_batch=0, settled_cash={}
        )


def genesis(
    *, chain_id: int, hub: bytes, registered: Iterable[bytes], founded_at: int, config_hash: bytes, batch_secret: bytes
) -> Sealed:
    """Batch 0: a zero row for each founding account and no leaf. `hub` is the address that the hub is going to have."""
    rows = [Row(account, *UNTOUCHED) for account in sorted(set(registered))]
    header = genesis_header(
        chain_id=chain_id,
        hub=hub,
        accounts_count=len(rows),
        accounts_root=root_of([row.row_hash(batch_secret) for row in rows]),
        founded_at=founded_at,
        config_hash=config_hash,
        data_hash=ZERO_WORD,
    )
    return Sealed(
        header=header,
        rows=rows,
        nets=[],
        records=[],
        leaf_hashes=[],
        sources=[],
        member_tips={},
        batch_secret=batch_secret,
    )


def seal(
    opening: Opening,
    leaves: Sequence[UnsealedLeaf],
    *,
    rules: Rules,
    signer: LaneSigner,
    member_tips: Mapping[bytes, Tip],
    registered: Iterable[bytes],
    batch_secret: bytes,
    journal_head: bytes,
    opened_at: int,
    sealed_at: int,
    settling: bool,
) -> Sealed:
    """The batch after `opening` with these leaves in this order. Times are Unix seconds.

    `member_tips` holds the end of every touched member account that an earlier batch has touched; `registered` are
    all accounts that must have a row, new ones among them get a zero row now and may be touched from the next batch
    on. Raises `SealRefused`.
    """
    _check_opening(opening, len(leaves), opened_at, sealed_at)
    first_leaf_no = opening.header.first_leaf_no + opening.header.leaf_count
    for leaf in leaves:
        _check_event(leaf, rules, opening.header.batch_no + 1, sealed_at)
    event_hashes = [leaf.event.hash_struct() for leaf in leaves]
    signed = signatures(
        leaves, event_hashes, chain_id=rules.chain_id, hub=rules.hub, roster=rules.roster, signer=signer
    )
    chains = _Chains(opening.rows, member_tips, opening.header.total_points, batch_secret)
    sealed_leaves = [
        chains.leaf(first_leaf_no + index, leaf, event_hash, signature)
        for index, (leaf, event_hash, signature) in enumerate(zip(leaves, event_hashes, signed, strict=True))
    ]
    rows = chains.rows(registered)
    nets = _nets(rows, opening, settling=settling)
    _check_total(rows, chains.total)
    leaf_hashes = [leaf_hash for _, leaf_hash in sealed_leaves]
    header = BatchHeader(
        batch_no=opening.header.batch_no + 1,
        prev_header_hash=opening.header_hashes[-1],
        first_leaf_no=first_leaf_no,
        leaf_count=len(leaves),
        leaves_root=root_of(leaf_hashes),
        accounts_count=len(rows),
        accounts_root=root_of([row.row_hash(batch_secret) for row in rows]),
        history_root=history_root(opening.header_hashes),
        journal_head=journal_head,
        total_points=chains.total,
        nets_hash=nets_hash(nets, settling=settling),
        nets_since_batch=opening.settled_batch,
        data_hash=ZERO_WORD,
        blob_hash=ZERO_WORD,
        opened_at=opened_at,
        sealed_at=sealed_at,
        config_hash=rules.config_hash,
    )
    return Sealed(
        header=header,
        rows=rows,
        nets=nets,
        records=[record for record, _ in sealed_leaves],
        leaf_hashes=leaf_hashes,
        sources=[leaf.source for leaf in leaves],
        member_tips=chains.member_tips,
        batch_secret=batch_secret,
    )


def cash_balances(rows: Iterable[Row]) -> dict[int, int]:
    """Each party's cash balance in base units, by merchantId."""
    return {int.from_bytes(row.account[1:5], "big"): row.balance for row in rows if row.account[0] == CASH}


def _check_opening(opening: Opening, leaf_count: int, opened_at: int, sealed_at: int) -> None:
    header = opening.header
    if len(opening.header_hashes) != header.batch_no + 1 or opening.header_hashes[-1] != header.hash_struct():
        raise SealRefused(
            Reason.OPENING,
            "header hashes",
            expected=f"0 to {header.batch_no}, the last its own",
            actual=len(opening.header_hashes),
        )
    if len(opening.rows) != header.accounts_count:
        raise SealRefused(Reason.OPENING, "rows", expected=header.accounts_count, actual=len(opening.rows))
    if not 1 <= leaf_count <= LEAVES_MAX:
        raise SealRefused(Reason.LEAVES, expected=f"1 to {LEAVES_MAX}", actual=leaf_count)
    if not header.sealed_at <= sealed_at:
        raise SealRefused(Reason.CLOCK, "sealedAt", expected=f"{header.sealed_at} or later", actual=sealed_at)
    if not opened_at <= sealed_at:
        raise SealRefused(Reason.CLOCK, "openedAt", expected=f"{sealed_at} or earlier", actual=opened_at)


def _check_event(leaf: UnsealedLeaf, rules: Rules, batch_no: int, sealed_at: int) -> None:
    """Everything about one event that needs no history, and that the ledger posted what follows from it."""
    event = leaf.event
    terms = rules.terms.get(event.terms_id)
    broken = list(broken_rules(event, terms, batch_no))
    if terms is not None and leaf.member is not None and not reserve_follows(event, terms, leaf.member.balance):
        broken.append("reserve")
    if broken:
        raise SealRefused(Reason.RULE, leaf.source, expected="no broken rule", actual=", ".join(broken))
    lane = rules.roster.get((event.merchant_id, event.key_id))
    if lane is None or event.kind not in lane.kinds:
        raise SealRefused(
            Reason.LANE_UNKNOWN,
            leaf.source,
            expected=f"a lane for kind {event.kind}",
            actual=(event.merchant_id, event.key_id),
        )
    if event.occurred_at > sealed_at + CLOCK_SKEW_SECONDS_MAX:
        raise SealRefused(
            Reason.CLOCK,
            leaf.source,
            expected=f"{sealed_at + CLOCK_SKEW_SECONDS_MAX} or earlier",
            actual=event.occurred_at,
        )
    due = effects(event, terms.mode if terms else ON_REDEMPTION)
    posted = tuple((move.account, move.delta) if move else None for move in leaf[2:5])
    if posted != (due.issuer, due.debtor, due.creditor):
        raise SealRefused(Reason.POSTINGS, leaf.source, expected=(due.issuer, due.debtor, due.creditor), actual=posted)
    if (leaf.member.delta if leaf.member else None) != due.member:
        raise SealRefused(Reason.POSTINGS, leaf.source, expected=due.member, actual=leaf.member)


class _Chains:
    """All accounts while a batch is built: where each ends, and the points in existence."""

    def __init__(self, rows: Sequence[Row], member_tips: Mapping[bytes, Tip], total: int, batch_secret: bytes) -> None:
        self._tips = {row.account: Tip(row.seq, row.last_leaf_no, row.balance) for row in rows}
        self._earlier_members = member_tips
        self._batch_secret = batch_secret
        self.member_tips: dict[bytes, Tip] = {}
        self.total = total

    def leaf(self, leaf_no: int, leaf: UnsealedLeaf, event_hash: bytes, signature: Signature) -> tuple[Record, bytes]:
        """The record of one leaf and its hash in the tree's order."""
        event = leaf.event
        lane_prev = self._lane(leaf_no, leaf)
        issuer, issuer_hash = self._step(leaf_no, leaf.issuer, leaf.source)
        debtor, debtor_hash = self._step(leaf_no, leaf.debtor, leaf.source)
        creditor, creditor_hash = self._step(leaf_no, leaf.creditor, leaf.source)
        member, member_hash = self._member_step(leaf_no, leaf)
        self.total += leaf.issuer.delta if leaf.issuer else 0
        r, vs = signature
        record = Record(event, r, vs, issuer, debtor, creditor, member, self.total, leaf_no, lane_prev)
        words = SettlementLeaf(
            leaf_no, lane_prev, event_hash, r, vs, issuer_hash, debtor_hash, creditor_hash, member_hash, self.total
        )
        return record, words.hash_struct()

    def rows(self, registered: Iterable[bytes]) -> list[Row]:
        """The closing rows, ascending: every account that had one, and a zero row for each newly registered."""
        accounts = self._tips.keys() | set(registered)
        return [Row(account, *self._tips.get(account, UNTOUCHED)) for account in sorted(accounts)]

    def _lane(self, leaf_no: int, leaf: UnsealedLeaf) -> int:
        event = leaf.event
        account = _lane_account(event.merchant_id, event.key_id)
        tip = self._tip_of_row(account, leaf.source)
        if event.nonce != tip.seq + 1:
            raise SealRefused(Reason.LANE_GAP, leaf.source, expected=tip.seq + 1, actual=event.nonce)
        self._tips[account] = Tip(event.nonce, leaf_no, 0)
        return tip.leaf_no

    def _step(self, leaf_no: int, move: Move | None, source: LegRef) -> tuple[Step | None, bytes]:
        if move is None:
            return None, ZERO_WORD
        tip = self._tip_of_row(move.account, source)
        self._tips[move.account] = _next_tip(tip, move, leaf_no, source)
        return self._posting(move, tip.leaf_no)

    def _member_step(self, leaf_no: int, leaf: UnsealedLeaf) -> tuple[Step | None, bytes]:
        move = leaf.member
        if move is None:
            return None, ZERO_WORD
        tip = self.member_tips.get(move.account) or self._earlier_members.get(move.account, UNTOUCHED)
        self.member_tips[move.account] = _next_tip(tip, move, leaf_no, leaf.source)
        if move.balance < 0 and move.delta < 0 and leaf.event.kind not in MAY_OWE:
            raise SealRefused(Reason.OVERDRAWN, leaf.source, expected="a balance of 0 or more", actual=move.balance)
        return self._posting(move, tip.leaf_no)

    def _tip_of_row(self, account: bytes, source: LegRef) -> Tip:
        tip = self._tips.get(account)
        if tip is None:
            raise SealRefused(
                Reason.NO_ROW, source, expected="a row in the previous batch", actual=f"none for {account.hex()}"
            )
        return tip

    def _posting(self, move: Move, prev_leaf_no: int) -> tuple[Step, bytes]:
        account, seq, delta, balance = move
        step = Step(account, seq, prev_leaf_no, delta, balance)
        return step, step.posting_hash(self._batch_secret)


def _next_tip(tip: Tip, move: Move, leaf_no: int, source: LegRef) -> Tip:
    """Where the account ends after `move`, which must continue it."""
    if move.seq != tip.seq + 1:
        raise SealRefused(Reason.STEP_GAP, source, expected=tip.seq + 1, actual=move.seq)
    if move.balance != tip.balance + move.delta:
        raise SealRefused(Reason.BALANCE, source, expected=tip.balance + move.delta, actual=move.balance)
    return Tip(move.seq, leaf_no, move.balance)


def _nets(rows: Sequence[Row], opening: Opening, *, settling: bool) -> list[tuple[int, int]]:
    if not settling:
        return []
    nets = nets_from(cash_balances(rows), opening.settled_cash)
    if len(nets) > NETS_MAX:
        raise SealRefused(Reason.NETS, expected=f"at most {NETS_MAX}", actual=len(nets))
    if sum(amount for _, amount in nets):
        raise SealRefused(Reason.UNBALANCED, "nets", expected=0, actual=sum(amount for _, amount in nets))
    return nets


def _check_total(rows: Sequence[Row], total: int) -> None:
    points = sum(row.balance for row in rows if row.account[0] == POINTS)
    if points != total:
        raise SealRefused(Reason.UNBALANCED, "points of all issuers", expected=total, actual=points)
