"""``atlas-hpe run`` as a user types it: exit codes, messages, nothing half-written."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Tuple

import click
import pytest

import clips
import tiny_onnx
from atlas_hpe.cli.run import command
from atlas_hpe_pipelines import SHOW, SMOOTHING
from atlas_hpe_pipelines.sinks import PALETTES
from atlas_hpe_pipelines.sources.source import DROPS

pytest.importorskip("onnxruntime")

COMMAND = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "run"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips.encode(clips.spot_frames(10), tmp_path / "clip.mp4")
    (tmp_path / "hand.onnx").write_bytes(tiny_onnx.hand_model())
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=str(folder), capture_output=True, text=True, timeout=120
    )


def test_a_run_reports_on_stderr_and_writes_its_outputs(folder: Path) -> None:
    done = run(folder, "clip.mp4", "--model", "hand.onnx", "--out", "a.gif", "--out", "a.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "10 frames in" in done.stderr
    assert "frames/s" in done.stderr
    for stage in ("decode", "crop", "infer", "joints", "draw", "gif"):
        assert stage in done.stderr
    assert (folder / "a.gif").read_bytes()[:6] == b"GIF89a"
    assert len((folder / "a.jsonl").read_text().splitlines()) == 10


def test_json_goes_to_stdout(folder: Path) -> None:
    done = run(folder, "clip.mp4", "--model", "hand.onnx", "--out", "a.jsonl", "--json")
    report = json.loads(done.stdout)
    assert report["frames"] == 10
    assert [stage["name"] for stage in report["stages"]] == [
        "decode", "crop", "infer", "joints", "smooth", "jsonl",
    ]  # fmt: skip


def test_wide_pictures_are_shrunk_on_request(folder: Path) -> None:
    arguments = ["--model", "hand.onnx", "--out", "a.gif", "--max-width-px", "32"]
    done = run(folder, "clip.mp4", *arguments)
    assert done.returncode == 0, done.stderr
    assert (folder / "a.gif").read_bytes()[6:10] == bytes([32, 0, 24, 0])


def test_frames_that_a_gif_can_not_show_are_counted(folder: Path) -> None:
    clips.encode(clips.spot_frames(60), folder / "fast.mp4", fps=120)
    arguments = ["--model", "hand.onnx", "--out", "a.gif", "--out", "a.jsonl", "--json"]
    done = run(folder, "fast.mp4", *arguments)
    outputs = {item["path"]: item["dropped"] for item in json.loads(done.stdout)["outputs"]}
    assert outputs["a.jsonl"] == 0
    assert 30 <= outputs["a.gif"] < 60
    assert f"{outputs['a.gif']} of 60 frames were left out" in done.stderr


def bad_files(folder: Path) -> None:
    (folder / "notes.mp4").write_text("not a video\n" * 50)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "taken.gif").write_bytes(b"precious")
    (folder / "damaged.onnx").write_bytes((folder / "hand.onnx").read_bytes()[:300])
    nodes = [tiny_onnx.node("Relu", ["x"], ["y"])]
    plain = tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)})
    (folder / "plain.onnx").write_bytes(plain)
    card = {"atlas_hpe.card": '{"card_version": 99}'}
    future = tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)}, metadata=card)
    (folder / "future.onnx").write_bytes(future)
    weights = [tiny_onnx.external_tensor("w", (4,), "/etc/passwd")]
    thief = tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)}, weights)
    (folder / "thief.onnx").write_bytes(thief)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.mp4", "--out", "a.gif"], "does not exist"),
        ([".", "--out", "a.gif"], "the folder has no pictures"),
        (["notes.mp4", "--out", "a.gif"], "no frame can be decoded"),
        (["empty.mp4", "--out", "a.gif"], "no frame can be decoded"),
        (["clip.mp4", "--out", "a.xyz"], "known are .csv, .gif, .jsonl, .mp4, .npz, .webm"),
        (["clip.mp4", "--out", "a"], "known are"),
        (["clip.mp4", "--out", "taken.gif"], "--force"),
        (["clip.mp4", "--out", "nowhere/a.gif"], "mkdir -p"),
        (["clip.mp4", "--out", "clip.mp4", "--force"], "overwrite"),
        (["clip.mp4", "--out", "a.gif", "--box", "1,2,3"], "is not a box"),
        (["clip.mp4", "--out", "a.gif", "--box", "0,0,0,5"], "is impossible"),
        (["clip.mp4", "--out", "a.gif", "--box", "900,0,5,5"], "outside the picture"),
        (["clip.mp4", "--out", "a.gif", "--box", "0,0,5,5", "--full-frame"], "contradict"),
        (["clip.mp4", "--out", "a.gif", "--full-frame", "--detector", "hand.onnx"], "contradict"),
        (["clip.mp4", "--out", "a.gif", "--box", "0,0,5,5", "--detector", "e.onnx"], "contradict"),
        (["clip.mp4", "--out", "a.gif", "--detector", "hand.onnx"], "no crop of a hand"),
        (["clip.mp4", "--out", "a.gif", "--max-hands", "0"], "Invalid value for '--max-hands'"),
        (["clip.mp4", "--out", "a.gif", "--backend", "npu"], "no back-end 'npu'"),
        (["clip.mp4", "--out", "a.gif", "--model", "damaged.onnx"], "damaged"),
        (["clip.mp4", "--out", "a.gif", "--model", "plain.onnx"], "has no card"),
        (["clip.mp4", "--out", "a.gif", "--model", "future.onnx"], "found 99"),
        (["clip.mp4", "--out", "a.gif", "--model", "thief.onnx"], "outside its own folder"),
        (["clip.mp4", "--out", "-", "--json"], "both write to standard output"),
        (["clip.mp4", "--out", "a.gif", "--show", "heatmap"], "no heatmaps"),
        (["clip.mp4", "--out", "a.gif", "--decode", "device"], "device"),
        (["clip.mp4"], "Missing option"),
    ],
)
def test_bad_input_is_one_clear_error_and_no_output(
    folder: Path, arguments: List[str], message: str
) -> None:
    bad_files(folder)
    before = sorted(item.name for item in folder.iterdir())
    if "--model" not in arguments:
        arguments = [*arguments, "--model", "hand.onnx"]
    done = run(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(item.name for item in folder.iterdir()) == before
    assert (folder / "taken.gif").read_bytes() == b"precious"


def test_force_replaces(folder: Path) -> None:
    bad_files(folder)
    done = run(folder, "clip.mp4", "--model", "hand.onnx", "--out", "taken.gif", "--force")
    assert done.returncode == 0, done.stderr
    assert (folder / "taken.gif").read_bytes()[:6] == b"GIF89a"


def test_a_truncated_video_gives_its_frames_and_a_warning(folder: Path) -> None:
    path = clips.encode(
        clips.spot_frames(60), folder / "cut.mp4", "-movflags", "+faststart", "-g", "5"
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])
    done = run(folder, "cut.mp4", "--model", "hand.onnx", "--out", "cut.jsonl")
    assert done.returncode == 0, done.stderr
    lines = len((folder / "cut.jsonl").read_text().splitlines())
    assert 0 < lines < 60
    assert f"read {lines} of the 60 frames" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_daemon_without_stderr_can_run_it(folder: Path) -> None:
    words = [*COMMAND, "clip.mp4", "--model", "hand.onnx", "--out", "a.gif"]
    command = " ".join(shlex.quote(word) for word in words) + " 2>&-"
    done = subprocess.run(["bash", "-c", command], cwd=str(folder), timeout=60)
    assert done.returncode == 0
    assert (folder / "a.gif").exists()


def test_a_full_standard_output_is_one_clear_error(folder: Path) -> None:
    arguments = ["clip.mp4", "--model", "hand.onnx", "--out", "a.jsonl", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=str(folder), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 4
    assert "the system refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_standard_error_keeps_the_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "nosuch.mp4", "--out", "a.gif"], stderr=full, timeout=60)
    assert done.returncode == 2


def test_a_reader_that_went_away_is_no_failed_check() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [*COMMAND[:-1], "doctor"]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert done.returncode == 4
    assert done.stderr == ""


def test_nohup_keeps_it_running(folder: Path) -> None:
    clips.encode(clips.spot_frames(600, 160, 120), folder / "long.mp4", "-preset", "ultrafast")
    arguments = ["long.mp4", "--model", "hand.onnx", "--out", "long.gif"]
    process = subprocess.Popen(
        ["nohup", *COMMAND, *arguments], cwd=str(folder), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob(".long*.gif")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert (folder / "long.gif").exists()


@pytest.mark.parametrize("delay_s", [0.05, 0.15, 0.3, 0.5])
def test_a_stop_while_it_starts_is_an_interruption_and_nothing_else(
    folder: Path, delay_s: float
) -> None:
    clips.encode(clips.spot_frames(3000, 320, 240), folder / "long.mp4", "-preset", "ultrafast")
    arguments = ["long.mp4", "--model", "hand.onnx", "--out", "long.gif"]
    before = sorted(item.name for item in folder.iterdir())
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=str(folder), stderr=subprocess.PIPE, text=True
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # Python itself may not be far enough to hear it as more than a signal; 3.7 makes that a 1.
    unheard = 1 if sys.version_info < (3, 8) else -signal.SIGINT
    assert process.returncode in (130, unheard), errors
    assert process.returncode != 1 or errors.endswith("KeyboardInterrupt\n")
    assert "pip install" not in errors
    assert sorted(item.name for item in folder.iterdir()) == before


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_in_the_middle_leaves_nothing(
    folder: Path, suffix: str, number: signal.Signals
) -> None:
    clips.encode(clips.spot_frames(6000, 320, 240), folder / "long.mp4", "-preset", "ultrafast")
    out = folder / "out"
    out.mkdir()
    arguments = ["long.mp4", "--model", "hand.onnx", "--out", f"out/long{suffix}"]
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=str(folder), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not any(out.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    assert process.poll() is None, "the run ended before it could be interrupted"
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list(out.iterdir()) == []


def test_the_names_of_options_are_those_of_the_parts() -> None:
    options = {option.name: option for option in command.params}
    assert names_of(options["show"]) == tuple(SHOW)
    assert names_of(options["smooth"]) == SMOOTHING
    assert names_of(options["drop"]) == DROPS
    assert names_of(options["palette"]) == PALETTES


def names_of(option: click.Parameter) -> Tuple[str, ...]:
    assert isinstance(option.type, click.Choice)
    return tuple(option.type.choices)


def test_joints_on_standard_output_are_one_line_for_each_frame(folder: Path) -> None:
    done = run(folder, "clip.mp4", "--model", "hand.onnx", "--out", "-", "--smooth", "off")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == list(range(10))
