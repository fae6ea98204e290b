"""Benchmarks, each beside a peer or a baseline in the same run. `python -m bench` runs them all."""
