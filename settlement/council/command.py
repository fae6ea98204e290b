"""`python -m settlement council`: propose, sign, show, execute and list what the council decides.

    propose CALL [ARGUMENTS] --addresses FILE --rpc URL --out FILE     a file for the signers
    cancel OPERATION --addresses FILE --rpc URL --out FILE             the same, calling off what waits in a timelock
    show FILE --addresses FILE                                         what it says, in words; offline
    sign FILE --addresses FILE --keystore FILE                         put a signature into the file; offline
    execute FILE [FILE…] --addresses FILE --rpc URL --keystore FILE    hand it in, when enough have signed
    list --addresses FILE --rpc URL                                    the council, and what waits in the timelocks
    carry-out OPERATION --addresses FILE --rpc URL --keystore FILE     what is ripe; anybody may
    pause --addresses FILE --rpc URL --keystore FILE                   a guardian alone, at once, for 14 days at most

CALL is "policy.setParams", ARGUMENTS a JSON list. Who pays gas with `execute` and `carry-out` needs no role. Exit
codes: 0 done; 1 refused, and why; 2 wrong use; 3 the node cannot be asked, or the block is not final yet.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from settlement.chain.client import Chain, ChainError
from settlement.chain.contracts import Contract, Refused, decode_call
from settlement.chain.passwords import add_keystore, add_signer, asked_signer, opened_keystore
from settlement.chain.refused import SignerRefused
from settlement.chain.senders import KeyRefused
from settlement.commands import AWAY, DONE, REFUSED, add_node, asked_chain, date_of, refuse, say
from settlement.council.proposals import Proposal, ProposalUnfit, read_proposal, text_of, write_proposal
from settlement.council.routes import Route, route
from settlement.council.sending import CallFailed, NotFinal, NotSent, send_call
from settlement.council.timelocks import NO_WORD, Operation, OperationState, operations
from settlement.council.words import CallUnfit, Known, duration, known_of, make_call, words
from settlement.deployment.looking import COUNCIL_SIGNERS_MAX
from settlement.networks import NotAddresses, read_told

PROGRAM: Final = "settlement council"
DAY_S: Final = 86_400
DAYS_DEFAULT: Final = 7
DAYS_MAX: Final = 90
ID_BYTES: Final = 32
OPERATION: Final = "its number, or the first digits of it, as `list` shows them"
PROPOSAL: Final = "the proposal's file"


class Unready(RuntimeError):
    """The call cannot be made now: another chain, another turn, too few signatures, or not ripe. The message says
    what is there and what is wanted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        told = read_told(asked.addresses)
        asked.run(asked, known_of(told), int(told["deployBlock"]))
    except (ChainError, NotFinal) as error:
        return refuse(PROGRAM, AWAY, str(error))
    except (
        CallFailed,
        CallUnfit,
        KeyRefused,
        NotAddresses,
        NotSent,
        ProposalUnfit,
        Refused,
        SignerRefused,
        Unready,
        OSError,
    ) as error:
        return refuse(PROGRAM, REFUSED, str(error))
    return DONE


def _propose(asked: argparse.Namespace, known: Known, _first: int) -> None:
    try:
        arguments = json.loads(asked.arguments)
    except ValueError as error:
        raise CallUnfit(f"ARGUMENTS: not JSON: {error}") from error
    if not isinstance(arguments, list):
        raise CallUnfit("ARGUMENTS: a JSON list is wanted")
    target, name, function, data = make_call(known, asked.call, arguments)
    way = route(name, function, known.names[target][0])
    chain = _chain(asked, known)
    if way is not Route.AT_ONCE:
        target, data = _scheduled(chain, known, way, target, data)
    _draw_up(asked, chain, known, target, data)


def _scheduled(chain: Chain, known: Known, way: Route, target: bytes, data: bytes) -> tuple[bytes, bytes]:
    """The call as its timelock takes it; the council's next number is the salt, so that it may come again later."""
    place = known.slow if way is Route.SLOW else known.fast
    lock = Contract(chain, "Timelock", place)
    salt = int(_council(chain, known).read("nonce")).to_bytes(ID_BYTES, "big")
    return place, lock.data("schedule", target, 0, data, NO_WORD, salt, lock.read("getMinDelay"))


def _cancel(asked: argparse.Namespace, known: Known, first: int) -> None:
    chain = _chain(asked, known)
    waiting = _operation(chain, known, first, asked.operation)
    if waiting.state not in {OperationState.WAITING, OperationState.READY}:
        raise Unready(f"0x{waiting.id.hex()}: is {waiting.state.name.lower()} and cannot be called off")
    lock = Contract(chain, "Timelock", known.slow if waiting.lock == "slow" else known.fast)
    _draw_up(asked, chain, known, lock.address, lock.data("cancel", waiting.id))


