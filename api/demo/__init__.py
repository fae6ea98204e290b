"""The demonstration: real or generated purchases in, a settled and independently audited batch out, by one command."""
