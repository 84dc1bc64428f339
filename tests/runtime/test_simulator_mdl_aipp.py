"""AIPP on the simulator: compiled into the model, and chosen for each run."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Dict, List, Tuple

import numpy as np
import pytest
from mdl_programs import Board, Bound, picture_model

from atlas_hpe.aipp import CSC_MATRICES, AippSettings, AippSpec, DynamicAipp, apply_aipp
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

pytest.importorskip("onnxruntime")

HEIGHT, WIDTH = 4, 6
SPECS: Dict[str, AippSpec] = {
    "nv12": AippSpec(
        "nv12", WIDTH, HEIGHT, (1, 2, 3), (0.5, 0.25, 0), (0.5, 1, 2), CSC_MATRICES["bt601-wide"]
    ),
    "rgb": AippSpec("rgb", WIDTH, HEIGHT, (9, 8, 7), (0, 0, 0), (1, 1, 0.1), rbuv_swap=True),
    "xrgb": AippSpec("xrgb", WIDTH, HEIGHT, (0, 0, 0), (0, 0, 0), (1, 1, 1), ax_swap=True),
    "gray": AippSpec("gray", WIDTH, HEIGHT, (3,), (0,), (0.25,)),
}
CROPPED = replace(
    SPECS["nv12"], src_width_px=16, src_height_px=12, crop=(2, 4, 3, 2), padding=(1, 2, 0, 2)
)
BYTES = {"nv12": 36, "rgb": 72, "xrgb": 96, "gray": 24}
DIMS_V2 = {"nv12": [6, 6, 1], "rgb": [4, 6, 3], "xrgb": [4, 6, 4], "gray": [4, 6, 1]}
NUMBERS = {"nv12": 1, "xrgb": 2, "rgb": 3, "gray": 4}


def channels(spec: AippSpec) -> int:
    return len(spec.mean)


def model(aipp: AippSettings, count: int = 3, **settings: object) -> SimulatedModel:
    onnx = picture_model((1, count, HEIGHT, WIDTH))
    return SimulatedModel(onnx, aipp={"image": aipp}, **settings)  # type: ignore[arg-type]


def picture(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


@pytest.fixture(params=["rc", "ep"])
def board(request: pytest.FixtureRequest) -> Board:
    return Board(mode=request.param)


@pytest.mark.parametrize("name", SPECS)
def test_static_aipp_takes_bytes_and_gives_what_the_arithmetic_says(
    board: Board, name: str
) -> None:
    spec = SPECS[name]
    count = channels(spec)
    model_id = board.load(model(spec, count))
    mdl, desc = board.acl.mdl, board.desc(model_id)
    assert mdl.get_num_inputs(desc) == 1
    assert (mdl.get_input_data_type(desc, 0), mdl.get_input_format(desc, 0)) == (4, 1)
    assert mdl.get_input_size_by_index(desc, 0) == BYTES[name]
    assert mdl.get_input_dims(desc, 0)[0]["dims"] == [1, HEIGHT, WIDTH, count]
    assert mdl.get_input_dims_v2(desc, 0)[0]["dims"] == [1, *DIMS_V2[name]]
    assert mdl.get_aipp_type(model_id, 0) == (1, 0xFFFFFFFF, 0)
    data = picture(BYTES[name])
    (seen,) = board.run(model_id, [data.tobytes()])
    want = apply_aipp(data, spec).astype(np.float32)
    np.testing.assert_array_equal(np.frombuffer(seen, np.float32).reshape(want.shape), want)


def test_a_picture_that_is_cropped_is_fed_whole(board: Board) -> None:
    model_id = board.load(model(CROPPED))
    mdl, desc = board.acl.mdl, board.desc(model_id)
    assert mdl.get_input_size_by_index(desc, 0) == 16 * 12 * 3 // 2
    assert mdl.get_input_dims(desc, 0)[0]["dims"] == [1, HEIGHT, WIDTH, 3]
    assert mdl.get_input_dims_v2(desc, 0)[0]["dims"] == [1, 18, 16, 1]
    data = picture(288)
    (seen,) = board.run(model_id, [data.tobytes()])
    want = apply_aipp(data, CROPPED).astype(np.float32)
    np.testing.assert_array_equal(np.frombuffer(seen, np.float32).reshape(want.shape), want)


def test_a_model_of_another_layout_gets_its_picture_in_it() -> None:
    board = Board()
    onnx = picture_model((1, HEIGHT, WIDTH, 3))
    spec = SPECS["rgb"]
    model_id = board.load(SimulatedModel(onnx, input_format="NHWC", aipp={"image": spec}))
    desc = board.desc(model_id)
    assert board.acl.mdl.get_input_dims(desc, 0)[0]["dims"] == [1, HEIGHT, WIDTH, 3]
    data = picture(72)
    (seen,) = board.run(model_id, [data.tobytes()])
    want = apply_aipp(data, spec).transpose(0, 2, 3, 1).astype(np.float32)
    np.testing.assert_array_equal(np.frombuffer(seen, np.float32).reshape(want.shape), want)


def test_the_settings_of_static_aipp_can_be_asked_for() -> None:
    board = Board()
    model_id = board.load(model(CROPPED))
    info, ret = board.acl.mdl.get_first_aipp_info(model_id, 0)
    assert ret == 0
    want = {
        "inputFormat": 1,
        "cscSwitch": 1,
        "matrixR0C0": 256,
        "matrixR1C2": -183,
        "inputBias1": 128,
        "srcImageSizeW": 16,
        "srcImageSizeH": 12,
        "cropSwitch": 1,
        "loadStartPosW": 2,
        "loadStartPosH": 4,
        "cropSizeW": 3,
        "cropSizeH": 2,
        "resizeSwitch": 0,
        "paddingSwitch": 1,
        "leftPaddingSize": 1,
        "rightPaddingSize": 2,
        "topPaddingSize": 0,
        "bottomPaddingSize": 2,
        "meanChn1": 2,
        "minChn0": 0.5,
        "varReciChn2": 2,
        "srcDimNum": 4,
        "shapeCount": 1,
    }
    assert {key: info[key] for key in want} == want
    assert "matrixR0C2" not in info and "matrixR2C1" not in info
    (dims,) = info["outDims"]
    assert dims["srcDims"]["dims"] == [1, 18, 16, 1] and dims["srcSize"] == 288
    assert dims["aippOutdims"]["dims"] == [1, 3, 4, 6] and dims["aippOutSize"] == 144


def test_a_model_without_aipp_says_so() -> None:
    board = Board()
    model_id = board.load(picture_model())
    mdl = board.acl.mdl
    assert mdl.get_aipp_type(model_id, 0) == (0, 0xFFFFFFFF, 0)
    assert mdl.get_aipp_type(model_id, 1) == (0, 0xFFFFFFFF, 100000)
    assert mdl.get_aipp_type(99, 0) == (0, 0xFFFFFFFF, 145003)
    assert mdl.get_first_aipp_info(model_id, 0) == (None, 100038)
    assert mdl.get_first_aipp_info(model_id, 1) == (None, 100000)
    handle = mdl.create_aipp(1)
    dataset = board.dataset((board.malloc(bytes(288)), 288))
    for call in (mdl.set_input_aipp, mdl.set_aipp_by_input_index):
        assert call(model_id, dataset, 0, handle) == 145015


def test_aipp_with_a_dynamic_batch_takes_pictures_one_after_the_other(board: Board) -> None:
    spec = SPECS["nv12"]
    shapes = {"image": (-1, 3, HEIGHT, WIDTH)}
    model_id = board.load(model(spec, input_shapes=shapes, dynamic_batch=(1, 2)))
    mdl, desc = board.acl.mdl, board.desc(model_id)
    assert mdl.get_input_size_by_index(desc, 0) == 72
    assert mdl.get_input_dims(desc, 0)[0]["dims"] == [-1, HEIGHT, WIDTH, 3]
    assert mdl.get_input_dims_v2(desc, 0)[0]["dims"] == [-1, 6, 6, 1]
    data = picture(72)
    (seen,) = board.run(model_id, [data.tobytes(), bytes(8)])
    want = np.concatenate([apply_aipp(part, spec) for part in np.split(data, 2)])
    np.testing.assert_array_equal(np.frombuffer(seen, np.float32).reshape(want.shape), want)
    assert board.acl.mdl.get_first_aipp_info(model_id, 0)[0]["shapeCount"] == 2


def test_aipp_with_a_dynamic_image_size_takes_pictures_of_that_size(board: Board) -> None:
    onnx = picture_model((1, 3, "h", "w"))
    spec = SPECS["nv12"]
    model_id = board.load(
        SimulatedModel(
            onnx,
            aipp={"image": spec},
            input_shapes={"image": (1, 3, -1, -1)},
            dynamic_image_size=((4, 6), (8, 10)),
        )
    )
    mdl, desc = board.acl.mdl, board.desc(model_id)
    assert mdl.get_input_size_by_index(desc, 0) == 120
    assert mdl.get_input_dims_v2(desc, 0)[0]["dims"] == [1, -1, -1, 1]
    bound = board.bind(model_id, [picture(36).tobytes(), bytes(16)])
    assert mdl.set_dynamic_hw_size(model_id, bound.sources, 1, 4, 6) == 0
    assert bound.execute() == 0
    want = apply_aipp(picture(36), spec).astype(np.float32).reshape(-1)
    found = np.frombuffer(bound.results()[0], np.float32)[: want.size]
    np.testing.assert_array_equal(found, want)


def configure(board: Board, spec: AippSpec, batch: int = 1) -> int:
    """The setters of dynamic AIPP, for all pictures alike."""
    mdl = board.acl.mdl
    handle = mdl.create_aipp(batch)
    codes: List[int] = [
        mdl.set_aipp_input_format(handle, NUMBERS[spec.input_format]),
        mdl.set_aipp_src_image_size(handle, spec.src_width_px, spec.src_height_px),
        mdl.set_aipp_rbuv_swap_switch(handle, int(spec.rbuv_swap)),
        mdl.set_aipp_ax_swap_switch(handle, int(spec.ax_swap)),
    ]
    if spec.csc is not None:
        rows = [number for row in spec.csc.rows for number in row]
        biases = (*spec.csc.output_bias, *spec.csc.input_bias)
        codes.append(mdl.set_aipp_csc_params(handle, 1, *rows, *biases))
    fill = (0,) * (4 - channels(spec))
    for index in range(batch):
        if spec.crop:
            codes.append(mdl.set_aipp_crop_params(handle, 1, *spec.crop, index))
        left, right, top, bottom = spec.padding
        padding = (top, bottom, left, right)
        codes.append(mdl.set_aipp_padding_params(handle, int(any(padding)), *padding, index))
        codes.append(mdl.set_aipp_dtc_pixel_mean(handle, *spec.mean, *fill, index))
        codes.append(mdl.set_aipp_dtc_pixel_min(handle, *spec.minimum, *fill, index))
        codes.append(mdl.set_aipp_pixel_var_reci(handle, *spec.var_reci, *fill, index))
    assert codes == [0] * len(codes)
    return int(handle)


def dynamic(board: Board, count: int = 3, size: int = 288) -> Tuple[Bound, int]:
    """A model with dynamic AIPP, its buffers, and where its settings go."""
    model_id = board.load(model(DynamicAipp(size), count))
    desc = board.desc(model_id)
    index, ret = board.acl.mdl.get_input_index_by_name(desc, "ascend_dynamic_aipp_data")
    assert ret == 0
    return board.bind(model_id, [picture(size).tobytes(), bytes(160)]), index


def test_dynamic_aipp_has_a_hidden_input_for_its_settings(board: Board) -> None:
    bound, index = dynamic(board)
    mdl, desc = board.acl.mdl, board.desc(bound.model_id)
    assert (mdl.get_num_inputs(desc), index) == (2, 1)
    assert mdl.get_input_size_by_index(desc, 1) == 64 + 96
    assert mdl.get_input_size_by_index(desc, 0) == 288
    assert mdl.get_input_data_type(desc, 0) == 4
    assert mdl.get_aipp_type(bound.model_id, 0) == (2, 1, 0)
    assert mdl.get_aipp_type(bound.model_id, 1) == (3, 0xFFFFFFFF, 0)
    assert mdl.get_first_aipp_info(bound.model_id, 0) == (None, 100038)


@pytest.mark.parametrize("name", [*SPECS, "cropped"])
@pytest.mark.parametrize("by_input", [False, True])
def test_dynamic_aipp_follows_the_settings_of_the_run(
    board: Board, name: str, by_input: bool
) -> None:
    spec = SPECS.get(name, CROPPED)
    bound, index = dynamic(board, channels(spec))
    mdl = board.acl.mdl
    handle = configure(board, spec)
    if by_input:
        assert mdl.set_aipp_by_input_index(bound.model_id, bound.sources, 0, handle) == 0
    else:
        assert mdl.set_input_aipp(bound.model_id, bound.sources, index, handle) == 0
    assert mdl.destroy_aipp(handle) == 0
    assert bound.execute() == 0, board.machine.ledger.notes()
    size = int(np.prod(spec.buffer_shape))
    want = apply_aipp(picture(288)[:size], spec).astype(np.float32)
    found = np.frombuffer(bound.results()[0], np.float32).reshape(want.shape)
    np.testing.assert_array_equal(found, want)


def test_the_settings_lie_in_memory_as_documented() -> None:
    """Every field of ascend.md section 4.7, read with struct and nothing else."""
    board = Board()
    bound, index = dynamic(board)
    mdl = board.acl.mdl
    handle = mdl.create_aipp(1)
    assert mdl.set_aipp_input_format(handle, 3) == 0
    assert mdl.set_aipp_csc_params(handle, 1, *range(-4, 5), 11, 12, 13, 21, 22, 23) == 0
    assert mdl.set_aipp_rbuv_swap_switch(handle, 1) == mdl.set_aipp_ax_swap_switch(handle, 1) == 0
    assert mdl.set_aipp_src_image_size(handle, 640, 480) == 0
    assert mdl.set_aipp_scf_params(handle, 0, 1, 2, 3, 4, 0) == 0
    assert mdl.set_aipp_crop_params(handle, 1, 5, 6, 7, 8, 0) == 0
    assert mdl.set_aipp_padding_params(handle, 1, 31, 32, 33, 34, 0) == 0
    assert mdl.set_aipp_dtc_pixel_mean(handle, 255, 2, 3, 4, 0) == 0
    assert mdl.set_aipp_dtc_pixel_min(handle, 0.5, 1.5, 2.5, 3.5, 0) == 0
    assert mdl.set_aipp_pixel_var_reci(handle, 0.1, 2, 3, 4, 0) == 0
    assert mdl.set_input_aipp(bound.model_id, bound.sources, index, handle) == 0
    data = board.read(bound.inputs[index][0], 160)
    assert struct.unpack_from("<Bbbbb", data) == (3, 1, 1, 1, 1)
    assert struct.unpack_from("<2i", data, 8) == (640, 480)
    assert struct.unpack_from("<9h", data, 16) == tuple(range(-4, 5))
    assert struct.unpack_from("<6B", data, 40) == (11, 12, 13, 21, 22, 23)
    assert struct.unpack_from("<4b", data, 64) == (1, 0, 1, 0)
    assert struct.unpack_from("<12i", data, 72) == (5, 6, 7, 8, 1, 2, 3, 4, 31, 32, 33, 34)
    assert struct.unpack_from("<4h", data, 120) == (255, 2, 3, 4)
    assert struct.unpack_from("<4e", data, 128) == (0.5, 1.5, 2.5, 3.5)
    assert struct.unpack_from("<4e", data, 136) == (float(np.float16(0.1)), 2, 3, 4)


def test_fresh_settings_change_nothing_but_the_type() -> None:
    board = Board()
    bound, index = dynamic(board, size=72)
    handle = board.acl.mdl.create_aipp(1)
    assert board.acl.mdl.set_aipp_input_format(handle, 3) == 0
    assert board.acl.mdl.set_aipp_src_image_size(handle, WIDTH, HEIGHT) == 0
    assert board.acl.mdl.set_input_aipp(bound.model_id, bound.sources, index, handle) == 0
    assert bound.execute() == 0
    found = np.frombuffer(bound.results()[0], np.float32).reshape(3, HEIGHT, WIDTH)
    np.testing.assert_array_equal(found.transpose(1, 2, 0).reshape(-1), picture(72))


def test_each_picture_of_a_batch_has_its_own_settings() -> None:
    board = Board()
    shapes = {"image": (-1, 3, HEIGHT, WIDTH)}
    spec = SPECS["rgb"]
    loaded = model(DynamicAipp(144), input_shapes=shapes, dynamic_batch=(1, 2))
    model_id = board.load(loaded)
    desc, mdl = board.desc(model_id), board.acl.mdl
    names = [mdl.get_input_name_by_index(desc, index) for index in range(3)]
    assert names == ["image", "ascend_dynamic_aipp_data", "ascend_mbatch_shape_data"]
    assert mdl.get_input_size_by_index(desc, 1) == 64 + 2 * 96
    data = picture(144)
    bound = board.bind(model_id, [data.tobytes(), bytes(256), bytes(8)])
    handle = configure(board, spec, batch=2)
    assert mdl.set_aipp_dtc_pixel_mean(handle, 100, 100, 100, 0, 1) == 0
    assert mdl.set_input_aipp(model_id, bound.sources, 1, handle) == 0
    assert bound.execute() == 0
    second = replace(spec, mean=(100, 100, 100))
    want = np.concatenate([apply_aipp(data[:72], spec), apply_aipp(data[72:], second)])
    found = np.frombuffer(bound.results()[0], np.float32).reshape(want.shape)
    np.testing.assert_array_equal(found, want)


def test_settings_that_the_chip_does_not_take_are_refused() -> None:
    board = Board()
    mdl = board.acl.mdl
    assert mdl.create_aipp(0) == mdl.create_aipp(128) == 0
    handle = mdl.create_aipp(1)
    assert mdl.set_aipp_input_format(handle, 8) == 100000
    assert mdl.set_aipp_src_image_size(handle, 0, 4) == 100000
    assert mdl.set_aipp_rbuv_swap_switch(handle, 2) == 100000
    assert mdl.set_aipp_csc_params(handle, 1, *range(9), 256, 0, 0, 0, 0, 0) == 100000
    assert mdl.set_aipp_scf_params(handle, 1, 4, 4, 8, 8, 0) == 200006
    assert mdl.set_aipp_crop_params(handle, 1, 0, 0, 4, 4, 1) == 100000
    for values in ((-1, 0, 0, 0), (0, 0, 0, 256)):
        assert mdl.set_aipp_dtc_pixel_mean(handle, *values, 0) == 100000
    for minima in ((-0.5, 0, 0, 0), (0, 255.5, 0, 0), (0, 0, 0, float("nan"))):
        assert mdl.set_aipp_dtc_pixel_min(handle, *minima, 0) == 100000
    assert mdl.set_aipp_dtc_pixel_mean(handle, 0, 0, 0, 255, 0) == 0
    assert mdl.set_aipp_dtc_pixel_min(handle, 0, 0, 0, 255, 0) == 0
    assert mdl.set_aipp_dtc_pixel_mean(handle + 1, 0, 0, 0, 0, 0) == 100000
    assert mdl.destroy_aipp(handle) == 0
    assert mdl.destroy_aipp(handle) == 100000
    with pytest.raises(TypeError):
        mdl.set_aipp_dtc_pixel_mean(handle, 40000, 0, 0, 0, 0)


def test_settings_are_written_only_where_they_belong() -> None:
    board = Board()
    bound, index = dynamic(board)
    mdl = board.acl.mdl
    handle = configure(board, SPECS["rgb"])
    call = mdl.set_input_aipp
    assert call(bound.model_id, bound.sources, 0, handle) == 145015
    assert mdl.set_aipp_by_input_index(bound.model_id, bound.sources, 1, handle) == 145015
    assert call(bound.model_id, bound.sources, index, mdl.create_aipp(1)) == 100000  # no size
    two = configure(board, SPECS["rgb"], batch=2)
    assert call(bound.model_id, bound.sources, index, two) == 145012
    null = board.dataset(bound.inputs[0], (0, 160))
    assert call(bound.model_id, null, index, handle) == 145011
    short = board.dataset(bound.inputs[0])
    assert call(bound.model_id, short, index, handle) == 100000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"src_width_px": 8}, "the model takes"),
        ({"src_width_px": 400, "src_height_px": 400, "crop": (0, 0, 6, 4)}, "more than 288 bytes"),
        ({"crop": (4, 0, 6, 4)}, "reaches out of the picture"),
    ],
)
def test_settings_that_do_not_fit_fail_the_run(change: Dict[str, object], why: str) -> None:
    board = Board()
    bound, index = dynamic(board)
    spec = AippSpec("rgb", 6, 4, (0, 0, 0), (0, 0, 0), (1, 1, 1))
    handle = configure(board, spec)
    values = {"src_width_px": 6, "src_height_px": 4, **change}
    size = (values["src_width_px"], values["src_height_px"])
    assert board.acl.mdl.set_aipp_src_image_size(handle, *size) == 0
    if "crop" in change:
        crop = change["crop"]
        assert board.acl.mdl.set_aipp_crop_params(handle, 1, *crop, 0) == 0  # type: ignore[misc]
    assert board.acl.mdl.set_input_aipp(bound.model_id, bound.sources, index, handle) == 0
    assert bound.execute() == 507011
    assert why in board.machine.ledger.notes()[-1]


@pytest.mark.parametrize(("place", "value"), [(0, 0), (0, 8), (64 + 1, 1), (64 + 3, 1)])
def test_bytes_that_mean_nothing_fail_the_run(place: int, value: int) -> None:
    board = Board()
    bound, index = dynamic(board, size=72)
    handle = configure(board, SPECS["rgb"])
    assert board.acl.mdl.set_input_aipp(bound.model_id, bound.sources, index, handle) == 0
    assert bound.execute() == 0
    board.write(bound.inputs[index][0] + place, bytes([value]))
    assert bound.execute() == 507011
