#!/bin/sh
# Install atlas-hpe from a wheelhouse into a folder of its own, without internet and without pip.
#
#   install-wheels.sh WHEELHOUSE TARGET
#
# The variable PYTHON names the interpreter, python3 if it is not set. A board uses it as the image does.
set -eu

wheelhouse=$1
target=$2
python=${PYTHON:-python3}

set -- "$wheelhouse"/pip-*.whl
pip=$1
if [ ! -f "$pip" ]; then
    echo "error: there are no wheels in $wheelhouse" >&2
    echo "  fix: docker/fill-wheelhouse.sh on a machine with internet" >&2
    exit 4
fi

if [ -e "$target" ]; then
    echo "error: $target is there already" >&2
    echo "  fix: remove it, or name another folder" >&2
    exit 2
fi

"$python" -m venv --without-pip "$target"
# A wheel of pip runs as it is, so that none has to be installed.
if ! "$target/bin/python3" "$pip/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    --no-index --find-links "$wheelhouse" 'atlas-hpe[host]'; then
    rm -rf "$target"
    echo "error: the wheels in $wheelhouse are not for $("$python" --version)" >&2
    echo "  fix: docker/fill-wheelhouse.sh with the version of this Python, for example 3.7" >&2
    exit 4
fi
