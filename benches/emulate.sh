#!/usr/bin/env bash
# Plays sprag's whole story with the real program against a GitHub that nobody here wrote: npm's `emulate` for the API, git's own http-backend
# for git, @actions/artifact for zips; crates/testkit/emulate has what holds them together. Prints every check, and the requests by endpoint.
#
#   benches/emulate.sh [SPRAG]              SPRAG: the program to try; default: a debug build
#   benches/emulate.sh --contract [SPRAG]   also holds every request of the story to GitHub's own OpenAPI description, with PyPI's `openapi-core`
#                                           and with our validator
#
# Needs Node 20 or newer with npm, git and openssl; --contract also python3. What it installs is kept in target/emulate; all else is removed.
set -euo pipefail
cd "$(dirname "$0")/.."
root="$PWD"
target="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
contract=false
if [ "${1:-}" = --contract ]; then contract=true; shift; fi
case "${1:-}" in
    "") sprag="$target/debug/sprag"; cargo build --quiet --locked --bin sprag ;;
    *) sprag="$(realpath "$1")" ;;
esac

work="$(mktemp -d)"
story=""
# The story leads its own process group, so that whatever it started ends with it.
clean() {
    if [ -n "$story" ]; then kill -- "-$story" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

tools="$target/emulate"
mkdir -p "$tools" "$work/scene"
cp crates/testkit/emulate/{package.json,*.mjs} "$tools"
(cd "$tools" && timeout 300 npm install --ignore-scripts --no-audit --no-fund --loglevel=error) >"$work/npm.log" 2>&1 || {
    cat "$work/npm.log" >&2
    exit 2
}
for key in app job wrong; do openssl genrsa -out "$work/scene/$key.pem" 2048 2>/dev/null; done
# The next build may replace the program meanwhile.
cp "$sprag" "$work/sprag"

description="$root/crates/standin/openapi/github.json"
failed=0
set -m
timeout 600 node "$tools/story.mjs" "$work/sprag" "$root/assets" "$description" "$work/scene" &
story=$!
set +m
wait "$story" || failed=$?
if [ "$failed" = 124 ]; then echo "the story did not end within 10 minutes" >&2; fi

if "$contract"; then
    requests="$work/scene/requests.jsonl"
    [ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
    timeout 300 "$tools/venv/bin/pip" install --quiet --disable-pip-version-check openapi-core==0.23.1
    echo
    timeout 300 "$tools/venv/bin/python" crates/testkit/emulate/judge.py "$description" "$requests" || failed=1
    SPRAG_REQUESTS="$requests" cargo test --quiet --locked -p sprag-testkit --test recorded -- --ignored --nocapture || failed=1
fi
exit "$failed"
