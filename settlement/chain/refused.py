"""What a signer elsewhere answers instead of a signature, apart from those who ask it: sealing names it too, and the
front door loads sealing without a client of the chain.
"""

from __future__ import annotations


class SignerRefused(RuntimeError):
    """The signer elsewhere did not sign what it was asked to sign."""


class SignerSilent(SignerRefused):
    """No answer came from it, in time or at all: it may have signed, and nobody has what it signed."""
