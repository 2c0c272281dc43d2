#!/bin/sh
# Measures false alarms and power beside Evidently and SciPy, which it installs
# into a virtual environment of its own first. Arguments go to the program.
set -eu
cd "$(dirname "$0")/../.."
venv=${DRIFT_VENV:-.cache/bench-drift}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement bench/drift/requirements.txt
exec go run ./bench/drift -python "$venv/bin/python" "$@"
