"""``atlas-hpe simulate`` with real programs in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atlas_hpe.cli import cli
from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe_runtime.simulator.launch import launch
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.slow  # each test starts two processes or more

# As programs for the board are written: both generations of pointers, both run modes, a class that
# releases everything when it goes, which for a module variable is while Python shuts down.
PROGRAM = """
import sys
import tempfile

import acl
import numpy as np

NEW = "bytes_to_ptr" in dir(acl.util)


def check(name, ret):
    if ret != 0:
        raise Exception("%s failed ret=%d" % (name, ret))


class Resource(object):
    def __init__(self, leak):
        self.leak = leak
        check("init", acl.init())
        check("set_device", acl.rt.set_device(0))
        self.context, ret = acl.rt.create_context(0)
        check("create_context", ret)
        self.stream, ret = acl.rt.create_stream()
        check("create_stream", ret)
        self.run_mode, ret = acl.rt.get_run_mode()
        self.buffer, ret = acl.rt.malloc(400, 2)
        check("malloc", ret)

    def round_trip(self, array):
        there, back = (3, 3) if self.run_mode == 0 else (1, 2)
        data = array.tobytes()
        if NEW:
            source, result = acl.util.bytes_to_ptr(data), bytes(400)
            target = acl.util.bytes_to_ptr(result)
        else:
            result = np.zeros(100, np.float32)
            source, target = acl.util.numpy_to_ptr(array), acl.util.numpy_to_ptr(result)
        check("memcpy", acl.rt.memcpy(self.buffer, 400, source, 400, there))
        check("memcpy", acl.rt.memcpy(target, 400, self.buffer, 400, back))
        return bytes(result) == data

    def __del__(self):
        if not self.leak:
            acl.rt.free(self.buffer)
        acl.rt.destroy_stream(self.stream)
        acl.rt.destroy_context(self.context)
        acl.rt.reset_device(0)
        acl.finalize()


resource = Resource("leak" in sys.argv)
same = resource.round_trip(np.arange(100, dtype=np.float32))
print("mode", resource.run_mode, "new" if NEW else "old", acl.get_soc_name(), same)
sys.exit(7 if "seven" in sys.argv else 0)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def simulate(*arguments: object, **variables: str) -> Any:
    """The whole command as a user types it."""
    command = [sys.executable, "-m", "atlas_hpe", "simulate", *map(str, arguments)]
    return subprocess.run(
        command,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("mode", "number"), [("rc", 0), ("ep", 1)])
@pytest.mark.parametrize(("cann", "form"), [("5.0", "old"), ("6.0", "new"), ("7.0", "new")])
def test_a_program_runs_unchanged(
    program: Path, mode: str, number: int, cann: str, form: str
) -> None:
    done = simulate("--mode", mode, "--cann", cann, "--", sys.executable, program)
    assert done.stdout == f"mode {number} {form} Ascend310 True\n"
    first, *_, last = done.stderr.splitlines()
    assert first == "simulated Ascend310 (no board)"
    assert last == "everything was released"
    assert done.returncode == 0


