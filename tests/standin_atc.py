"""A stand-in for atc, the board's compiler, which can't be had where tests run. Never shipped.

It takes atc's documented command line and refuses what atc refuses; instead of compiling it writes
an .om that holds the interface and the facts of a real one, and no kernels. Sources: ascend.md
sections 3.1 to 3.6, 4.1 and 4.6. It shares no code with the package's convert and check.

What is exact: the start, success and failure lines, and the wording of E16002, E19010 and EZ3003
(section 3.5 and reports of users). What is not: every other wording, which follows the error list
in GE's source of 2026; which code answers a missing flag, an axis of -1 without profiles, an input
of another type; the line about too little memory; the exit status of a failure, which is only
documented to be "not zero, not fixed".

    python standin_atc.py --model=hand.onnx --framework=5 --output=hand --soc_version=Ascend310

Environment, for tests (all off by default):
    STANDIN_ATC_CANN            release it plays, default 5.1: "5.0", "5.1", "6.0", "8.0"
    STANDIN_ATC_AVAILABLE_KB    memory it believes to be there, default: what the machine has
    STANDIN_ATC_SLEEP_S         seconds of "compiling"
    STANDIN_ATC_LINES           lines that it prints while it compiles, spread over that time
    STANDIN_ATC_FAULT           killed: half an .om, then SIGKILL. memory: an EZ9999, then SIGKILL.
                                disk: half an .om, then the system's ENOSPC. none: exit 0 without an
                                .om. garbage: exit 0 with one that is none. crash: SIGSEGV.
                                library: the loader's complaint, exit 127
    STANDIN_ATC_PRINT           lines of a failure, as they stand, separated by "|"
    STANDIN_ATC_NEW_NAMES       the .om is called <output>_linux_<machine>.om
    STANDIN_ATC_IGNORE_TERM     only SIGKILL ends it
    STANDIN_ATC_CHILD           a kernel compiler runs beside it for a minute; the value names a
                                file for its process id
    STANDIN_ATC_RECORD          a file that gets one line per run: the arguments as JSON
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import List, NoReturn, Sequence

# The package may be installed, or lie beside the tests.
_HERE = Path(__file__).resolve().parent
sys.path += [str(_HERE.parent / part) for part in ("", "export")]

from standin_atc_flags import Flags, Refusal, parse_flags  # noqa: E402
from standin_atc_model import build  # noqa: E402

LEAST_MEMORY_KB = 2097152
START = "ATC start working now, please wait for a moment."
SUCCESS = "ATC run success, welcome to the next use."
FAILURE = "ATC run failed, Please check the detail log, Try 'atc --help' for more information"


def setting(name: str, default: str = "") -> str:
    return os.environ.get(f"STANDIN_ATC_{name}", default)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    record = setting("RECORD")
    if record:
        with Path(record).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(list(arguments)) + "\n")
    if setting("IGNORE_TERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if setting("FAULT") == "library":
        text = "libascend_hal.so: cannot open shared object file: No such file or directory"
        sys.stderr.write(f"atc.bin: error while loading shared libraries: {text}\n")
        return 127
    if list(arguments) == ["--help"]:
        say("usage: atc <args>")
        return 0
    cann = setting("CANN", "5.1")
    try:
        flags = parse_flags(arguments, cann)
        mode = flags.get("mode", "0")
        if mode == "0":
            compile_model(flags, arguments, cann)
        else:
            show_model(flags, mode)
    except Refusal as refusal:
        return report(refusal)
    return 0


def report(refusal: Refusal) -> int:
    """The failure as atc prints it; any status but zero, and the same one for the same text."""
    if refusal.code is None:  # the library that reads the command line says it itself
        sys.stderr.write(refusal.text + "\n")
        return 1
    say(FAILURE)
    say(f"{refusal.code}: {refusal.text}")
    say("        Solution: see the documentation.")
    say("        TraceBack (most recent call last):")
    for line in refusal.more:
        say(f"        {line}")
    say("        ATC model parse ret fail.[FUNC:ParseGraph][FILE:omg.cc][LINE:787]")
    return 1 + zlib.crc32(refusal.text.encode()) % 120


def compile_model(flags: Flags, arguments: Sequence[str], cann: str) -> None:
    say(START)
    available_kb = int(setting("AVAILABLE_KB") or read_available_kb())
    if available_kb < LEAST_MEMORY_KB:
        text = f"available memory {available_kb} kB is less than {LEAST_MEMORY_KB} kB"
        raise Refusal("E19999", "Inner Error!", [text])
    om = output_path(flags["output"])
    command = " ".join(["atc", *map(shlex.quote, arguments)])
    content = build(flags, command, cann)
    write_side_products()
    work()
    if setting("PRINT"):
        lines: List[str] = setting("PRINT").split("|")
        say(FAILURE)
        for line in lines:
            say(line)
        sys.exit(255)
    fault = setting("FAULT")
    if fault:
        content = misbehave(fault, om, content)
    if fault != "none":
        om.write_bytes(content)
    say(SUCCESS)


def read_available_kb() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return LEAST_MEMORY_KB
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) if found else LEAST_MEMORY_KB


def output_path(output: str) -> Path:
    """Where the .om goes: older releases add the suffix only, newer ones the machine too."""
    base = Path(output)
    if not base.name or not base.parent.is_dir():
        raise Refusal("E13026", f"The folder of [--output] [{output}] does not exist.")
    suffix = f"_linux_{platform.machine()}.om" if setting("NEW_NAMES") else ".om"
    return base.with_name(base.name + suffix)


def write_side_products() -> None:
    """What atc leaves in its working folder (--debug_dir; the fusion record)."""
    Path("kernel_meta").mkdir(exist_ok=True)
    Path("kernel_meta", "te_conv2d.o").write_bytes(bytes(100))
    Path("fusion_result.json").write_text("[]", encoding="utf-8")


def work() -> None:
    if setting("CHILD"):
        sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = subprocess.Popen(sleeper)
        Path(setting("CHILD")).write_text(str(child.pid), encoding="ascii")
    seconds, lines = float(setting("SLEEP_S", "0")), int(setting("LINES", "0"))
    for number in range(lines):
        say(f"[INFO] compiling kernel {number + 1} of {lines}")
        time.sleep(seconds / lines)
    if not lines:
        time.sleep(seconds)


def misbehave(fault: str, om: Path, content: bytes) -> bytes:
    if fault in ("killed", "disk"):
        om.write_bytes(content[: len(content) // 2])
    if fault == "memory":
        say("EZ9999: Inner Error!")
        say("        Failed to compile Op [te_conv2d]. (optype: [Conv2D])")
    if fault in ("killed", "memory"):
        die(signal.SIGKILL)
    if fault == "crash":
        die(signal.SIGSEGV)
    if fault == "disk":
        try:
            Path("/dev/full").write_bytes(content)
        except OSError as error:
            raise Refusal(
                "E19999", "Inner Error!", [f"Write file failed: {error.strerror}"]
            ) from None
    return b"this is no model" * 40 if fault == "garbage" else content


def die(number: int) -> NoReturn:
    os.kill(os.getpid(), number)
    time.sleep(60)
    raise SystemExit(1)


def show_model(flags: Flags, mode: str) -> None:
    """Mode 1 writes an .om as JSON, mode 6 prints what it is."""
    from atlas_hpe.errors import AtlasHpeError
    from atlas_hpe.om_file import read_om_summary

    try:
        summary = read_om_summary(Path(flags["om"]))
    except AtlasHpeError as error:
        text = f"Failed to load the model from [{flags['om']}]."
        raise Refusal("E10041", text, [error.what]) from error
    model = summary.models[0]
    facts = {
        "atc_cmdline": model.atc_command,
        "atc_version": model.atc_version,
        "soc_version": model.soc,
        "name": model.name,
    }
    if mode == "1":
        Path(flags["json"]).write_text(json.dumps(facts), encoding="utf-8")
        say(SUCCESS)
        return
    for name, value in facts.items():
        say(f"{name}: [{value}]")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
