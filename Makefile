# `make` prints the targets. Each does all its own set-up.
.DEFAULT_GOAL := help
.PHONY: help serve worker seed migrate test test-pgbouncer mutants check bench image smoke sbom archive push dashboards lock clean

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

help: ## Print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

serve: .venv/local ## Serve the API on 127.0.0.1:8080, on an embedded PostgreSQL unless DATABASE_URL is set
	@exec $(BIN)/python -m service serve

worker: .venv/local ## Do what needs a clock, beside `serve` on a database of your own
	@exec $(BIN)/python -m service worker

seed: .venv/local ## Fill the database with realistic sample data; a second run adds nothing
	@exec $(BIN)/python -m service seed

migrate: .venv/local ## Bring the database's schema up to date
	@exec $(BIN)/python -m service migrate

# What is around the service, and takes minutes: the stack, its backups, its alerts, proxies, and the image as it is pushed.
STACK := $(addprefix tests/test_,compose.py backup.py alertmanager.py prometheus.py public_proxy.py push.py)

test: .venv/dev ## Run all tests of the service
	$(BIN)/python -m pytest -n 2 $(or $(TESTS),$(STACK:%=--ignore=%))

# What starts a server or a stack of its own, takes rights away from roles, or tells connections apart by their process at
# PostgreSQL, is left out: it would not go through PgBouncer, and runs in `make test` already.
WITHOUT_PGBOUNCER := kubernetes test_config.py test_connections.py test_docs.py test_embedded.py test_grafana.py \
  test_migrate.py test_money.py test_passwords.py test_readme.py test_start.py test_wheel.py test_tls.py test_workers.py test_workflows.py

test-pgbouncer: .venv/dev ## Run the tests of the service through a PgBouncer, which has to be installed
	TEST_PGBOUNCER=$${TEST_PGBOUNCER:-pgbouncer} $(BIN)/python -m pytest -n 2 $(WITHOUT_PGBOUNCER:%=--ignore=tests/%) $(STACK:%=--ignore=%) $(TESTS)

mutants: .venv/dev ## Make mistakes in what computes money, one by one, and list those that no test notices
	$(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results

fuzz-ledger: .venv/dev ## Do anything with a ledger in any order, for long, and hold it against a model after every step
	FUZZ_SEQUENCES=$${FUZZ_SEQUENCES:-500} FUZZ_STEPS=$${FUZZ_STEPS:-50} $(BIN)/python -m pytest tests/test_state_machine.py

check: .venv/dev .venv-checkov ## Lint, format, types, SQL, the image, the stack, the manifests, the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint --disable-progress-bar -q sql migrations
	$(BIN)/hadolint --failure-threshold info Dockerfile
	.venv-checkov/bin/checkov --file Dockerfile --framework dockerfile --skip-download --compact --quiet
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	deploy/kubernetes/check
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --no-progress --quiet .github
	$(BIN)/shellcheck .ci/run deploy/push deploy/backup deploy/restore deploy/kubernetes/check deploy/kubernetes/prometheus-rules deploy/postgres/roles.sh

bench: .venv/dev ## Measure requests per second against the bare limit (needs wrk)
	$(BIN)/python bench/run.py

# The version and the commit are in the image's labels.
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' service/__init__.py)
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
IMAGE := team-expense-tracker

image: ## Build the container image
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	  --tag $(IMAGE):$(VERSION) --tag $(IMAGE):latest .

smoke: .venv/dev ## Start the whole stack in Docker, and test all that is around the service
	$(BIN)/python -m pytest -n 2 --dist loadfile $(STACK)

sbom: .venv/dev ## List what is in the image, Debian's packages and Python's, in build/sbom.json (CycloneDX)
	@mkdir -p build
	SYFT_CHECK_FOR_APP_UPDATE=false $(BIN)/syft scan --quiet --output cyclonedx-json=build/sbom.json docker:$(IMAGE):$(VERSION)

archive: ## Save the image that was built in build/image.tar, for another machine to push
	@mkdir -p build
	docker save --output build/image.tar $(IMAGE):$(VERSION)

push: ## Push the image that was built, or the archives in build/image-*/, as $REGISTRY/$NAME
	@deploy/push $(IMAGE) $(VERSION)

dashboards: .venv/dev ## Write Grafana's dashboards from their tables
	$(BIN)/python deploy/grafana/build.py

lock: .venv/dev ## Pin the newest versions that requirements/*.in allow, with their hashes
	@for name in service build otel local dev checkov; do \
	  echo "requirements/$$name.in -> requirements/$$name.txt"; \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

clean: ## Remove the environment and the caches; the data directory stays
	rm -rf .venv .venv-checkov build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants

# checkov pins old versions of what we use, so it has an environment of its own.
.venv-checkov: requirements/checkov.txt
	@echo "setting up .venv-checkov (once)"
	@test -x $@/bin/python || $(PYTHON) -m venv $@
	$@/bin/python -m pip --disable-pip-version-check install --quiet --progress-bar on --require-hashes -r $<
	@touch $@

# .venv/local holds what serves from a checkout, .venv/dev what tests and checks besides.
.venv/local: requirements/local.txt
	@echo "setting up .venv for serving (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --progress-bar on --require-hashes -r $<
	@touch $@

.venv/dev: requirements/dev.txt .venv/local
	@echo "setting up .venv for tests and checks (once)"
	$(PIP) install --quiet --progress-bar on --require-hashes -r $<
	@touch $@
