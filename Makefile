# An index of scripts/. The truth is there; this is for those who type `make`.
.PHONY: help run test check fix lock docs bench
help: ## show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
run: ## serve on this machine
	@scripts/run
test: ## install, check, test
	@scripts/test
check: ## style, types, borders, generated pages
	@scripts/check
fix: ## apply formatting and safe fixes, remake generated pages
	@scripts/fix
lock: ## remake requirements/*.txt (needs uv)
	@scripts/lock
docs: ## remake the generated pages
	@.venv/bin/python scripts/docs.py
bench: ## the product beside the bare engines
	@.venv/bin/python benchmarks/run.py
