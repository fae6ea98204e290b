"""The command line: `python -m auditor audit`, `attest`, `examine`, `extract`, `epochs` and `new-key`.

Exit codes: 0 clean, 1 findings, 2 incomplete (data missing, node silent), 3 the nodes disagree, 4 wrong use (or an
attester that must refuse), 130 interrupted. Nothing is written but the report, the page, the attestations, new keys
and, on standard error, progress. Entry point of the room.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from auditor import epochs, extract, keys
from auditor.attest import AttestRefused, attest, load_signer, sealed_commits
from auditor.audit import Means, audit, processes_here
from auditor.chain import Chain
from auditor.evidence import Checkpoint, Earlier, Evidence, load_checkpoint, load_report
from auditor.fetch import AuditorKey, load_key
from auditor.findings import shown
from auditor.mirrors import mirror
from auditor.outcome import Outcome, Verdict
from auditor.page import page, report_text
from auditor.progress import Watch
from auditor.reading import finalised, read, read_through
from auditor.receipts import load_receipts
from auditor.replay import moved_roles
from auditor.report import contracts, report
from auditor.rpc import Node, Nodes, RpcError, RpcsDisagree
from auditor.signed import signed_report, signer_of
from proofs.arguments import hex_argument
from proofs.signature import address_of

CLEAN, FINDINGS, INCOMPLETE, RPCS_DISAGREE, WRONG_USE, INTERRUPTED = 0, 1, 2, 3, 4, 130
_EXIT = {Verdict.CLEAN: CLEAN, Verdict.FINDINGS: FINDINGS, Verdict.INCOMPLETE: INCOMPLETE}
_EXITS = (
    "Exit codes: 0 clean, and with examine nothing against this batch; 1 findings; 2 incomplete (data missing, not "
    "shared with you, node silent); 3 the nodes disagree; 4 wrong use, or an attester that must refuse; "
    "130 interrupted, with a report of what was covered."
)
_TAGS = ("finalized", "latest")
ADDRESS_BYTES = 20
_address = hex_argument(ADDRESS_BYTES)

_CODES = {"contracts": "contract-differs", "roles": "roles-differ"}
"""The finding where a field of the anchor is not what the chain says, if it is not about the code."""

T = TypeVar("T")


class _Parser(argparse.ArgumentParser):
    """Wrong use has an exit code of its own: argparse's 2 means incomplete here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(WRONG_USE, f"{self.prog}: {message}\n")


