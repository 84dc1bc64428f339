"""Our reader of .safetensors against files of the format's own package."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hostile_safetensors import DATA, GOOD_HEADER, safetensors  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from atlas_hpe.errors import CheckpointError  # noqa: E402
from atlas_hpe.nets import load_network  # noqa: E402
from atlas_hpe_export.inputs import open_input  # noqa: E402
from atlas_hpe_export.inputs.checkpoint import load_checkpoint  # noqa: E402
from atlas_hpe_export.inputs.safetensors_file import read_safetensors  # noqa: E402

DTYPES = ["float16", "bfloat16", "float32", "float64"]
DTYPES += ["uint8", "int8", "int16", "int32", "int64", "bool"]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    dtype = getattr(torch, draw(st.sampled_from(DTYPES)))
    values = torch.arange(torch.Size(shape).numel()).reshape(shape)
    return (values % 2 == 0) if dtype is torch.bool else values.to(dtype)


@given(st.dictionaries(st.text(max_size=8).filter(lambda n: n != "__metadata__"), tensors()))
def test_what_the_package_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, weights: dict
) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    path = tmp_path_factory.getbasetemp() / "model.safetensors"
    save_file(weights, path, metadata={"format": "pt"})
    found = read_safetensors(path)
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert torch.equal(found[name], value)


def test_a_hand_written_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(safetensors({"__metadata__": {"a": "b"}, **GOOD_HEADER}))
    found = load_checkpoint(path).state_dict
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "conv.weight": (2, 3),
        "conv.bias": (2,),
    }
    found["conv.bias"].add_(1)  # its memory is its own
    assert not found["conv.weight"].any()


def test_the_data_may_stand_in_any_order_of_names(tmp_path: Path) -> None:
    header = {
        "late": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]},
        "early": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
    }
    path = tmp_path / "model"
    path.write_bytes(safetensors(header, b"\1\2\3"))
    found = read_safetensors(path)
    assert (list(found), found["late"].tolist(), found["early"].tolist()) == (
        ["late", "early"],
        [2, 3],
        [1],
    )


def test_weights_of_a_network_of_the_toolkit_are_recognised(tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    spec = load_network("hand_landmark")
    weights = {f"module.{name}": value for name, value in spec.build().state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    found = open_input(tmp_path / "model.safetensors")
    assert (found.kind, found.spec) == ("state-dict", spec)
    assert found.network is not None
    for name, value in found.network.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(value, weights[f"module.{name}"])


def test_a_header_with_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(safetensors(b"{" + b" " * (9 << 20) + b"}", DATA))
    with pytest.raises(CheckpointError, match="9437186 bytes, 8388608 are allowed"):
        load_checkpoint(path)
