#!/bin/sh
# Fetch everything that atlas-hpe needs on an aarch64 board, on a machine with internet.
#
#   docker/fill-wheelhouse.sh [PYTHON_OF_THE_BOARD] [FOLDER]      default: 3.8 docker/wheelhouse
#
# The variable PYTHON names the interpreter that does it, python3 if it is not set.
set -eu

version=${1:-3.8}
root=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
folder=${2:-$root/docker/wheelhouse}
python=${PYTHON:-python3}

more=
case $version in
    # pip asks "python_version < '3.8'" of the Python that runs it, so what only 3.7 needs is named.
    3.7) more=importlib-metadata ;;
    3.8 | 3.9) ;;
    *)
        echo "error: CANN for the Atlas 200 DK takes Python 3.7, 3.8 and 3.9, not $version" >&2
        echo "  fix: docker/fill-wheelhouse.sh 3.8" >&2
        exit 2
        ;;
esac

# Wheels of another version would be found first and then not fit.
rm -f "$folder"/*.whl
mkdir -p "$folder"
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$folder" "$root"
# shellcheck disable=SC2086  # one name or none
for wheel in "$folder"/atlas_hpe-*.whl; do
    "$python" -m pip download --quiet --dest "$folder" --only-binary :all: \
        --implementation cp --python-version "$version" \
        --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 \
        pip "${wheel}[host]" $more
done
echo "next: docker build --platform linux/arm64 --file docker/board.Dockerfile docker" >&2
