"""The rules of the house that no other tool knows, each one function from a file to its findings.

Invariants: a rule sees one `Source` (path inside the repository, text) and yields sentences, nothing when content;
it reads no other file and keeps no state. What ruff already refuses (imports inside functions, relative ones, naive
times) is not repeated; `tests/test_tidy.py`, the only caller, sees that ruff keeps refusing it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from statistics import median

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 10
DOCSTRING_LETTERS_MIN = 20

CODE = {".py", ".sol", ".ts", ".mjs", ".js", ".sh", ".mako"}
ROOMS = ("proofs", "auditor", "ledger", "settlement", "api")
VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "core", "manager", "managers", "service", "services"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.gmtime"}
AVOIDANCE = {"skip", "skipif", "xfail", "importorskip", "SkipTest", "skipTest"}
TEST_TOOLS = ("pytest.", "mark.", "unittest.", "self.")

# Where time and chance come in: the processes' own ends. Everything else is told the time.
ENTRY_POINTS = (
    "api/",
    "proofs/tier/__main__.py",
    "settlement/embedded_chain/",
    "settlement/lane_signer.py",
    "settlement/tasks/__main__.py",
    "settlement/mirrors/__main__.py",
    "auditor/__main__.py",
)
# Seconds to wait are not money: such a line says so in the unit of its name.
WAITING = re.compile(r"(?i)seconds|timeout|_s(_max)?\b|-s\b")

# Holds forbidden words on purpose: it shows that the contracts' own lint fires on them.
SAMPLES = "hardhat/test/lint.test.mjs"


@dataclass(frozen=True)
class Source:
    """One file of the repository: its path from the root, with forward slashes, and its text."""

    path: str
    text: str

    @cached_property
    def parts(self) -> PurePosixPath:
        return PurePosixPath(self.path)

    @cached_property
    def tree(self) -> ast.Module | None:
        return ast.parse(self.text) if self.parts.suffix == ".py" else None

    @property
    def room(self) -> str:
        return self.parts.parts[0]

    def nodes(self) -> Iterator[ast.AST]:
        yield from ast.walk(self.tree) if self.tree else ()

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in self.nodes():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


Rule = Callable[[Source], Iterator[str]]


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code: from `def` to the end, without the docstring."""
    said = function.body[0] if ast.get_docstring(function) else None
    return (function.end_lineno or 0) - function.lineno + 1 - ((said.end_lineno or 0) - said.lineno + 1 if said else 0)


def dotted(node: ast.expr) -> str:
    """`a.b.c` for an attribute chain or a name, its last two words; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value).rpartition('.')[2]}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def short_files(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if source.parts.suffix in CODE and lines > FILE_LINES_MAX and "generated" not in source.text[:400].lower():
        yield f"{lines} lines, at most {FILE_LINES_MAX}"


def short_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        if (lines := length_of(function)) > FUNCTION_LINES_MAX:
            yield f"{function.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def opening_words(source: Source) -> Iterator[str]:
    if source.tree is None or not source.text.strip():
        return
    if len(ast.get_docstring(source.tree) or "") < DOCSTRING_LETTERS_MIN:
        yield "opens without saying what lives here"


def clear_names(source: Source) -> Iterator[str]:
    for part in source.parts.with_suffix("").parts:
        if VAGUE & set(re.split(r"[_.-]", part.lower())):
            yield f"{part!r} names no thing: say what lives there"
    for node in source.nodes():
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Service|Helper|Utils?)$", node.name):
            yield f"class {node.name} names no thing"


def time_comes_in(source: Source) -> Iterator[str]:
    if source.room not in ROOMS or source.path.startswith(ENTRY_POINTS):
        return
    for node in source.nodes():
        if isinstance(node, ast.Call) and dotted(node.func) in CLOCKS:
            yield f"line {node.lineno} reads the clock; the time is an argument below the entry points"


def integers_only(source: Source) -> Iterator[str]:
    if source.room not in ("proofs", "ledger", "settlement"):
        return
    lines = source.text.splitlines() or [""]
    for node in source.nodes():
        if WAITING.search(lines[getattr(node, "lineno", 1) - 1]):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"line {node.lineno} holds the float {node.value}"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield f"line {node.lineno} speaks of float"
        elif isinstance(node, ast.Call) and dotted(node.func) == "round":
            yield f"line {node.lineno} rounds without saying which way"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and has_number(node):
            yield f"line {node.lineno} divides into a float; // says which way"


def has_number(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(isinstance(side, ast.Constant) and isinstance(side.value, int | float) for side in sides)


def every_test_runs(source: Source) -> Iterator[str]:
    if source.parts.suffix in {".ts", ".mjs", ".js"}:
        for found in re.finditer(
            r"\b(?:it|test|describe)\.(?:skip|only|todo)\b|\b(?:skip|only|todo): ?true\b", source.text
        ):
            yield f"{found[0]} leaves tests out"
    for node in source.nodes():
        if isinstance(node, ast.Attribute) and node.attr in AVOIDANCE and dotted(node).startswith(TEST_TOOLS):
            yield f"line {node.lineno} leaves a test out: {dotted(node)}"


def nothing_left_to_do(source: Source) -> Iterator[str]:
    if source.path == SAMPLES:
        return
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search(r"(?<![|/])\b(?:TODO|FIXME|XXX|HACK)\b(?![|/])", line):  # a pattern that looks for them is none
            yield f"line {number} leaves something to do: {line.strip()[:60]}"


def at_home_anywhere(source: Source) -> Iterator[str]:
    """No path of one machine and no address of a package registry: a clone works wherever it lies."""
    paths = r"(?<![\w.])/(?:root|home|Users|work|tmp/[a-z])[/\w]"
    hosts = r"\b(?:registry\.(?:npmjs|yarnpkg)|files\.pythonhosted|pypi)\.(?:org|com)\b"
    tracker = r"\b[Ii]ssues? (?:#\s*)?\d"
    for number, line in enumerate(source.text.splitlines(), 1):
        for pattern, what in ((paths, "a machine path"), (hosts, "a registry's host"), (tracker, "a ticket number")):
            if found := re.search(pattern, line):
                yield f"line {number} holds {what}: {found[0]}"


def locks_without_addresses(source: Source) -> Iterator[str]:
    if source.parts.name not in {"requirements.lock", "package-lock.json"}:
        return
    for number, line in enumerate(source.text.splitlines(), 1):
        if "://" in line or '"resolved"' in line:
            yield f"line {number} holds an address: {line.strip()[:60]}"


def whole_decisions(source: Source) -> Iterator[str]:
    if not re.fullmatch(r"docs/decisions/\d{4}-[a-z0-9-]+\.md", source.path):
        return
    headings = re.findall(r"^## (\w+)", source.text, re.MULTILINE)
    if headings != ["Context", "Decision", "Consequences", "Test"]:
        yield f"has the headings {headings}, not Context, Decision, Consequences, Test"


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        short_files,
        short_functions,
        opening_words,
        clear_names,
        time_comes_in,
        integers_only,
        every_test_runs,
        nothing_left_to_do,
        at_home_anywhere,
        locks_without_addresses,
        whole_decisions,
    )
}


def median_length(sources: list[Source]) -> float:
    """The median length of the functions of a room, in lines; 0 where it has none."""
    lengths = [length_of(function) for source in sources for function in source.functions()]
    return median(lengths) if lengths else 0
