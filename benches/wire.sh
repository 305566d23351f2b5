#!/usr/bin/env bash
# Holds the requests of the model port to the providers' own descriptions, and its reading of answers to the types of their SDKs: see wire.py.
# Prints what sprag made of each answer, and how many requests were valid.
#
#   benches/wire.sh [SPRAG [FOLDER [OPENAPI]]]    needs python3 and PyPI; OPENAPI is `openapi.json` of github.com/openai/openai-openapi, without
#                                                 which OpenAI's requests are held to the types of its SDK alone
set -euo pipefail
cd "$(dirname "$0")/.."
sprag=${1:-}
[ -n "$sprag" ] || { cargo build --quiet; sprag=target/debug/sprag; }
place=${2:-$(mktemp -d)}
mkdir -p "$place"
[ -d "$place/wire" ] || { python3 -m venv "$place/wire"; "$place/wire/bin/pip" install -q openai anthropic jsonschema; }
"$place/wire/bin/python" benches/wire.py "$(realpath "$sprag")" "$PWD/assets/helpdesk" ${3:+"$3"}
