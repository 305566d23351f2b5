#!/usr/bin/env bash
# Greedy search beside a frontier on examples/tau2-telecom: the same seeds, batches and number of experiments. Needs examples/tau2-telecom/setup.sh
# first; some two minutes a run.
#   benches/search.sh [--seeds N] [--out DIR] [sprag]     seeds 1 to N (10); runs that DIR already holds are not made again
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=10 out="$(mktemp -d)" sprag=""
while [ $# -gt 0 ]; do
    case "$1" in
    --seeds) seeds="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    *) sprag="$1"; shift ;;
    esac
done
if [ -z "$sprag" ]; then
    cargo build --locked --release --bin sprag
    sprag="${CARGO_TARGET_DIR:-target}/release/sprag"
fi
mkdir -p "$out"
for seed in $(seq "$seeds"); do
    for mode in greedy frontier; do
        run="$out/$mode-$seed"
        [ -s "$run.json" ] && continue
        # 7 says that the budget of task runs was spent.
        "$sprag" simulate --config examples/tau2-telecom/sprag.toml --search "$mode" --seed "$seed" --out "$run" --json > "$run.part" || [ $? -eq 7 ]
        mv "$run.part" "$run.json"
        echo "seed $seed, $mode: done" >&2
    done
done
python3 - "$out" "$seeds" <<'TABLE'
import csv, json, statistics, sys
from pathlib import Path

out, seeds = Path(sys.argv[1]), int(sys.argv[2])
MODES, GOAL = ("greedy", "frontier"), 0.78


def reached(run):
    """How many experiments it took until a kept change had brought the held-out score to the goal."""
    with open(run / "results.tsv") as lines:
        for n, row in enumerate(csv.DictReader(lines, delimiter="\t"), 1):
            if row["verdict"] == "accepted" and float(row["validation"] or 0) >= GOAL:
                return n
    return None


runs = {}
for mode in MODES:
    for seed in range(1, seeds + 1):
        run = json.loads((out / f"{mode}-{seed}.json").read_text())
        run["reached"] = reached(out / f"{mode}-{seed}")
        runs[mode, seed] = run

COLUMNS = ("held-out", f"to {GOAL}", "experiments", "kept", "drafts", "task runs")
print("seed  " + "   ".join(f"{mode}: " + ", ".join(COLUMNS) for mode in MODES))


def cells(run):
    to = run["reached"] or "never"
    drafts = run.get("drafts", run["experiments"])
    return f"{run['final_validation']:.3f} {to:>6} {run['experiments']:>4} {run['accepted']:>3} {drafts:>4} {run['task_runs']:>6}"


for seed in range(1, seeds + 1):
    print(f"{seed:>4}  " + "   |   ".join(cells(runs[mode, seed]) for mode in MODES))
for mode in MODES:
    of = [runs[mode, seed] for seed in range(1, seeds + 1)]
    score = [run["final_validation"] for run in of]
    # What never got there counts as one more than it made.
    to = [run["reached"] or run["experiments"] + 1 for run in of]
    mean = lambda key: statistics.mean(run[key] for run in of)
    print(
        f"{mode}: held-out {statistics.mean(score):.3f} on average (least {min(score):.3f}), "
        f"{statistics.mean(to):.1f} experiments to {GOAL}, {mean('experiments'):.1f} experiments and {mean('task_runs'):.0f} task runs in all"
    )
better = [runs["frontier", s]["final_validation"] - runs["greedy", s]["final_validation"] for s in range(1, seeds + 1)]
print(f"frontier ends higher on {sum(d > 0 for d in better)} seeds, lower on {sum(d < 0 for d in better)}, {statistics.mean(better):+.3f} on average")
TABLE
