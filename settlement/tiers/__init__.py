"""Epochs of tiers: what members may prove to partners, from their commitments to the root on the chain.

`commitments` says who a member is; `clock` when epochs begin; `snapshot`, `salts` and `trees` make one; `headers` and
`keys` sign it, `registry` holds it on the chain; `epochs` takes each through its states; `witness` is what a wallet
fetches; `forgetting` is erasure; `proving` proves for those who ask for it. Source: docs/tier-epochs.md.
"""
