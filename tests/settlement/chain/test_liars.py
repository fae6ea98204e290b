"""A node that is slow, deaf or lies, in front of a real chain: nothing is signed twice, nothing is believed that the
chain does not bear out, and once the node is honest again the batch goes on.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from settlement.alliance import OtherChain
from settlement.batches import Settlement, seal_next
from settlement.chain.client import ChainUnclear
from settlement.embedded_chain.process import EmbeddedNode
from settlement.status import status
from settlement.submitter import Standing, drive
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import Distortion, Liar, answering, lying
from tests.waiting import eventually

ANSWER_S_MAX = 2.0
PATIENCE_S = 3.0
WORDS_MAX = 1_000
GARBAGE = [
    *(b"", b"[]", b"null", b"[" * 100_000, b'{"result": [[]]}', b'{"error": {"code": -32005}}'),
    b'{"error": {"code": 3, "message": "execution reverted"}}',
    b'{"error": {"code": -32000, "message": "no\\u0000table takes \\ud800 this%s"}}' % (b"!" * 100_000),
]


@pytest.fixture
def liar(embedded: EmbeddedNode) -> Iterator[Liar]:
    with lying(embedded.url) as proxy:
        yield proxy


@pytest.fixture
def alone(field: Field, liar: Liar) -> Iterator[tuple[Field, Settlement]]:
    """A sealed, attested batch that waits for its commit."""
    field.post(day(1))
    behind = replace(field, url=liar.url)
    with behind.settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))
        yield behind, s


def only(standings: list[Standing]) -> tuple[str, str]:
    (standing,) = standings
    return standing.state.name, standing.alarm


def commits(s: Settlement) -> list[tuple[str, str]]:
    return [(tx.purpose, tx.status) for tx in status(s.conn)[1].transactions]


def settles(s: Settlement, liar: Liar) -> None:
    """Honest again: to the end, with one effect each."""
    liar.honest()
    for _ in range(3):
        drive(s)
    assert status(s.conn)[1].state == "CONFIRMED"
    assert [event.fields["batchNo"] for event in s.alliance.hub.events("BatchCommitted", first=0)] == [0, 1]
    s.alliance.chain.advance_time(6 * 3_600)
    for _ in range(3):
        drive(s)
    assert status(s.conn)[1].state == "FINALISED"
    assert len(s.alliance.hub.events("BatchFinalised", first=0)) == 2
    assert alerts(s.conn) == []


def test_a_send_that_nobody_answers_counts_as_sent(alone: tuple[Field, Settlement], liar: Liar) -> None:
    _, s = alone
    liar.deaf = {"eth_sendRawTransaction"}
    assert only(drive(s)) == ("SUBMITTED", "")
    assert commits(s) == [("commit:1.0", "SENT")]
    assert s.alliance.hub.read("nextBatchNo") == 1, "the node never got it"
    settles(s, liar)
    assert commits(s) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


def test_an_answer_that_comes_too_late_is_no_second_transaction(alone: tuple[Field, Settlement], liar: Liar) -> None:
    _, s = alone
    chain = s.alliance.chain
    patient_s_max = chain._answer_s_max

    def waits_little_for_the_send(point: str) -> None:
        chain._answer_s_max = ANSWER_S_MAX if point == "handing" else patient_s_max

    s.outbox._checkpoint = waits_little_for_the_send
    liar.late_s = {"eth_sendRawTransaction": PATIENCE_S}
    drive(s)
    chain._answer_s_max = patient_s_max
    eventually(lambda: s.alliance.hub.read("nextBatchNo") == 2)  # the node got it, only its word comes late
    settles(s, liar)
    assert commits(s) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


@pytest.mark.parametrize("method", ["eth_call", "eth_getBlockByNumber", "eth_getTransactionReceipt", "eth_chainId"])
def test_a_question_that_is_never_answered_holds_everything_and_breaks_nothing(
    alone: tuple[Field, Settlement], liar: Liar, method: str
) -> None:
    _, s = alone
    liar.deaf = {method}
    with suppress(ChainUnclear):  # without the chain's id not even the look begins
        assert drive(s)[0].alarm in {"chain-unclear", ""}
    assert len(commits(s)) <= 1
    settles(s, liar)
    assert commits(s) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


def inventing(hash_of_block: str, outcome: str) -> Distortion:
    """A node that has a receipt for each transaction that is in no block."""
    receipt: dict[str, Any] = {
        "blockNumber": "0x1",
        "blockHash": hash_of_block,
        "gasUsed": "0x1",
        "logs": [],
        "contractAddress": None,
    }

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getTransactionReceipt" and result is None:
            return {**receipt, "transactionHash": params[0], "status": outcome}
        return result

    return lie


@pytest.mark.parametrize("outcome", ["0x0", "0x1"])
def test_a_receipt_of_what_never_was_in_a_block_is_not_believed(
    alone: tuple[Field, Settlement], liar: Liar, outcome: str
) -> None:
    _, s = alone
    liar.distort, liar.deaf = inventing("0x" + "ab" * 32, outcome), {"eth_sendRawTransaction"}
    drive(s)
    drive(s)
    assert commits(s) == [("commit:1.0", "SENT")]
    settles(s, liar)
    assert commits(s) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


def test_a_receipt_in_a_real_block_decides_nothing_that_nonce_and_contract_deny(
    alone: tuple[Field, Settlement], liar: Liar
) -> None:
    _, s = alone
    real = "0x" + (s.alliance.chain.head(1).hash or b"").hex()
    liar.distort, liar.deaf = inventing(real, "0x0"), {"eth_sendRawTransaction"}
    drive(s)
    drive(s)
    assert {purpose for purpose, _ in commits(s)} == {"commit:1.0"}, "no second commit was signed"
    settles(s, liar)


def test_a_mined_transaction_without_a_receipt_is_seen_by_its_effect(
    alone: tuple[Field, Settlement], liar: Liar
) -> None:
    _, s = alone
    liar.distort = lambda method, _params, result: None if method == "eth_getTransactionReceipt" else result
    for _ in range(3):
        drive(s)
    assert status(s.conn)[1].state == "CONFIRMED"
    settles(s, liar)


@pytest.mark.parametrize(
    ("lies", "words"),
    [(lambda asked: asked > 1, "now serves chain 7"), (lambda asked: asked == 1, "would sign for chain 7")],
    ids=["midway", "once, when the drive's outbox is made"],
)
def test_a_chain_id_that_changes_ends_the_drive_before_anything_is_signed(
    alone: tuple[Field, Settlement], liar: Liar, lies: Callable[[int], bool], words: str
) -> None:
    _, s = alone
    asked = 0

    def lie(method: str, _params: list[Any], result: Any) -> Any:
        nonlocal asked
        asked += method == "eth_chainId"
        return "0x7" if method == "eth_chainId" and lies(asked) else result

    liar.distort = lie
    with pytest.raises(OtherChain, match=words):
        drive(s)
    assert commits(s) == []
    settles(s, liar)


def test_another_header_that_only_the_newest_block_shows_is_no_conflict(
    alone: tuple[Field, Settlement], liar: Liar
) -> None:
    """The embedded chain is final at once, so the proxy holds its finalised block back by one."""
    _, s = alone
    before = hex(s.alliance.chain.head().number)
    drive(s)
    s.conn.execute("UPDATE settlement.batch SET header = jsonb_set(header, '{sealedAt}', '\"5\"') WHERE batch_no = 1")
    s.conn.execute("UPDATE settlement.batch SET state = 'SUBMITTED' WHERE batch_no = 1")
    hold = s.alliance.chain.head(int(before, 16))

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == "finalized":
            block = dict(result)
            block.update(number=before, hash="0x" + (hold.hash or b"").hex(), timestamp=hex(hold.timestamp))
            return block
        return result

    liar.distort = lie
    assert only(drive(s)) == ("SUBMITTED", "batch-conflict")
    assert [row.code for row in alerts(s.conn)] == ["batch-conflict"]
    liar.honest()
    assert only(drive(s)) == ("FAILED_CONFLICT", "batch-failed")


def test_a_node_that_answers_from_two_states_is_asked_again(alone: tuple[Field, Settlement], liar: Liar) -> None:
    """The number is taken already, and nobody has a header under it: that is no conflict, that is no answer."""
    _, s = alone
    liar.distort = answering("nextBatchNo()", f"0x{2:064x}")
    assert only(drive(s)) == ("PUBLISHED", "chain-unclear")
    assert commits(s) == []
    settles(s, liar)


def counting(more: int, *tags: str) -> Distortion:
    """A node that counts our transactions wrong: at these tags, or at all of them and at every height."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getTransactionCount" and (not tags or params[1] in tags):
            return hex(max(0, int(result, 16) + more))
        return result

    return lie


