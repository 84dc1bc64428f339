"""TorchScript archives and exported programs that are broken, lie, or attack: name -> writer."""

from __future__ import annotations

import copy
import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import torch
from torch import Tensor, nn

Write = Callable[[Path], None]
Edit = Callable[[Dict[str, bytes]], None]
PROGRAM, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
CONSTANTS, SAMPLES = "data/constants/model_constants_config.json", "data/sample_inputs/model.pt"


class Small(nn.Module):
    """One convolution, one batch norm: what both archives hold."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(image)))


class Writes(nn.Module):
    """A program that creates a file when it is called."""

    def __init__(self, marker: str) -> None:
        super().__init__()
        self.marker = marker

    def forward(self, image: Tensor) -> Tensor:
        torch.save(image, self.marker)
        return image


class Maps(Writes):
    """The same through another operator."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.from_file(self.marker, True, 10)


class Repeats(nn.Module):
    """A weight of four bytes that claims terabytes by a stride of 0."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.ones(1).expand(10**6, 10**6))

    def forward(self, image: Tensor) -> Tensor:
        return image + self.table[0, 0]


class RunsAtLoad:
    """Unpickling it would create a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):  # noqa: ANN204
        return Path.touch, (self.marker,)


def example() -> Tensor:
    return torch.zeros(1, 3, 8, 8)


def traced() -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(Small().eval(), example()), stream)
    return stream.getvalue()


def scripted(module: nn.Module) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module.eval()), stream)
    return stream.getvalue()


def exported() -> bytes:
    stream = io.BytesIO()
    torch.export.save(torch.export.export(Small().eval(), (example(),)), stream)
    return stream.getvalue()


def unpack(data: bytes) -> Tuple[str, Dict[str, bytes]]:
    """Top folder, and inner name -> content."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        content = {name.partition("/")[2]: archive.read(name) for name in names}
    return names[0].partition("/")[0], content


def repack(root: str, content: Dict[str, bytes], *, deflate: str = "-") -> bytes:
    """An archive again; entries whose name begins with ``deflate`` are compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in content.items():
            packed = zipfile.ZIP_DEFLATED if name.startswith(deflate) else zipfile.ZIP_STORED
            archive.writestr(f"{root}/{name}", data, compress_type=packed)
    return stream.getvalue()


def edited(data: bytes, edit: Edit, *, deflate: str = "-") -> bytes:
    root, content = unpack(data)
    edit(content)
    return repack(root, content, deflate=deflate)


