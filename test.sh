#!/bin/bash
# Sets up ./.venv and runs the tests; arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./setup.sh .venv
exec .venv/bin/python -m pytest -q -n 4 --dist worksteal "$@"
