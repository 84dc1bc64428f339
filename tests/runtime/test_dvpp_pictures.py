"""JPEG decoding, cropping and hand-over to a model with AIPP, on the simulated device."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Iterator, Tuple

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas_hpe.aipp import aipp_spec, apply_aipp, bgr_to_nv12, choose_aipp_input
from atlas_hpe.card import PreprocessSpec, TensorSpec
from atlas_hpe.errors import DeviceError, SessionError, SourceError
from atlas_hpe.geometry import Box, apply_affine, to_pixel_centres
from atlas_hpe_runtime.acl.dvpp import (
    Cropper,
    CropPlan,
    DevicePicture,
    DvppChannel,
    Fallback,
    decode_jpeg,
    plan_crop,
)
from atlas_hpe_runtime.acl.dvpp.jpeg import JPEG_MATRIX
from atlas_hpe_runtime.acl.dvpp.layout import vpc_layout
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from dvpp_device import CopyCounter, jpeg_bytes, machine_of, simulated_device, smooth_picture
from tiny_onnx import model, node

SIZE = 64
PREPROCESS = PreprocessSpec(SIZE, SIZE, "rgb", "crop", (127.5,) * 3, (127.5,) * 3)
AIPP = aipp_spec(PREPROCESS, choose_aipp_input(PREPROCESS, "nv12", colour_range="full"))


@pytest.fixture(scope="module")
def echo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with AIPP whose output is what AIPP made of the picture."""
    shape = (1, 3, SIZE, SIZE)
    graph = model([node("Identity", ["image"], ["seen"])], {"image": shape}, {"seen": shape})
    path = tmp_path_factory.mktemp("echo") / "echo.om"
    write_simulated_model(path, SimulatedModel(graph, aipp={"image": AIPP}))
    return path


@pytest.fixture(params=[("rc", "6.0"), ("ep", "6.0"), ("ep", "5.0")], ids="-".join)
def owner(request: pytest.FixtureRequest) -> Iterator[DeviceOwner]:
    mode, cann = request.param
    with simulated_device(mode, cann) as owner:
        yield owner


@pytest.fixture()
def channel(owner: DeviceOwner) -> Iterator[DvppChannel]:
    with DvppChannel(owner) as channel:
        yield channel


def decoded(channel: DvppChannel, picture: np.ndarray) -> DevicePicture:
    found = decode_jpeg(channel, jpeg_bytes(picture))
    assert isinstance(found, DevicePicture), str(found)
    return found


def planned(size_px: Tuple[int, int], region: Box, out_px: int = SIZE) -> CropPlan:
    plan = plan_crop(size_px, region, (out_px, out_px))
    assert isinstance(plan, CropPlan), str(plan)
    return plan


def test_a_jpeg_reaches_the_network_and_no_pixel_crosses_the_host(
    channel: DvppChannel, owner: DeviceOwner, echo_model: Path
) -> None:
    rgb = smooth_picture(640, 480)
    file = jpeg_bytes(rgb, subsampling="4:2:0")
    cropper = Cropper(channel)
    with AclSession(owner.acl, echo_model) as session:
        out = cropper.make_output((SIZE, SIZE), JPEG_MATRIX)
        with CopyCounter(owner) as copies:
            picture = decode_jpeg(channel, file)
            assert isinstance(picture, DevicePicture)
            plan = planned(picture.size_px, Box(101.7, 55.2, 300.4, 300.4))
            cropper.crop(picture, plan, out)
            seen = session.run({"image": out.as_tensor(session.inputs[0])})["seen"]
    # The file goes in, the output comes out; neither the picture nor the crop is ever copied.
    assert copies.sizes == [len(file), seen.nbytes]

    bgr = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    crop = cv2.warpAffine(bgr, to_pixel_centres(plan.affine), (SIZE, SIZE))
    expected = apply_aipp(bgr_to_nv12(crop, JPEG_MATRIX), AIPP).astype(np.float32)
    difference = np.abs(seen - expected) * 127.5
    assert difference.max() < 6  # steps of 255; chroma is filtered at half size on the device
    assert difference.mean() < 1


