"""Everything periodic: what falls due in the ledger, sealing, collecting attestations, submitting.

    beat ──a message each period──▶ queue ──▶ worker: turn ──▶ tick ──▶ the functions of settlement and ledger

A tick (`ticks`) is a question to what is stored: is there something to do? It may be asked twice, late, or by two
workers at once. A turn (`turn`) asks it once at a time, under a lease, and counts attempts (`attempts`). `works` opens
what a tick works with; `broker` and `app` say where messages wait; `__main__` is the command.
"""
