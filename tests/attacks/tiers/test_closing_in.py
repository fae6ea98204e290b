"""A partner that looks for somebody with questions of which each alone is allowed: by the age of keys, by a flood of
questions under which an earlier one is forgotten.
"""

from __future__ import annotations

from datetime import timedelta
from runpy import run_path

import psycopg

from api.tiers import rows
from proofs.tier.narrowing import Question
from proofs.tier.policy import Metric, Policy
from tests.api.conftest import START
from tests.api.tiers.alliance import CLOCK, SILVER, TODAY
from tests.attacks.tiers.scene import GOLD_OR_HIGHER, Scene
from tests.conftest import ROOT

FLOOD = 1_100
MIGRATION = ROOT / "migrations" / "versions" / "0028_partner_questions.py"


def test_the_age_of_a_key_leaves_fifty_or_nobody_is_asked(scene: Scene, database: str) -> None:
    """Whoever knows when a visitor enrolled knows it again, at any partner. All sixty keys are of today but for three:
    the published cohorts say nothing of that, so they are counted; and trying costs, or the bound could be felt for.
    """
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE settlement.tier_leaf SET attributes = substring(attributes FROM 1 FOR 2) || int4send(%s)"
            " || substring(attributes FROM 7) WHERE place < 3",
            (TODAY - 5,),
        )
    assert scene.second.asked(Policy(key_epoch_max=TODAY))["cohort"] == 50
    for age in (5, 6, 5, 4):
        answer = scene.first.ask(Policy(key_epoch_max=TODAY - age))
        assert (answer.status_code, answer.json()["code"]) == (422, "cohort-too-small")
    assert scene.first.ask(Policy(key_epoch_max=TODAY - 1)).json()["code"] == "narrowing-budget-spent"
    assert scene.first.ask(Policy()).json()["code"] == "narrowing-budget-spent"
    assert scene.first.ask(Policy(key_epoch_max=TODAY - 5)).json()["code"] == "cohort-too-small", "and still no"


def test_a_flood_makes_nothing_forgotten(scene: Scene, database: str) -> None:
    """A partner asks so much else that what it asks next would be lost among it, and then asks beside that."""
    asked_at = START - timedelta(days=1)
    regular = [Question.of(Policy(tier_mask=1, key_epoch_max=TODAY + more)) for more in range(FLOOD)]
    with psycopg.connect(database) as connection:
        for each in regular:
            rows.remember(connection, 3, each, epoch=TODAY, now=asked_at)
    scene.first.asked(GOLD_OR_HIGHER)
    beside = scene.first.ask(Policy(tier_mask=SILVER))
    assert (beside.status_code, beside.json()["code"]) == (422, "cohort-too-small")


def test_what_was_asked_before_questions_were_kept_is_remembered(scene: Scene, database: str) -> None:
    """The migration makes of old requests what the doors make of new ones."""
    begin = CLOCK.begins(TODAY)
    for policy in (
        Policy(max_uses=3),
        Policy(metric=Metric.SPEND),
        Policy(valid_on=begin, key_epoch_max=TODAY + 9),
        Policy(lo=100, metric=Metric.SPEND, max_uses=2),
    ):
        scene.second.ask(policy)
    found = "SELECT question, epoch, asked_at FROM api.partner_question WHERE partner_id = 4 ORDER BY question"
    with psycopg.connect(database) as connection:
        doors = connection.execute(found).fetchall()
        connection.execute("DELETE FROM api.partner_question")
        connection.execute(run_path(str(MIGRATION))["BEFORE"])
        assert connection.execute(found).fetchall() == doors
    assert len(doors) > 1
