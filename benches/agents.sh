#!/usr/bin/env bash
# Lets the coding agents of docs/proposers.md edit the helpdesk's playbook through sprag, each with the invocation that stands there. No model and
# no key: agents/server.py speaks their wires and makes each edit one file with its own tools. Prints what sprag took from each.
#
#   benches/agents.sh [SPRAG [FOLDER [AGENT...]]]    needs node, npm and python3; installs the agents into FOLDER, which may be used again
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
sprag=${1:-}
[ -n "$sprag" ] || { cargo build --quiet; sprag=target/debug/sprag; }
sprag=$(realpath "$sprag")
place=${2:-$(mktemp -d)}
agents=("${@:3}")
[ ${#agents[@]} -gt 0 ] || agents=(claude codex gemini opencode aider)
mkdir -p "$place"
cd "$place"
[ -d node_modules ] || npm install --silent --no-audit --no-fund @anthropic-ai/claude-code @openai/codex @google/gemini-cli opencode-ai
[ -d venv ] || { python3 -m venv venv; venv/bin/pip install -q aider-chat; }
export PATH=$place/node_modules/.bin:$place/venv/bin:$PATH

python3 "$root/benches/agents/server.py" requests.log > port & server=$!
trap 'kill $server' EXIT
until [ -s port ]; do sleep 0.1; done
address=http://127.0.0.1:$(cat port)
export ANTHROPIC_BASE_URL=$address GOOGLE_GEMINI_BASE_URL=$address OPENAI_API_BASE=$address/v1
export ANTHROPIC_API_KEY=played OPENAI_API_KEY=played GEMINI_API_KEY=played
export OPENCODE_CONFIG_CONTENT='{"model": "played/played", "provider": {"played": {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": "'$address'/v1", "apiKey": "played"}, "models": {"played": {"cost": {"input": 1, "output": 10}, "limit": {"context": 100000, "output": 4000}}}}}}'

for agent in "${agents[@]}"; do
    # The line of the table, so that what is documented is what is tried; aider's model and file are the user's.
    command=$(grep -o "\`\[\"$agent\"[^\`]*\]\`" "$root/docs/proposers.md" | head -1 | tr -d '`' | sed 's#agent/prompt.md#agent/playbook.toml#')
    rm -rf "home-$agent" "project-$agent" "out-$agent"
    mkdir -p "home-$agent/.gemini" "home-$agent/.codex"
    cp -r "$root/assets/helpdesk" "project-$agent"
    echo '{"security": {"auth": {"selectedType": "gemini-api-key"}}}' > "home-$agent/.gemini/settings.json"
    printf 'model = "gpt-5"\nmodel_provider = "played"\n[model_providers.played]\nname = "played"\nbase_url = "%s/v1"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\n' "$address" > "home-$agent/.codex/config.toml"
    printf '\n[proposer]\nkind = "command"\ncommand = %s\nenv = ["ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_API_BASE", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "OPENCODE_CONFIG_CONTENT"]\ntimeout = "3m"\n' "$command" >> "project-$agent/sprag.toml"
    version=$(HOME=$place/home-$agent "$agent" --version 2>/dev/null | tail -1)
    HOME=$place/home-$agent "$sprag" simulate --config "project-$agent/sprag.toml" --batches 1 --experiments 1 --out "out-$agent" --json > "out-$agent.json" 2> "out-$agent.log" || true
    python3 - "$agent" "$version" "out-$agent/results.tsv" "out-$agent/report.html" <<'P'
import csv, html, os, sys
agent, version, table, report = sys.argv[1:]
rows = list(csv.DictReader(open(table), delimiter="\t")) if os.path.exists(table) else []
page = html.unescape(open(report).read()) if rows else ""
took = [
    ("diff", "+rounds = 2" in page and "-rounds = 1" in page and "SPRAG_ANSWER" not in page),
    ("answer", "Play the playbook twice" in page),
]
told = rows[0]["origin"] if rows else "no candidate, see out-%s.log" % agent
print("%-9s %-24s %s  %s" % (agent, version, told, ", ".join("%s: %s" % (what, "yes" if ok else "NO") for what, ok in took)))
P
done
