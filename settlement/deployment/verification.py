"""Whether an alliance on a chain is the one that a file of addresses names, line by line: code, bindings, header 0,
parameters, roles.

Invariants: a line is `OK`, `DIFFERS`, or a `NOTE` that a reader has to judge (a role that moved since, a test token, an
alliance that was not handed over); what the contracts forbid for ever (other code, other partners, another header 0)
and what governance rests on (timelocks that wait, a founding account without power) are never notes. Pure. Called by
`python -m settlement verify-deployment` and at the end of a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from proofs.headers import carried_anchor, genesis_anchor
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.messages import DOMAIN_NAME, DOMAIN_VERSION, domain_separator
from proofs.tier import signing
from proofs.words import uint_word
from settlement.chain.contracts import Name
from settlement.commands import date_of
from settlement.deployment.code import differences, immutables, short_string
from settlement.deployment.looking import BINDINGS, Seen, Told
from settlement.deployment.roles import Governance, Holding, of
from settlement.handover import ANYBODY, DELAYS_S, THRESHOLD_MIN

ASSET_DECIMALS: Final = 6
DOMAINS: Final[dict[Name, tuple[str, str]]] = {
    "SettlementHub": (DOMAIN_NAME, DOMAIN_VERSION),
    "TierRegistry": (signing.DOMAIN_NAME, signing.DOMAIN_VERSION),
    "Council": ("TongduiCouncil", "1"),
}
PARAMS: Final = (
    ("fastWindowSeconds", 2 * 3_600),
    ("slowWindowSeconds", 3 * 86_400),
    ("sealLagSecondsMax", 1),
    ("withdrawDelaySeconds", 3 * 86_400),
    ("honestWeight", 1),
    ("operatorBondMin", 0),
    ("grossCapSlow", 0),
    ("grossCapFast", 0),
)
"""The policy's parameters in its order, and the least that its code allows."""


class Found(Enum):
    """What a line comes to."""

    OK = "ok"
    NOTE = "note"
    DIFFERS = "DIFFERS"


@dataclass(frozen=True, slots=True)
class Line:
    """One question and its answer."""

    about: str
    name: str
    found: Found
    words: str


def judge(told: Told, seen: Seen) -> list[Line]:
    """Every line, in the order in which a reader wants them."""
    lines = [*_chain(told, seen), *_codes(told, seen)]
    if not seen.answers:
        return lines
    return [
        *lines,
        *_bindings(told, seen),
        *_genesis(told, seen),
        *_parameters(told, seen),
        *_state(seen),
        *_roles(told, seen),
        *_rulers(told, seen),
    ]


def _line(about: str, name: str, expected: object, actual: object) -> Line:
    if expected == actual:
        return Line(about, name, Found.OK, str(actual))
    return Line(about, name, Found.DIFFERS, f"{actual}, not {expected}")


def _chain(told: Told, seen: Seen) -> Iterator[Line]:
    yield _line("chain", "chain id", told.chain_id, seen.chain_id)
    yield _line("chain", "block 0", told.genesis_hash, hex_text(seen.genesis_hash))


def _codes(told: Told, seen: Seen) -> Iterator[Line]:
    """Against the artefacts, then against the file; immutables must be values that the constructor had to put there."""
    for name, address in told.ours.items():
        code = seen.codes[name]
        apart = differences(name, code)
        strange = [] if apart else sorted(immutables(name, code) - _known_words(name, told, seen))
        if apart:
            yield Line("code", name, Found.DIFFERS, f"0x{address.hex()}: {apart}")
        elif strange:
            yield Line("code", name, Found.DIFFERS, f"immutables nobody put there: {', '.join(map(hex_text, strange))}")
        else:
            yield _hash_line(name, told.code_hashes[name], address, code, "as compiled")
    asset = seen.codes["asset"]
    if not differences("TestToken", asset):
        yield Line("code", "asset", Found.NOTE, "a test token that anybody may mint: for development")
    else:
        yield _hash_line("asset", told.code_hashes["asset"], told.places["asset"], asset, "its issuer's")
    for key, (address, code_hash) in told.verifiers.items():
        yield _hash_line(f"verifier {key[:10]}", code_hash, address, seen.codes[key], "of this key")


def _hash_line(name: str, code_hash: str, address: bytes, code: bytes, words: str) -> Line:
    if hex_text(keccak256(code)) != code_hash:
        return Line("code", name, Found.DIFFERS, f"0x{address.hex()}: code hash {hex_text(keccak256(code))}")
    return Line("code", name, Found.OK, f"0x{address.hex()} {words}, {len(code):,} bytes")


