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

from ledger.answers import LegRef
from proofs.accounts import CASH, POINTS
from proofs.headers import Predecessor, carried_header, genesis_header, history_root, nets_from, nets_hash
from proofs.kinds import Terms
from proofs.lpb1 import LEAVES_MAX, NETS_MAX, Records, Row, file_front
from proofs.messages import BatchHeader
from proofs.tree import root_of
from proofs.words import ZERO_WORD
from settlement.sealing.admission import Admission
from settlement.sealing.chains import UNTOUCHED, Chains, Drafts, Tip
from settlement.sealing.lanes import LaneSigner, Roster
from settlement.sealing.leaves import UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.signing import PIECE_LEAVES, signing


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
    """Where the previous batch left off: its header, all header hashes of its hub from `first_batch` on, its rows; and
    the last settling batch with each party's cash balance in it.
    """

    header: BatchHeader
    header_hashes: Sequence[bytes]
    rows: Sequence[Row]
    settled_batch: int
    settled_cash: Mapping[int, int]
    first_batch: int = 0

    def after(self, sealed: Sealed, header: BatchHeader) -> Opening:
        """The opening of the batch after `sealed`, whose finished header is `header`."""
        settling = header.nets_hash != ZERO_WORD
        return Opening(
            header=header,
            header_hashes=[*self.header_hashes, header.hash_struct()],
            rows=sealed.rows,
            settled_batch=header.batch_no if settling else self.settled_batch,
            settled_cash=cash_balances(sealed.rows) if settling else self.settled_cash,
            first_batch=self.first_batch,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed batch. `header.data_hash` is zero until `finish`; `words` are its records as they stand in the file;
    `member_tips` are the new ends of the member accounts touched in this batch.
    """

    header: BatchHeader
    rows: Sequence[Row]
    nets: Sequence[tuple[int, int]]
    words: bytes
    leaf_hashes: Sequence[bytes]
    sources: Sequence[LegRef]
    event_ids: Sequence[bytes]
    member_tips: Mapping[bytes, Tip]
    batch_secret: bytes

    def file(self) -> bytes:
        """The LPB1 file in the clear."""
        return file_front(self.header, self.rows, self.nets, len(self.leaf_hashes)) + self.words

    @property
    def records(self) -> Records:
        """The leaves with everything their hashes stand for, each made when it is asked for."""
        return Records(self.words)

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
    header = _header_0(rows, batch_secret, chain_id=chain_id, hub=hub, founded_at=founded_at, config_hash=config_hash)
    return _without_leaves(header, rows, batch_secret)


def carried(
    *,
    before: Predecessor,
    last: BatchHeader,
    closing: Sequence[Row],
    chain_id: int,
    hub: bytes,
    registered: Iterable[bytes],
    founded_at: int,
    config_hash: bytes,
    batch_secret: bytes,
) -> Sealed:
    """The first batch of a hub that goes on after `last`: its `closing` rows as they are, a zero row for each account
    that is new, and no leaf.
    """
    rows = Chains(closing, {}, last.total_points, batch_secret).rows(registered)
    first = _header_0(rows, batch_secret, chain_id=chain_id, hub=hub, founded_at=founded_at, config_hash=config_hash)
    header = carried_header(first, before, last, chain_id=chain_id, hub=hub)
    return _without_leaves(header, rows, batch_secret)


def _header_0(
    rows: Sequence[Row], batch_secret: bytes, *, chain_id: int, hub: bytes, founded_at: int, config_hash: bytes
) -> BatchHeader:
    return genesis_header(
        chain_id=chain_id,
        hub=hub,
        accounts_count=len(rows),
        accounts_root=root_of([row.row_hash(batch_secret) for row in rows]),
        founded_at=founded_at,
        config_hash=config_hash,
        data_hash=ZERO_WORD,
    )


def _without_leaves(header: BatchHeader, rows: Sequence[Row], batch_secret: bytes) -> Sealed:
    return Sealed(
        header=header,
        rows=rows,
        nets=[],
        words=b"",
        leaf_hashes=[],
        sources=[],
        event_ids=[],
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
    chains = Chains(opening.rows, member_tips, opening.header.total_points, batch_secret)
    drafts = Drafts(first_leaf_no, len(leaves))
    admission = Admission(
        roster=rules.roster, terms=rules.terms, batch_no=opening.header.batch_no + 1, sealed_at=sealed_at
    )
    with signing(len(leaves), chain_id=rules.chain_id, hub=rules.hub, roster=rules.roster, signer=signer) as signatures:
        for start in range(0, len(leaves), PIECE_LEAVES):
            piece = leaves[start : start + PIECE_LEAVES]
            for leaf in piece:
                admission.check(leaf)
            signatures.ask(piece, drafts.events(piece))
        for index, leaf in enumerate(leaves):
            drafts.link(index, chains.link(first_leaf_no + index, leaf))
        leaf_hashes = drafts.sign(signatures.all())
    rows = chains.rows(registered)
    nets = _nets(rows, opening, settling=settling)
    _check_total(rows, chains.total)
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
        words=bytes(drafts.words),
        leaf_hashes=leaf_hashes,
        sources=[leaf.source for leaf in leaves],
        event_ids=[leaf.event.event_id for leaf in leaves],
        member_tips=chains.member_tips,
        batch_secret=batch_secret,
    )


def cash_balances(rows: Iterable[Row]) -> dict[int, int]:
    """Each party's cash balance in base units, by merchantId."""
    return {int.from_bytes(row.account[1:5], "big"): row.balance for row in rows if row.account[0] == CASH}


def _check_opening(opening: Opening, leaf_count: int, opened_at: int, sealed_at: int) -> None:
    header = opening.header
    own = header.batch_no + 1 - opening.first_batch
    if len(opening.header_hashes) != own or opening.header_hashes[-1] != header.hash_struct():
        raise SealRefused(
            Reason.OPENING,
            "header hashes",
            expected=f"{opening.first_batch} to {header.batch_no}, the last its own",
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
