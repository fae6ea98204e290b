"""The pure next step: total over everything that can be seen, and the rules of the protocol one by one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.headers import SEAL_LAG_SECONDS_BOUND
from settlement.steps import (
    ABSENT,
    ATTEMPTS_MAX,
    ATTESTATION_WAIT_S,
    BUMPS_MAX,
    STUCK_S,
    TERMINAL,
    Become,
    Do,
    Fate,
    Observation,
    State,
    Step,
    Submission,
    Wait,
    next_step,
)

OURS, OTHER = b"\x01" * 32, b"\x02" * 32
SEALED_AT, LAG = 1_000_000, 21_600
BATCH = Submission(batch_no=5, state=State.SEALED, header_hash=OURS, sealed_at=SEALED_AT)
QUIET = Observation(
    now=SEALED_AT + 60,
    now_final=SEALED_AT,
    next_batch_no=5,
    next_final_no=5,
    next_final_no_final=5,
    hash_latest=ABSENT,
    hash_final=ABSENT,
    final_after=0,
    open_demands=0,
    reverted_final=False,
    predecessor_reverted_final=False,
    paused_until=0,
    winding_down=False,
    seal_lag_s_max=LAG,
    quorum=False,
    attested=False,
    commit=Fate.NEVER,
    finalise=Fate.NEVER,
    age_s=0,
    replacements=0,
    attempts=0,
)
LOCKED = replace(BATCH, has_locks=True, state=State.FAILED_CASCADE)
ON_CHAIN = {"hash_latest": OURS, "hash_final": OURS, "next_batch_no": 6, "final_after": SEALED_AT + 100}
PAST_WINDOW = {**ON_CHAIN, "now": SEALED_AT + 200}
LATE = {"now": SEALED_AT + LAG + 1}


def step(state: State, **seen: object) -> Step:
    return next_step(replace(BATCH, state=state), replace(QUIET, **seen))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "seen", "expected"),
    [
        (State.SEALED, {}, Do.PUBLISH),
        (State.PUBLISHED, {"quorum": True}, Become(State.ATTESTED)),
        (State.PUBLISHED, {"now": SEALED_AT + ATTESTATION_WAIT_S}, Become(State.ATTESTED)),
        (State.ATTESTED, {}, Do.COMMIT),
        (State.ATTESTED, {"commit": Fate.ASKED}, Do.COMMIT),
        (State.ATTESTED, {"commit": Fate.WAITING}, Become(State.SUBMITTED)),
        (State.SUBMITTED, {}, Do.COMMIT),
        (State.SUBMITTED, {"commit": Fate.WAITING}, Do.COMMIT),
        (State.SUBMITTED, {"commit": Fate.WAITING, "age_s": STUCK_S + 1}, Do.BUMP_COMMIT),
        (State.SUBMITTED, {"commit": Fate.WAITING, "age_s": STUCK_S + 1, "replacements": 1}, Do.COMMIT),
        (State.SUBMITTED, {"commit": Fate.WAITING, "age_s": 10**6, "replacements": BUMPS_MAX}, Do.BUMP_COMMIT),
        (State.SUBMITTED, {"commit": Fate.REVERTED}, Do.RETRY_COMMIT),
        (State.SUBMITTED, {"commit": Fate.DROPPED}, Do.RETRY_COMMIT),
        (State.SUBMITTED, {**ON_CHAIN, "commit": Fate.MINED}, Become(State.CONFIRMED)),
        (State.SEALED, {"overtaken": True}, Do.RESEAL),
        (State.PUBLISHED, {"overtaken": True, "quorum": True}, Do.RESEAL),
        (State.SUBMITTED, {"overtaken": True, "commit": Fate.WAITING}, Do.VOID_COMMIT),
        (State.SUBMITTED, {"overtaken": True, "commit": Fate.DROPPED}, Do.RESEAL),
        (State.SUBMITTED, {**ON_CHAIN, "overtaken": True, "commit": Fate.MINED}, Become(State.CONFIRMED)),
        (State.CONFIRMED, {}, Become(State.SUBMITTED)),
        (State.CONFIRMED, PAST_WINDOW, Do.FINALISE),
        (State.CONFIRMED, {**PAST_WINDOW, "finalise": Fate.ASKED}, Do.FINALISE),
        (State.CONFIRMED, {**PAST_WINDOW, "finalise": Fate.WAITING}, Become(State.FINALISING)),
        (State.CONFIRMED, {**PAST_WINDOW, "open_demands": 1}, Become(State.CHALLENGED)),
        (State.CHALLENGED, PAST_WINDOW, Become(State.CONFIRMED)),
        (State.FINALISING, {**PAST_WINDOW, "finalise": Fate.WAITING, "age_s": STUCK_S + 1}, Do.BUMP_FINALISE),
        (State.FINALISING, {**PAST_WINDOW, "finalise": Fate.REVERTED}, Do.RETRY_FINALISE),
        (State.FINALISING, {**PAST_WINDOW, "finalise": Fate.MINED}, Do.CONTINUE_FINALISE),
        (State.CONFIRMED, {**PAST_WINDOW, "paused_until": SEALED_AT + 900, "winding_down": True}, Do.FINALISE),
        (State.FINALISING, {**PAST_WINDOW, "next_final_no": 6, "next_final_no_final": 6}, Become(State.FINALISED)),
        (State.CONFIRMED, {**ON_CHAIN, "reverted_final": True}, Become(State.FAILED_FRAUD)),
        (
            State.CONFIRMED,
            {**ON_CHAIN, "reverted_final": True, "predecessor_reverted_final": True},
            Become(State.FAILED_CASCADE),
        ),
    ],
)
def test_the_way_of_a_batch(state: State, seen: dict[str, object], expected: Step) -> None:
    assert step(state, **seen) == expected


@pytest.mark.parametrize("state", [State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED])
def test_what_the_contract_holds_comes_before_what_we_remember(state: State) -> None:
    assert step(state, **ON_CHAIN) == Become(State.CONFIRMED)
    assert isinstance(step(state, hash_latest=OURS, next_batch_no=6), Wait)
    assert step(state, hash_latest=OTHER, hash_final=OTHER, next_batch_no=6) == Become(State.FAILED_CONFLICT)


@pytest.mark.parametrize("state", [State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED])
def test_another_header_is_a_conflict_only_once_it_is_final(state: State) -> None:
    for seen in ({"hash_latest": OTHER}, {}):
        waits = step(state, **seen, next_batch_no=6)
        assert isinstance(waits, Wait)
        assert waits.alarm == "batch-conflict"


@pytest.mark.parametrize("state", [State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED])
def test_a_batch_thrown_out_before_it_was_seen_has_failed(state: State) -> None:
    assert step(state, reverted_final=True) == Become(State.FAILED_FRAUD)


@pytest.mark.parametrize("state", [State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED])
def test_a_batch_too_old_is_sealed_anew_only_when_nothing_of_it_can_be_mined(state: State) -> None:
    assert step(state, **LATE, commit=Fate.NEVER) is Do.RESEAL
    assert step(state, **LATE, commit=Fate.DROPPED) is Do.RESEAL
    assert step(state, **LATE, commit=Fate.REVERTED) is Do.RESEAL
    assert step(state, **LATE, commit=Fate.WAITING) is Do.VOID_COMMIT
    assert step(state, **LATE, commit=Fate.ASKED) is Do.VOID_COMMIT
    for unsettled in (Fate.MINED, Fate.ENDING):
        assert isinstance(step(state, **LATE, commit=unsettled), Wait)


@pytest.mark.parametrize("state", [State.PUBLISHED, State.ATTESTED, State.SUBMITTED])
def test_an_attested_batch_too_old_is_sealed_anew_only_when_no_hub_could_take_it(state: State) -> None:
    lapses = SEALED_AT + SEAL_LAG_SECONDS_BOUND
    late = {"now": lapses + 100, "attested": True}
    waits = step(state, **late, now_final=lapses)
    assert isinstance(waits, Wait)
    assert (waits.until, waits.alarm) == (lapses + 1, "batch-late")
    assert step(state, **late, now_final=lapses + 1) is Do.RESEAL
    assert step(state, **LATE, attested=True, commit=Fate.WAITING) is Do.VOID_COMMIT


@pytest.mark.parametrize("state", [State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED])
def test_nothing_is_sealed_anew_while_the_hub_is_paused(state: State) -> None:
    assert step(state, **LATE, paused_until=SEALED_AT + 2 * LAG) == Wait("the hub is paused", SEALED_AT + 2 * LAG)


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (State.OPEN, {}),
        (State.PUBLISHED, {}),
        (State.ATTESTED, {"paused_until": SEALED_AT + 600}),
        (State.ATTESTED, {"next_batch_no": 4}),
        (State.SUBMITTED, {"commit": Fate.MINED}),
        (State.SUBMITTED, {"commit": Fate.ENDING}),
        (State.SUBMITTED, {"commit": Fate.REVERTED, "attempts": ATTEMPTS_MAX}),
        (State.CONFIRMED, {**ON_CHAIN, "now": SEALED_AT + 99}),
        (State.CONFIRMED, {**PAST_WINDOW, "paused_until": SEALED_AT + 900}),
        (State.CONFIRMED, {**PAST_WINDOW, "next_final_no": 4}),
        (State.CHALLENGED, {**PAST_WINDOW, "open_demands": 2}),
        (State.FINALISING, {**PAST_WINDOW, "next_final_no": 6}),
        *((state, {}) for state in State if state in TERMINAL),
    ],
)
def test_what_waits(state: State, seen: dict[str, object]) -> None:
    assert isinstance(step(state, **seen), Wait)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, Do.RELEASE),
        ({"release": Fate.ASKED}, Do.RELEASE),
        ({"release": Fate.WAITING}, Do.RELEASE),
        ({"release": Fate.WAITING, "age_s": STUCK_S + 1}, Do.BUMP_RELEASE),
        ({"release": Fate.REVERTED}, Do.RETRY_RELEASE),
        ({"release": Fate.MINED}, Wait(State.FAILED_CASCADE.value, alarm="batch-failed")),
        ({"released": True}, Wait(State.FAILED_CASCADE.value, alarm="batch-failed")),
    ],
)
def test_what_was_locked_for_a_batch_that_failed_is_released_once(seen: dict[str, object], expected: Step) -> None:
    assert next_step(LOCKED, replace(QUIET, **seen)) == expected  # type: ignore[arg-type]


def test_waiting_says_until_when() -> None:
    assert step(State.PUBLISHED) == Wait("waits for a quorum of attesters", until=SEALED_AT + ATTESTATION_WAIT_S)
    assert step(State.CONFIRMED, **ON_CHAIN) == Wait("in its challenge window", until=SEALED_AT + 100)


HASHES = st.sampled_from([ABSENT, OURS, OTHER])
NUMBERS = st.integers(3, 7)
TIMES = st.integers(SEALED_AT, SEALED_AT + 2 * SEAL_LAG_SECONDS_BOUND)
OBSERVATIONS = st.builds(
    Observation,
    now=TIMES,
    now_final=TIMES,
    next_batch_no=NUMBERS,
    next_final_no=NUMBERS,
    next_final_no_final=NUMBERS,
    hash_latest=HASHES,
    hash_final=HASHES,
    final_after=TIMES,
    open_demands=st.integers(0, 2),
    reverted_final=st.booleans(),
    predecessor_reverted_final=st.booleans(),
    paused_until=TIMES,
    winding_down=st.booleans(),
    seal_lag_s_max=st.just(LAG),
    quorum=st.booleans(),
    attested=st.booleans(),
    commit=st.sampled_from(Fate),
    finalise=st.sampled_from(Fate),
    release=st.sampled_from(Fate),
    released=st.booleans(),
    overtaken=st.booleans(),
    age_s=st.integers(0, 10_000),
    replacements=st.integers(0, BUMPS_MAX),
    attempts=st.integers(0, 8 * ATTEMPTS_MAX),
)


@given(st.sampled_from(State), OBSERVATIONS)
def test_every_state_and_observation_has_a_step_and_none_undoes_what_is_frozen(state: State, seen: Observation) -> None:
    taken = next_step(replace(BATCH, state=state), seen)
    assert isinstance(taken, Become | Do | Wait)
    assert taken != Become(state), "a step that leads nowhere would loop"
    if state in TERMINAL:
        assert isinstance(taken, Wait)
    if taken is Do.RESEAL:
        assert not seen.attested or seen.now_final > SEALED_AT + SEAL_LAG_SECONDS_BOUND
        assert seen.now >= seen.paused_until
        assert seen.commit in {Fate.NEVER, Fate.DROPPED, Fate.REVERTED}
        assert OURS not in {seen.hash_latest, seen.hash_final}
    if taken in {Do.COMMIT, Do.RETRY_COMMIT, Do.BUMP_COMMIT}:
        assert (seen.hash_latest, seen.next_batch_no) == (ABSENT, BATCH.batch_no)
        assert seen.now <= SEALED_AT + LAG
    if taken in {Do.FINALISE, Do.BUMP_FINALISE, Do.RETRY_FINALISE, Do.CONTINUE_FINALISE}:
        assert seen.now >= seen.final_after
        assert seen.hash_final == OURS
        assert seen.winding_down or seen.now >= seen.paused_until
    if taken in {Do.RETRY_COMMIT, Do.RETRY_FINALISE, Do.RETRY_RELEASE}:
        assert seen.attempts < ATTEMPTS_MAX
