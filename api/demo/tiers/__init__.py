"""The tier part of the demonstration: an epoch of its members, and a member's proof shown to all who may check it.

`members` sets tiers and draws commitments, `epoch` seals, `scene` holds what is at hand, `door` is the API at the
chain's time, `wallet` a member's device in a browser (`programs` finds one), `partner` asks, `outside` checks with
programs that are not ours, `onchain` before the contract, `showing` is the order of it all. `python -m api.demo.tiers`
does it alone. Source: docs/demo.md.
"""
