"""The tier part of the demonstration: an epoch of its members, and one member's proof shown to everybody who may check it.

`members` sets tiers and draws commitments, `epoch` seals, `scene` holds what is at hand, `wallet` is a member's device in
a browser (`programs` finds one), `partner` asks, `outside` checks with programs that are not ours, `chain` before the
contract, `showing` is the order of it all. `python -m api.demo.tiers` does it alone. Source: docs/demo.md.
"""
