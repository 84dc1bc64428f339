"""The JSON of an exported program, reduced to what can do no harm.

``torch.export.load`` is not made for files of strangers. What its reader does with ``model.json``
(PyTorch 2.13, ``torch/_export/serde/serialize.py`` and ``torch/utils/_pytree.py``):

- it hands symbolic sizes to ``sympy.sympify``, which evaluates them as Python;
- it executes the conditions on sizes, which are Python source, when the program is called;
- it imports the modules that a tree of inputs or outputs names (defaultdict, enum);
- it looks targets up as any attribute of ``torch``, ``operator`` or ``math`` (``torch.os.system``
  is one), and only then asks whether they are operators;
- it builds Python source from names of nodes and weights, and executes it.

So everything here follows a list of what is allowed: operators of ``aten`` and ``prims`` that touch
no file, names that are identifiers, sizes that are numbers, trees of tuples, lists and
dictionaries. Stack traces and other remarks are dropped, because they hold folders of the
developer's machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, NoReturn, Tuple, Union

from atlas_hpe.errors import CheckpointError
from atlas_hpe_export.inputs.zip_archive import damaged

__all__ = ["CleanProgram", "clean_config", "clean_program", "parse_json"]

Json = Union[None, bool, int, float, str, List["Json"], Dict[str, "Json"]]

_NAME = re.compile(r"([^\W\d]\w*)?", re.ASCII)
_PATH = re.compile(r"[\w.]*", re.ASCII)  # of a weight or a module
_VERSION = re.compile(r"[\w.+<=-]*", re.ASCII)
_STACK = re.compile(r"[\w.,;@/<>()\[\] -]*", re.ASCII)
_TARGET = re.compile(
    r"torch\.ops\.(aten|prims)\.(?!(from_file|save)\.)(__(and|or|xor|lshift|rshift)__|(?!__)\w+)"
    r"\.(?!_)\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)",
    re.ASCII,
)
# Kept of a node's remarks: the path of the module it came from.
_REMARK = "nn_module_stack"
_NAMES = ("name", "as_name", "forward_arg_names")  # pasted into Python source
_TEXTS = ("as_string", "as_strings")  # arguments; PyTorch quotes them
_TREES = ("in_spec", "out_spec")
_TREE_TYPES = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")
_CONDITIONS = ("guards_code", "range_constraints")  # on symbolic sizes, of which there are none
_SYMBOLIC = ("as_expr", "expr_str")
_OBJECTS = ("as_operator", "as_custom_obj", "custom_obj")
_TRAINING = ("training", "train")  # arguments of batch_norm and dropout
_EXPORT_AGAIN = "export it again with torch.export.export(model, example_inputs)"


@dataclass(frozen=True)
class CleanProgram:
    """What ``clean_program`` kept.

    Attributes:
        text: The JSON for PyTorch.
        devices: Devices other than the CPU that it named and names no longer.
    """

    text: bytes
    devices: Tuple[str, ...]


def parse_json(path: Path, name: str, data: bytes) -> Json:
    """A JSON document from inside an archive.

    Raises:
        CheckpointError: It is none.
    """
    try:
        content: Json = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"'{name}' can't be read as JSON ({error})") from error
    return content


def clean_program(path: Path, name: str, data: bytes) -> CleanProgram:
    """Reduce a program to what is allowed.

    Args:
        path: The archive, for messages.
        name: The entry of the archive, for messages.
        data: Its content.

    Raises:
        CheckpointError: Something in it is not allowed, or no JSON.
    """
    cleaner = _Cleaner(path, name)
    content = cleaner.clean_document(data)
    content.update(guards_code=[], range_constraints={})
    return CleanProgram(json.dumps(content).encode(), tuple(cleaner.devices))


def clean_config(path: Path, name: str, data: bytes) -> Dict[str, Json]:
    """Reduce the list of weights or constants in the same way.

    Raises:
        CheckpointError: Something in it is not allowed, or no JSON.
    """
    config = _Cleaner(path, name).clean_document(data).get("config")
    if not isinstance(config, dict):
        raise damaged(path, f"'{name}' holds no 'config'")
    return config


class _Cleaner:
    """One walk over a document."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.devices: Dict[str, None] = {}

    def clean_document(self, data: bytes) -> Dict[str, Json]:
        try:
            content = self._clean(parse_json(self.path, self.name, data), key="")
        except RecursionError as error:
            raise damaged(self.path, f"'{self.name}' is nested too deeply") from error
        if not isinstance(content, dict):
            raise damaged(self.path, f"'{self.name}' is no JSON object")
        return content

    def _clean(self, value: Json, key: str) -> Json:
        if isinstance(value, dict):
            return self._clean_object(value)
        if isinstance(value, list):
            return [self._clean(item, key) for item in value]
        if isinstance(value, str):
            self._check_text(value, key)
        return value

    def _clean_object(self, value: Mapping[str, Json]) -> Dict[str, Json]:
        if value.keys() == {"type", "index"}:
            if value["type"] != "cpu":
                self.devices[str(value["type"])[:20]] = None
            return {"type": "cpu", "index": None}
        self._check_training(value)
        cleaned: Dict[str, Json] = {}
        for key, item in value.items():
            if key in _CONDITIONS:
                continue
            if not _PATH.fullmatch(key):
                self._refuse(f"the name {key[:60]!r}")
            if key in _SYMBOLIC:
                self._refuse(
                    f"the symbolic size {str(item)[:60]!r}",
                    fix="export it again without dynamic_shapes; the board needs fixed sizes",
                )
            if key in _OBJECTS and item not in (None, {}):
                self._refuse(f"an object of its own ({key})")
            remarks = key == "metadata"
            cleaned[key] = self._clean_remarks(item) if remarks else self._clean(item, key)
        return cleaned

    def _clean_remarks(self, value: Json) -> Json:
        """The module path, for names of nodes, when it is plain; nothing else."""
        stack = value.get(_REMARK) if isinstance(value, dict) else None
        return {_REMARK: stack} if isinstance(stack, str) and _STACK.fullmatch(stack) else {}

    def _check_text(self, text: str, key: str) -> None:
        if key == "target":
            if not _TARGET.fullmatch(text):
                self._refuse(f"the operator {text[:60]!r}", fix="use operators of PyTorch itself")
        elif key in _TREES:
            self._check_tree(text)
        elif key not in _TEXTS:
            form = _NAME if key in _NAMES else _VERSION if key == "torch_version" else _PATH
            if not form.fullmatch(text):
                self._refuse(f"the text {text[:60]!r} as its '{key}'")

    def _check_tree(self, text: str) -> None:
        document = parse_json(self.path, self.name, text.encode())
        nodes = document[1:] if isinstance(document, list) else []
        while nodes:
            node = nodes.pop()
            children = node.get("children_spec") if isinstance(node, dict) else None
            if not isinstance(node, dict) or not isinstance(children, list):
                raise damaged(self.path, f"'{self.name}' holds a broken tree of inputs or outputs")
            if node.get("type") not in _TREE_TYPES or not self._is_plain(node.get("context")):
                self._refuse(
                    f"inputs or outputs of the type {str(node.get('type'))[:60]!r}",
                    fix="let the network take tensors, and return tensors in tuples, lists or "
                    "dictionaries",
                )
            nodes += children

    def _is_plain(self, context: Json) -> bool:
        """Nothing, or the keys of a dictionary."""
        if isinstance(context, str):
            context = parse_json(self.path, self.name, context.encode())
        return context is None or (
            isinstance(context, list)
            and all(isinstance(item, str) and _PATH.fullmatch(item) for item in context)
        )

    def _check_training(self, value: Mapping[str, Json]) -> None:
        if value.get("name") in _TRAINING and value.get("arg") == {"as_bool": True}:
            raise CheckpointError(
                "the exported program has layers in training mode",
                where=self.path,
                why="its output depends on chance, or on the other pictures of the batch",
                fix="call model.eval() before torch.export.export",
            )

    def _refuse(self, what: str, *, fix: str = _EXPORT_AGAIN) -> NoReturn:
        raise CheckpointError(
            f"the exported program holds {what} and was refused; nothing in it was run",
            where=f"{self.path}, '{self.name}'",
            why="PyTorch's loader would look up or evaluate what is written there",
            fix=fix,
        )