@pytest.mark.parametrize("more", [-1, -1_000, 1, 5])
def test_a_count_that_is_false_everywhere_leaves_one_commit_and_no_jam(
    alone: tuple[Field, Settlement], liar: Liar, more: int
) -> None:
    """Too many: what is signed waits for nonces that nobody has, until empty transfers take them."""
    _, s = alone
    liar.distort = counting(more)
    for _ in range(2):
        drive(s)
    settles(s, liar)


def test_a_node_that_counts_past_a_gap_in_its_pool_leaves_no_jam(alone: tuple[Field, Settlement], liar: Liar) -> None:
    """Some do, and are no liars: what it counts there is ours, and waits for the nonce that it calls taken."""
    _, s = alone
    liar.distort = counting(1)
    drive(s)
    (ours,) = s.conn.execute("SELECT max(nonce) FROM settlement.chain_nonce").fetchone() or (0,)

    def past_the_gap(method: str, params: list[Any], result: Any) -> Any:
        asked = method == "eth_getTransactionCount" and params[1] == "pending"
        return hex(max(int(result, 16), ours + 1)) if asked else result

    liar.distort = past_the_gap
    drive(s)
    assert s.alliance.hub.read("nextBatchNo") == 1, "it may be another's, for a while"
    assert [row.code for row in alerts(s.conn)] == ["sender-shared"]
    s.conn.execute("UPDATE settlement.chain_tx SET sent_at = sent_at - interval '1 hour'")
    drive(s)
    assert s.alliance.hub.read("nextBatchNo") == 2
    settles(s, liar)


