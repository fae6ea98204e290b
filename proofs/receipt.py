"""The receipt of one event: what a member or merchant keeps, and how anyone checks that the event is in a batch whose
header is on chain.

    {chainId, hub, signer, header, event, sigR, sigVS, postings: {issuer, debtor, creditor, member},
     own: {slot, posting}, leafNo, lanePrevLeafNo, totalPointsAfter, path}

Structs are in their JSON form (`proofs.json_form`); `postings` are the four posting hashes, `own` opens the holder's.
Nothing else is needed but one question to the chain: does the hub hold the header hash that `check` answers for that
batch number? Every byte of a receipt is bound, by the signature (chain, hub, signer, event), by the tree (leaf,
position, path) or by the header hash. `proofs/js/receipt.js` is the same check for browsers and mini-programs, and a
test holds the two together. Source: docs/protocol §6, member self-check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proofs.accounts import CASH, MEMBER, points_account
from proofs.json_form import JsonFormError, from_json, integer, raw
from proofs.kinds import points_delta
from proofs.messages import BatchHeader, PointsEvent, Posting, SettlementLeaf, domain_separator, signed_digest
from proofs.signature import SignatureError, recover
from proofs.tree import root_from_path
from proofs.words import WordError

SLOTS: Final = ("issuer", "debtor", "creditor", "member")
PATH_HASHES_MAX: Final = 20
FIELDS: Final = frozenset(
    {
        "chainId",
        "hub",
        "signer",
        "header",
        "event",
        "sigR",
        "sigVS",
        "postings",
        "own",
        "leafNo",
        "lanePrevLeafNo",
        "totalPointsAfter",
        "path",
    }
)


class ReceiptError(ValueError):
    """The receipt proves nothing. `step` is where it fails: form, signature, posting, position, root or shown."""

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(f"{step}: {problem}")
        self.step = step


def check(receipt: Mapping[str, Any], shown: Mapping[str, str] | None = None) -> bytes:
    """The header hash (32 bytes) that the hub must hold for batch `header.batchNo`, if everything in the receipt fits
    together, and `shown` (fields as an app shows them, by their names in `facts`) with it. Raises `ReceiptError`.
    """
    try:
        header_hash = _check(receipt)
    except (JsonFormError, WordError) as error:
        raise ReceiptError("form", str(error)) from error
    known = facts(receipt)
    for name, text in (shown or {}).items():
        if text != known.get(name):
            raise ReceiptError("shown", f"{name} is shown as {text}, the receipt says {known.get(name)}")
    return header_hash


def facts(receipt: Mapping[str, Any]) -> dict[str, str]:
    """What a checked receipt says, in words to be shown: the event's fields, the holder's own change and balance, and
    where it stands.
    """
    posting = receipt["own"]["posting"]
    return {
        **receipt["event"],
        "delta": posting["delta"],
        "balance": posting["balance"],
        "leafNo": receipt["leafNo"],
        "batchNo": receipt["header"]["batchNo"],
    }


def _check(receipt: Mapping[str, Any]) -> bytes:
    if not isinstance(receipt, Mapping):
        raise ReceiptError("form", "a receipt is an object")
    if set(receipt) != FIELDS:
        raise ReceiptError("form", f"fields missing or unknown: {sorted(FIELDS ^ set(receipt))}")
    header = from_json(BatchHeader, part_of(receipt, "header"))
    event = from_json(PointsEvent, part_of(receipt, "event"))
    _check_signature(receipt, event)
    hashes = posting_hashes_of(receipt)
    _check_own(part_of(receipt, "own"), event, hashes)
    leaf = SettlementLeaf(
        leaf_no=integer(receipt, "leafNo"),
        lane_prev_leaf_no=integer(receipt, "lanePrevLeafNo"),
        event_hash=event.hash_struct(),
        sig_r=raw(receipt, "sigR"),
        sig_vs=raw(receipt, "sigVS"),
        issuer_posting=hashes["issuer"],
        debtor_posting=hashes["debtor"],
        creditor_posting=hashes["creditor"],
        member_posting=hashes["member"],
        total_points_after=integer(receipt, "totalPointsAfter"),
    )
    _check_place(leaf, header, path_of(receipt))
    return header.hash_struct()


def part_of(form: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`. Raises `ReceiptError`, step form."""
    part = form[name]
    if not isinstance(part, Mapping):
        raise ReceiptError("form", f"{name} is not an object")
    return part


