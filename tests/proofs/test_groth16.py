"""The verifier on keys with a known trapdoor: true and false, alone and in batches, beside py_ecc."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from proofs import groth16_reference as reference
from proofs.groth16 import BATCH_PROOFS_MAX, Entry, Proof, Refusal, VerificationKey, verify, verify_batch, why_refused
from proofs.keccak import keccak256
from tests.proofs.trapdoor import R, Trapdoor, trapdoor

DOOR = trapdoor(1, 6)
KEY = VerificationKey.from_json(DOOR.key)
SIGNALS = [
    [0, 0, 0, 0, 0, 0],
    [1, 2, 3, 4, 5, 6],
    [R - 1] * 6,
    [2**64, 0, R - 1, 1, 0, 2**248],
]


def entries(count: int, door: Trapdoor = DOOR) -> list[Entry]:
    chance = random.Random(count)
    made: list[Entry] = []
    for _ in range(count):
        signals = [chance.randrange(R) for _ in range(6)]
        made.append((signals, Proof.from_json(door.prove(signals, chance))))
    return made


@pytest.mark.parametrize("signals", SIGNALS)
def test_a_true_proof(signals: list[int]) -> None:
    form = DOOR.prove(signals, random.Random(7))
    assert verify(KEY, signals, Proof.from_json(form))
    assert why_refused(KEY, signals, Proof.from_json(form)) is None
    assert reference.verify(DOOR.key, signals, form)


@pytest.mark.parametrize("at", range(6))
def test_each_signal_counts(at: int) -> None:
    ((signals, proof),) = entries(1)
    changed = [*signals[:at], (signals[at] + 1) % R, *signals[at + 1 :]]
    assert verify(KEY, signals, proof)
    assert why_refused(KEY, changed, proof) is Refusal.EQUATION


def test_a_statement_that_sums_to_infinity() -> None:
    """L = 0 is a point like any other: its pairing is 1."""
    door = trapdoor(3, 1)
    signal = -door.ic[0] * pow(door.ic[1], -1, R) % R
    form = door.prove([signal], random.Random(1))
    key = VerificationKey.from_json(door.key)
    assert verify(key, [signal], Proof.from_json(form))
    assert verify_batch(key, [([signal], Proof.from_json(form))] * 2) == [True, True]
    assert not verify(key, [signal + 1], Proof.from_json(form))


def test_one_key_refuses_the_proofs_of_another() -> None:
    ((signals, proof),) = entries(1, trapdoor(2, 6))
    assert not verify(KEY, signals, proof)


def test_the_hash_is_of_words_in_the_order_of_the_chain() -> None:
    form = DOOR.key
    numbers = form["vk_alpha_1"][:2]
    for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2"):
        numbers = [*numbers, *form[name][0][::-1], *form[name][1][::-1]]
    for x, y, _ in form["IC"]:
        numbers = [*numbers, x, y]
    assert len(numbers) == 2 + 3 * 4 + 7 * 2
    assert KEY.hash() == keccak256(b"".join(int(number).to_bytes(32, "big") for number in numbers))


def test_the_pairing_of_alpha_and_beta_is_not_believed() -> None:
    form = DOOR.key | {"vk_alphabeta_12": [[["1", "0"]] * 3] * 2}
    assert VerificationKey.from_json(form) == KEY
    assert VerificationKey.from_json(form).prepared.target == KEY.prepared.target


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_a_batch_of_true_proofs(count: int) -> None:
    assert verify_batch(KEY, entries(count)) == [True] * count


@pytest.mark.parametrize("bad", [{0}, {18}, {9}, {8, 9}, {2, 3, 6}, {1, 17}, set(range(19))])
def test_a_batch_names_the_bad_ones(bad: set[int]) -> None:
    made = [([*signals[:5], (signals[5] + (at in bad)) % R], proof) for at, (signals, proof) in enumerate(entries(19))]
    assert verify_batch(KEY, made) == [at not in bad for at in range(19)]


def test_a_batch_asks_for_signals_too() -> None:
    (signals, proof), second = entries(2)
    beyond = [signals[0] + R, *signals[1:]]
    assert verify_batch(KEY, [(beyond, proof), second, (signals[:5], proof), (signals, proof)]) == [
        *(False, True),
        *(False, True),
    ]


def test_a_batch_draws_a_weight_for_each() -> None:
    drawn: list[int] = []

    def counting(size: int) -> bytes:
        drawn.append(size)
        return bytes([len(drawn)]) * size

    assert verify_batch(KEY, entries(3), counting) == [True] * 3
    assert drawn == [16, 16, 16]


def test_a_batch_of_any_size_is_taken_in_parts() -> None:
    ((signals, proof),) = entries(1)
    assert BATCH_PROOFS_MAX < 300
    made: list[Entry] = [(signals, proof)] * 299 + [([1] * 6, proof)]
    assert verify_batch(KEY, made) == [True] * 299 + [False]


@pytest.mark.parametrize("weights", [bytes, lambda size: b"\xff" * size])
def test_weights_are_never_zero(weights: Callable[[int], bytes]) -> None:
    """Even a source that gives nothing but zeros weighs the one bad proof of a batch."""
    (signals, proof), second = entries(2)
    assert verify_batch(KEY, [([1, *signals[1:]], proof), second], weights) == [False, True]
