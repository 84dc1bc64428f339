"""TorchScript archives and exported programs: loaded, computing the same, and within bounds."""

from __future__ import annotations

import io
import logging
import re
import warnings
from pathlib import Path
from typing import Dict, Tuple

import pytest

torch = pytest.importorskip("torch")

import hostile_programs as programs  # noqa: E402
from hostile_programs import PROGRAM, Small, edited, example, in_json  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from atlas_hpe.errors import CheckpointError, UsageError  # noqa: E402
from atlas_hpe_export.batchnorm import freeze  # noqa: E402
from atlas_hpe_export.inputs import open_input  # noqa: E402


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def export_to(path: Path, module: nn.Module, *inputs: object, **options: object) -> Path:
    program = torch.export.export(module, inputs, **options)  # type: ignore[arg-type]
    torch.export.save(program, str(path.with_suffix(".pt2")))
    return path.with_suffix(".pt2")


def same(network: nn.Module, reference: nn.Module, *inputs: Tensor) -> bool:
    with torch.no_grad():
        return torch.equal(network(*inputs), reference(*inputs))


class TwoInputs(nn.Module):
    def forward(self, image: Tensor, order: Tensor, scale: float = 1.0) -> Dict[str, Tensor]:
        return {"joints": image[:, order] * scale, "all": image.sum()}


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Parameter(torch.rand(3))
        self.again = self.shared
        self.register_buffer("table", torch.tensor([2, 0, 1]))

    def forward(self, image: Tensor, other: Tensor) -> Tuple[Tensor, Tensor]:
        return image[:, self.table] * self.shared[:, None], other + self.again


def test_a_traced_program_says_its_own_sizes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = Small().eval()
    path = tmp_path / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(reference, example()), str(path))
    found = open_input(path)
    assert (found.kind, found.spec, found.program) == ("torchscript", None, None)
    assert found.input_names == ("image",)
    assert [tuple(item.shape) for item in found.examples] == [(1, 3, 8, 8)]
    assert found.notes == ("input shapes are those of its tracing: 1,3,8,8",)
    assert isinstance(found.network, torch.jit.ScriptModule)
    assert same(found.network, reference, torch.rand(1, 3, 8, 8))
    assert open_input(path, input_shapes=["1,3,16,16"]).examples[0].shape == (1, 3, 16, 16)


def test_a_scripted_program_has_to_be_told_its_sizes(tmp_path: Path) -> None:
    path = write(tmp_path / "model", programs.scripted(TwoInputs()))
    with pytest.raises(UsageError, match="inputs: image, order, scale"):
        open_input(path)
    found = open_input(path, input_shapes=["order:3", "image:1,3,8,8"])
    assert found.input_names == ("image", "order")
    with pytest.raises(UsageError, match="1 input shapes do not fit"):
        open_input(path, input_shapes=["1,3,8,8"])


def test_inputs_that_were_not_tensors_are_asked_for(tmp_path: Path) -> None:
    class Sum(nn.Module):
        def forward(self, pair: Tuple[Tensor, Tensor]) -> Tensor:
            return pair[0] + pair[1]

    path = tmp_path / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(Sum(), ((example(), example()),)), str(path))
    with pytest.raises(UsageError, match="inputs: pair"):
        open_input(path)


def test_the_developers_folders_stay_behind(tmp_path: Path) -> None:
    found = open_input(write(tmp_path / "model.pt", programs.traced()))
    stream = io.BytesIO()
    torch.jit.save(found.network, stream)
    assert b'hostile_programs.py", line' not in stream.getvalue()


def test_an_exported_program_says_its_own_sizes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = Small().eval()
    found = open_input(export_to(tmp_path / "model", reference, example()).rename(tmp_path / "m"))
    assert (found.kind, found.spec, found.input_names) == ("exported-program", None, ("image",))
    assert [tuple(item.shape) for item in found.examples] == [(1, 3, 8, 8)]
    assert found.notes == ()
    assert isinstance(found.program, torch.export.ExportedProgram)
    assert found.network is not None
    freeze(found.network)
    assert same(found.network, reference, torch.rand(1, 3, 8, 8))


def test_types_tables_and_shared_weights_survive(tmp_path: Path) -> None:
    reference = Pair()
    inputs = torch.rand(2, 3, 4), torch.rand(3)
    found = open_input(export_to(tmp_path / "model", reference, *inputs))
    assert found.input_names == ("image", "other")
    assert found.network is not None
    for left, right in zip(found.network(*inputs), reference(*inputs)):
        assert torch.equal(left, right)


