"""Founding: goes on wherever it was cut, and never on another chain."""

import re
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from proofs.accounts import OPERATOR_ID, RESERVE_ID
from settlement.alliance import UNIT, NotFounded, OtherChain, OtherCode, attach
from settlement.batches import Settlement
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, Refused
from settlement.chain.outbox import Intent, LocalSigner, Outbox
from settlement.chain.transactions import create
from settlement.deploy import NoGasMoney, TermsOutOfOrder, _new_terms, deposit, found
from settlement.embedded_chain.process import start
from settlement.founding import Founding
from settlement.sealing.lanes import create_keystore
from settlement.sealing.openings import registered_terms
from settlement.status import status, transactions
from tests.settlement.chain.field import ATTESTERS, MERCHANTS, RATES, Field, founding
from tests.settlement.chain.tiny import SENDER


class Cut(Exception):
    """Stands for the end of the process."""


def found_with_cuts(field: Field) -> int:
    """Found the alliance, ended after each signature and each send in turn; how many cuts that took."""
    seen: set[str] = set()
    lanes = create_keystore(field.folder / "lanes.json", MERCHANTS)
    for cuts in range(200):
        with psycopg.connect(field.dsn, autocommit=True) as conn:
            chain = Chain(field.url)

            def cut(point: str, conn: psycopg.Connection[tuple[object, ...]] = conn) -> None:
                count = conn.execute("SELECT count(*) FROM settlement.chain_nonce").fetchone()
                assert count is not None
                place = f"{point} {count[0]}"
                if place not in seen:
                    seen.add(place)
                    raise Cut

            outbox = Outbox(conn, chain, LocalSigner(SENDER.key), checkpoint=cut)
            try:
                found(conn, chain, outbox, founding(conn, lanes), field.publication())
            except Cut:
                continue
            return cuts
    raise AssertionError("it never ended")


def test_founding_goes_on_wherever_it_was_cut(unfounded: Field) -> None:
    assert found_with_cuts(unfounded) >= 20
    with unfounded.settlement() as s:
        purposes = [tx.purpose for tx in transactions(s.conn)]
        assert len(purposes) == len(set(purposes))
        assert all(tx.status == "MINED" for tx in transactions(s.conn))
        hub, registry = s.alliance.hub, s.alliance.registry
        (zero,) = status(s.conn)
        assert hub.read("headerHash", 0) == zero.header_hash
        assert hub.read("operatorBond") == 50_000 * UNIT
        assert [hub.read("balanceOf", merchant) for merchant in MERCHANTS] == [(10_000 * UNIT, 0)] * 3
        assert hub.read("solvency")[0] == hub.read("solvency")[1]
        known = [event.fields["merchantId"] for event in registry.events("MerchantSet", first=0)]
        assert sorted(known) == [*MERCHANTS, OPERATOR_ID, RESERVE_ID]
        for lane in s.lanes.roster:
            signer, _, _, mask = registry.read("key", lane.merchant_id, lane.key_id)
            assert (bytes.fromhex(signer[2:]), mask) == (lane.address, lane.kind_mask)
        terms = registered_terms(registry, first_block=0)
        for number, (num, den) in RATES.items():
            assert terms[number].num * den == terms[number].den * num * 10_000
        assert s.alliance.policy.read("quorum") == (3, 5)
        assert [s.alliance.policy.read("attesterOf", field_address(key))[0] for key in ATTESTERS] == [1, 2, 2]


