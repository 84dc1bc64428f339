"""What an export refuses, and what it leaves then: nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable, List, NoReturn

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import hostile_files  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from toy_networks import TOY_SPEC, example, toy_decode, toy_heatmaps  # noqa: E402

from atlas_hpe.card import TensorSpec  # noqa: E402
from atlas_hpe.errors import (  # noqa: E402
    AtlasHpeError,
    CheckFailedError,
    CheckpointError,
    OutputError,
    UsageError,
)
from atlas_hpe.nets import load_network  # noqa: E402
from atlas_hpe.onnx_file import read_onnx_summary  # noqa: E402
from atlas_hpe_export import export_file, export_onnx, finish, job  # noqa: E402
from atlas_hpe_export.feeds import make_feeds  # noqa: E402


def names_in(folder: Path) -> List[str]:
    return sorted(item.name for item in folder.iterdir())


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="add --force"):
        export_onnx(toy_heatmaps(), example(), path)
    assert path.read_bytes() == b"precious"
    export_onnx(toy_heatmaps(), example(), path, force=True)
    assert read_onnx_summary(path).opsets == {"ai.onnx": 11}


def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "toy.onnx"
    real = finish._check_file

    def slow_check(*arguments: object) -> None:
        path.write_bytes(b"precious")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finish, "_check_file", slow_check)
    with pytest.raises(OutputError, match="exists already"):
        export_onnx(toy_heatmaps(), example(), path)
    assert path.read_bytes() == b"precious"
    assert names_in(tmp_path) == ["toy.onnx"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("toy.pt", "known are .onnx"),
        ("no/such/toy.onnx", "does not exist"),
        (".", "a folder, not a file"),
    ],
)
def test_an_impossible_output_is_refused_before_any_work(
    name: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=words):
        export_onnx(toy_heatmaps(), example(), tmp_path / name)


def test_the_checkpoint_itself_is_never_the_output(tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    torch.save(load_network("shallow_unet").build().state_dict(), path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="the input itself"):
        export_file(path, path, force=True)
    assert path.read_bytes() == before


def interrupt(*_arguments: object, **_options: object) -> NoReturn:
    raise KeyboardInterrupt


def fail_on_disk(*_arguments: object, **_options: object) -> NoReturn:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("place", [(job, "fit_to_board"), (finish, "_check_file")])
def test_an_interrupt_leaves_nothing(
    place: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*place, interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx")
    assert names_in(tmp_path) == []


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "_check_file", fail_on_disk)
    with pytest.raises(OutputError, match="No space left"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx")
    assert names_in(tmp_path) == []


def test_a_graph_that_says_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.module_runner

    def wrong(module: nn.Module, *names: object) -> Callable[..., object]:
        run = real(module, *names)  # type: ignore[arg-type]
        return lambda feeds: {key: value + 0.5 for key, value in run(feeds).items()}

    monkeypatch.setattr(job, "module_runner", wrong)
    with pytest.raises(CheckFailedError, match=r"differs by 0\.5"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    assert names_in(tmp_path) == []


def test_a_graph_that_departs_at_the_end_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.fit_to_board

    def with_another_weight(*arguments: object) -> tuple:
        model, steps = real(*arguments)  # type: ignore[arg-type]
        weight = next(item for item in model.graph.initializer if len(item.dims) == 4)
        changed = onnx.numpy_helper.to_array(weight) * 1.5
        weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
        return model, steps

    monkeypatch.setattr(job, "fit_to_board", with_another_weight)
    with pytest.raises(CheckFailedError, match="does not say what the network says"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=TOY_SPEC)
    assert names_in(tmp_path) == []


def test_a_graph_unlike_its_specification_is_not_written(tmp_path: Path) -> None:
    wrong = replace(TOY_SPEC, outputs=(replace(TOY_SPEC.outputs[0], shape=(1, 21, 8, 8)),))
    with pytest.raises(CheckFailedError, match="outputs are not those of 'toy'"):
        export_onnx(toy_heatmaps(), example(), tmp_path / "toy.onnx", spec=wrong)
    assert names_in(tmp_path) == []


class Moody(nn.Module):
    """Takes the first picture, and no other."""

    def forward(self, image: Tensor) -> Tensor:
        if not torch.jit.is_tracing() and not torch.compiler.is_compiling():
            assert image[0, 0, 0, 0] == make_feeds(SPECS, 1)[0]["input"][0, 0, 0, 0], "not this one"
        return image * 2


SPECS = [TensorSpec("input", (1, 3, 16, 16), "float32", "NCHW")]


def test_a_network_that_fails_on_a_later_input_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError, match="not this one"):
        export_onnx(Moody(), example(), tmp_path / "moody.onnx")
    assert names_in(tmp_path) == []


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    network = toy_heatmaps()
    network.conv.bias.data[3] = float("nan")
    with pytest.raises(CheckpointError, match=r"conv\.bias"):
        export_onnx(network, example(), tmp_path / "toy.onnx")
    assert names_in(tmp_path) == []


def test_wrong_arguments_are_usage_errors(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    with pytest.raises(UsageError, match="choose one of: Ascend310"):
        export_onnx(toy_heatmaps(), example(), path, target="Ascend910A")
    with pytest.raises(UsageError, match="pass spec="):
        export_onnx(toy_heatmaps(), example(), path, decode_joints=toy_decode)
    options: tuple = ({"decode_in_graph": True}, {"licence": "MIT"}, {"attribution": ["us"]})
    for option in options:
        with pytest.raises(UsageError, match="needs a network with a specification"):
            export_onnx(toy_heatmaps(), example(), path, **option)
    with pytest.raises(UsageError, match="no front end 'dynamo'"):
        export_onnx(toy_heatmaps(), example(), path, frontend="dynamo")
    with pytest.raises(UsageError, match="tensor or a sequence"):
        export_onnx(toy_heatmaps(), [], path)
    with pytest.raises(UsageError, match="example inputs are not those"):
        export_onnx(toy_heatmaps(), torch.zeros(1, 3, 8, 8), path, spec=TOY_SPEC)


@pytest.mark.parametrize(
    "write",
    [write for write in hostile_files.HOSTILE if write not in hostile_files.PROGRAMS],
    ids=lambda write: write.__name__,
)
def test_a_hostile_checkpoint_leaves_no_file(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "model.pt")
    before = names_in(tmp_path)
    with pytest.raises(AtlasHpeError):
        export_file(tmp_path / "model.pt", tmp_path / "model.onnx")
    assert names_in(tmp_path) == before