class WrongUse(Exception):
    """An option names something that is not what it should be; the message says which."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    options = _parser().parse_args(arguments)
    asked = [node for node in (options.rpc, options.rpc2) if node is not None]
    if len({node.name for node in asked}) < len(asked):
        return _stop(WRONG_USE, f"--rpc2 is {options.rpc.name} again: a node that is asked twice agrees with itself")
    try:
        if options.run is keys.make:
            keys.make(options)
            return CLEAN
        with Nodes(asked) as nodes:
            code: int = options.run(options, nodes)
            return code
    except RpcsDisagree as error:
        return _stop(RPCS_DISAGREE, f"the nodes disagree: {error}")
    except (RpcError, OSError) as error:
        return _stop(INCOMPLETE, f"incomplete: {error}")
    except (AttestRefused, WrongUse, keys.KeyNotMade) as error:
        return _stop(WRONG_USE, str(error))
    except KeyboardInterrupt:
        return _stop(INTERRUPTED, "interrupted")


def _audit(options: argparse.Namespace, nodes: Nodes) -> int:
    tag = options.to if options.to in _TAGS else "finalized"
    earlier = None if options.resume is None else _continued(options.resume)
    signer = None if options.signer is None else _given(load_signer, options.signer)
    anchor, key = _anchor(options.anchor or options.resume), _given(load_key, options.keys)
    evidence = _evidence(options, earlier)
    first = options.first if earlier is None else earlier.last + 1
    with Watch(quiet=options.quiet) as watch:
        chain = _read_through(options, nodes, anchor, tag)
        last = None if options.to in _TAGS else int(options.to)
        outcome = audit(chain, chain.commits, _means(options, key, watch, evidence), first=first, last=last)
    if earlier is not None:
        outcome.on_trust.append(f"batches {earlier.first} to {earlier.last}, which {options.resume.name} found clean")
    told = _anchored(outcome, anchor, nodes)
    if signer is not None:
        told = signed_report(told, signer)
    _write(options.out, report_text(told))
    if options.html:
        _write(options.html, page(told))
    _tell(outcome)
    return INTERRUPTED if outcome.interrupted else _EXIT[outcome.verdict]


def _attest(options: argparse.Namespace, nodes: Nodes) -> int:
    anchor, data_key, key = _anchor(options.anchor), _given(load_key, options.keys), _given(load_signer, options.signer)
    with Watch(quiet=options.quiet) as watch:
        chain = _read_through(options, nodes, anchor, "latest")
        for name, expected, actual in _differences(anchor, chain):
            raise AttestRefused(_apart(name, expected, actual))
        means = _means(options, data_key, watch, _evidence(options, None))
        attested = attest(chain, means, key=key, state=options.state, final=lambda: finalised(nodes, options.hub))
    outcome = attested.outcome
    told = {
        "attester": shown(address_of(key.public_key)),
        "attestations": [each.as_json() for each in attested.signed],
        "refused": [each.as_json() for each in attested.refused],
        "findings": [finding.as_json() for finding in outcome.findings.kept],
        "incomplete": outcome.incomplete,
    }
    _write(options.out, json.dumps(told, indent=1) + "\n")
    _tell(outcome)
    sys.stderr.write(f"{len(attested.signed)} header(s) signed\n")
    if attested.refused:
        return _stop(WRONG_USE, "\n".join(map(str, attested.refused)))
    return _EXIT[outcome.verdict]


def _read_through(options: argparse.Namespace, nodes: Nodes, anchor: dict[str, Any], tag: str) -> Chain:
    """The hub, and those that it goes on after."""
    named, before = options.hub, anchor.get("carried", {})
    with ExitStack() as stack:
        old = None if options.old_rpc is None else stack.enter_context(Nodes([options.old_rpc]))
        blocks = {"from_block": anchor.get("deployBlock", 0), "old_block": before.get("deployBlock", 0)}
        return read_through(nodes, named, tag=tag, elsewhere=old, **blocks)


def _extract(options: argparse.Namespace, nodes: Nodes) -> int:
    """A merchant's own question: whether what it was given about a batch is whole, and what the chain holds."""
    anchor, pages = _anchor(options.anchor), _given(lambda _: extract.load(options.files), options.files[0])
    chain = _read_through(options, nodes, anchor, options.to)
    for name, expected, actual in _differences(anchor, chain):
        raise WrongUse(_apart(name, expected, actual))
    verdict = extract.judge(pages, chain)
    if options.out:
        _write(options.out, json.dumps(verdict.as_json(), indent=1) + "\n")
    for problem in verdict.problems:
        sys.stderr.write(f"  {problem}\n")
    if verdict.problems or verdict.proven is None:
        return _stop(FINDINGS, "not proven")
    sys.stderr.write(f"proven: {extract.told(verdict)}\n")
    return CLEAN


def _epochs(options: argparse.Namespace, nodes: Nodes) -> int:
    """Whether the epochs of tiers that the operator tells are those on the chain, each signed and after the last."""
    anchor, named = _anchor(options.anchor), {}
    if isinstance(anchor.get("tiers"), dict):
        named = dict(anchor["tiers"].get("registry", {}))
    address = options.registry or _given_address(named.get("address"))
    registry = epochs.read(nodes, address, tag=options.to, from_block=anchor.get("deployBlock", 0))
    published = [each for path in options.files for each in _given(epochs.load, path)]
    problems = epochs.judge(registry, published)
    expected = (
        ("chainId", anchor.get("chainId"), registry.chain_id),
        ("tiers.registry", named.get("address"), shown(registry.address)),
        ("tiers.codeHash", named.get("codeHash"), shown(registry.code_hash)),
    )
    for name, told, actual in expected:
        if told not in {None, actual}:
            problems.insert(0, epochs.Problem("registry-differs", 0, f"{name} {told}", str(actual)))
    if options.out:
        _write(options.out, json.dumps(epochs.as_json(registry, problems), indent=1) + "\n")
    for problem in problems:
        sys.stderr.write(f"  {epochs.line(problem)}\n")
    sys.stderr.write(f"{epochs.told(registry)}\n")
    return FINDINGS if problems else CLEAN


def _given_address(text: object) -> bytes:
    try:
        return _address(str(text))
    except argparse.ArgumentTypeError as error:
        raise WrongUse("neither --registry nor the anchor names the registry of tiers") from error


