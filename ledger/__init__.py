"""The double-entry core: pure book, verbs, store, poster. Imports `proofs`; knows no HTTP, queue or chain."""
