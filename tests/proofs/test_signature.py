"""Compact signatures: one form only, the same as an independent library's."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey
from eth_keys.datatypes import PrivateKey as TheirKey
from hypothesis import given
from hypothesis import strategies as st

from proofs.keccak import keccak256
from proofs.signature import HALF_ORDER, ORDER, SignatureError, address_of, recover, sign

KEY = PrivateKey(keccak256(b"a test key"))
ADDRESS = address_of(KEY.public_key)
DIGEST = keccak256(b"a message")


@given(secret=st.integers(1, ORDER - 1), message=st.binary(max_size=40))
def test_sign_and_recover_agree_with_another_library(secret: int, message: bytes) -> None:
    key, digest = PrivateKey(secret.to_bytes(32, "big")), keccak256(message)
    r, vs = sign(key, digest)
    theirs = TheirKey(key.secret).sign_msg_hash(digest)
    assert (r, int.from_bytes(vs, "big") & (2**255 - 1), vs[0] >> 7) == (
        theirs.r.to_bytes(32, "big"),
        theirs.s,
        theirs.v,
    )
    assert recover(digest, r, vs) == TheirKey(key.secret).public_key.to_canonical_address()


def test_the_high_s_twin_cannot_pass() -> None:
    r, vs = sign(KEY, DIGEST)
    parity, s = vs[0] >> 7, int.from_bytes(vs, "big") & (2**255 - 1)
    high = ORDER - s
    assert high >= 2**255, "the compact form has no room for nearly every high s"
    for twin_parity in (parity, 1 - parity):
        twin = (high & (2**255 - 1)) | (twin_parity << 255)
        try:
            assert recover(DIGEST, r, twin.to_bytes(32, "big")) != ADDRESS
        except SignatureError:
            continue


@pytest.mark.parametrize("parity", [0, 1])
def test_the_high_s_that_fits_is_refused(parity: int) -> None:
    r, _ = sign(KEY, DIGEST)
    with pytest.raises(SignatureError, match="lower half"):
        recover(DIGEST, r, (HALF_ORDER + 1 | parity << 255).to_bytes(32, "big"))


@pytest.mark.parametrize("which", ["r zero", "s zero", "r too large", "another parity"])
def test_what_is_no_signature_of_the_key(which: str) -> None:
    r, vs = sign(KEY, DIGEST)
    forged = {
        "r zero": (bytes(32), vs),
        "s zero": (r, bytes(32)),
        "r too large": (b"\xff" * 32, vs),
        "another parity": (r, bytes([vs[0] ^ 0x80]) + vs[1:]),
    }[which]
    try:
        assert recover(DIGEST, *forged) != ADDRESS
    except SignatureError:
        assert which != "another parity"
