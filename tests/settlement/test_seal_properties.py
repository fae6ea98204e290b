"""Random journals, sealed in random batches, recomputed by other means: abi.encode of a library, a tree written from
the RFC's definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from coincurve import PublicKey
from Crypto.Hash import keccak
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import accounts
from ledger.answers import LegRef
from proofs.accounts import CASH, POINTS
from proofs.headers import journal_link
from proofs.kinds import Kind
from proofs.lpb1 import Reader, Record, Row, open_file
from proofs.messages import AccountRow, BatchHeader, PointsEvent, Posting, SettlementLeaf
from proofs.words import ZERO_WORD, Typed, snake
from settlement.sealing.seal import Sealed
from tests.settlement.alliance import (
    CHAIN_ID,
    HUB,
    MEMBERS,
    MERCHANTS,
    RATES,
    Journal,
    Operator,
    points_for,
    rules,
    start,
)

steps = st.tuples(
    st.sampled_from(
        ["earn", "earn", "earn", "redeem", "refund", "return", "expire", "up", "down", "fee", "note", "transfer"]
    ),
    st.sampled_from(MERCHANTS),
    st.sampled_from(MERCHANTS),
    st.sampled_from(MEMBERS),
    st.integers(min_value=1, max_value=10_000),
)
scripts = st.lists(steps, min_size=1, max_size=60)


def play(script: Sequence[tuple[str, int, int, str, int]]) -> Journal:
    """The journal of a script; a step that the rules forbid at that moment becomes an earning, which is always
    allowed.
    """
    journal = Journal()
    earned: dict[tuple[int, str], LegRef] = {}
    redeemed: list[tuple[LegRef, int, str, int, int]] = []
    for verb, merchant, issuer, member, amount in script:
        held = journal.balance(member, issuer)
        num, den = RATES[issuer]
        au = min(amount, held * num // den)
        match verb:
            case "redeem" if au > 0:
                ref = journal.redeem(merchant, member, {issuer: au})
                redeemed.append((ref, merchant, member, issuer, au))
            case "return" if redeemed:
                journal.return_goods(*redeemed.pop())
            case "refund" if (issuer, member) in earned:
                journal.points(Kind.REFUND_EARN, issuer, member, amount, earned[issuer, member])
            case "expire" if held > 0:
                journal.points(Kind.EXPIRE, issuer, member, min(amount, held))
            case "transfer" if held > 0:
                sent = journal.points(Kind.TRANSFER_OUT, issuer, member, min(amount, held))
                journal.points(Kind.TRANSFER_IN, issuer, MEMBERS[0], min(amount, held), sent)
            case "up":
                journal.points(Kind.ADJUST_UP, issuer, member, amount)
            case "down":
                journal.points(Kind.ADJUST_DOWN, issuer, member, amount)
            case "fee":
                journal.fee(merchant, amount)
            case "note":
                journal.note()
            case _:
                earned[issuer, member] = journal.points(Kind.EARN, issuer, member, amount)
    return journal


def batches(journal: Journal, size: int) -> list[Sealed]:
    """The journal sealed in batches of `size` entries, the last one settling; ranges without a leaf join the next."""
    operator, waiting, made = Operator(), [], []
    journal.points(Kind.EARN, 1, "ann", 1)
    for entry in journal.entries:
        waiting.append(entry)
        last = entry is journal.entries[-1]
        if last or (len(waiting) >= size and any(each.legs for each in waiting)):
            made.append(operator.seal(waiting, settling=last))
            waiting = []
    return made


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def struct_hash(struct: Typed) -> bytes:
    """HashStruct by a library's abi.encode."""
    fields = [field.split(" ") for field in struct.TYPE.split("(")[1][:-1].split(",")]
    values = [getattr(struct, snake(name)) for _, name in fields]
    return keccak256(keccak256(struct.TYPE.encode()) + encode([kind for kind, _ in fields], values))


def tree_root(items: Sequence[bytes], *, hasher: type[object] | None = None) -> bytes:
    """MTH of RFC 9162 §2.1.1, as it is defined there: recursively, split at the largest power of two below n."""
    digest = keccak256 if hasher is None else lambda data: sha256(data).digest()
    if len(items) == 1:
        return digest(b"\x00" + items[0])
    split = 1 << (len(items) - 1).bit_length() - 1
    return digest(b"\x01" + tree_root(items[:split], hasher=hasher) + tree_root(items[split:], hasher=hasher))


def salt(secret: bytes, account: bytes, seq: int) -> bytes:
    return keccak256(secret + encode(["bytes32", "uint256"], [account, seq]))


def leaf_of(record: Record, secret: bytes) -> bytes:
    """The leaf hash of a record, from nothing but the file's figures and the secret."""
    issuer, debtor, creditor, member = (
        struct_hash(Posting(s.account, s.seq, s.prev_leaf_no, s.delta, s.balance, salt(secret, s.account, s.seq)))
        if s
        else ZERO_WORD
        for s in record.steps
    )
    event_hash = struct_hash(record.event)
    return struct_hash(
        SettlementLeaf(
            record.leaf_no,
            record.lane_prev_leaf_no,
            event_hash,
            record.sig_r,
            record.sig_vs,
            issuer,
            debtor,
            creditor,
            member,
            record.total_points_after,
        )
    )


def row_of(row: Row, secret: bytes) -> bytes:
    return struct_hash(
        AccountRow(row.account, row.seq, row.last_leaf_no, row.balance, salt(secret, row.account, 2**64 - 1))
    )


