"""A process that signs for a keystore and checks what it signed: pieces of digests come in, signatures go out.

    start     number of lanes (4 bytes), then for each its private key (32) and its registered address (20)
    request   number of digests (4), then for each the lane's place in that list (4) and the digest (32)
    answer    r and vs (64) for each, then the place of the first that is not its lane's signature, 2^32 - 1 if all are

Nothing but proofs is imported, so that it starts in a moment. It ends when its input does. Started by `signing`.
"""

from __future__ import annotations

import struct
import sys
from typing import BinaryIO, Final

from coincurve import PrivateKey

from proofs.signature import Recovery, SignatureError, sign

COUNT: Final = struct.Struct(">I")
LANE: Final = struct.Struct(">32s20s")
DIGEST: Final = struct.Struct(">I32s")
SIGNATURE: Final = struct.Struct(">32s32s")
NONE_WRONG: Final = 2**32 - 1
_LIMIT_DIGESTS: Final = 2**20


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Serve until the input ends."""
    (lanes,) = COUNT.unpack(source.read(COUNT.size))
    pairs = [LANE.unpack(source.read(LANE.size)) for _ in range(lanes)]
    keys, addresses = [PrivateKey(secret) for secret, _ in pairs], [address for _, address in pairs]
    recovery = Recovery()
    while head := source.read(COUNT.size):
        (count,) = COUNT.unpack(head)
        assert count <= _LIMIT_DIGESTS, count
        asked = list(DIGEST.iter_unpack(source.read(count * DIGEST.size)))
        given = [sign(keys[lane], digest) for lane, digest in asked]
        wrong = NONE_WRONG
        for at, ((lane, digest), (r, vs)) in enumerate(zip(asked, given, strict=True)):
            if not signed_by(recovery, digest, r, vs, addresses[lane]):
                wrong = at
                break
        target.write(b"".join(SIGNATURE.pack(*each) for each in given) + COUNT.pack(wrong))
        target.flush()


def signed_by(recovery: Recovery, digest: bytes, r: bytes, vs: bytes, address: bytes) -> bool:
    """Whether this is a signature of the key with this address."""
    try:
        return recovery.address(digest, r, vs) == address
    except SignatureError:
        return False


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
