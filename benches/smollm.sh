#!/usr/bin/env bash
# sprag against a model that is too weak for it: SmolLM2-135M by llama.cpp's own server, on this machine. Shows that streams, tools, JSON schemas and
# broken answers of a real server survive, and what becomes of advice that makes no sense. Needs examples/smollm-tools/setup.sh; a few minutes.
#   benches/smollm.sh [sprag]     the program to play with; builds one without it
set -euo pipefail
cd "$(dirname "$0")/.."
python="$PWD/examples/smollm-tools/.venv/bin/python"
[ -x "$python" ] || { echo "run examples/smollm-tools/setup.sh first" >&2; exit 1; }
sprag="${1:-}"
if [ -z "$sprag" ]; then
    cargo build --locked --release --bin sprag
    sprag="${CARGO_TARGET_DIR:-target}/release/sprag"
fi
sprag="$(realpath "$sprag")"
work="$(mktemp -d)"
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

"$python" - > "$work/address" 2>/dev/null <<'SERVER' &
import pathlib, sys, threading
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = str(next(pathlib.Path(sys.prefix, "model").glob("*.gguf")))
params.n_ctx = 4096
params.n_parallel = 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.cache_ram_mib = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
threading.Event().wait()
SERVER
server=$!
until [ -s "$work/address" ]; do kill -0 "$server"; sleep 0.2; done
base="$(cat "$work/address")/v1"
echo "== SmolLM2-135M at $base"

# The demo's shop with a model that mines, names clusters and edits the playbook.
mkdir "$work/shop"
cp -r assets/helpdesk/agent assets/helpdesk/data assets/helpdesk/sprag.toml "$work/shop/"
cat >> "$work/shop/sprag.toml" <<TOML

[model]
provider = "openai-compatible"
name = "smollm2"
base_url = "$base"
max_input_tokens = 1500
max_output_tokens = 120
timeout = "10m"
prices = { input = 0, output = 0 }

[proposer]
kind = "model"
steps = 3
runs = 1
tokens = 20000
TOML
sed -i 's/^batch_size = .*/batch_size = 3/' "$work/shop/sprag.toml"
simulate() {
    "$sprag" simulate --config "$work/shop/sprag.toml" --batches 1 --experiments 2 --out "$work/$1" "${@:2}"
}
echo "== simulate with this model as miner, curator and proposer"
simulate asked --record "$work/tape"
echo "== the same again from the tape, without a server"
kill "$server"
simulate replayed --replay "$work/tape" > /dev/null 2>&1 && echo "replayed"

"$python" - "$work/tape" <<'TAPE'
import collections, json, pathlib, sys
seen = collections.Counter()
for file in pathlib.Path(sys.argv[1]).glob("**/*.json"):
    exchange = json.loads(file.read_text("utf-8"))
    request, answer, fault = exchange["request"], exchange.get("answer"), exchange.get("fault")
    asked = "tools" if request.get("tools") else "a JSON schema" if request.get("output") else "text"
    if answer:
        calls = "calls" if answer.get("calls") else "no call"
        end = f"{answer['finish']}, {calls}"
    else:
        end = f"fault: {fault['class']}"
    seen[f"asked with {asked}: {end}"] += 1
print("== what the model answered, by form and end")
for what, n in sorted(seen.items()):
    print(f"{n:4}  {what}")
TAPE