def posting_hashes_of(receipt: Mapping[str, Any]) -> dict[str, bytes]:
    """The four posting hashes of a leaf. Raises `ReceiptError`, step form."""
    part = part_of(receipt, "postings")
    if set(part) != set(SLOTS):
        raise ReceiptError("form", f"postings are {', '.join(SLOTS)}")
    return {slot: raw(part, slot) for slot in SLOTS}


def path_of(form: Mapping[str, Any]) -> list[bytes]:
    """A path of bounded length. Raises `ReceiptError`, step form."""
    texts = form["path"]
    if not isinstance(texts, list) or len(texts) > PATH_HASHES_MAX:
        raise ReceiptError("form", f"path is a list of at most {PATH_HASHES_MAX} hashes")
    return [raw({"path": text}, "path") for text in texts]


def _check_signature(receipt: Mapping[str, Any], event: PointsEvent) -> None:
    separator = domain_separator(chain_id=integer(receipt, "chainId"), hub=raw(receipt, "hub", 20))
    named, sig_r, sig_vs = raw(receipt, "signer", 20), raw(receipt, "sigR"), raw(receipt, "sigVS")
    try:
        signer = recover(signed_digest(separator, event.hash_struct()), sig_r, sig_vs)
    except SignatureError as error:
        raise ReceiptError("signature", str(error)) from error
    if signer != named:
        raise ReceiptError("signature", f"the event is signed by 0x{signer.hex()}, not by {receipt['signer']}")


def _check_own(own: Mapping[str, Any], event: PointsEvent, hashes: Mapping[str, bytes]) -> None:
    """The opened posting is the one in the leaf, on an account and with a change that follow from the event."""
    if set(own) != {"slot", "posting"} or own["slot"] not in SLOTS:
        raise ReceiptError("form", "own has a slot and a posting")
    slot = own["slot"]
    posting = from_json(Posting, part_of(own, "posting"))
    if posting.hash_struct() != hashes[slot]:
        raise ReceiptError("posting", f"the opened posting is not the {slot} posting of the leaf")
    if posting.delta != change_of(event, slot) or not belongs(posting.account, event, slot):
        raise ReceiptError("posting", f"account or change of the {slot} posting do not follow from the event")


def change_of(event: PointsEvent, slot: str) -> int:
    """The change that an event makes in a slot that it uses."""
    if slot in {"issuer", "member"}:
        return points_delta(event)
    return event.settle_amount if slot == "creditor" else -event.settle_amount


def belongs(account: bytes, event: PointsEvent, slot: str) -> bool:
    """Whether the account can be this slot's. Which of the two parties owes depends on the terms' mode, which a
    receipt does not carry.
    """
    if slot == "issuer":
        return account == points_account(event.issuer_id)
    return account[0] == MEMBER if slot == "member" else account[0] == CASH


def _check_place(leaf: SettlementLeaf, header: BatchHeader, path: list[bytes]) -> None:
    index = leaf.leaf_no - header.first_leaf_no
    if not 0 <= index < header.leaf_count:
        raise ReceiptError(
            "position",
            f"leaf {leaf.leaf_no} is not among the {header.leaf_count} leaves from {header.first_leaf_no} on",
        )
    if root_from_path(leaf.hash_struct(), index, header.leaf_count, path) != header.leaves_root:
        raise ReceiptError("root", "the path does not lead to the batch's root")
