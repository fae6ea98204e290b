"""Reports: what the journal says about a merchant, an issuer, an account, at any position of it. Reading only.

A report is a pure fold over recorded entries (`recorded`, `tally`), a figure drawn from a fold (`statement`,
`liability`, `revenue`) or a question that an index answers (`positions`, `as_of`); `projection` keeps the one table
that is derived, the changes of each account by day. Integers only; no clock. Everybody above may call them.
"""