def test_an_alliance_is_founded_on_an_asset_that_is_there(unfounded: Field) -> None:
    lanes = create_keystore(unfounded.folder / "lanes.json", MERCHANTS)
    with psycopg.connect(unfounded.dsn, autocommit=True) as conn:
        chain = Chain(unfounded.url)
        outbox = Outbox(conn, chain, LocalSigner(SENDER.key))
        asset, _ = create(chain, outbox, "TestToken")
        made = replace(founding(conn, lanes), asset=asset.address)
        with pytest.raises(Refused, match="ERC20InsufficientBalance"):
            found(conn, chain, outbox, made, unfounded.publication())
        mint = asset.data("mint", outbox.sender, 10**12)
        outbox.complete(Intent("somebody pays in", asset.address, mint, 100_000))
        alliance = found(conn, chain, outbox, made, unfounded.publication())
        assert alliance.anchor.token == asset.address
        assert alliance.hub.read("balanceOf", 1) == (10_000 * UNIT, 0)
        assert "mint:founding" not in {tx.purpose for tx in transactions(conn)}


def field_address(key: bytes) -> bytes:
    return LocalSigner(key).address


def test_a_deposit_is_made_once_for_each_reference(field: Field) -> None:
    with field.settlement() as s:
        with pytest.raises(Refused, match="ERC20InsufficientBalance"):
            deposit(s.alliance, s.outbox, merchant_id=1, amount=1, reference="a")
        s.outbox.complete(Intent("mint:more", s.alliance.anchor.token, mint(s, 10), 100_000))
        for reference in ("a", "a", "b"):
            deposit(s.alliance, s.outbox, merchant_id=1, amount=3, reference=reference)
        assert s.alliance.hub.read("balanceOf", 1) == (10_000 * UNIT + 6, 0)


def mint(s: Settlement, amount: int) -> bytes:
    return s.alliance.token.data("mint", s.outbox.sender, amount)


def test_a_wiped_chain_is_an_error_that_says_what_to_do(field: Field, tmp_path: Path) -> None:
    with field.settlement():
        pass
    other = start(tmp_path / "other", fund=[SENDER.address], idle_s=60)
    try:
        moved = Field(dsn=field.dsn, url=other.url, folder=field.folder)
        with pytest.raises(OtherChain, match=re.escape("the chain was wiped or the address is wrong")):
            moved.settlement().__enter__()
    finally:
        other.stop()


def test_other_code_at_the_hub_and_no_anchor_are_errors(unfounded: Field) -> None:
    with psycopg.connect(unfounded.dsn, autocommit=True) as conn:
        with pytest.raises(NotFounded):
            attach(conn, Chain(unfounded.url))
        with unfounded.settlement():
            pass
        conn.execute("UPDATE settlement.chain_anchor SET code_hash = %s", [bytes(32)])
        with pytest.raises(OtherCode):
            attach(conn, Chain(unfounded.url))


def test_an_account_without_gas_money_is_told_so(unfounded: Field) -> None:
    lanes = create_keystore(unfounded.folder / "lanes.json", MERCHANTS)
    with psycopg.connect(unfounded.dsn, autocommit=True) as conn:
        chain = Chain(unfounded.url)
        outbox = Outbox(conn, chain, LocalSigner(b"\x44" * 32))
        with pytest.raises(NoGasMoney):
            found(conn, chain, outbox, founding(conn, lanes), unfounded.publication())


def test_terms_with_a_gap_are_refused(unfounded: Field) -> None:
    lanes = create_keystore(unfounded.folder / "lanes.json", MERCHANTS)
    with psycopg.connect(unfounded.dsn) as conn:
        made: Founding = founding(conn, lanes)
    with pytest.raises(TermsOutOfOrder):
        _new_terms(made.terms[1:], held=0)
    assert _new_terms(made.terms, held=2) == [(3, 0, 1_000_000, 3, 0)]


def test_contracts_speak_by_name(field: Field) -> None:
    with field.settlement() as s:
        stranger = Contract(s.alliance.chain, "SettlementHub", s.alliance.anchor.hub)
        with pytest.raises(Refused) as refused:
            stranger.try_out(stranger.data("deposit", 77, 5), sender=s.outbox.sender)
        assert (refused.value.name, refused.value.arguments) == ("MerchantNotRegistered", (77,))