def test_the_picture_comes_back_without_the_gaps_of_the_strides(channel: DvppChannel) -> None:
    rgb = smooth_picture(201, 151)
    planes = decoded(channel, rgb).download()
    assert planes.shape == (152 * 3 // 2, 202)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(planes[:151, :201] - luma).max() < 4


def test_a_grey_jpeg_has_grey_chroma(channel: DvppChannel) -> None:
    planes = decoded(channel, smooth_picture(64, 48)[..., 1]).download()
    assert np.all(planes[48:] == 128)


def test_a_jpeg_outside_the_limits_never_reaches_the_device(channel: DvppChannel) -> None:
    before = machine_of(channel.owner).faults.counts()
    found = decode_jpeg(channel, jpeg_bytes(smooth_picture(64, 48), progressive=True))
    assert isinstance(found, Fallback)
    assert "progressive" in found.reason
    assert machine_of(channel.owner).faults.counts() == before


def test_what_is_no_jpeg_is_refused_with_its_name(channel: DvppChannel) -> None:
    with pytest.raises(SourceError) as caught:
        decode_jpeg(channel, b"GIF89a", where="hand.gif")
    assert caught.value.where == "hand.gif"


def test_a_jpeg_with_damaged_pixels_is_an_error_that_names_the_call(channel: DvppChannel) -> None:
    file = jpeg_bytes(smooth_picture(64, 48))
    with pytest.raises(DeviceError, match=r"dvpp_jpeg_decode_async|synchronize_stream"):
        decode_jpeg(channel, file[:400])


def test_work_that_failed_is_waited_for_before_its_memory_goes() -> None:
    fault = "acl.rt.synchronize_stream@1=507899"
    with simulated_device(fail=fault) as owner, DvppChannel(owner) as channel:
        with pytest.raises(DeviceError, match="synchronize_stream"):
            decode_jpeg(channel, jpeg_bytes(smooth_picture(64, 48)))
        assert machine_of(owner).faults.counts()["acl.rt.synchronize_stream"] == 2


@settings(max_examples=15)
@given(st.floats(-40, 160), st.floats(-40, 120), st.floats(60, 200), st.floats(0.2, 0.8), st.data())
def test_a_point_of_the_crop_is_where_the_map_says(
    x: float, y: float, side: float, place: float, data: st.DataObject
) -> None:
    region = Box(x, y, side, side)
    plan = plan_crop((240, 180), region, (128, 128))
    if isinstance(plan, Fallback):
        return
    cut = plan.cut
    # A soft dot well inside what is cut.
    low = np.array([cut.left, cut.top]) + 12
    high = np.array([cut.right, cut.bottom]) - 12
    if np.any(high <= low):
        return
    dot = low + (high - low) * np.array([place, data.draw(st.floats(0, 1))])
    grid = np.stack(np.meshgrid(np.arange(240) + 0.5, np.arange(180) + 0.5), axis=-1)
    bright = 200 * np.exp(-((grid - dot) ** 2).sum(axis=-1) / 18)
    with simulated_device() as owner, DvppChannel(owner) as channel:
        picture = decoded(channel, np.dstack([bright.astype(np.uint8)] * 3))
        cropper = Cropper(channel, border_luma=0)
        out = cropper.make_output((128, 128), JPEG_MATRIX)
        cropper.crop(picture, plan, out)
        luma = out.download()[:128].astype(np.float64)
    weight = np.where(luma > 20, luma, 0)
    cells = np.stack(np.meshgrid(np.arange(128) + 0.5, np.arange(128) + 0.5), axis=-1)
    centre = (cells * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
    assert np.abs(centre - apply_affine(plan.affine, dot)).max() < 0.5


def test_the_border_is_grey_whatever_lay_there_before(channel: DvppChannel) -> None:
    picture = decoded(channel, smooth_picture(240, 180))
    cropper = Cropper(channel, border_luma=77)
    out = cropper.make_output((SIZE, SIZE), JPEG_MATRIX)
    cropper.crop(picture, planned(picture.size_px, Box(20, 20, 100, 100)), out)
    plan = planned(picture.size_px, Box(-50, -50, 100, 100))
    assert plan.paste.left == plan.paste.top == 32
    cropper.crop(picture, plan, out)
    planes = out.download()
    assert np.all(planes[:32, :SIZE] == 77)
    assert np.all(planes[:SIZE, :32] == 77)
    assert np.all(planes[SIZE : SIZE + 16] == 128)
    assert np.all(planes[SIZE:, :32] == 128)
    assert planes[32:SIZE, 32:].std() > 1


def test_memory_is_used_again(channel: DvppChannel) -> None:
    file = jpeg_bytes(smooth_picture(64, 48))
    addresses = set()
    for _ in range(5):
        picture = decode_jpeg(channel, file)
        assert isinstance(picture, DevicePicture)
        addresses.add(picture.pointer)
        del picture
        gc.collect()
    counts = machine_of(channel.owner).faults.counts()
    assert len(addresses) == 1
    assert counts["acl.media.dvpp_malloc"] == 2  # the file and the picture


def test_a_released_picture_can_not_be_used(channel: DvppChannel) -> None:
    picture = decoded(channel, smooth_picture(64, 48))
    picture.release()
    picture.release()
    with pytest.raises(SessionError, match="no longer in device memory"):
        picture.download()


def test_pictures_are_gone_with_their_channel(owner: DeviceOwner) -> None:
    with DvppChannel(owner) as channel:
        picture = decoded(channel, smooth_picture(64, 48))
        cropper = Cropper(channel)
        out = cropper.make_output((SIZE, SIZE), JPEG_MATRIX)
        tensor = out.as_tensor(TensorSpec("image", (1, 96, 64, 1), "uint8"))
    channel.close()
    with pytest.raises(SessionError, match="no longer in device memory"):
        picture.download()
    assert not out.holds(tensor)
    with pytest.raises(SessionError, match="released"):
        cropper.make_output((SIZE, SIZE), JPEG_MATRIX)
    with pytest.raises(SessionError, match="closed"):
        channel.run("media.dvpp_vpc_resize_async")
    picture.release()


def test_a_crop_that_was_written_over_is_not_fed(
    channel: DvppChannel, owner: DeviceOwner, echo_model: Path
) -> None:
    picture = decoded(channel, smooth_picture(240, 180))
    cropper = Cropper(channel)
    plan = planned(picture.size_px, Box(20, 20, 100, 100))
    out = cropper.make_output((SIZE, SIZE), JPEG_MATRIX)
    with AclSession(owner.acl, echo_model) as session:
        cropper.crop(picture, plan, out)
        tensor = out.as_tensor(session.inputs[0])
        cropper.crop(picture, plan, out)
        with pytest.raises(SessionError, match="no longer there"):
            session.run({"image": tensor})


@pytest.mark.parametrize(
    ("size_px", "spec"),
    [
        ((64, 64), TensorSpec("image", (1, 3, 64, 64), "float32")),
        ((64, 64), TensorSpec("image", (1, 96, 80, 1), "uint8")),
        ((72, 64), TensorSpec("image", (1, 96, 72, 1), "uint8")),
    ],
    ids=["floats", "another size", "gaps between the rows"],
)
def test_a_picture_that_does_not_fit_the_input_is_refused(
    size_px: Tuple[int, int], spec: TensorSpec
) -> None:
    with simulated_device() as owner, DvppChannel(owner) as channel:
        picture = DevicePicture(channel.pool, vpc_layout(*size_px), JPEG_MATRIX)
        with pytest.raises(SessionError, match="does not fit the input 'image'"):
            picture.as_tensor(spec)
