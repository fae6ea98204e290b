"""How the store reads and writes: batches in flight, what they load, what they write."""
