#!/bin/sh
# Runs a Beam worker with the arguments of a runner, which starts one file without arguments of
# its own. Uses .venv if this file is in a checkout, and otherwise the python on PATH.
cd "$(dirname "$0")/../.." || exit
PATH="$PWD/.venv/bin:$PATH" exec python -m components.beam_worker boot "$@"
