# Thin: each target is one line over uv. `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := .venv/bin/uv
# What the servers need that a fleet is run with: DATABASE_URL, BUS_URL, PROFILE=production-like.
PROFILE ?=
SERVERS := $(if $(DATABASE_URL)$(PROFILE),--extra postgres) $(if $(PROFILE)$(filter redis%,$(BUS_URL)),--extra redis) \
           $(if $(PROFILE)$(filter amqp%,$(BUS_URL)),--extra rabbitmq) $(if $(filter kafka%,$(BUS_URL)),--extra kafka)
RUN_SYNC := $(UV) sync --quiet --locked --compile-bytecode --all-packages --no-group dev --inexact $(SERVERS)
DEV_SYNC := $(UV) sync --quiet --locked --all-packages --all-extras

.PHONY: help demo up test check bench soak-events soak-shop prove format
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'
$(UV):
	@echo "setting up .venv with $(PYTHON)" && $(PYTHON) -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check uv
demo: $(UV) ## bring the shop up, place orders, check the invariants, shut down
	@$(RUN_SYNC) && .venv/bin/bandstand demo $(if $(PROFILE),--profile $(PROFILE))
up: $(UV) ## bring the shop up and leave it running until Ctrl-C
	@$(RUN_SYNC) && .venv/bin/bandstand up $(if $(PROFILE),--profile $(PROFILE) --data .bandstand-$(PROFILE))
test: $(UV) ## run every test
	@$(DEV_SYNC) && .venv/bin/python -m tests
check: $(UV) ## lint, types, layers, sizes, migrations, contracts
	@$(DEV_SYNC) && .venv/bin/python -m tests.check
bench: $(UV) ## run the benchmarks and rewrite benchmarks/results
	@$(DEV_SYNC) --group bench && .venv/bin/python -m benchmarks
soak-events: $(UV) ## 100,000 events under kills on each bus; rewrite benchmarks/results/soak-*.json
	@$(DEV_SYNC) && .venv/bin/python -m tests.trials.soak
soak-shop: $(UV) ## the whole shop under kills on each bus; rewrite benchmarks/results/siege-*.json
	@$(DEV_SYNC) && .venv/bin/python -m tests.fleet.siege
prove: $(UV) ## the long proofs; rewrite what they saw in benchmarks/results and docs
	@$(DEV_SYNC) && .venv/bin/python -m tests.proofs
format: $(UV) ## format the code
	@$(DEV_SYNC) && .venv/bin/ruff format . && .venv/bin/ruff check --fix .
