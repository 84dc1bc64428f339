#!/bin/bash
# Entry of the images with CANN: the environment of its set_env.sh, then the command.
#
#   CANN_SET_ENV   the set_env.sh of the package that was installed
#   CANN_STUBS     folders with stand-ins for the driver's libraries, separated by colons;
#                  they come last, so that a real library is found first
set -e

if [ ! -r "${CANN_SET_ENV:?}" ]; then
    echo "error: there is no CANN in this image: $CANN_SET_ENV is missing" >&2
    echo "  fix: build it again, see docker/README.md" >&2
    exit 4
fi
if [ $# -eq 0 ]; then
    echo "error: no command given" >&2
    echo "  fix: docker run IMAGE atc --help" >&2
    exit 2
fi

# A user that the image does not know (docker run --user) has no home, and atc writes into it.
if [ ! -w "${HOME:-/}" ]; then
    HOME=$(mktemp -d)
    export HOME
fi
# Nor has it a name, and Python's getpass and getpwuid() fail without one.
if ! getent passwd "$(id -u)" >/dev/null; then
    accounts=$(mktemp -d)
    {
        cat /etc/passwd
        echo "convert:x:$(id -u):$(id -g)::$HOME:/bin/sh"
    } >"$accounts/passwd"
    export NSS_WRAPPER_PASSWD="$accounts/passwd" NSS_WRAPPER_GROUP=/etc/group
    export LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}libnss_wrapper.so"
    export USER=convert LOGNAME=convert
fi

# A function has arguments of its own: set_env.sh must not take those of the command for its own.
# It also reads variables that are not set, and its last test may well be false.
load_environment() {
    set +e
    # shellcheck disable=SC1090  # known only when the image runs
    . "$CANN_SET_ENV"
    set -e
}
load_environment
if [ -n "${CANN_STUBS:-}" ]; then
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$CANN_STUBS"
fi

exec "$@"