def _known_words(name: Name, told: Told, seen: Seen) -> set[bytes]:
    """What may stand in the places of a contract's immutables."""
    words = {bytes(12) + address for address in told.places.values()}
    if name in DOMAINS:
        words |= _domain_words(name, told.places[name], seen.chain_id)
    if name == "TierRegistry" and isinstance(grace := seen.answers.get((name, "graceSeconds"), 0), int):
        words.add(uint_word(grace))
    return words


def _domain_words(name: Name, address: bytes, chain_id: int) -> set[bytes]:
    """The immutables of OpenZeppelin's EIP712."""
    title, version = DOMAINS[name]
    texts = {keccak256(text.encode()) for text in (title, version)} | {short_string(title), short_string(version)}
    separator = domain_separator(chain_id=chain_id, hub=address, name=title, version=version)
    return texts | {separator, uint_word(chain_id), bytes(12) + address}


def _bindings(told: Told, seen: Seen) -> Iterator[Line]:
    for name, view, partner in BINDINGS:
        yield _line("bound", f"{name}.{view}", hex_text(told.places[partner]), _text(seen.answers[name, view]))
    separator = domain_separator(chain_id=told.chain_id, hub=told.places["SettlementHub"])
    actual = _text(seen.answers["SettlementHub", "domainSeparator"])
    yield _line("bound", "SettlementHub.domainSeparator", hex_text(separator), actual)
    yield _line("bound", "asset.decimals", ASSET_DECIMALS, seen.answers["asset", "decimals"])


def _text(value: object) -> str:
    return hex_text(value) if isinstance(value, bytes) else str(value).lower()


def _genesis(told: Told, seen: Seen) -> Iterator[Line]:
    about, hub = f"header {told.header.batch_no}", told.places["SettlementHub"]
    yield _line(about, "hash of the file's", told.header_hash, hex_text(told.header.hash_struct()))
    yield _line(about, "in the hub", told.header_hash, _text(seen.answers["SettlementHub", "headerHash"]))
    if told.carried is None:
        anchor = genesis_anchor(chain_id=told.chain_id, hub=hub)
    else:
        anchor = carried_anchor(told.carried, chain_id=told.chain_id, hub=hub)
    yield _line(about, "made for this hub", hex_text(anchor), hex_text(told.header.prev_header_hash))


def _parameters(told: Told, seen: Seen) -> Iterator[Line]:
    then = told.record.get("params") or {}
    for (name, least), value in zip(PARAMS, seen.answers["AlliancePolicy", "params"], strict=True):
        if value < least:
            yield Line("params", name, Found.DIFFERS, f"{value}, below {least}, which the code forbids")
        elif name in then and then[name] != str(value):
            yield Line("params", name, Found.NOTE, f"{value}; {then[name]} at the deployment")
        else:
            yield Line("params", name, Found.OK, f"{value}")
    needed, weight = seen.answers["AlliancePolicy", "quorum"]
    enough = Found.OK if needed <= weight else Found.NOTE
    yield Line(
        "params", "quorum", enough, f"{needed} of {weight}" + ("" if enough is Found.OK else ": nobody reaches it")
    )
    bond, least_bond = seen.answers["SettlementHub", "operatorBond"], seen.answers["AlliancePolicy", "params"][5]
    short = Found.OK if bond >= least_bond else Found.NOTE
    yield Line(
        "params", "operator's bond", short, f"{bond}" + ("" if short is Found.OK else f"; commits take {least_bond}")
    )


def _state(seen: Seen) -> Iterator[Line]:
    """What everybody should know who is about to rely on it."""
    paused, ends = seen.answers["AlliancePolicy", "pausedUntil"], seen.answers["SettlementHub", "windDownAt"]
    stopped = paused > seen.now
    yield Line("state", "paused", Found.NOTE if stopped else Found.OK, f"until {date_of(paused)}" if stopped else "no")
    yield Line("state", "winding down", Found.NOTE if ends else Found.OK, f"since {date_of(ends)}" if ends else "no")


def _roles(told: Told, seen: Seen) -> Iterator[Line]:
    """Who holds what, beside who held it at the deployment."""
    then = set(told.record.get("roles") or ())
    seats = sorted({(held.contract, held.role) for held in seen.roles})
    for contract, role in seats:
        now = of(seen.roles, contract, role)
        words = ", ".join(sorted(_named(told, seen, holder) for holder in now))
        before = {line.split()[2] for line in then if line.split()[:2] == [contract, role]}
        if then and before != {hex_text(each) for each in now}:
            gone = ", ".join(sorted(before - {hex_text(each) for each in now}))
            yield Line(
                "roles", f"{contract} {role}", Found.NOTE, f"{words}; changed since the deployment {gone}".rstrip()
            )
        else:
            yield Line("roles", f"{contract} {role}", Found.OK, words)


