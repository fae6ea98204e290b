"""Epochs of tiers: what members may prove to partners, from their commitments to the root on the chain.

`commitments` says who a member is; `clock` when epochs begin; `snapshot`, `salts`, `epoch_secrets` and `trees` make
one; `signing_keys` sign it, `registry` holds it on the chain, where `founding` put it; `steps` decides and `epochs`
takes each through its states, kept in `rows`; `witness` is what a wallet fetches; `forgetting` is leaving and erasure;
`proving` proves for those who ask for it. Source: docs/tier-epochs.md.
"""
