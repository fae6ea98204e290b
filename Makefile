# Every target prepares what it needs by itself; `make help` lists them.
PY := .venv/bin/python

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lock: ## write requirements.lock anew from pyproject.toml
	.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links -q -o requirements.lock

.PHONY: help lock
