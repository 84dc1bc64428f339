"""``convert.sh``: the whole conversion as a POSIX script, for a container or another machine."""

from __future__ import annotations

import shlex
from typing import Sequence

__all__ = ["convert_script"]

_SCRIPT = """\
#!/bin/sh
# Compiles {onnx} into {om} with atc, the compiler of Huawei's CANN toolkit.
# Written by atlas-hpe. Run it where the toolkit is installed: sh convert.sh
set -eu
cd "$(dirname "$0")"

fail() {{
    echo "error: $1" >&2
    exit "${{2:-4}}"
}}

# set_env.sh reads variables that are not set, and its last test may well be false.
if ! command -v atc >/dev/null 2>&1; then
    for script in \\
        "${{ASCEND_TOOLKIT_HOME:-/usr/local/Ascend/ascend-toolkit/latest}}/set_env.sh" \\
        "${{ASCEND_TOOLKIT_HOME:-/usr/local/Ascend/ascend-toolkit/latest}}/../set_env.sh" \\
        /usr/local/Ascend/ascend-toolkit/set_env.sh \\
        "${{HOME:-/root}}/Ascend/ascend-toolkit/set_env.sh" \\
        /usr/local/Ascend/latest/set_env.sh; do
        if [ -r "$script" ]; then
            set +eu
            . "$script"
            set -eu
            break
        fi
    done
fi
command -v atc >/dev/null 2>&1 ||
    fail "atc is not on PATH: source set_env.sh of the CANN toolkit, then run this again"

# Stand-ins for the driver's libraries, on a machine without a device.
home=${{ASCEND_TOOLKIT_HOME:-/usr/local/Ascend/ascend-toolkit/latest}}
if [ ! -d /usr/local/Ascend/driver/lib64 ]; then
    for stub in "$home/runtime/lib64/stub" "$home/acllib/lib64/stub"; do
        if [ -d "$stub" ]; then
            LD_LIBRARY_PATH="${{LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}}$stub"
            export LD_LIBRARY_PATH
        fi
    done
fi
: "${{ASCEND_SLOG_PRINT_TO_STDOUT:=1}}"
export ASCEND_SLOG_PRINT_TO_STDOUT

# Only what this run writes may be taken for its result.
rm -f {stale}

status=0
{command} || status=$?
[ "$status" -eq 0 ] || fail "atc failed with exit status $status: see what it says above" "$status"

# Newer releases name some models after the system and processor of this machine.
found=
for file in {name}.om {name}_*_*.om; do
    [ -f "$file" ] || continue
    [ -z "$found" ] || fail "atc wrote two models: $found and $file"
    found=$file
done
[ -n "$found" ] || fail "atc ended well and wrote no model"
[ "$(head -c 4 "$found")" = IMOD ] || fail "$found is not an .om file"
[ "$found" = {om} ] || mv -- "$found" {om}
"""


def convert_script(argv: Sequence[str], name: str, om: str) -> str:
    """The script that turns ``<name>.onnx`` beside it into an .om.

    It needs the side files beside it too, a POSIX shell and the toolkit. It exits with atc's own
    status when atc fails, and with 4 when anything else does.

    Args:
        argv: ``atc`` and its flags.
        name: Stem of the model, as ``AtcCommand.argv`` was given it.
        om: File name of the result.
    """
    quoted = shlex.quote(name)
    stale = dict.fromkeys((f"{quoted}.om", f"{quoted}_*_*.om", shlex.quote(om)))
    return _SCRIPT.format(
        onnx=f"{name}.onnx",
        om=shlex.quote(om),
        name=quoted,
        stale=" ".join(stale),
        command=" \\\n    ".join(shlex.quote(word) for word in argv),
    )
