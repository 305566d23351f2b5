# The first step of action.yml: puts the path of a sprag program into the step's output `path`. Either a released program whose SHA-256 stands in
# checksums.txt beside this file, or one that is built from the action's own source.
#
# In:  SPRAG_ACTION      the folder of the action
#      SPRAG_REPOSITORY  owner/name of the action's repository; empty when the action is a folder of the workflow's own repository
#      SPRAG_VERSION     a released version, `source`, or nothing: the version of the action itself if it is listed for this machine, else source
set -euo pipefail

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64) target=aarch64-unknown-linux-musl ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    *) target=none ;;
esac
listed="$SPRAG_ACTION/assets/checksums.txt"
version="${SPRAG_VERSION#v}"
if [ -z "$version" ]; then
    # The program of the commit that is pinned, never one of another version that happens to be listed.
    version="$(sed -n '/^\[workspace\.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' "$SPRAG_ACTION/Cargo.toml")"
    # Compared as a fixed text: the first 66 characters are the checksum.
    cut -c 67- "$listed" | grep -xF -- "sprag-$version-$target.tar.gz" > /dev/null || version=source
fi

if [ "$version" = source ]; then
    # In the folder of the action, so that its own Rust version counts and not that of the workspace.
    cd "$SPRAG_ACTION"
    cargo build --release --locked --bin sprag
    echo "path=${CARGO_TARGET_DIR:-$SPRAG_ACTION/target}/release/sprag" >> "$GITHUB_OUTPUT"
    exit 0
fi

archive="sprag-$version-$target.tar.gz"
# Compared as a fixed text: a version is no pattern.
line="$(grep -v '^#' "$listed" | grep -F -- "  $archive" || true)"
if [ "${line#*  }" != "$archive" ]; then
    echo "::error::sprag $version for $target is not in assets/checksums.txt of this version of the action; name a released version, or use \`version: source\`"
    exit 1
fi
folder="$RUNNER_TEMP/sprag-$version"
mkdir -p "$folder"
cd "$folder"
curl --fail --silent --show-error --location --retry 3 --output "$archive" \
    "$GITHUB_SERVER_URL/${SPRAG_REPOSITORY:-$GITHUB_REPOSITORY}/releases/download/v$version/$archive"
if command -v sha256sum > /dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
if ! echo "$line" | "${sum[@]}" --check > /dev/null; then
    echo "::error::$archive is not what was released: its SHA-256 is not the one in assets/checksums.txt; nothing of it was run"
    exit 1
fi
tar -xzf "$archive" sprag
echo "path=$folder/sprag" >> "$GITHUB_OUTPUT"