def _examine(options: argparse.Namespace, nodes: Nodes) -> int:
    """One sealed batch, before anybody signs or commits it, from the rows of the batch before it on."""
    anchor, key = _anchor(options.anchor), _given(load_key, options.keys)
    with Watch(quiet=options.quiet) as watch:
        chain = read(nodes, options.hub, tag="latest", from_block=anchor.get("deployBlock", 0))
        means = _means(options, key, watch)
        commits = [*chain.commits, *sealed_commits(chain, means.mirrors)]
        since = [each.header.nets_since_batch for each in commits if each.header.batch_no == options.batch]
        if since and since[0] < commits[0].header.batch_no:  # its nets are counted from a batch of the hub before
            chain.before = _read_through(options, nodes, anchor, "latest").before
        outcome = audit(chain, commits, means, first=options.batch, last=options.batch)
    _write(options.out, report_text(_anchored(outcome, anchor, nodes)))
    _tell(outcome)
    elsewhere = outcome.verdict == Verdict.FINDINGS and not outcome.incomplete
    return CLEAN if elsewhere and not outcome.findings.object_to(options.batch) else _EXIT[outcome.verdict]


def _anchored(outcome: Outcome, anchor: dict[str, Any], nodes: Nodes) -> dict[str, Any]:
    """The report, with what is not as the anchor says among its findings."""
    for name, expected, actual in _differences(anchor, outcome.chain):
        outcome.findings.add(_CODES.get(name, "code-differs"), 0, f"anchor.{name}", expected=expected, actual=actual)
    return report(outcome, rpc=nodes.names, anchored=anchor.keys() >= {"codeHash", *_CODES})


def _means(options: argparse.Namespace, key: AuditorKey, watch: Watch, evidence: Evidence | None = None) -> Means:
    mirrors = [mirror(each) for each in options.data]
    return Means(mirrors, key, options.jobs, watch, evidence or Evidence(), options.keep)


def _evidence(options: argparse.Namespace, earlier: Earlier | None) -> Evidence:
    """What was given beside chain and files."""
    receipts = [each for place in options.receipts for each in _given(load_receipts, place)]
    checkpoint = Checkpoint() if options.checkpoint is None else _given(load_checkpoint, options.checkpoint)
    if earlier is not None:
        checkpoint = checkpoint.with_seen(earlier.checkpoint)
    if options.journal is not None and not options.journal.is_file():
        raise WrongUse(f"{options.journal}: no such file")
    return Evidence(receipts, options.journal, checkpoint)


def _continued(path: Path) -> Earlier:
    """The report that this audit goes on from: only a clean one says anything about what came before."""
    earlier = _given(load_report, path)
    if earlier.verdict != Verdict.CLEAN:
        raise WrongUse(f"{path}: says {earlier.verdict}; only after a clean audit can another begin where it ended")
    return earlier


def _given(load: Callable[[Path], T], path: Path) -> T:
    """What an option's file holds."""
    try:
        return load(path)
    except OSError as error:
        raise WrongUse(f"{path}: {error.strerror}") from error
    except ValueError as error:
        named = str(error).startswith(str(path))
        raise WrongUse(str(error) if named else f"{path}: {error}") from error


def _anchor(path: Path | None) -> dict[str, Any]:
    """The trust anchor, alone in a file or in a report; any of its fields may be missing."""
    if path is None:
        return {}
    told = _given(_anchor_in, path)
    if (
        isinstance(told, dict)
        and isinstance(told.get("deployBlock", 0), int)
        and isinstance(told.get("roles", []), list)
    ):
        return told
    raise WrongUse(f"{path}: not a trust anchor")


def _anchor_in(path: Path) -> Any:
    told = json.loads(path.read_text())
    if isinstance(told, dict) and "anchor" in told:
        signer_of(told)
        return told["anchor"]
    return told


def _differences(anchor: dict[str, Any], chain: Chain) -> list[tuple[str, Any, Any]]:
    """Check 1 as far as an anchor says: (field, expected, actual) for each field in which the chain is another."""
    genesis = chain.commits[0].header_hash if chain.commits else b""
    actual = {
        "chainId": chain.chain_id,
        "hub": shown(chain.hub),
        "codeHash": shown(chain.code_hash),
        "genesisHeaderHash": shown(genesis),
        "contracts": contracts(chain),
    }
    apart = [(name, anchor[name], value) for name, value in actual.items() if name in anchor and anchor[name] != value]
    gone, new = moved_roles(anchor["roles"], chain.roles) if "roles" in anchor else ([], [])
    return [*apart, ("roles", gone, new)] if gone or new else apart


def _apart(name: str, expected: Any, actual: Any) -> str:
    """What a person has to know of one difference, before anything is done."""
    if name != "roles":
        return f"anchor.{name} is {expected}, but the chain says {actual}"
    moved = [f"{words} {', '.join(lines)}" for words, lines in (("gone:", expected), ("new:", actual)) if lines]
    return f"anchor.roles: {'; '.join(moved)}. If the council decided that, take the anchor that was written after it"