def test_integer_inputs_keep_their_type(tmp_path: Path) -> None:
    path = export_to(tmp_path / "model", TwoInputs(), example(), torch.tensor([2, 0]))
    found = open_input(path, input_shapes=["order:2", "image:1,3,8,8"])
    assert [item.dtype for item in found.examples] == [torch.float32, torch.int64]
    assert found.network is not None
    assert found.network(*found.examples)["joints"].shape == (1, 2, 8, 8)
    with pytest.raises(UsageError, match="image:1,3,8,8; order:2"):
        open_input(path, input_shapes=["1,3,9,9", "2"])


def test_a_program_without_gradients_is_taken(tmp_path: Path) -> None:
    class Frozen(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            with torch.no_grad():
                deep = image * 2
            return deep + 1

    found = open_input(export_to(tmp_path / "model", Frozen(), example()))
    assert found.network is not None
    assert same(found.network, Frozen(), torch.rand(1, 3, 8, 8))


def test_a_program_from_a_graphics_card_is_moved(tmp_path: Path) -> None:
    def move(content: Dict[str, bytes]) -> None:
        for name in list(content):
            if name.endswith(".json"):
                old, new = b'{"type": "cpu", "index": null}', b'{"type": "cuda", "index": 0}'
                content[name] = content[name].replace(old, new)

    found = open_input(write(tmp_path / "model", edited(programs.exported(), move)))
    assert found.notes == ("moved from cuda to the CPU",)
    assert found.network is not None
    assert found.network(*found.examples).shape == (1, 4, 6, 6)


def test_sizes_that_vary_are_refused_with_the_way_out(tmp_path: Path) -> None:
    sizes = {"image": {2: torch.export.Dim("height", min=4, max=64)}}
    path = export_to(tmp_path / "model", Small().eval(), example(), dynamic_shapes=sizes)
    with pytest.raises(
        CheckpointError, match=r"symbolic size .*\n.*\n.*\n.*without dynamic_shapes"
    ):
        open_input(path)


def test_inputs_by_keyword_are_refused(tmp_path: Path) -> None:
    path = export_to(tmp_path / "model", Small().eval(), kwargs={"image": example()})
    with pytest.raises(CheckpointError, match="takes something else than tensors"):
        open_input(path)


def test_conditions_in_python_are_dropped(tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    code = f"__import__('pathlib').Path('{marker}').touch() is None"
    data = edited(programs.exported(), in_json(PROGRAM, lambda doc: doc.update(guards_code=[code])))
    path = write(tmp_path / "model.pt2", data)
    found = open_input(path)
    assert found.program is not None
    found.program.module()(*found.examples)
    assert not marker.exists()
    torch.export.load(path).module()(*found.examples)
    assert marker.exists(), "it would have been run"


def test_remarks_keep_the_modules_and_lose_the_folders(tmp_path: Path) -> None:
    found = open_input(write(tmp_path / "model", programs.exported()))
    assert found.program is not None
    nodes = [node for node in found.program.graph.nodes if node.op == "call_function"]
    assert [list(node.meta["nn_module_stack"].values())[-1][0] for node in nodes] == [
        "conv",
        "norm",
        "",
    ]
    assert not any("stack_trace" in node.meta for node in nodes)


def test_the_loader_is_quiet_and_its_log_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loggers = [logging.getLogger(name) for name in ("torch.export", "torch")]
    before = [list(logger.filters) for logger in loggers]
    path = write(tmp_path / "m.pt2", programs.hostile_exported(tmp_path)["nodes_out_of_order"])
    with caplog.at_level(logging.WARNING), pytest.raises(
        CheckpointError, match="why: 'batch_norm'"
    ):
        open_input(path)
    assert not [item for item in caplog.records if item.levelno >= logging.WARNING]
    assert [list(logger.filters) for logger in loggers] == before


@pytest.mark.parametrize("option", ["arch", "factory"])
@pytest.mark.parametrize("make", [programs.traced, programs.exported])
def test_a_program_brings_its_own_network(option: str, make: object, tmp_path: Path) -> None:
    path = write(tmp_path / "model", make())  # type: ignore[operator]
    with pytest.raises(UsageError, match=f"--{option} is for a file of weights"):
        open_input(path, **{option: "a:b"})  # type: ignore[arg-type]


def test_every_operator_of_pytorch_that_names_a_file_is_known() -> None:
    """When PyTorch gets another one, it has to be added to those that are refused."""
    found = {
        schema.name
        for schema in torch._C._jit_get_all_schemas()
        for item in schema.arguments
        if re.search("file|path|url", item.name) and "str" in str(item.type)
    }
    assert found == {"aten::from_file", "aten::save"}
