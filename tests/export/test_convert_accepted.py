"""What the package asks of the compiler is what the strict stand-in takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Dict, Optional, Tuple

import numpy as np
import pytest
from convert_world import LOG, World

from atlas_hpe.card import find_card
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_export.convert.request.options import AippRequest
from tiny_onnx import bytes_field, model, node, tensor


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


FORMS: Dict[str, Tuple[int, ...]] = {
    "nv12": (1, 192, 128, 1),
    "nv21": (1, 192, 128, 1),
    "rgb": (1, 128, 128, 3),
    "bgr": (1, 128, 128, 3),
    "xrgb": (1, 128, 128, 4),
}


@pytest.fixture
def landmark(world: World, repo: Path) -> str:
    name = "hand_landmark.onnx"
    shutil.copy(str(repo / "atlas_hpe" / "models" / name), str(world.work / name))
    return name


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_picture_passes_the_judge(form: str, landmark: str, world: World) -> None:
    om = world.convert(landmark, aipp=AippRequest(form))
    (image,) = om.inputs
    assert (image.shape, image.dtype) == (FORMS[form], "uint8")
    assert image.aipp is not None
    assert image.aipp.settings.get("rbuv_swap_switch", False) is (form in ("nv21", "bgr"))
    card = find_card(world.work / "hand_landmark.om")
    assert card is not None
    assert card.graphs[0].inputs[0].shape == FORMS[form]


@pytest.mark.parametrize(
    "aipp",
    [
        AippRequest("nv12", matrix="bt709", colour_range="full"),
        AippRequest("nv12", source_size_px=(640, 480), crop=(64, 32, 128, 128)),
        AippRequest("rgb", source_size_px=(120, 112), padding=(4, 4, 8, 8)),
        AippRequest("rgb", source_size_px=(300, 200), crop=(1, 3, 101, 128), padding=(27, 0, 0, 0)),
        AippRequest("xrgb", source_size_px=(300, 200), crop=(7, 9, 128, 128)),
    ],
)
def test_crops_and_paddings_pass_the_judge(aipp: AippRequest, landmark: str, world: World) -> None:
    (image,) = world.convert(landmark, aipp=aipp).inputs
    width, height = aipp.source_size_px or (128, 128)
    assert image.shape[2] == width
    assert image.shape[1] in (height, height * 3 // 2)


def test_the_models_that_ship_pass_without_aipp(repo: Path, world: World) -> None:
    for path in sorted((repo / "atlas_hpe" / "models").glob("*.onnx")):
        shutil.copy(str(path), str(world.work / path.name))
        om = world.convert(path.name)
        card = find_card(path)
        assert card is not None
        assert om.inputs[0].shape == card.graphs[0].inputs[0].shape
        assert len(om.outputs) == len(card.graphs[0].outputs)


@pytest.mark.parametrize("form", [None, "nv12"])
def test_batches_and_image_sizes_pass(form: Optional[str], world: World) -> None:
    aipp = None if form is None else AippRequest(form)
    om = world.convert(batches=(1, 2, 4), aipp=aipp)
    assert om.profiles is not None and om.profiles.values == ((1,), (2,), (4,))
    assert om.inputs[0].shape[0] == -1
    assert world.convert(batches=(4,), aipp=aipp).inputs[0].shape[0] == 4
    om = world.convert(image_sizes=((16, 16), (32, 64)), aipp=aipp)
    assert om.profiles is not None and om.profiles.values == ((16, 16), (32, 64))
    om = world.convert(image_sizes=((32, 64),), aipp=aipp)
    rows = 32 if aipp is None else 48
    assert set(om.inputs[0].shape) >= {rows, 64}


def test_the_default_network_takes_several_batches(landmark: str, world: World) -> None:
    om = world.convert(landmark, batches=(1, 2, 4))
    assert om.profiles is not None and om.profiles.values == ((1,), (2,), (4,))


def test_a_batch_that_a_graph_does_not_take_is_explained(world: World) -> None:
    nodes = [node("Reshape", ["image", "sizes"], ["flat"]) + bytes_field(3, "/head/Reshape")]
    sizes = tensor("sizes", np.array([1, 768]))
    content = model(nodes, {"image": (1, 3, 16, 16)}, {"flat": (1, 768)}, [sizes])
    world.onnx.write_bytes(content)
    error = world.fail(AtlasHpeError, left=LOG, batches=(1, 2))
    assert "/head/Reshape" in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "mixed"},
        {"precision": "fp32"},
        {"keep_dtype": ("OpType::Add",)},
        {"fusion_off": ("OnePass", "OtherPass")},
        {"fusion_off": ("all",)},
        {"tune": "rl,ga"},
        {"input_shapes": (("image", (1, 3, 16, 16)),)},
        {"extra": ("--op_select_implmode=high_precision",)},
    ],
    ids=str,
)
def test_every_option_makes_a_command_that_atc_takes(
    options: Dict[str, object], world: World
) -> None:
    record = world.base / "runs.jsonl"
    world.atc(RECORD=str(record))
    assert world.convert(**options).soc == "Ascend310"
    assert len(json.loads(record.read_text().splitlines()[-1])) >= 5


def test_the_newer_names_of_models_are_found(world: World) -> None:
    world.atc(NEW_NAMES="1")
    world.convert()
    assert set(world.files()) == {"hand.onnx", "hand.om", "hand.om.json", "hand.om.log"}
