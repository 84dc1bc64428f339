#!/bin/sh
# Install one CANN package while an image is built.
#
#   install-cann.sh PACKAGE SHA256 [FLAG...]
#
# PACKAGE is the path of a .run file, SHA256 its checksum or empty, FLAGs go to its installer.
# version.info and ascend_install.info beside PACKAGE stand in for a driver while it installs.
set -eu

package=$1
checksum=$2
shift 2
base=${CANN_BASE:-/usr/local/Ascend}
etc=${CANN_ETC:-/etc}
folder=$(dirname "$package")

fail() {
    echo "error: $1" >&2
    echo "  fix: $2" >&2
    exit 4
}

if [ ! -f "$package" ]; then
    fail "the CANN package $(basename "$package") is not in docker/packages" \
        "download it as docker/README.md says, or name yours: --build-arg CANN_VERSION=..."
fi
case $package in
    *"linux-$(uname -m).run") ;;
    *) fail "$(basename "$package") is not for this machine, $(uname -m)" \
        "take the package whose name ends in linux-$(uname -m).run" ;;
esac
if [ -n "$checksum" ] && ! echo "$checksum  $package" | sha256sum --check --status; then
    fail "$(basename "$package") does not have the SHA-256 $checksum" "download it again"
fi

mkdir -p "$base" "$etc/Ascend"
if [ -f "$folder/version.info" ]; then
    mkdir -p "$base/driver"
    cp "$folder/version.info" "$base/driver/"
fi
if [ -f "$folder/ascend_install.info" ]; then
    cp "$folder/ascend_install.info" "$etc/"
fi

sh "$package" --check || fail "$(basename "$package") is damaged" "download it again"
sh "$package" --install --quiet --install-for-all "--install-path=$base" "$@" ||
    fail "the installer of $(basename "$package") failed" \
        "read its lines above; flags that it does not know go away with --build-arg CANN_FLAGS="

# The driver comes from the machine that runs the image. Any user may run it, so any may read it.
rm -rf "$base/driver" "$etc/ascend_install.info"
chmod -R a+rX "$base" "$etc/Ascend"