def _tell(outcome: Outcome) -> None:
    leaves = sum(batch.leaves for batch in outcome.batches if batch.checked)
    lines = [f"{outcome.verdict.value}: batches {outcome.first} to {outcome.last}, {leaves:,} events checked"]
    lines += [f"  {code}: {count}" for code, count in sorted(outcome.findings.counts.items())]
    lines += [f"  {note}" for note in outcome.incomplete]
    sys.stderr.write("\n".join(lines) + "\n")


def _stop(code: int, message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return code


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text)
    aside.replace(path)


def _to(text: str) -> str:
    if text not in _TAGS and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(_TAGS)} nor a batch number")
    return text


def _add_nodes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rpc", required=True, type=Node, help="JSON-RPC address of a node")
    command.add_argument("--rpc2", type=Node, help="a second node, of somebody else, that must give the same answers")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="auditor", epilog=_EXITS, description=(__doc__ or "").split("\n", 1)[0])
    commands = parser.add_subparsers(required=True, metavar="audit | attest | examine | extract | epochs | new-key")
    both = _Parser(add_help=False)
    _add_nodes(both)
    both.add_argument("--hub", required=True, type=_address, help="address of the SettlementHub")
    both.add_argument("--data", required=True, action="append", help="a mirror: folder or http(s) address; repeatable")
    both.add_argument("--keys", required=True, type=Path, help="auditor key file")
    both.add_argument("--keep", type=Path, help="a folder of your own in which all that is fetched stays")
    both.add_argument("--out", required=True, type=Path, help="where the JSON goes")
    both.add_argument("--anchor", type=Path, help="trust anchor file: what must be on the chain whatever a node says")
    both.add_argument("--jobs", type=int, default=processes_here(), help="processes (default: one for each processor)")
    both.add_argument("--quiet", action="store_true", help="no progress")
    through = _Parser(add_help=False)
    through.add_argument("--old-rpc", type=Node, help="a node of the chain of the hub before, where that is another")
    check = commands.add_parser("audit", parents=[both, through], epilog=_EXITS, help="check what is on the chain")
    check.add_argument("--from", dest="first", type=int, default=0, help="first batch (default 0)")
    check.add_argument("--to", type=_to, default="finalized", help="finalized (default), latest, or a batch number")
    check.add_argument("--html", type=Path, help="where a page for people goes")
    check.add_argument("--signer", type=Path, help="the auditor's key file: signs the report")
    check.add_argument("--resume", type=Path, help="a clean report: begin after its last batch")
    check.add_argument("--checkpoint", type=Path, help="a report or attester's state: its headers must still stand")
    check.add_argument(
        "--receipts",
        type=Path,
        action="append",
        default=[],
        help="merchants' acceptance receipts: a JSON file or a folder of them; repeatable",
    )
    check.add_argument("--journal", type=Path, help="an export of the private journal (python -m ledger export)")
    check.set_defaults(run=_audit)
    sign = commands.add_parser(
        "attest", parents=[both, through], epilog=_EXITS, help="check what is sealed, and sign it"
    )
    sign.add_argument("--signer", required=True, type=Path, help="the attester's key file")
    sign.add_argument("--state", required=True, type=Path, help="file that remembers what was signed")
    sign.add_argument("--checkpoint", type=Path, help="a report, of the hub before too: its headers must still stand")
    sign.set_defaults(run=_attest, receipts=[], journal=None)
    look = commands.add_parser(
        "examine", parents=[both, through], epilog=_EXITS, help="check one batch that is sealed; sign nothing"
    )
    look.add_argument("--batch", required=True, type=int, help="its number")
    look.set_defaults(run=_examine)
    own = commands.add_parser(
        "extract", parents=[through], help="check a merchant's extract of a batch against the chain"
    )
    own.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the extract, or its pages in order")
    _add_nodes(own)
    own.add_argument("--hub", required=True, type=_address, help="address of the SettlementHub")
    own.add_argument("--anchor", type=Path, help="trust anchor file")
    own.add_argument("--to", choices=_TAGS, default="finalized", help="the block that is asked (default finalized)")
    own.add_argument("--out", type=Path, help="where the JSON goes")
    own.set_defaults(run=_extract)
    rising = commands.add_parser("epochs", help="check the epochs of members' tiers against the registry on the chain")
    rising.add_argument("files", nargs="+", type=Path, metavar="FILE", help="signed headers, or what the API answers")
    _add_nodes(rising)
    rising.add_argument("--registry", type=_address, help="address of the TierRegistry, if no anchor names it")
    rising.add_argument("--anchor", type=Path, help="trust anchor file")
    rising.add_argument("--to", choices=_TAGS, default="finalized", help="the block that is asked (default finalized)")
    rising.add_argument("--out", type=Path, help="where the JSON goes")
    rising.set_defaults(run=_epochs)
    keys.add_command(commands, epilog=_EXITS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