def _draw_up(asked: argparse.Namespace, chain: Chain, known: Known, target: bytes, data: bytes) -> None:
    if asked.out.exists():
        raise ProposalUnfit(f"{asked.out}: is there already")
    if not 1 <= asked.days <= DAYS_MAX:
        raise ProposalUnfit(f"--days: 1 to {DAYS_MAX}")
    council = _council(chain, known)
    proposal = Proposal(
        chain_id=known.chain_id,
        council=known.council,
        nonce=council.read("nonce"),
        deadline=chain.now() + asked.days * DAY_S,
        target=target,
        data=data,
        signatures={},
    )
    if council.read("digestOf", target, data, proposal.deadline) != proposal.digest:
        raise Unready(f"0x{known.council.hex()} hashes the call in another way: no council of ours")
    write_proposal(asked.out, proposal)
    _tell(known, proposal)


def _show(asked: argparse.Namespace, known: Known, _first: int) -> None:
    _tell(known, _read(asked.file, known))


def _sign(asked: argparse.Namespace, known: Known, _first: int) -> None:
    proposal = _read(asked.file, known)
    _tell(known, proposal)
    if not asked.yes and input("Sign this? yes or no: ").strip().lower() != "yes":
        raise Unready("not signed")
    signer = opened_keystore(asked)
    write_proposal(asked.out or asked.file, proposal.signed_by(signer.address, signer.sign_digest(proposal.digest)))
    say(f"signed by 0x{signer.address.hex()}")


def _execute(asked: argparse.Namespace, known: Known, _first: int) -> None:
    first, *others = (_read(path, known) for path in asked.files)
    proposal, chain = first.joined(others), _chain(asked, known)
    council = _council(chain, known)
    turn, needed = council.read("nonce"), council.read("threshold")
    if proposal.nonce != turn:
        raise Unready(f"nonce: is {proposal.nonce}, but the council's next call has {turn}")
    if proposal.deadline < (now := chain.now()):
        raise Unready(
            f"deadline: was {date_of(proposal.deadline)}, now is {date_of(now)} by the chain's clock: propose anew"
        )
    valid = [signer for signer in proposal.signatures if council.read("isSigner", signer)]
    if len(valid) < needed:
        strangers = len(proposal.signatures) - len(valid)
        raise Unready(f"signatures: {len(valid)} of signers, {needed} are needed; {strangers} of strangers")
    _tell(known, proposal)
    arguments = proposal.target, proposal.data, proposal.deadline, proposal.packed(valid)
    receipt = send_call(council, asked_signer(asked), "execute", *arguments)
    say(f"made in block {receipt.block_number}, transaction 0x{receipt.tx_hash.hex()}")


def _list(asked: argparse.Namespace, known: Known, first: int) -> None:
    chain = _chain(asked, known)
    council, now = _council(chain, known), chain.now()
    signers = council.read("getSigners", 0, COUNCIL_SIGNERS_MAX)
    needed, turn = council.read("threshold"), council.read("nonce")
    say(f"council 0x{known.council.hex()}: {needed} of {len(signers)}, next call {turn}")
    for signer in signers:
        say(f"  signer 0x{bytes(signer).hex()}")
    for each in operations(chain, known, first=first):
        say(f"{each.lock} timelock, operation 0x{each.id.hex()}: {_state(each, now)}")
        for target, _, data in each.calls:
            for line in words(known, target, data, depth=1):
                say(line)


def _state(each: Operation, now: int) -> str:
    match each.state:
        case OperationState.UNSET:
            return "called off"
        case OperationState.DONE:
            return "carried out"
        case OperationState.READY:
            return f"ripe since {date_of(each.ready_at)}"
        case OperationState.WAITING:
            return f"waits until {date_of(each.ready_at)}, {duration(max(0, each.ready_at - now))} more"


def _carry_out(asked: argparse.Namespace, known: Known, first: int) -> None:
    chain = _chain(asked, known)
    ripe = _operation(chain, known, first, asked.operation)
    if ripe.state is not OperationState.READY:
        raise Unready(f"0x{ripe.id.hex()}: {_state(ripe, chain.now())}")
    for target, _, data in ripe.calls:
        for line in words(known, target, data):
            say(line)
    lock = Contract(chain, "Timelock", known.slow if ripe.lock == "slow" else known.fast)
    function, arguments = ripe.execution
    receipt = send_call(lock, asked_signer(asked), function, *arguments)
    say(f"carried out in block {receipt.block_number}, transaction 0x{receipt.tx_hash.hex()}")


def _pause(asked: argparse.Namespace, known: Known, _first: int) -> None:
    """No call of the council's: a guardian needs nobody. The fast timelock ends it early (`policy.unpause`)."""
    place, _ = known.place("policy")
    policy = Contract(_chain(asked, known), "AlliancePolicy", place)
    receipt = send_call(policy, asked_signer(asked), "pause")
    until = date_of(policy.read("pausedUntil"))
    say(f"commits and finalisations are paused until {until}, since block {receipt.block_number}")


