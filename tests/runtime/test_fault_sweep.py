"""Every place from which a run calls ACL fails once: one clear error, and nothing stays."""

from __future__ import annotations

import csv
import re
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest
from acl_board import negation, random_array, write_model

import clips
import tiny_onnx
from atlas_hpe.aipp import aipp_spec, choose_aipp_input
from atlas_hpe.card import PreprocessSpec
from atlas_hpe.errors import DeviceError
from atlas_hpe.geometry import Box
from atlas_hpe_pipelines import Pipeline
from atlas_hpe_pipelines.sources import open_device_video
from atlas_hpe_runtime import acl as acl_package
from atlas_hpe_runtime import open_session, read_tensor
from atlas_hpe_runtime.acl.api import Acl, acquire, device_error, load_acl
from atlas_hpe_runtime.acl.dvpp import (
    Cropper,
    CropPlan,
    DevicePicture,
    DvppChannel,
    decode_jpeg,
    plan_crop,
)
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.simulator import SimulatorSettings
from atlas_hpe_runtime.simulator.sweep import Outcome, record_calls, sweep, write_table
from dvpp_device import jpeg_bytes, smooth_picture

pytest.importorskip("onnxruntime")

Job = Callable[[], None]
#: What the sweeps leave for the reader.
TABLE = Path(__file__).parents[2] / "build" / "fault_sweep.csv"
RC, EP, OLD = SimulatorSettings(), SimulatorSettings(mode="ep"), SimulatorSettings("ep", "5.0")
#: Its failure looks like the answer "no error": it gives no code of its own.
_MUTE = "acl.media.dvpp_get_pic_desc_ret_code"
_SHAPE = (1, 3, 4, 4)
_CALL_NAME = re.compile(
    r'"((?:rt|mdl|media|util)\.[a-z0-9_]+|(?:create|destroy|update)_data_buffer)"'
)
#: Asked only of a device that gave a long name another one; the simulated one does so elsewhere.
_NOT_FAILED = {"mdl.get_tensor_real_name"}
_SOURCES = Path(acl_package.__file__).parent


def pipeline_job(folder: Path) -> Job:
    """A clip through the pipeline, as `atlas-hpe run` does it."""
    model, clip = folder / "tiny.onnx", folder / "clip.mp4"
    model.write_bytes(tiny_onnx.hand_model())
    clips.encode(clips.spot_frames(3), clip, "-crf", "5")

    def run() -> None:
        frames = sum(1 for _ in Pipeline(clip, model, backend="simulator"))
        assert frames == 3

    return run


def session_job(folder: Path) -> Job:
    """A model of one shape in all ways a session has: at once, in flight, device to device."""
    path = write_model(folder, negation())

    def run() -> None:
        x = random_array(_SHAPE)
        with open_session(path, backend="simulator") as session, AclSession(
            load_acl(), path.read_bytes(), SessionOptions()
        ) as other:
            for handle in [session.submit({"x": x}) for _ in range(2)]:
                assert (session.result(handle)["y"] == -x).all()
            tensors = session.run_resident({"x": x})
            assert (other.run({"x": tensors["y"]})["y"] == x).all()
            assert (read_tensor(tensors["y"]) == -x).all()

    return run


def profile_job(folder: Path) -> Job:
    """Models of several batches, picture sizes and shapes."""
    free = {"n": (-1, 3, 4, 4), "h": (1, 3, -1, -1), "d": (-1, 3, -1, 4)}
    paths = [
        write_model(
            folder,
            negation(("n", 3, 4, 4)),
            "batch.om",
            input_shapes={"x": free["n"]},
            dynamic_batch=(1, 2),
        ),
        write_model(
            folder,
            negation((1, 3, "h", "w")),
            "size.om",
            input_shapes={"x": free["h"]},
            dynamic_image_size=((4, 4), (8, 8)),
        ),
        write_model(
            folder,
            negation(("n", 3, "h", 4)),
            "dims.om",
            input_format="ND",
            input_shapes={"x": free["d"]},
            dynamic_dims=((1, 4), (2, 8)),
        ),
    ]

    def run() -> None:
        for path in paths:
            with open_session(path, backend="simulator") as session:
                session.run({"x": random_array(_SHAPE)})

    return run


def guest_job(folder: Path) -> Job:
    """A session in a program that uses ACL itself: its context stays its own."""
    path = write_model(folder, negation())

    def run() -> None:
        acl = Acl(sys.modules["acl"], simulated=True)  # a gate of the program's own
        with ExitStack() as stack:
            code = acl.try_call("init")[1]
            if code not in (0, 100002):
                raise device_error("init", code)
            acl.call("rt.set_device", 0)
            stack.callback(acl.release, "rt.reset_device", 0)
            acquire(stack, acl, "rt.create_context", 0, undo="rt.destroy_context")
            with AclSession(acl, path, SessionOptions()) as session:
                session.run({"x": random_array(_SHAPE)})

    return run


