"""A node that answers for so many blocks at once and no more: its logs are asked for in stretches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from settlement.batches import seal_next
from settlement.chain.client import Chain, ChainUnclear, NodeRefused
from settlement.submitter import drive
from settlement.watch.watcher import watch
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import lying
from tests.settlement.chain.tiny import TOPIC, deploy, send

HOURS_6 = 6 * 3_600


def test_a_batch_comes_to_its_end_on_a_node_that_answers_for_seven_blocks_at_once(field: Field) -> None:
    field.post(day(1))
    with lying(field.url) as node:
        node.blocks_max = 7
        with replace(field, url=node.url).settlement() as s:
            batch = seal_next(s, settling=True)
            assert batch is not None
            attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))
            assert [each.state.name for each in drive(s)] == ["CONFIRMED"]
            s.alliance.chain.advance_time(HOURS_6)
            assert [each.state.name for each in drive(s)] == ["FINALISED"]
            watch(s.conn, s.alliance)
        assert node.refused > 0


def test_what_is_stitched_is_what_one_question_gives_and_the_limit_is_learnt_once(chain: Chain) -> None:
    tiny = deploy(chain)
    first = chain.head().number
    for number in range(9):
        send(chain, to=tiny, data=bytes([number]) * 2)
    whole = chain.logs(tiny, first=first, topics=[TOPIC])
    assert [log.data for log in whole] == [bytes([number]) * 2 for number in range(9)]
    with lying(chain.url) as node:
        node.blocks_max = 3
        limited = Chain(node.url)
        for last in ("latest", "finalized", chain.head().number):
            assert limited.logs(tiny, first=first, last=last, topics=[TOPIC]) == whole
        assert node.refused <= 4, "10, 5 and 2 blocks, and not again"
        assert limited.logs(tiny, first=chain.head().number + 1) == []


def test_a_node_that_refuses_a_single_block_is_not_asked_for_ever(chain: Chain) -> None:
    tiny = deploy(chain)
    with lying(chain.url) as node:
        node.blocks_max = 0
        with pytest.raises(NodeRefused, match="block range"):
            Chain(node.url).logs(tiny, first=0)


def test_too_many_stretches_are_told(chain: Chain) -> None:
    tiny = deploy(chain)
    for number in range(9):
        send(chain, to=tiny, data=bytes([number]) * 2)
    with lying(chain.url) as node:
        node.blocks_max = 1
        with pytest.raises(ChainUnclear, match="too few"):
            Chain(node.url, log_questions_max=4).logs(tiny, first=chain.head().number - 8)
