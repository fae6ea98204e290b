"""Tier proofs: what a member can prove to a partner without being known, and how the partner checks it.

`attributes`, `policy` and `statement` say what is proven; `request` and `header` what is signed; `epoch_tree` roots an
epoch; `grid`, `cohorts` and `narrowing` bound what may be asked; `decoding`, `trusted`, `response` and `verify` are the
partner's side, `consent` the wallet's; `circuit_folder` reads a circuit's keys. Nothing here reads a clock, a network
or a database. Source: docs/tier-proofs.md.
"""
