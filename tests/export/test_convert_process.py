"""Running a program: its log, its time limit, and nobody left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Callable, List, Tuple

import pytest

from atlas_hpe.errors import DeviceError, OutputError
from atlas_hpe_export.convert.atc import process
from atlas_hpe_export.convert.atc.process import ProcessResult, run_logged

# A helper that holds the pipe open and does not care for TERM.
STUBBORN_HELPER = """
import os, signal, sys, time
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
open(sys.argv[1], "w").write(str(child))
"""


def run_python(
    tmp_path: Path,
    code: str,
    *arguments: str,
    timeout_s: float = 30.0,
    show: Callable[[str], None] = lambda line: None,
) -> Tuple[ProcessResult, str]:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        result = run_logged(
            [sys.executable, "-c", code, *arguments],
            folder=tmp_path,
            environ=os.environ,
            log=stream,
            timeout_s=timeout_s,
            show=show,
        )
    return result, log.read_text(encoding="utf-8")


def is_alive(number: int) -> bool:
    """Whether a process runs; one that waits for its parent to take its status does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(number: int) -> bool:
    end = time.monotonic() + 10
    while is_alive(number) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(number)


def test_output_goes_to_the_log_and_line_by_line_to_the_viewer(tmp_path: Path) -> None:
    shown: List[str] = []
    code = "import sys; print('one'); sys.stdout.flush(); sys.stderr.write('two\\nlast')"
    result, log = run_python(tmp_path, code, show=shown.append)
    assert (result.status, result.timed_out) == (0, False)
    assert log == "one\ntwo\nlast"
    assert shown == ["one", "two", "last"]


def test_the_exit_status_and_a_signal_are_told(tmp_path: Path) -> None:
    assert run_python(tmp_path, "raise SystemExit(7)")[0].status == 7
    code = "import os; os.kill(os.getpid(), 11)"
    assert run_python(tmp_path, code)[0].status == -signal.SIGSEGV


def test_it_runs_in_its_folder_and_does_not_read_what_the_user_types(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), repr(sys.stdin.read()))"
    reader, writer = os.pipe()
    os.write(writer, b"typed")
    os.close(writer)
    own = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert run_python(tmp_path, code)[1] == f"{os.path.realpath(str(tmp_path))} ''\n"
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(reader)


def test_the_log_can_be_read_while_it_runs(tmp_path: Path) -> None:
    seen: List[str] = []
    run_python(
        tmp_path, "print('line')", show=lambda line: seen.append((tmp_path / "log").read_text())
    )
    assert seen == ["line\n"]


def test_of_a_line_without_an_end_the_last_part_is_shown(tmp_path: Path) -> None:
    shown: List[str] = []
    run_python(tmp_path, "print('a' * 9999 + 'end', end='')", show=shown.append)
    assert (len(shown[0]), shown[0][-3:]) == (4096, "end")


def test_only_the_first_lines_are_shown_and_all_are_kept(tmp_path: Path) -> None:
    shown: List[str] = []
    _, log = run_python(tmp_path, "print('line\\n' * 500)", show=shown.append)
    assert log.count("line\n") == 500
    assert shown[-1] == "... and more, which is in the log alone"
    assert len(shown) < 30


def test_bytes_that_are_no_text_are_kept_as_they_are(tmp_path: Path) -> None:
    shown: List[str] = []
    with (tmp_path / "log").open("wb") as log:
        run_logged(
            [sys.executable, "-c", "import os; os.write(1, b'a\\xff\\n')"],
            folder=tmp_path,
            environ=os.environ,
            log=log,
            timeout_s=30,
            show=shown.append,
        )
    assert (tmp_path / "log").read_bytes() == b"a\xff\n"
    assert shown == ["a\N{REPLACEMENT CHARACTER}"]


def test_it_is_stopped_when_its_time_is_up(tmp_path: Path) -> None:
    code = "import time; print('start', flush=True); time.sleep(60)"
    result, log = run_python(tmp_path, code, timeout_s=1.0)
    assert result.timed_out
    assert result.duration_s < 20
    assert log == "start\n"


def test_one_that_never_stops_talking_is_stopped_too(tmp_path: Path) -> None:
    result, _ = run_python(tmp_path, "while True: print('x')", timeout_s=0.5)
    assert result.timed_out


def test_one_that_ignores_a_polite_request_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_GRACE_S", 0.3)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    result, _ = run_python(tmp_path, code, timeout_s=1.0)
    assert result.status == -signal.SIGKILL


def test_a_helper_that_outlives_it_is_ended_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_GRACE_S", 0.3)
    result, _ = run_python(tmp_path, STUBBORN_HELPER, str(tmp_path / "pid"))
    assert result.status == 0
    assert result.duration_s < 20
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


def test_an_interruption_ends_it_before_it_is_passed_on(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def interrupt() -> None:
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_python(tmp_path, code)
    thread.join()
    assert wait_until_gone(int(pid_file.read_text()))


def test_memory_is_that_of_the_program_and_its_helpers_together(tmp_path: Path) -> None:
    code = """
import os, time
child = os.fork()
held = bytearray(b"x") * (150 << 20)
time.sleep(2)
if child:
    os.wait()
"""
    result, _ = run_python(tmp_path, code)
    assert result.peak_memory_mb is not None
    assert 290 < result.peak_memory_mb < 600


def test_a_sign_of_life_is_given_while_it_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_FIRST_HINT_S", 0.3)
    shown: List[str] = []
    run_python(tmp_path, "import time; time.sleep(1.5)", show=shown.append)
    assert 1 <= len(shown) <= 3
    assert shown[0].startswith("still at work after ")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log, pytest.raises(
        DeviceError, match="started"
    ) as caught:
        run_logged(
            [str(tmp_path / "atc")],
            folder=tmp_path,
            environ={},
            log=log,
            timeout_s=1,
            show=lambda line: None,
        )
    assert caught.value.where == str(tmp_path / "atc")


def test_a_log_that_can_not_be_written_ends_the_program(tmp_path: Path) -> None:
    code = "import time; print('x' * 100000, flush=True); time.sleep(60)"
    started = time.monotonic()
    with Path("/dev/full").open("wb", buffering=0) as log, pytest.raises(
        OutputError, match="space"
    ):
        run_logged(
            [sys.executable, "-c", code],
            folder=tmp_path,
            environ=os.environ,
            log=log,
            timeout_s=60,
            show=lambda line: None,
        )
    assert time.monotonic() - started < 30
