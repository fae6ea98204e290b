# Each target prepares what it needs by itself. `make help` lists them, with the variables each reads from the
# environment or from make's command line (make demo SERVE=0); what is not given is not passed on.
SHELL := /bin/sh
PY := .venv/bin/python

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv and install the locked packages (all other targets do this first)
	@./bootstrap

demo: setup ## run the demo alliance to its report: EVENTS=path.csv.gz REFUND_LINKS=path.csv.gz SERVE=0 TIERS=0 TASKS=1
	@$(if $(filter 0,$(TIERS)),:,./bootstrap node) || echo "demo: without npm's packages no tier proof is made; the rest goes on"
	@$(if $(TASKS),TONGDUI_TASKS=$(TASKS)) $(PY) -m api.demo

tiers: setup ## show a member's tier proof once more, on the alliance of make demo (while it serves, or without)
	@./bootstrap node || echo "tiers: without npm's packages no tier proof is made"
	@$(PY) -m api.demo.tiers $(ARGS)

serve: setup ## serve the API on loopback; TASKS=1 runs the periodic tasks beside it
	@$(if $(TASKS),TONGDUI_TASKS=$(TASKS)) $(PY) -m api.serve

worker: setup ## run the periodic tasks (worker and beat) until Ctrl-C; their own parts: ARGS="worker", "beat", "status"
	@$(PY) -m settlement.tasks $(if $(ARGS),$(ARGS),run)

audit: setup ## audit published batches, trusting nobody: ARGS="--rpc URL --hub 0x.. --data DIR --keys FILE --out FILE"
	@$(PY) -m auditor audit $(ARGS)

carry-over: setup ## go on with a running ledger at another hub, planned first: ARGS as for deploy
	@$(PY) -m settlement carry-over $(ARGS)

deploy: setup ## found an alliance on a network, planned first: ARGS="--config FILE --rpc URL --keystore FILE --out FILE [--yes]"
	@$(PY) -m settlement deploy $(ARGS)

verify-deployment: setup ## whether a chain holds the alliance of a file: ARGS="--rpc URL --addresses FILE"
	@$(PY) -m settlement verify-deployment $(ARGS)

register: setup ## lanes and terms of merchants that joined after the founding: ARGS="--rpc URL --keystore FILE [--yes]"
	@$(PY) -m settlement register $(ARGS)

council: setup ## propose, sign, show, execute, list what the council decides: ARGS="list --addresses FILE --rpc URL"
	@$(PY) -m settlement council $(ARGS)

reset: setup ## stop the embedded servers and remove everything the demo made (var/)
	@$(PY) -m api.demo.reset

migrate: setup ## bring the database named by TONGDUI_DATABASE_URL to the newest schema
	@$(PY) -m alembic -x dsn="$$TONGDUI_DATABASE_URL" upgrade head

verify: setup ## ask whether the books are right: every invariant, then a rebuild: ARGS="--dsn postgresql://..."
	@$(PY) -m ledger verify $(ARGS)

statement: setup ## write merchants' statements of a cycle, JSON, CSV and a page: ARGS="--cycle NAME --merchant N --out DIR"
	@$(PY) -m api.statement $(ARGS)

test: ## everything a build machine runs, with one closing line: checks, Python tests, contracts: WORKERS=3
	@./bootstrap node
	@$(PY) -m tests.everything

check: setup ## the gates alone: ruff, mypy, imports, tidy
	@$(PY) -m tests.everything check

contracts: ## compile and test the contracts, and see that the exported ABI is current
	@./bootstrap node
	@$(PY) -m tests.everything contracts

circuits: ## build the tier circuit and its development keys (minutes the first time): ARGS="--check" compares only
	@./bootstrap node
	@PATH="$(CURDIR)/.venv/bin:$$PATH" node proofs/circuits/build/make.mjs $(ARGS)

ceremony: ## make keys of the tier circuit that nobody can forge with, step by step: ARGS="--help"
	@./bootstrap node
	@PATH="$(CURDIR)/.venv/bin:$$PATH" node proofs/circuits/ceremony/ceremony.mjs $(ARGS)

bench: ## measure, beside peers in the same run; results in bench/results/
	@./bootstrap node
	@$(PY) -m bench

compare: setup ## play random commands on the ledger and on the oracle, the first difference ends it: COMMANDS=1000000 SEED=1
	@$(PY) -m tests.properties.long_run $(if $(COMMANDS),--commands $(COMMANDS)) $(if $(SEED),--seed $(SEED))

lock: setup ## write requirements.lock anew from pyproject.toml
	@.venv/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock

.PHONY: help setup demo tiers serve worker audit carry-over deploy verify-deployment register council reset migrate verify statement test check contracts circuits ceremony bench compare lock