def cuts(whole: bytes, count: int) -> Dict[str, bytes]:
    return {
        f"cut_at_{part}_of_{count}": whole[: len(whole) * part // count] for part in range(1, count)
    }


def in_json(name: str, change: Callable[[Dict], None]) -> Edit:  # type: ignore[type-arg]
    """An edit of one JSON document of the archive."""

    def edit(content: Dict[str, bytes]) -> None:
        document = json.loads(content[name])
        change(document)
        content[name] = json.dumps(document).encode()

    return edit


def put(name: str, data: bytes) -> Edit:
    return lambda content: content.update({name: data})


def drop(name: str) -> Edit:
    return lambda content: content.pop(name) and None


def hostile_torchscript(marker: Path) -> Dict[str, bytes]:
    """TorchScript archives; running one of them would create ``marker``."""
    whole = traced()
    source = next(name for name in unpack(whole)[1] if name.endswith(".py"))
    text = unpack(whole)[1][source].decode()
    attack = pickle.dumps(RunsAtLoad(marker), protocol=2)
    first_line = text.replace("    conv = self.conv", "    {}\n    conv = self.conv", 1)
    lines = {
        "save": f'_f = torch.save(image, "{marker}")',
        "save_by_another_name": f'_g = ops.aten.save\n    _f = _g(image, "{marker}")',
        "from_file": f'_f = torch.from_file("{marker}", True, 10)',
        "hidden_in_a_text": '_f = getattr(torch, "sa\\x76e")',
        "cpp_class": "_f = __torch__.torch.classes.quantized.Conv2dPackedParamsBase",
        "remote_call": "_f = rpc_async(image)",
    }
    edits: Dict[str, Edit] = {
        **{
            f"source_with_{name}": put(source, first_line.format(line).encode())
            for name, line in lines.items()
        },
        "source_runs_at_load": put(
            source, text.encode() + b"\n  def __setstate__(self, s: int): pass\n"
        ),
        "source_is_not_utf8": put(source, b"\xff\xfe" + text.encode()),
        "source_is_garbage": put(source, b"class class class ((((("),
        "source_is_empty": put(source, b""),
        "source_is_nested": put(source, b"x = " + b"(" * 50_000),
        "no_source": drop(source),
        "data_is_code": put("data.pkl", attack),
        "constants_are_code": put("constants.pkl", attack),
        "data_is_garbage": put("data.pkl", b"\x80\x02garbage"),
        "data_is_empty": put("data.pkl", b""),
        "data_is_large": put("data.pkl", bytes(9 << 20)),
        "data_asks_for_a_cpp_class": put(
            "data.pkl", b"\x80\x02c__torch__.torch.classes.quantized\nConv2dPackedParamsBase\n."
        ),
        "data_is_a_number": put("data.pkl", b"\x80\x02K\x05."),
        "no_data": drop("data.pkl"),
        "no_constants": drop("constants.pkl"),
        "no_weights": drop("data/0"),
        "weights_are_short": put("data/0", b"\0\0"),
        "no_version": drop("version"),
        "version_is_text": put("version", b"three\n"),
        "version_is_future": put("version", b"99999\n"),
    }
    found = {name: edited(whole, edit) for name, edit in edits.items()}
    found.update(cuts(whole, 10))
    found["source_is_a_bomb"] = edited(whole, put("code/bomb.py", bytes(40 << 20)), deflate="code/")
    found["weights_are_packed"] = edited(whole, put("data/0", bytes(4 << 20)), deflate="data/")
    found["weights_repeat"] = scripted(Repeats())
    found["program_saves"] = scripted(Writes(str(marker)))
    found["program_maps"] = scripted(Maps(str(marker)))
    return found


def with_attack_in_samples(marker: Path) -> bytes:
    """An exported program that is good but for its sample inputs, which are a pickle."""
    stream = io.BytesIO()
    torch.save((RunsAtLoad(marker),), stream)
    return edited(exported(), put(SAMPLES, stream.getvalue()))


def _graph(document: Dict) -> Dict:  # type: ignore[type-arg]
    return document["graph_module"]["graph"]


def _signature(document: Dict) -> Dict:  # type: ignore[type-arg]
    return document["graph_module"]["module_call_graph"][0]["signature"]


def _retarget(target: str) -> Edit:
    return in_json(PROGRAM, lambda doc: _graph(doc)["nodes"][-1].update(target=target))


def _resize(size: object) -> Edit:
    return in_json(
        PROGRAM, lambda doc: _graph(doc)["tensor_values"]["image"]["sizes"].__setitem__(0, size)
    )


def _tree(key: str, kind: object, context: object) -> Edit:
    node = {"type": kind, "context": context, "children_spec": []}
    return in_json(PROGRAM, lambda doc: _signature(doc).update({key: json.dumps([1, node])}))


def _weight(**changes: object) -> Edit:
    return in_json(WEIGHTS, lambda doc: doc["config"]["conv.weight"].update(changes))


def _claim(sizes: List[int], data: bytes = b"") -> Edit:
    """A weight that claims more than it has: the loader fills an empty one with zeros."""

    def edit(content: Dict[str, bytes]) -> None:
        in_json(
            WEIGHTS,
            lambda doc: doc["config"]["conv.weight"]["tensor_meta"].update(
                sizes=[{"as_int": size} for size in sizes], strides=[{"as_int": 0}] * len(sizes)
            ),
        )(content)
        content["data/weights/weight_0"] = data

    return edit


def hostile_exported(marker: Path) -> Dict[str, bytes]:
    """Exported programs; running one of them would create ``marker``."""
    whole = exported()
    run = f"__import__('pathlib').Path('{marker}').touch()"
    pickled = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}
    edits: Dict[str, Edit] = {
        "calls_the_shell": _retarget("torch.os.system"),
        "calls_an_attribute": _retarget("torch.ops.aten.relu.default.__init__"),
        "calls_hidden_names": _retarget("torch.ops.aten.__class__.mro"),
        "calls_math": _retarget("math.sqrt"),
        "calls_attrgetter": _retarget("_operator.attrgetter"),
        "maps_a_file": _retarget("torch.ops.aten.from_file.default"),
        "calls_a_library": _retarget("torch.ops.load_library"),
        "calls_a_custom_operator": _retarget("torch.ops.mylib.nms.default"),
        "calls_nothing_known": _retarget("torch.ops.aten.no_such_operator.default"),
        "size_is_code": _resize({"as_expr": {"expr_str": run, "hint": None}}),
        "size_is_symbolic": _resize({"as_expr": {"expr_str": "s77", "hint": {"as_int": 2}}}),
        "size_is_huge": _resize({"as_int": 1 << 40}),
        "size_is_negative": _resize({"as_int": -5}),
        "size_is_text": _resize({"as_int": "five"}),
        "name_is_code": in_json(PROGRAM, lambda doc: _graph(doc)["nodes"][0].update(name=run)),
        "argument_is_code": in_json(
            PROGRAM, lambda doc: _graph(doc)["nodes"][0]["inputs"][0].update(name=run)
        ),
        "argument_is_an_operator": in_json(
            PROGRAM,
            lambda doc: _graph(doc)["nodes"][0]["inputs"][0].update(
                arg={"as_operator": "torch.os.system"}
            ),
        ),
        "argument_is_unknown": in_json(
            PROGRAM,
            lambda doc: _graph(doc)["nodes"][0]["inputs"][0].update(
                arg={"as_tensor": {"name": "nobody"}}
            ),
        ),
        "key_is_code": in_json(
            PROGRAM,
            lambda doc: _graph(doc)["tensor_values"].update(
                {run: _graph(doc)["tensor_values"]["image"]}
            ),
        ),
        "weight_name_is_code": in_json(
            PROGRAM,
            lambda doc: doc["graph_module"]["signature"]["input_specs"][0]["parameter"].update(
                parameter_name=run
            ),
        ),
        "parameter_name_is_code": in_json(
            PROGRAM, lambda doc: _signature(doc).update(forward_arg_names=[run])
        ),
        "tree_imports": _tree(
            "out_spec",
            "collections.defaultdict",
            {
                "default_factory_module": "antigravity",
                "default_factory_name": "x",
                "dict_context": [],
            },
        ),
        "tree_holds_an_enum": _tree(
            "out_spec", "builtins.dict", json.dumps([{"__enum__": 1, "fqn": "antigravity:x"}])
        ),
        "tree_is_of_a_stranger": _tree("out_spec", "stranger.Output", "null"),
        "tree_is_text": in_json(PROGRAM, lambda doc: _signature(doc).update(in_spec="no tree")),
        "tree_is_nested": in_json(
            PROGRAM, lambda doc: _signature(doc).update(in_spec="[" * 50_000)
        ),
        "takes_a_dictionary": _tree("in_spec", "builtins.dict", "[]"),
        "in_training_mode": in_json(
            PROGRAM,
            lambda doc: [
                item["arg"].update(as_bool=True)
                for node in _graph(doc)["nodes"]
                for item in node["inputs"]
                if item["name"] == "training"
            ],
        ),
        "no_nodes": in_json(PROGRAM, lambda doc: _graph(doc).update(nodes=[])),
        "nodes_out_of_order": in_json(PROGRAM, lambda doc: _graph(doc)["nodes"].reverse()),
        "schema_of_the_future": in_json(
            PROGRAM, lambda doc: doc.update(schema_version={"major": 99, "minor": 0})
        ),
        "graph_is_a_number": in_json(PROGRAM, lambda doc: doc.update(graph_module=5)),
        "program_is_a_list": put(PROGRAM, b"[]"),
        "program_is_no_json": put(PROGRAM, b"{'single': quotes}"),
        "program_is_nested": put(PROGRAM, b"[" * 100_000),
        "program_is_nested_well": put(PROGRAM, b'{"a":' * 900 + b"1" + b"}" * 900),
        "program_is_large": put(PROGRAM, bytes(33 << 20)),
        "no_program": drop(PROGRAM),
        "weight_is_pickled": _weight(use_pickle=True),
        "weight_leaves_the_folder": _weight(path_name="../../models/model.json"),
        "weight_is_missing": _weight(path_name="weight_99"),
        "weight_has_no_shape": _weight(tensor_meta=None),
        "weight_claims_terabytes": _claim([1 << 20, 1 << 20]),
        "weight_claims_one_byte_more": put("data/weights/weight_0", bytes(4 * 108 - 1)),
        "weight_is_shorter": put("data/weights/weight_0", bytes(4 * 50)),
        "weight_of_negative_size": _claim([-1, 2]),
        "weight_repeats": _claim([400, 400], bytes(432)),
        "weight_has_another_name": _weight(path_name="opaque_obj_0"),
        "no_weights_listed": drop(WEIGHTS),
        "weights_list_is_empty": put(WEIGHTS, b"{}"),
        "constant_is_pickled": put(
            CONSTANTS, json.dumps({"config": {"c": {**pickled, "tensor_meta": None}}}).encode()
        ),
        "archive_version_99": put("archive_version", b"99"),
        "archive_format_of_another": put("archive_format", b"pt9"),
    }
    found = {name: edited(whole, edit) for name, edit in edits.items()}
    found.update(cuts(whole, 10))
    found["in_two_folders"] = whole.replace(b"archive/byteorder", b"brchive/byteorder")
    found["packed"] = edited(whole, put("extra/zeros", bytes(4 << 20)), deflate="extra")
    old = {"serialized_exported_program.json": b"{}", "version": b"8.2"}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in copy.copy(old).items():
            archive.writestr(name, data)
    found["of_an_old_pytorch"] = stream.getvalue()
    return found
