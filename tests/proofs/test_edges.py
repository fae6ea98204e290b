"""The edge vectors, which Solidity and JavaScript read too: the files are what their modules say, and our code too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from proofs import messages
from proofs.headers import (
    Predecessor,
    carried_anchor,
    config_hash,
    genesis_anchor,
    history_root,
    journal_link,
    nets_from,
    nets_hash,
)
from proofs.json_form import JsonFormError, from_json, hex_text, raw
from proofs.kinds import Terms, broken_rules, rate_holds, reserve_follows
from proofs.messages import PointsEvent, domain_separator, signed_digest
from proofs.signature import Recovery, SignatureError, recover
from proofs.sums import Sum, SumError, sum_leaf, sum_path, sum_root, verify_sum
from proofs.tier.signing import signer_of
from proofs.tree import root_from_path, verify
from proofs.words import Typed, WordError, snake
from tests.proofs.edges import money, rules
from tests.proofs.edges.files import FILES, held, text_of
from tests.proofs.edges.files import VECTORS as FOLDER

WORDS, PLACES, SUMS = held("edges_words.json"), held("edges_places.json"), held("edges_sums.json")
SIGNATURES, MONEY, HEADERS = held("edges_signatures.json"), held("edges_money.json"), held("edges_headers.json")
RULES, EX1 = held("edges_rules.json"), held("ex1.json")
RESERVE = held("reserve.json")
ZEROES = {"bytes32": "0x" + "00" * 32, "address": "0x" + "00" * 20}
SIZE_BYTES_MAX = 400_000


def data(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_its_module_says(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(name)
    assert len(text_of(name)) < SIZE_BYTES_MAX


def form_of(kind: type[Typed], given: Mapping[str, str]) -> dict[str, str]:
    """The JSON form, zero where nothing is given."""
    fields = (field.split(" ") for field in kind.TYPE[kind.TYPE.index("(") + 1 : -1].split(","))
    return {name: given.get(name, ZEROES.get(abi_type, "0")) for abi_type, name in fields}


def test_structs_at_their_limits_hash_alike() -> None:
    for case in WORDS["hashes"]:
        kind: type[Typed] = getattr(messages, case["struct"])
        made = from_json(kind, form_of(kind, case["set"]))
        assert hex_text(made.hash_struct()) == case["hash"], case
        assert kind.from_words(made.words()) == made


def test_what_fits_no_word_is_no_struct() -> None:
    for case in WORDS["refused"]:
        kind: type[Typed] = getattr(messages, case["struct"])
        good = form_of(kind, {})
        with pytest.raises(JsonFormError):
            from_json(kind, good | {case["field"]: case["value"]})
        words = bytearray(from_json(kind, good).words())
        at = 32 * list(good).index(case["field"])
        words[at : at + 32] = data(case["word"])
        with pytest.raises(WordError):
            kind.from_words(bytes(words))


def test_no_two_structs_hash_alike() -> None:
    """Each field counts, in its place: two members' leaves differ where anything about them does."""
    hashes = [case["hash"] for case in WORDS["hashes"]]
    assert len(set(hashes)) == len(hashes)


def test_a_row_is_no_leaf_and_neither_is_a_sum() -> None:
    """What is proven in one tree is nothing in another, though both are of words of the same length."""
    leaves, accounts = (data(EX1["header"][name]) for name in ("leavesRoot", "accountsRoot"))
    for at, row in enumerate(EX1["rows"]):
        item, path = data(row["hash"]), [data(each) for each in row["path"]]
        assert verify(accounts, item, at, len(EX1["rows"]), path)
        assert not verify(leaves, item, at, len(EX1["rows"]), path)
        assert not verify(leaves, item, at % 6, 6, path[:3])
    for tree in SUMS["trees"]:
        root, items = data(tree["root"]["hash"]), [data(item) for item in tree["items"]]
        for told in tree["paths"]:
            path = [data(each["hash"]) for each in told["path"]]
            assert not verify(root, items[told["index"]], told["index"], len(items), path)


def test_places_in_trees_of_every_size() -> None:
    for case in PLACES["good"]:
        path = [data(each) for each in case["path"]]
        assert root_from_path(data(case["item"]), case["index"], case["size"], path) == data(case["root"])


def test_misused_proofs_of_place_prove_nothing() -> None:
    for case in PLACES["misuses"]:
        item, path = data(case["item"]), [data(each) for each in case["path"]]
        root = root_from_path(item, case["index"], case["size"], path)
        assert root == (None if case["root"] is None else data(case["root"])), case
        assert not verify(data(case["against"]), item, case["index"], case["size"], path), case


def node(told: Mapping[str, str]) -> Sum:
    return Sum(data(told["hash"]), int(told["total"]))


def test_sum_trees_at_their_limits() -> None:
    for tree in SUMS["trees"]:
        balances = [int(each) for each in tree["balances"]]
        leaves = [sum_leaf(data(item), balance) for item, balance in zip(tree["items"], balances, strict=True)]
        assert sum_root(leaves) == node(tree["root"]), tree["about"]
        for told in tree["paths"]:
            path = [node(each) for each in told["path"]]
            assert sum_path(leaves, told["index"]) == path
            assert verify_sum(node(tree["root"]), leaves[told["index"]], told["index"], len(leaves), path)


