"""The verbs of the rule book, a file each: one frozen command in, one function on the book, one receipt.

A verb checks its refusals in the order its docstring and docs/ledger.md list them, then writes through its entry. Verbs
never call each other; what several of them need stands beside this folder. Only `ledger.book` calls them.
"""