@pytest.mark.parametrize(("more", "tags"), [(1, ("latest",)), (7, ("latest", "pending")), (10_000, ())])
def test_a_count_that_no_final_block_bears_out_signs_nothing(
    alone: tuple[Field, Settlement], liar: Liar, more: int, tags: tuple[str, ...]
) -> None:
    _, s = alone
    liar.distort = counting(more, *tags)
    assert only(drive(s)) == ("ATTESTED", "sender-shared")
    assert commits(s) == []
    settles(s, liar)


def test_a_count_that_says_our_nonce_is_gone_makes_no_second_effect(
    alone: tuple[Field, Settlement], liar: Liar
) -> None:
    """The commit waits unheard; the node says its nonce was used by another, and later that it never was."""
    _, s = alone
    liar.deaf = {"eth_sendRawTransaction"}
    drive(s)
    liar.distort = counting(3)
    for _ in range(2):
        drive(s)
    settles(s, liar)


def test_a_node_behind_which_two_take_turns_holds_nothing_up_for_good(
    alone: tuple[Field, Settlement], liar: Liar
) -> None:
    """Every other answer about the newest block is by one that lags: what is seen belongs to two chains by turns."""
    _, s = alone
    turn = 0

    def lag(method: str, params: list[Any], result: Any) -> Any:
        nonlocal turn
        if method == "eth_getBlockByNumber" and params[0] in {"latest", "pending", "finalized"}:
            turn += 1
            if turn % 2:
                return liar.block(max(1, int(result["number"], 16) - 3))
        return result

    liar.distort = lag
    for _ in range(4):
        with suppress(ChainUnclear):
            drive(s)
    assert {purpose for purpose, _ in commits(s)} <= {"commit:1.0"}
    settles(s, liar)


@pytest.mark.parametrize("method", ["eth_call", "eth_getTransactionCount", "eth_getBlockByNumber", "eth_getLogs"])
def test_an_answer_that_is_none_breaks_nothing(alone: tuple[Field, Settlement], liar: Liar, method: str) -> None:
    """One after the other, as a node that is out of its mind would tell them."""
    _, s = alone
    for answer in GARBAGE:
        liar.garbage = {method: answer}
        said = only(drive(s))[1]
        assert said == "chain-unclear", "a refusal too: a node that is asked too often is no more than away"
        assert commits(s) == [], answer[:20]
        assert all(len(row.actual) < WORDS_MAX and row.actual.isprintable() for row in alerts(s.conn))
    liar.honest()
    drive(s)
    assert status(s.conn)[1].state == "CONFIRMED"