def picture_job(folder: Path) -> Job:
    """A JPEG decoded, cropped and read by a model with AIPP, all on the device."""
    size, matrix = 64, "bt601-wide"
    spec = PreprocessSpec(size, size, "rgb", "crop", (127.5,) * 3, (127.5,) * 3)
    shape = (1, 3, size, size)
    fed = choose_aipp_input(spec, "nv12", colour_range="full")
    path = write_model(folder, negation(shape), "aipp.om", aipp={"x": aipp_spec(spec, fed)})
    jpeg = jpeg_bytes(smooth_picture(240, 180))

    def run() -> None:
        with ExitStack() as stack:
            session = stack.enter_context(open_session(path, backend="simulator"))
            channel = stack.enter_context(DvppChannel(stack.enter_context(held_device())))
            picture = decode_jpeg(channel, jpeg, "test.jpg")
            assert isinstance(picture, DevicePicture)
            cropper = Cropper(channel)
            out = cropper.make_output((size, size), matrix)
            for region in (Box(20, 20, 100, 100), Box(-50, -50, 100, 100)):
                plan = plan_crop(picture.size_px, region, (size, size))
                assert isinstance(plan, CropPlan)
                cropper.crop(picture, plan, out)
                session.run({"x": out.as_tensor(session.inputs[0])})
            out.download()

    return run


def video_job(folder: Path) -> Job:
    """An H.264 clip decoded on the device."""
    clip = folder / "clip.mp4"
    clips.encode(clips.spot_frames(5, 160, 128), clip, "-pix_fmt", "yuv420p", "-bf", "1")

    def run() -> None:
        with closing(open_device_video(clip, acl=load_acl())) as source:
            assert source.fallback is None
            assert sum(int(frame.image.any()) for frame in source.frames()) == 5

    return run


JOBS = {
    "pipeline": (pipeline_job, RC),
    "sessions": (session_job, EP),
    "sessions, NumPy pointers": (session_job, OLD),
    "profiles": (profile_job, RC),
    "guest": (guest_job, RC),
    "pictures": (picture_job, EP),
    "video": (video_job, RC),
}


@contextmanager
def held_device() -> Iterator[DeviceOwner]:
    owner = DeviceOwner.acquire(load_acl(), 0)
    try:
        yield owner
    finally:
        owner.release()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, List[Outcome]]:
    """Of each job; written down as well."""
    found = {
        name: sweep(make(tmp_path_factory.mktemp("job")), settings)
        for name, (make, settings) in JOBS.items()
    }
    TABLE.parent.mkdir(exist_ok=True)
    write_table(TABLE, [outcome for each in found.values() for outcome in each])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("job", list(JOBS))
def test_any_call_may_fail(job: str, outcomes: Dict[str, List[Outcome]]) -> None:
    assert len(outcomes[job]) > 20
    bad = [item for item in outcomes[job] if item.problems and item.call != _MUTE]
    assert bad == []


@pytest.mark.slow
def test_every_call_that_the_runtime_knows_was_failed(outcomes: Dict[str, List[Outcome]]) -> None:
    named = set()
    for source in _SOURCES.rglob("*.py"):
        if source.name not in ("api.py", "codes.py"):  # tables of all calls there are
            named |= set(_CALL_NAME.findall(source.read_text(encoding="utf-8")))
    failed = {item.call[len("acl.") :] for each in outcomes.values() for item in each}
    assert len(named) > 70
    assert named - failed <= _NOT_FAILED


@pytest.mark.slow
def test_the_table_has_a_line_for_each_fault(outcomes: Dict[str, List[Outcome]]) -> None:
    with TABLE.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["call", "n", "site", "error shown", "handles left", "problems"]
    assert len(rows) == 1 + sum(len(each) for each in outcomes.values())


def test_the_places_of_a_run_are_those_of_the_runtime(tmp_path: Path) -> None:
    path = write_model(tmp_path, negation())

    def run() -> None:
        with open_session(path, backend="simulator") as session:
            for _ in range(2):
                session.run({"x": random_array((1, 3, 4, 4))})

    places = {place.call: place for place in record_calls(run, SimulatorSettings())}
    assert places["acl.rt.set_device"].site.startswith("owner.py:")
    assert places["acl.mdl.execute_async"].count == 2
    assert places["acl.mdl.load_from_file"].count == 1


def outcome_of(job: Callable[[], None], call: str) -> Outcome:
    (outcome,) = [item for item in sweep(job) if item.call == call]
    return outcome


def test_a_program_that_ignores_a_failure_is_found_out() -> None:
    def ignore() -> None:
        import acl

        acl.init()
        acl.rt.set_device(0)
        acl.rt.reset_device(0)
        acl.finalize()

    assert "no error" in outcome_of(ignore, "acl.rt.set_device").problems


def test_a_program_that_leaves_things_or_says_too_little_is_found_out() -> None:
    def leave() -> None:
        import acl

        if acl.init() not in (0, 100002):
            raise DeviceError("acl.init failed")
        if acl.rt.set_device(0):
            raise DeviceError("acl.rt.set_device failed with 507000", fix="try again")
        pointer, _ = acl.rt.malloc(64, 0)
        if acl.rt.memset(pointer, 64, 0, 64):
            raise DeviceError("acl.rt.memset failed with 507000", fix="try again")
        acl.rt.free(pointer)
        if acl.rt.reset_device(0):
            raise KeyError("reset")

    assert outcome_of(leave, "acl.rt.set_device").problems == ()
    said = outcome_of(leave, "acl.init").problems
    assert said == ("the error does not name 507000", "the error says no fix")
    left = outcome_of(leave, "acl.rt.memset")
    assert left.live == 2
    assert any("device memory" in problem for problem in left.problems)
    assert outcome_of(leave, "acl.rt.reset_device").problems[0] == "not an error of our tree"
