#!/bin/sh
# The exported eval cases in the tools they are for: promptfoo, Inspect and pytest, as their registries have them today.
#
# Plays the demo, exports its regression suite, and runs it with each tool twice: on the harness the demo ended with, where every case
# must pass, and on the one it began with, where every case must fail. Needs git, python3, node and npm, and the network for the first
# time; the tools go under target/exports.
#
#   benches/exports.sh [PROGRAM]
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
home=$(cd "$target" && pwd)/exports
program=${1:-}
if [ -z "$program" ]; then
    cargo build --quiet
    program=$home/../debug/sprag
fi
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")

mkdir -p "$home/npm"
[ -x "$home/venv/bin/inspect" ] || { python3 -m venv "$home/venv" && "$home/venv/bin/pip" install --quiet inspect_ai pytest; }
[ -x "$home/npm/node_modules/.bin/promptfoo" ] || npm install --prefix "$home/npm" --no-audit --no-fund promptfoo

work=$home/work
rm -rf "$work"
mkdir -p "$work"
"$program" demo --out "$work/demo" >"$work/demo.log" 2>&1
repo=$work/demo/repo
git -C "$repo" worktree add --quiet --detach "$work/before" "$(git -C "$repo" rev-list --max-parents=0 HEAD)"
for tool in promptfoo inspect pytest; do
    (cd "$repo" && "$program" cases export --out "$work/none" --to "$tool" "$work/$tool" --json)
done

export PROMPTFOO_DISABLE_TELEMETRY=1 PROMPTFOO_DISABLE_UPDATE=1 PROMPTFOO_CONFIG_DIR="$work/promptfoo-state"
SPRAG_WORKER="$program helpdesk-worker"
PATH=$home/venv/bin:$home/npm/node_modules/.bin:$PATH
export SPRAG_WORKER PATH
(cd "$work/promptfoo" && promptfoo validate -c promptfooconfig.json >"$work/validate.log" 2>&1) || { cat "$work/validate.log"; exit 1; }

# Prints "TOOL HARNESS passed failed".
for harness in after before; do
    SPRAG_PROJECT=$repo
    [ "$harness" = after ] || SPRAG_PROJECT=$work/before
    export SPRAG_PROJECT
    log=$work/$harness
    # A tool whose tests fail ends with an error; what it reports is what counts.
    (cd "$work/pytest" && pytest --quiet --junit-xml "$log.xml" >"$log-pytest.log" 2>&1) || true
    (cd "$work/inspect" && inspect eval cases_task.py --model mockllm/model --display none --log-format json --log-dir "$log-inspect" >"$log-inspect.log" 2>&1) || true
    (cd "$work/promptfoo" && promptfoo eval -c promptfooconfig.json --no-cache --no-progress-bar --no-table -o "$log-promptfoo.json" >"$log-promptfoo.log" 2>&1) || true
done
python3 - "$work" <<'END'
import glob, json, sys
import xml.etree.ElementTree as xml

work = sys.argv[1]
n_cases = len(json.load(open(work + "/pytest/cases.json"))["cases"])
wrong = n_cases == 0
for harness in ("after", "before"):
    suite = xml.parse("{}/{}.xml".format(work, harness)).getroot().find("testsuite")
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    seen = {"pytest": (passed, counts["failures"])}
    log = json.load(open(glob.glob("{}/{}-inspect/*.json".format(work, harness))[0]))
    values = [score["value"] for sample in log["samples"] for score in sample["scores"].values()]
    seen["inspect"] = (values.count("C"), values.count("I"))
    stats = json.load(open("{}/{}-promptfoo.json".format(work, harness)))["results"]["stats"]
    seen["promptfoo"] = (stats["successes"], stats["failures"])
    for tool, (passed, failed) in sorted(seen.items()):
        print("{:<9} {:<6} {} passed, {} failed of {}".format(tool, harness, passed, failed, n_cases))
        wrong = wrong or (passed, failed) != ((n_cases, 0) if harness == "after" else (0, n_cases))
sys.exit("a tool counts otherwise than sprag; its logs are in " + work if wrong else 0)
END