def _named(told: Told, seen: Seen, holder: bytes) -> str:
    """An account, with what it is where we know it."""
    known = {told.founder: "founding account", ANYBODY: "anybody"}
    if seen.governance is not None:
        rulers = seen.governance
        known |= {rulers.council: "council", rulers.slow: "slow timelock", rulers.fast: "fast timelock"}
    return f"0x{holder.hex()}" + (f" ({known[holder]})" if holder in known else "")


def _rulers(told: Told, seen: Seen) -> Iterator[Line]:
    governance = seen.governance
    if governance is None:
        was = told.record.get("governance")
        found = Found.NOTE if was is None else Found.DIFFERS
        yield Line("rule", "handed over", found, "no: no timelock has the right to grant roles")
        return
    yield Line("rule", "handed over", Found.OK, f"council 0x{governance.council.hex()}")
    yield from _founder(told, seen)
    yield from _sole_seats(told, seen, governance)
    for name, least in DELAYS_S.items():
        yield from _lock(name, least, seen, governance)
    yield from _council(told, seen, governance)


def _founder(told: Told, seen: Seen) -> Iterator[Line]:
    if told.founder is not None:
        kept = [f"{held.contract} {held.role}" for held in seen.roles if held.holder == told.founder]
        words = f"still has {', '.join(kept)}" if kept else "has no role"
        yield Line("rule", "founding account", Found.DIFFERS if kept else Found.OK, words)


def _sole_seats(told: Told, seen: Seen, governance: Governance) -> Iterator[Line]:
    """Roles that nobody but a timelock may have: they can take an exit away, or change what was agreed."""
    for contract in told.ours:
        for role, ruler in (
            ("DEFAULT_ADMIN_ROLE", governance.slow),
            ("CHARTER_ROLE", governance.slow),
            ("GOVERNOR_ROLE", governance.fast),
        ):
            others = of(seen.roles, contract, role) - {ruler}
            if others:
                words = ", ".join(sorted(_named(told, seen, other) for other in others))
                yield Line("rule", f"{contract} {role}", Found.DIFFERS, f"without notice: {words}")


def _lock(name: str, least_s: int, seen: Seen, governance: Governance) -> Iterator[Line]:
    delay = seen.lock_delays_s[name]
    found = Found.OK if delay >= least_s else Found.DIFFERS
    yield Line(
        "rule", f"{name} timelock", found, f"waits {delay} s" + ("" if found is Found.OK else f", not {least_s}")
    )
    mine: list[Holding] = seen.lock_roles[name]
    itself = governance.slow if name == "slow" else governance.fast
    for role, wanted in (
        ("DEFAULT_ADMIN_ROLE", {itself}),
        ("PROPOSER_ROLE", {governance.council}),
        ("CANCELLER_ROLE", {governance.council}),
    ):
        others = of(mine, "Timelock", role) ^ wanted
        if others:
            words = ", ".join(f"0x{other.hex()}" for other in sorted(others))
            yield Line("rule", f"{name} timelock {role}", Found.DIFFERS, f"not as it should be: {words}")
    if of(mine, "Timelock", "EXECUTOR_ROLE") != {ANYBODY}:
        yield Line("rule", f"{name} timelock EXECUTOR_ROLE", Found.NOTE, "not everybody may carry out what is ripe")


def _council(told: Told, seen: Seen, governance: Governance) -> Iterator[Line]:
    apart = differences("Council", seen.council_code)
    strange = immutables("Council", seen.council_code) if not apart else set()
    if apart or strange - _domain_words("Council", governance.council, told.chain_id):
        yield Line("rule", "council", Found.NOTE, "a multisig of another make: who signs there is not known here")
        return
    signers, needed = seen.signers, seen.threshold
    found = Found.OK if THRESHOLD_MIN <= needed <= len(signers) else Found.DIFFERS
    yield Line("rule", "council", found, f"{needed} of {len(signers)} sign")
    for signer in signers:
        yield Line("rule", "signer", Found.OK, f"0x{signer.hex()}")


def differs(lines: list[Line]) -> bool:
    """Whether anything is not as it has to be."""
    return any(line.found is Found.DIFFERS for line in lines)


def table(lines: list[Line]) -> str:
    """For reading: one line each, the question on the left."""
    width = max(len(line.name) for line in lines)
    rows = (f"{line.found.value:<8} {line.about:<9} {line.name:<{width}}  {line.words}\n" for line in lines)
    return "".join(rows)
