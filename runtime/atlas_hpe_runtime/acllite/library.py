"""AclLite as it is found: plain modules in a folder on the path, and no package (section 2.1).

Its classes print what they have to say and return None, or raise a bare ``Exception``
(ascend.md sections 2.3 and 2.4). Both become errors here, with what was printed as the cause.
"""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import redirect_stdout, suppress
from io import TextIOBase
from pathlib import Path
from threading import RLock, get_ident
from typing import Callable, List, Mapping, Optional, Sequence, TextIO, Type, TypeVar, cast

import numpy as np
from typing_extensions import Protocol

from atlas_hpe.errors import DeviceError, MissingExtraError
from atlas_hpe_runtime.acl.codes import explain

__all__ = [
    "ACLLITE_LOCK",
    "LiteInput",
    "LiteModel",
    "call_acllite",
    "close_lite_model",
    "load_model_class",
    "open_lite_model",
    "release_inputs",
]

#: Held through every call: the list of resources and standard output, where AclLite says what
#: went wrong, belong to the whole process. It costs nothing, as ``acl.mdl.execute`` keeps the GIL.
ACLLITE_LOCK = RLock()

LiteInput = Mapping[str, int]
T = TypeVar("T")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CODE = re.compile(r"(?:\bret\w* ?=|\berror:?) *(\d{6})\b")  # sizes are printed too
_LINES_TOLD = 3


class LiteModel(Protocol):
    """What this project uses of an ``AclLiteModel``."""

    _model_id: Optional[int]
    _input_dataset: Optional[int]
    _is_destroyed: bool

    def __init__(self, model_path: str) -> None:
        """Load a model."""

    def execute(self, input_list: List[LiteInput]) -> Optional[List[np.ndarray]]:
        """Run a static model."""

    def _execute_with_dynamic_batch_size(
        self, input_list: List[LiteInput], batch: int
    ) -> Optional[List[np.ndarray]]:
        """Run a model with dynamic batch; appends the hidden input to the list."""

    def _release_dataset(self, dataset: Optional[int]) -> None:
        """Destroy a dataset and its data buffers."""

    def destroy(self) -> None:
        """Unload."""


def load_model_class() -> Type[LiteModel]:
    """The class ``AclLiteModel``.

    Raises:
        MissingExtraError: AclLite is not on the path.
        DeviceError: It is there and can't be loaded.
    """
    try:
        with ACLLITE_LOCK, redirect_stdout(cast("TextIO", _Ear())):
            module = importlib.import_module("acllite_model")
            found: Type[LiteModel] = module.AclLiteModel
    except ModuleNotFoundError as error:
        if error.name != "acllite_model":
            raise _not_loadable(error) from error
        raise MissingExtraError(
            "the back-end acllite needs Huawei's AclLite, which was not found",
            why="it is a folder of modules, which pip does not install",
            fix="copy python/common/acllite of the Ascend samples to the board and put the folder "
            "itself on PYTHONPATH; the back-end acl does without it",
        ) from error
    except Exception as error:  # it calls the device while it loads, and raises what it likes
        raise _not_loadable(error) from error
    return found


def _not_loadable(error: Exception) -> DeviceError:
    return DeviceError(
        "AclLite is there but can't be loaded",
        why=f"{type(error).__name__}: {error}",
        fix="its whole folder must be on PYTHONPATH, with CANN's set_env.sh sourced and Pillow "
        "installed; the back-end acl does without it",
    )


def open_lite_model(kind: Type[LiteModel], path: Path) -> LiteModel:
    """Load a model; one that AclLite leaves half built is taken apart and refused.

    Raises:
        DeviceError: AclLite can't load it.
    """
    model = kind.__new__(kind)
    model._is_destroyed = False  # destroy() asks for it, and a half-built one lacks it

    def build() -> bool:
        kind.__init__(model, str(path))
        if model._model_id is None:
            raise RuntimeError("it left the model half built")
        return True

    try:
        call_acllite("loading the model", build, where=path)
    except DeviceError:
        with suppress(DeviceError):
            close_lite_model(model)
        model._is_destroyed = True  # its __del__ is not to try again
        raise
    return model


def close_lite_model(model: LiteModel) -> None:
    """Unload a model.

    Raises:
        DeviceError: AclLite raised.
    """

    def destroy() -> bool:
        model.destroy()
        return True

    call_acllite("unloading the model", destroy)


def call_acllite(
    doing: str, call: Callable[[], Optional[T]], *, where: Optional[object] = None
) -> T:
    """Call into AclLite and turn None and its bare exceptions into one error.

    Args:
        doing: What is being done, for the message.
        call: The call.
        where: The file concerned.

    Raises:
        DeviceError: It returned None or raised.
    """
    ear = _Ear()
    with ACLLITE_LOCK, redirect_stdout(cast("TextIO", ear)):
        try:
            value = call()
        except Exception as error:
            raise _failed(doing, str(error), ear.lines(), where) from error
    if value is None:
        raise _failed(doing, "it returned None", ear.lines(), where)
    return value


def release_inputs(model: LiteModel) -> None:
    """Release the dataset of the inputs, which AclLite keeps when a run fails.

    Raises:
        DeviceError: AclLite raised.
    """

    def release() -> bool:
        model._release_dataset(model._input_dataset)
        model._input_dataset = None
        return True

    if model._input_dataset is not None:
        call_acllite("releasing the inputs", release)


def _failed(doing: str, why: str, said: Sequence[str], where: Optional[object]) -> DeviceError:
    told = "; ".join([why, *said[-_LINES_TOLD:]])
    code = _CODE.search(told)
    if code is None:
        fix = "run it with --backend acl, which names the call, its code and the fix"
        return DeviceError(f"AclLite failed at {doing}", where=where, why=told, fix=fix)
    known = explain(int(code.group(1)))
    return DeviceError(
        f"AclLite failed at {doing}",
        where=where,
        why=f"{told}; code {known.number}: {known.meaning}",
        fix=known.fix,
    )


class _Ear(TextIOBase):
    """Standard output of one thread, kept; what other threads write goes where it went before."""

    def __init__(self) -> None:
        self._thread = get_ident()
        self._before = sys.stdout
        self._heard: List[str] = []

    def write(self, text: str) -> int:
        if get_ident() == self._thread:
            self._heard.append(text)
        elif self._before is not None:
            self._before.write(text)
        return len(text)

    def lines(self) -> List[str]:
        """What was heard, without colours and empty lines."""
        lines = _COLOUR.sub("", "".join(self._heard)).splitlines()
        return [line.strip() for line in lines if line.strip()]