def test_false_claims_about_sums_prove_nothing() -> None:
    for case in SUMS["misuses"]:
        path = [node(each) for each in case["path"]]
        try:
            leaf = sum_leaf(data(case["item"]), int(case["balance"]))
        except SumError:
            assert case["outcome"] in {"range", "place"}, case
            continue
        assert not verify_sum(node(case["against"]), leaf, case["index"], case["size"], path), case
        if case["outcome"] == "root":
            assert verify_sum(node(case["root"]), leaf, case["index"], case["size"], path), case


def test_signatures_of_two_words() -> None:
    many = Recovery()
    for case in SIGNATURES["compact"]:
        given = data(case["digest"]), data(case["r"]), data(case["vs"])
        if case["signer"] is None:
            for ask in (recover, many.address):
                with pytest.raises(SignatureError):
                    ask(*given)
        else:
            assert recover(*given) == many.address(*given) == data(case["signer"]), case


def test_signatures_of_65_bytes() -> None:
    for case in SIGNATURES["long"]:
        if case["signer"] is None:
            with pytest.raises(SignatureError):
                signer_of(data(case["digest"]), data(case["signature"]))
        else:
            assert signer_of(data(case["digest"]), data(case["signature"])) == data(case["signer"]), case


def test_a_signature_is_for_one_chain_and_contract() -> None:
    for case in SIGNATURES["domains"]:
        separator = domain_separator(chain_id=int(case["chainId"]), hub=raw(case, "hub", 20))
        assert hex_text(separator) == case["separator"]
        digest = signed_digest(separator, data(case["structHash"]))
        assert hex_text(digest) == case["digest"]
        assert recover(digest, data(case["r"]), data(case["vs"])) == data(case["signer"])
        assert (case["signer"] == SIGNATURES["key"]) is case["home"]


def event_of(told: Mapping[str, str]) -> PointsEvent:
    return from_json(PointsEvent, form_of(PointsEvent, told))


def terms_of(told: Mapping[str, str]) -> Terms:
    return Terms(terms_id=2, **{snake(name): int(value) for name, value in told.items()})


@pytest.mark.parametrize("rows", [MONEY["rates"], RESERVE["cases"]], ids=["edges_money.json", "reserve.json"])
def test_cash_beside_points(rows: list[dict[str, Any]]) -> None:
    base = {name: str(value) for name, value in rules.TERMS.items()}
    for row in rows:
        terms = terms_of(base | {name: row[name] for name in ("num", "den", "mode")})
        event = event_of({name: row[name] for name in ("kind", "points", "settleAmount")})
        assert rate_holds(event, terms) is row["rateHolds"], row
        assert reserve_follows(event, terms, int(row["memberBalance"])) is row["reserveFollows"], row


def test_the_reserves_vectors_are_what_fractions_say() -> None:
    for case in RESERVE["cases"]:
        row = {name: int(value) for name, value in case.items() if isinstance(value, str) and name != "about"}
        found = money.rate_holds(row), money.reserve_follows(row)
        assert found == (case["rateHolds"], case["reserveFollows"]), case


def listed(told: list[dict[str, str]]) -> list[tuple[int, int]]:
    return [(int(each["merchantId"]), int(each["amount"])) for each in told]


def test_nets_are_differences_in_order() -> None:
    for case in MONEY["settled"]:
        nets = nets_from(dict(listed(case["now"])), dict(listed(case["since"])))
        assert nets == listed(case["nets"]), case["about"]
        assert hex_text(nets_hash(nets, settling=True)) == case["hash"]
    for case in MONEY["wrong"]:
        assert hex_text(nets_hash(listed(case["nets"]), settling=True)) == case["hash"]


def test_broken_rules_have_their_names() -> None:
    for case in RULES["cases"]:
        terms = None if case["terms"] is None else terms_of(case["terms"])
        found = sorted(broken_rules(event_of(case["event"]), terms, int(RULES["batchNo"])))
        assert found == case["broken"], case


def test_anchors_histories_and_links() -> None:
    for case in HEADERS["anchors"]:
        anchor = genesis_anchor(chain_id=int(case["chainId"]), hub=raw(case, "hub", 20))
        assert hex_text(anchor) == case["anchor"]
    for case in HEADERS["carried"]:
        old = case["old"]
        before = Predecessor(int(old["chainId"]), raw(old, "hub", 20), raw(old, "headerHash"))
        anchor = carried_anchor(before, chain_id=int(case["chainId"]), hub=raw(case, "hub", 20))
        assert hex_text(anchor) == case["anchor"]
    hashes = [data(each) for each in HEADERS["headerHashes"]]
    for case in HEADERS["histories"]:
        assert hex_text(history_root(hashes[: case["size"]])) == case["root"]
    for case in HEADERS["configs"]:
        rules_version, attesters, params = (int(each) for each in case["versions"])
        found = config_hash(rules_version=rules_version, attester_set_version=attesters, params_version=params)
        assert hex_text(found) == case["hash"]
    for case in HEADERS["links"]:
        assert hex_text(journal_link(data(case["head"]), data(case["entry"]))) == case["next"]


@pytest.mark.parametrize("value", [-1, 2**256])
def test_a_number_without_a_word_is_refused(value: int) -> None:
    with pytest.raises(WordError):
        domain_separator(chain_id=value, hub=bytes(20))
    with pytest.raises(WordError):
        genesis_anchor(chain_id=value, hub=bytes(20))