def test_the_exit_code_is_the_program_s(program: Path) -> None:
    assert simulate(sys.executable, program, "seven").returncode == 7
    done = simulate("--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    assert done.returncode == 128 + 9
    assert "no ledger" in done.stderr


def test_what_is_left_is_told_with_its_line(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "ledger.json"
    done = simulate("--ledger", out, "--json", "--", sys.executable, program, "leak")
    line = PROGRAM.splitlines().index("        self.buffer, ret = acl.rt.malloc(400, 2)") + 1
    assert "1 not released:" in done.stderr
    assert f"400 bytes: acl.rt.malloc at {program}:{line} in __init__" in done.stderr
    assert "acl.finalize before everything was released" in done.stderr
    report = json.loads(out.read_text())
    assert report == json.loads(done.stdout.split("\n", 1)[1])
    (process,) = report["processes"]
    (entry,) = process["live"]
    assert (entry["kind"], entry["size"], entry["call"]) == ("device memory", 400, "acl.rt.malloc")
    assert process["calls"]["acl.rt.memcpy"] == 2
    assert report["exit_code"] == 0
    assert report["simulated"]["soc"] == "Ascend310"


@pytest.mark.parametrize("by_option", [True, False])
def test_faults_reach_the_program(program: Path, by_option: bool) -> None:
    plan = "acl.rt.memcpy@2=507899"
    if by_option:
        done = simulate("--fail", plan, "--", sys.executable, program)
    else:
        done = simulate("--", sys.executable, program, ATLAS_HPE_SIM_FAIL=plan)
    assert "memcpy failed ret=507899" in done.stderr
    assert done.stderr.splitlines()[-1] == "everything was released"
    assert done.returncode == 1


def test_options_go_before_the_environment(program: Path) -> None:
    variables = {"ATLAS_HPE_SIM_MODE": "ep", "ATLAS_HPE_SIM_SOC": "Ascend310P3"}
    done = simulate("--mode", "rc", "--", sys.executable, program, **variables)
    assert done.stdout == "mode 0 new Ascend310P3 True\n"
    assert done.stderr.startswith("simulated Ascend310P3 (no board)")


def test_every_process_of_a_program_has_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "two.py"
    path.write_text(
        "import subprocess, sys\n"
        "import acl\n"
        "acl.init()\n"
        "if 'inner' not in sys.argv:\n"
        "    subprocess.check_call([sys.executable, __file__, 'inner'])\n"
    )
    done = simulate("--json", "--", sys.executable, path)
    report = json.loads(done.stdout)
    assert [len(process["live"]) for process in report["processes"]] == [1, 1]
    assert done.stderr.count("1 not released") == 2
    assert done.stderr.count("process ") == 2


def test_a_ledger_that_was_cut_off_is_left_out() -> None:
    code = (
        "import os, acl\n"
        "from pathlib import Path\n"
        "Path(os.environ['ATLAS_HPE_SIM_LEDGERS'], '1.jsonl').write_text('[{\"pid\": 1, ')\n"
    )
    done = simulate("--json", "--", sys.executable, "-c", code)
    assert len(json.loads(done.stdout)["processes"]) == 1
    assert done.stderr.splitlines()[-1] == "everything was released"


def test_a_process_that_was_ended_while_it_wrote_is_shown_as_far_as_it_came() -> None:
    code = (
        "import json, os, acl\n"
        "from pathlib import Path\n"
        "folder = Path(os.environ['ATLAS_HPE_SIM_LEDGERS'])\n"
        "report = {'pid': 2, 'calls': {}, 'live': [], 'notes': ['first']}\n"
        "lines = [json.dumps([report]), json.dumps(['note', 'second']), '[\"no']\n"
        "folder.joinpath('1.jsonl').write_text('')\n"
        "folder.joinpath('2.jsonl').write_text('\\n'.join(lines))\n"
    )
    done = simulate("--json", "--", sys.executable, "-c", code)
    notes = [process["notes"] for process in json.loads(done.stdout)["processes"]]
    assert sorted(notes) == [[], ["first", "second"]]


def test_a_process_that_outlives_the_command_ends_in_silence(tmp_path: Path) -> None:
    code = "from atlas_hpe_runtime.simulator.child import take_over; take_over()"
    variables = {**os.environ, "ATLAS_HPE_SIM_LEDGERS": str(tmp_path / "gone")}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_ctrl_c_is_the_programs_to_answer_and_the_ledger_still_comes(tmp_path: Path) -> None:
    path = tmp_path / "loop.py"
    path.write_text(
        "import os, signal, sys, time\n"
        "import acl\n"
        "acl.init()\n"
        "try:\n"
        "    os.killpg(0, signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(3)\n"
    )
    words = [sys.executable, "-m", "atlas_hpe", "simulate", "--", sys.executable, str(path)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, start_new_session=True, check=False
    )
    assert "1 not released:" in done.stderr
    assert f"acl.init at {path}:3" in done.stderr
    assert done.returncode == 3


def test_a_stop_that_reached_only_the_command_ends_the_program_with_its_ledger() -> None:
    code = (
        "import os, signal, time, acl\n"
        "acl.init()\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(60)\n"
    )
    done = simulate("--", sys.executable, "-c", code)
    assert "1 not released:" in done.stderr
    # Python 3.7 ends with 1 where later ones die of the signal.
    assert done.returncode == (1 if sys.version_info < (3, 8) else 128 + signal.SIGINT)


def test_a_python_without_this_package_is_told(tmp_path: Path) -> None:
    done = simulate("--", sys.executable, "-S", "-c", "import acl", PYTHONPATH=python_path())
    if done.returncode == 0:
        pytest.skip("this interpreter finds everything without its site folder")
    assert "the simulated acl needs atlas-hpe in the Python that runs" in done.stderr


def python_path() -> str:
    import atlas_hpe

    root = str(Path(str(atlas_hpe.__file__)).parent.parent)
    return os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["simulate", *arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("option", "name"),
    [("--mode=usb", "MODE"), ("--devices=-1", "DEVICES"), ("--memory-mb=0", "MEMORY_MB")],
)
def test_an_impossible_setting_names_its_option_and_its_variable(option: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        invoke(option, "--", "x")
    assert caught.value.where == f"{option.split('=')[0]}, ATLAS_HPE_SIM_{name}"


def test_an_option_goes_before_a_variable_that_makes_no_sense(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATLAS_HPE_SIM_MODE", "usb")
    monkeypatch.setenv("ATLAS_HPE_SIM_FAIL", "nonsense")
    done = invoke("--mode", "ep", "--fail", "", "--", sys.executable, "-c", "")
    assert done.exit_code == 0


def test_a_program_that_is_not_there_is_named_with_what_to_give() -> None:
    with pytest.raises(UsageError, match="can't be started") as caught:
        invoke("--", "no-such-program-here")
    assert caught.value.where == "no-such-program-here" and caught.value.fix


def test_bad_requests_are_one_clear_error(tmp_path: Path) -> None:
    for wrong in (
        ("--mode", "pcie", "--", "x"),
        ("--cann", "9", "--", "x"),
        ("--fail", "acl.rt.mallok=1", "--", "x"),
        ("--fail", "nonsense", "--", "x"),
        ("--", "no-such-program-here"),
        ("--", str(tmp_path)),
    ):
        with pytest.raises(UsageError):
            invoke(*wrong)
    with pytest.raises(OutputError):
        invoke("--ledger", str(tmp_path / "ledger.txt"), "--", "x")
    assert invoke().exit_code == 2


def test_a_ledger_is_not_overwritten_unasked(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "ledger.json"
    out.write_text("mine")
    with pytest.raises(OutputError):
        invoke("--ledger", str(out), "--", sys.executable, str(program))
    assert out.read_text() == "mine"
    done = invoke("--ledger", str(out), "--force", "--", sys.executable, str(program), "seven")
    assert done.exit_code == 7
    assert json.loads(out.read_text())["exit_code"] == 7


@pytest.mark.parametrize("made", ["atlas-hpe-simulate-", "modules"])
def test_ctrl_c_while_it_makes_its_folder_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    real = os.mkdir

    def interrupted(path: Any, *details: Any) -> None:
        real(path, *details)
        if Path(path).name.startswith(made):
            raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "mkdir", interrupted)
    monkeypatch.setattr(Path, "mkdir", lambda path, mode=0o777: interrupted(path, mode))
    with pytest.raises(KeyboardInterrupt):
        launch([sys.executable, "-c", ""], SimulatorSettings())
    assert list(tmp_path.iterdir()) == []