def check_signature(event: PointsEvent, r: bytes, vs: bytes) -> None:
    """The event is signed by its lane's key, by a digest put together here."""
    words = [keccak256(b"PointsAlliance"), keccak256(b"1"), CHAIN_ID, "0x" + HUB.hex()]
    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    domain = keccak256(keccak256(domain_type) + encode(["bytes32", "bytes32", "uint256", "address"], words))
    packed = int.from_bytes(vs, "big")
    signature = r + (packed & (1 << 255) - 1).to_bytes(32, "big") + bytes([packed >> 255])
    message = keccak256(b"\x19\x01" + domain + struct_hash(event))
    public = PublicKey.from_signature_and_message(signature, message, hasher=None)
    lane = rules().roster.get((event.merchant_id, event.key_id))
    assert lane is not None
    assert keccak256(public.format(compressed=False)[1:])[12:] == lane.address


def check_chains(files: Sequence[Reader]) -> None:
    """Follow every account through all batches: numbers, pointers, balances, rows, totals."""
    last: dict[bytes, tuple[int, int, int]] = {row.account: (0, 0, 0) for row in start()[0].rows}
    total = 0
    for file in files:
        for record in file.records():
            lane = b"\x01" + record.event.event_id[:8] + bytes(23)
            assert (record.event.nonce, record.lane_prev_leaf_no) == (last[lane][0] + 1, last[lane][1])
            last[lane] = record.event.nonce, record.leaf_no, 0
            for step in filter(None, record.steps):
                seq, leaf_no, balance = last.get(step.account, (0, 0, 0))
                assert (step.seq, step.prev_leaf_no, step.balance) == (seq + 1, leaf_no, balance + step.delta)
                last[step.account] = step.seq, record.leaf_no, step.balance
            total += record.issuer.delta if record.issuer else 0
            assert record.total_points_after == total
            assert sum(step.delta for step in (record.debtor, record.creditor) if step) == 0
        assert {row.account: (row.seq, row.last_leaf_no, row.balance) for row in file.rows} == {
            account: tip for account, tip in last.items() if account[0] != 4
        }
        assert file.header.total_points == total


def check_ledger(journal: Journal, file: Reader) -> None:
    """The closing rows say what the ledger's accounts say."""
    for row in file.rows:
        party = int.from_bytes(row.account[1:5], "big")
        if row.account[0] == POINTS:
            n, balance = journal.last[accounts.outstanding(party)]
            assert (row.seq, row.balance) == (n, -balance)
        if row.account[0] == CASH:
            n, balance = journal.last[accounts.cash(party)]
            assert (row.seq, row.balance) == (n, balance * 10_000)


@settings(max_examples=40)
@given(script=scripts, size=st.integers(min_value=1, max_value=30))
def test_what_is_sealed_is_what_others_recompute(script: list[tuple[str, int, int, str, int]], size: int) -> None:
    journal = play(script)
    sealed = batches(journal, size)
    files = [open_file(batch.file()) for batch in sealed]
    hashes = [start()[1].header_hashes[0]]
    for batch, file in zip(sealed, files, strict=True):
        header: BatchHeader = batch.finish(sha256(repr(("manifest", file.header.batch_no)).encode()).digest())
        leaves = [leaf_of(record, batch.batch_secret) for record in file.records()]
        assert leaves == list(batch.leaf_hashes)
        assert tree_root(leaves) == header.leaves_root
        assert tree_root([row_of(row, batch.batch_secret) for row in file.rows]) == header.accounts_root
        assert tree_root(hashes, hasher=object) == header.history_root
        assert header.prev_header_hash == hashes[-1]
        hashes.append(struct_hash(header))
        for record in file.records():
            check_signature(record.event, record.sig_r, record.sig_vs)
    check_chains(files)
    check_ledger(journal, files[-1])
    head = ZERO_WORD
    for entry in journal.entries:
        head = journal_link(head, entry.canonical)
    assert files[-1].header.journal_head == head
    cash = {int.from_bytes(row.account[1:5], "big"): row.balance for row in files[-1].rows if row.account[0] == 3}
    assert dict(files[-1].nets) == {party: balance for party, balance in cash.items() if balance}
    assert sum(amount for _, amount in files[-1].nets) == 0


@settings(max_examples=15)
@given(script=scripts, size=st.integers(min_value=1, max_value=30))
def test_sealing_again_gives_the_same_bytes(script: list[tuple[str, int, int, str, int]], size: int) -> None:
    first, second = batches(play(script), size), batches(play(script), size)
    assert [batch.file() for batch in first] == [batch.file() for batch in second]


def test_the_script_reaches_every_kind() -> None:
    """The generator is not vacuous: one script that touches each branch, with a debt and a multi-issuer redemption."""
    journal = play(
        [
            ("earn", 1, 1, "ann", 100),
            ("earn", 2, 2, "ann", 700),
            ("redeem", 2, 1, "ann", 60),
            ("return", 2, 1, "ann", 1),
            ("refund", 1, 1, "ann", 500),
            ("expire", 2, 2, "ann", 5),
            ("transfer", 2, 2, "ann", 5),
            ("up", 3, 3, "bo", 9),
            ("down", 3, 3, "bo", 20),
            ("fee", 3, 3, "bo", 4),
            ("note", 1, 1, "bo", 1),
        ]
    )
    assert journal.balance("ann", 1) < 0
    journal.points(Kind.EARN, 1, "cy", 50)
    journal.points(Kind.EARN, 3, "cy", 50)
    journal.redeem(2, "cy", {1: 20, 3: 300})
    assert points_for(300, 3) == 9
    [sealed] = batches(journal, 1_000)
    kinds = {record.event.kind for record in sealed.records}
    assert kinds == {1, 2, 3, 4, 5, 10, 11, 13, 14, 15}
