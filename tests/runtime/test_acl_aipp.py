"""Models with AIPP in front of them take bytes of pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from acl_board import graph, simulated_board, write_model

from atlas_hpe.aipp import CSC_MATRICES, AippSpec, apply_aipp
from atlas_hpe.errors import SessionError

pytest.importorskip("onnxruntime")

RGB = AippSpec("rgb", 6, 4, (1, 2, 3), (0.0,) * 3, (0.5,) * 3)
NV12 = AippSpec("nv12", 6, 4, (0,) * 3, (0.0,) * 3, (0.25,) * 3, csc=CSC_MATRICES["bt601-narrow"])
XRGB = AippSpec("xrgb", 6, 4, (0,) * 3, (0.0,) * 3, (1.0,) * 3, ax_swap=True)
CROPPED = AippSpec("rgb", 20, 12, (0,) * 3, (0.0,) * 3, (1.0,) * 3, crop=(4, 2, 6, 4))
SHAPES = [
    (RGB, (1, 4, 6, 3)),
    (NV12, (1, 6, 6, 1)),
    (XRGB, (1, 4, 6, 4)),
    (CROPPED, (1, 12, 20, 3)),
]


def picture_bytes(shape: tuple) -> np.ndarray:
    return np.random.RandomState(3).randint(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(("spec", "shape"), SHAPES, ids=["rgb", "nv12", "xrgb", "cropped"])
@pytest.mark.parametrize("mode", ["rc", "ep"])
def test_the_input_is_the_picture_as_aipp_takes_it(
    tmp_path: Path, spec: AippSpec, shape: tuple, mode: str
) -> None:
    path = write_model(tmp_path, graph("Identity", (1, 3, 4, 6)), aipp={"x": spec})
    data = picture_bytes(shape)
    with simulated_board(mode) as board, board.open(path) as session:
        described = session.inputs[0]
        assert (described.shape, described.dtype, described.layout) == (shape, "uint8", "NHWC")
        y = session.run({"x": data})["y"]
        with pytest.raises(SessionError, match="does not fit"):
            session.run({"x": np.zeros((1, 3, 4, 6), np.float32)})
    np.testing.assert_allclose(
        y, apply_aipp(data.reshape(spec.buffer_shape), spec).astype(np.float32), rtol=1e-3
    )


def test_batches_of_pictures_are_padded_to_a_profile(tmp_path: Path) -> None:
    path = write_model(
        tmp_path,
        graph("Identity", ("n", 3, 4, 6)),
        aipp={"x": RGB},
        input_shapes={"x": (-1, 3, 4, 6)},
        dynamic_batch=(1, 4),
    )
    data = picture_bytes((3, 4, 6, 3))
    with simulated_board() as board, board.open(path) as session:
        assert session.inputs[0].shape == (-1, 4, 6, 3)
        y = session.run({"x": data})["y"]
    assert y.shape == (3, 3, 4, 6)
    for one, whole in zip(data, y):
        np.testing.assert_allclose(whole, apply_aipp(one, RGB)[0].astype(np.float32), rtol=1e-3)


@pytest.mark.parametrize(("spec", "rows"), [(RGB, 4), (NV12, 6)], ids=["rgb", "nv12"])
def test_pictures_of_several_sizes_are_taken(tmp_path: Path, spec: AippSpec, rows: int) -> None:
    path = write_model(
        tmp_path,
        graph("Identity", (1, 3, "h", "w")),
        aipp={"x": spec},
        input_shapes={"x": (1, 3, -1, -1)},
        dynamic_image_size=((4, 6), (8, 8)),
    )
    channels = spec.buffer_shape[2] if len(spec.buffer_shape) == 3 else 1
    with simulated_board() as board, board.open(path) as session:
        assert session.inputs[0].shape == (1, -1, -1, channels)
        for height, width in ((rows, 6), (2 * rows, 8)):
            data = picture_bytes((1, height, width, channels))
            y = session.run({"x": data})["y"]
            sized = replace(spec, src_width_px=width, src_height_px=height * 4 // rows)
            wanted = apply_aipp(data.reshape(sized.buffer_shape), sized)
            np.testing.assert_allclose(y, wanted.astype(np.float32), rtol=1e-3)
        if spec is NV12:
            with pytest.raises(SessionError, match="none of the model's sizes"):
                session.run({"x": picture_bytes((1, rows, 4, channels))})
