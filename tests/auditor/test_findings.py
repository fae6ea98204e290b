"""The catalogue of findings: complete, and bounded in use."""

from __future__ import annotations

import ast
from pathlib import Path

from auditor.findings import CHECKS, FINDINGS_KEPT_MAX, RULES, Findings
from auditor.registry import Key, Registry
from proofs.kinds import Kind

ROOT = Path(__file__).parents[2]


def yielded(path: Path) -> set[str]:
    """Every word that the functions of a module yield."""
    nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Yield))
    return {node.value.value for node in nodes if isinstance(node.value, ast.Constant)}  # type: ignore[misc] # text


def test_every_rule_of_a_kind_can_be_a_finding() -> None:
    names = yielded(ROOT / "proofs" / "kinds.py")
    assert len(names) > 10
    assert names <= RULES.keys()


def test_every_rule_belongs_to_a_check_and_every_check_has_a_rule() -> None:
    told_as_information = {26, 31}
    assert {rule.check for rule in RULES.values()} == set(CHECKS) - told_as_information


def test_every_code_is_used() -> None:
    silent = {"findings.py", "glance.py"}
    text = "".join(path.read_text() for path in (ROOT / "auditor").glob("*.py") if path.name not in silent)
    used = {code for code in RULES if f'"{code}"' in text}
    assert RULES.keys() - used == yielded(ROOT / "proofs" / "kinds.py")


def test_every_finding_is_provoked_by_name() -> None:
    """What no attack ever gives may be a check that cannot fail: each code is what some test of a history asks for."""
    asked = [*(ROOT / "tests" / "attacks").glob("test_*.py"), ROOT / "tests" / "settlement" / "test_seal_everything.py"]
    text = "".join(path.read_text() for path in asked)
    assert {code for code in RULES if f'"{code}"' not in text} == set()


def test_findings_are_counted_beyond_what_is_kept() -> None:
    findings, more = Findings(), Findings()
    for number in range(FINDINGS_KEPT_MAX):
        findings.add("rate", 1, "event", expected=1, actual=number)
        more.add("lane-step", 1, "chain", expected=1, actual=number)
    findings.extend(more)
    assert (findings.total, len(findings.kept)) == (2 * FINDINGS_KEPT_MAX, FINDINGS_KEPT_MAX)
    assert (findings.of_check(12), findings.of_check(10)) == (FINDINGS_KEPT_MAX, FINDINGS_KEPT_MAX)


def test_who_may_sign_when() -> None:
    registry = Registry()
    registry.keys[1, 1] = Key(b"k" * 20, 3, 6, 1 << Kind.EARN | 1 << Kind.FEE)
    asked = {batch: registry.key_at(1, 1, batch_no=batch, kind=Kind.FEE) for batch in (2, 3, 5, 6)}
    assert asked == {2: None, 3: b"k" * 20, 5: b"k" * 20, 6: None}
    assert registry.key_at(1, 1, batch_no=3, kind=Kind.EARN) is None, "never registered"
    registry.add_merchant(1)
    assert registry.key_at(1, 1, batch_no=3, kind=Kind.EARN) == b"k" * 20
    registry.set_status(1, 2, from_batch=4)
    registry.set_status(1, 1, from_batch=5)
    earn = [registry.key_at(1, 1, batch_no=batch, kind=Kind.EARN) is not None for batch in (3, 4, 5)]
    assert earn == [True, False, True]
    assert registry.key_at(1, 1, batch_no=4, kind=Kind.FEE) == b"k" * 20
