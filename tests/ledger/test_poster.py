"""Callers meet the writer: gathered into batches, answered one by one, told when to come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from typing_extensions import override

from ledger import rebuild, verify
from ledger.answers import Answer, Receipt
from ledger.commands import Command
from ledger.poster import Busy, Closed, Poster
from ledger.store import Store, Tell, open_store
from tests.ledger.promises import authorize, capture, void
from tests.ledger.random_commands import history
from tests.ledger.scene import A, B, Scene, changed, small_alliance
from tests.waiting import PATIENCE_SECONDS


class WaitingStore(Store):
    """A store whose batches wait until told, so that a test decides what arrives while one is in flight."""

    def __init__(self, dsn: str) -> None:
        self.go = threading.Event()
        self.go.set()
        self.reached = threading.Event()
        self.sizes: list[int] = []
        super().__init__(dsn, named_point=self._wait)

    def _wait(self, point: str) -> None:
        if point == "locked" and not self.go.is_set():
            self.reached.set()
            self.go.wait(PATIENCE_SECONDS)

    @override
    def begin(self, commands: Sequence[Command], tell: Tell) -> None:
        self.sizes.append(len(commands))
        super().begin(commands, tell)


@pytest.fixture(name="store")
def store_(database: str) -> WaitingStore:
    return WaitingStore(database)


@pytest.fixture(name="scene")
def scene_() -> Scene:
    return Scene()


def poster_with_alliance(store: Store, **limits: int) -> Poster:
    poster = Poster(store, **limits)
    poster.post(small_alliance())
    return poster


def test_what_arrives_during_a_batch_is_the_next_batch(store: WaitingStore, scene: Scene) -> None:
    async def callers(poster: Poster) -> list[Answer]:
        first = asyncio.create_task(poster.submit(scene.earn("m1", A, 100)))
        await asyncio.to_thread(store.reached.wait, PATIENCE_SECONDS)
        others = [asyncio.create_task(poster.submit(scene.earn("m1", A, 100))) for _ in range(30)]
        await asyncio.sleep(0.05)
        store.go.set()
        return [await task for task in (first, *others)]

    with poster_with_alliance(store) as poster:
        store.go.clear()
        answers = asyncio.run(callers(poster))
    assert all(isinstance(answer.outcome, Receipt) for answer in answers)
    assert store.sizes == [11, 1, 30]


def test_a_full_queue_says_when_to_come_back_and_takes_nothing(store: WaitingStore, scene: Scene) -> None:
    async def callers(poster: Poster) -> tuple[int, int]:
        first = asyncio.create_task(poster.submit(scene.earn("m1", A, 100, order="first")))
        await asyncio.to_thread(store.reached.wait, PATIENCE_SECONDS)
        tasks = [asyncio.create_task(poster.submit(scene.earn("m1", A, 100, order=f"o{i}"))) for i in range(20)]
        await asyncio.sleep(0)  # each has asked
        store.go.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await first
        busy = [outcome for outcome in outcomes if isinstance(outcome, Busy)]
        assert all(each.retry_after_ms > 0 for each in busy)
        return len(outcomes) - len(busy), len(busy)

    with poster_with_alliance(store, queue_commands_max=5) as poster:
        store.go.clear()
        taken, refused = asyncio.run(callers(poster))
        assert (taken, refused) == (5, 15)
        again = poster.post([scene.earn("m1", A, 100, order=f"o{i}") for i in range(20)])
    assert sum(answer.replayed for answer in again) == taken


def test_one_refusal_disturbs_no_neighbour(store: WaitingStore, scene: Scene) -> None:
    async def callers(poster: Poster) -> list[Answer]:
        commands = [scene.earn("m1", A, 100), scene.redeem("m2", B, 5), changed(scene.earn("m1", A, 100), member="")]
        return await asyncio.gather(*[poster.submit(command) for command in commands])

    with poster_with_alliance(store) as poster:
        answers = asyncio.run(callers(poster))
    assert [getattr(answer.outcome, "code", "done") for answer in answers] == ["done", "balance-too-low", "malformed"]


def test_long_lists_go_in_batches_and_keep_their_order(store: WaitingStore) -> None:
    commands = history(seed=9, length=60)
    with Poster(store, batch_commands_max=25) as poster:
        answers = poster.post(commands)
    assert max(store.sizes) == 25
    assert [answer.body for answer in answers] == [answer.body for answer in Scene().play(*commands)]


def test_a_caller_that_gave_up_harms_nobody(store: WaitingStore, scene: Scene) -> None:
    async def callers(poster: Poster) -> Answer:
        impatient = asyncio.create_task(poster.submit(scene.earn("m1", A, 100, order="given-up")))
        await asyncio.sleep(0.05)
        impatient.cancel()
        store.go.set()
        return await poster.submit(scene.earn("m1", A, 100, order="given-up"))

    with poster_with_alliance(store) as poster:
        store.go.clear()
        assert asyncio.run(callers(poster)).replayed, "what was taken was done, though nobody waited"


def test_closing_finishes_what_was_taken(store: WaitingStore, scene: Scene) -> None:
    poster = poster_with_alliance(store)

    async def caller() -> Answer:
        task = asyncio.create_task(poster.submit(scene.earn("m1", A, 100)))
        await asyncio.sleep(0)
        await asyncio.to_thread(poster.close)
        return await task

    assert isinstance(asyncio.run(caller()).outcome, Receipt)
    with pytest.raises(Closed):
        asyncio.run(poster.submit(scene.earn("m1", A, 100)))


def test_a_broken_batch_is_told_to_its_callers_and_the_next_goes_on(database: str, scene: Scene) -> None:
    with poster_with_alliance(open_store(database)) as poster, psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER TABLE ledger.orders ADD CONSTRAINT not_today CHECK (amount_minor <> 777)")
        with pytest.raises(psycopg.errors.CheckViolation):
            asyncio.run(poster.submit(scene.earn("m1", A, 777, order="o")))
        answer = asyncio.run(poster.submit(scene.earn("m1", A, 100, order="o2")))
        assert isinstance(answer.outcome, Receipt)
        assert answer.outcome.seq == 12
        assert rebuild.differences(conn) == []


@pytest.fixture(name="two")
def two_(database: str) -> Iterator[tuple[Poster, Poster]]:
    with Poster(open_store(database)) as one, Poster(open_store(database)) as other:
        yield one, other


def test_two_redemptions_at_once_cannot_both_spend_the_same_points(two: tuple[Poster, Poster], database: str) -> None:
    scene = Scene()
    two[0].post(small_alliance())
    for turn in range(10):
        member = f"m{turn % 5 + 1}"
        two[turn % 2].post([scene.earn(member, A, 50_000, order=f"o{turn}")])
        asked = [scene.redeem(member, B, 300) for _ in two]
        with ThreadPoolExecutor() as threads:
            answers = list(threads.map(lambda poster, command: poster.post([command])[0], two, asked))
        assert sorted(getattr(answer.outcome, "code", "done") for answer in answers) == (
            ["balance-too-low", "done"] if turn < 5 else ["done", "done"]
        )
    with psycopg.connect(database, autocommit=True) as conn:
        assert all(each.held for each in verify.check(conn))


def test_two_authorisations_at_once_cannot_both_pass_one_limit(two: tuple[Poster, Poster], database: str) -> None:
    """Two members with points of A authorise 60 each; A's collateral bears 100. One of them, then the other."""
    scene = Scene()
    two[0].post(small_alliance(credit_limit_au=100))
    two[0].post([scene.earn(member, A, 50_000) for member in ("m1", "m2")])
    for turn in range(10):
        asked = [authorize(member, B, 60, f"{member}-{turn}", over_limit="decline") for member in ("m1", "m2")]
        with ThreadPoolExecutor() as threads:
            answers = list(threads.map(lambda poster, command: poster.post([command])[0], two, asked))
        codes = [getattr(answer.outcome, "code", "done") for answer in answers]
        assert sorted(codes) == ["done", "issuer-over-limit"]
        held = asked[codes.index("done")].redemption
        two[turn % 2].post([void(B, held)])
    with psycopg.connect(database, autocommit=True) as conn:
        assert all(each.held for each in verify.check(conn))
        assert rebuild.differences(conn) == []


def test_a_hold_is_captured_or_voided_by_two_writers_once(two: tuple[Poster, Poster], database: str) -> None:
    scene = Scene()
    two[0].post(small_alliance())
    two[0].post([scene.earn("m1", A, 50_000)])
    for turn in range(10):
        two[turn % 2].post([authorize("m1", B, 40, f"r{turn}")])
        ends: list[Command] = [capture(B, f"r{turn}"), void(B, f"r{turn}")]
        with ThreadPoolExecutor() as threads:
            answers = list(threads.map(lambda poster, command: poster.post([command])[0], two, ends))
        assert sorted(getattr(answer.outcome, "code", "done") for answer in answers) == ["already-resolved", "done"]
    with psycopg.connect(database, autocommit=True) as conn:
        assert all(each.held for each in verify.check(conn))