def _operation(chain: Chain, known: Known, first: int, number: str) -> Operation:
    """The operation with this number, or its first digits."""
    digits = number.removeprefix("0x").lower()
    found = [each for each in operations(chain, known, first=first) if digits and each.id.hex().startswith(digits)]
    if len(found) != 1:
        raise Unready(f"OPERATION: {number} begins the number of {len(found)} operations; `list` has them")
    return found[0]


def _read(path: Path, known: Known) -> Proposal:
    """A proposal of this alliance's council. Raises `ProposalUnfit`."""
    proposal = read_proposal(path)
    if proposal.chain_id != known.chain_id:
        raise ProposalUnfit(f"{path}: chainId: is {proposal.chain_id}, the alliance is on {known.chain_id}")
    if proposal.council != known.council:
        raise ProposalUnfit(f"{path}: council: is another than the alliance's, 0x{known.council.hex()}")
    return proposal


def _chain(asked: argparse.Namespace, known: Known) -> Chain:
    chain = asked_chain(asked)
    if (serves := chain.chain_id()) != known.chain_id:
        raise Unready(f"{chain.place} serves chain {serves}, the alliance is on {known.chain_id}")
    return chain


def _council(chain: Chain, known: Known) -> Contract:
    return Contract(chain, "Council", known.council)


def _tell(known: Known, proposal: Proposal) -> None:
    """What is signed, in words that come from its bytes."""
    say(f"call {proposal.nonce} of council 0x{proposal.council.hex()} on chain {proposal.chain_id}")
    for line in words(known, proposal.target, proposal.data, depth=1):
        say(line)
    say(f"to be handed in by {date_of(proposal.deadline)} ({proposal.deadline}); {_when(known, proposal)}")
    say(f"digest {text_of(proposal)}")
    for signer in sorted(proposal.signatures):
        say(f"signed by 0x{signer.hex()}")


def _when(known: Known, proposal: Proposal) -> str:
    """The earliest time at which it takes effect."""
    decoded = decode_call("Timelock", proposal.data) if proposal.target in {known.slow, known.fast} else None
    if decoded is None or not decoded[0].startswith("schedule"):
        return "takes effect at once"
    return f"takes effect {duration(decoded[2][-1])} after that at the earliest, when anybody carries it out"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {PROGRAM}",
        description="What the council decides.",
        epilog="Exit codes: 0 done; 1 refused, and why; 2 wrong use; 3 the node cannot be asked, or not final yet.",
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    addresses = argparse.ArgumentParser(add_help=False)
    addresses.add_argument("--addresses", type=Path, required=True, metavar="FILE", help="the file of addresses")
    node = argparse.ArgumentParser(add_help=False, parents=[addresses])
    add_node(node)
    drawing = argparse.ArgumentParser(add_help=False, parents=[node])
    drawing.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the proposal goes")
    drawing.add_argument("--days", type=int, default=DAYS_DEFAULT, help="how long it may be handed in")
    proposing = _command(commands, "propose", "draw up a call for the signers", drawing, _propose)
    proposing.add_argument("call", help='"policy.setParams", "registry.addMerchants", …')
    proposing.add_argument("arguments", nargs="?", default="[]", help="a JSON list; structs as lists or objects")
    _command(commands, "cancel", "draw up the calling off of an operation", drawing, _cancel).add_argument(
        "operation", help=OPERATION
    )
    _command(commands, "show", "what a proposal says, in words", addresses, _show).add_argument(
        "file", type=Path, help=PROPOSAL
    )
    signing = _command(commands, "sign", "put a signature into the file", addresses, _sign)
    signing.add_argument("file", type=Path, help=PROPOSAL)
    signing.add_argument("--out", type=Path, metavar="FILE", help="another file for it")
    signing.add_argument("--yes", action="store_true", help="do not ask")
    add_keystore(signing, required=True)
    executing = _command(commands, "execute", "hand it in, when enough have signed", node, _execute)
    executing.add_argument("files", type=Path, nargs="+", help="the proposal, or several copies with signatures")
    add_signer(executing)
    _command(commands, "list", "the council and the timelocks", node, _list)
    carrying = _command(commands, "carry-out", "carry out what is ripe", node, _carry_out)
    carrying.add_argument("operation", help=OPERATION)
    add_signer(carrying)
    add_signer(_command(commands, "pause", "a guardian stops commits and finalisations", node, _pause))
    return parser


def _command(
    commands: Any, name: str, tells: str, parent: argparse.ArgumentParser, run: Callable[..., None]
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, parents=[parent], help=tells, description=tells)
    made.set_defaults(run=run)
    return made


if __name__ == "__main__":
    sys.exit(main())
