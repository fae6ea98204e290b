"""Ten million random events through the pure book, held against exact sums. `python -m bench.drift`."""
