#!/usr/bin/env bash
# Runs the fuzz targets one after the other, guided by coverage: benches/fuzz.sh [SECONDS [TARGET…]], 600 seconds each unless told otherwise.
# It needs a nightly compiler and cargo-fuzz; no sanitizer, since there is no unsafe code to watch. The corpus stays in fuzz/corpus, so that the next run goes on; what made a target fail lies in
# fuzz/artifacts. Ends with one line a target, and with 1 when anything was found.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)

# What the readers begin with is what `benches/fuzz.rs` damages.
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
cargo bench --quiet --bench fuzz -- --seeds "$seeds"

failed=0
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  from=("$seeds")
  [ ! -d "fuzz/seeds/$target" ] || from=("fuzz/seeds/$target")
  log=$(mktemp)
  ended=0
  cargo +nightly fuzz run -O --debug-assertions -s none "$target" "fuzz/corpus/$target" "${from[@]}" -- \
    -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=20000 >"$log" 2>&1 || ended=$?
  counted=$(grep -E '^#[0-9]+' "$log" | tail -1 | sed -E 's/^#([0-9]+)[^c]*(cov: [0-9]+).*(corp: [0-9]+).*/\1 inputs, \2, \3/')
  if [ "$ended" = 0 ]; then
    echo "$target: $counted"
  else
    failed=1
    echo "$target: FAILED after $counted"
    grep -E 'panicked|SUMMARY|ERROR|Test unit written' "$log" | head -5 || true
  fi
  rm -f "$log"
done
exit "$failed"
