"""The one gate that every ACL call passes: results unpacked, codes turned into errors."""

from __future__ import annotations

import importlib
import threading
from contextlib import ExitStack, suppress
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Callable, Dict, Optional, Tuple

from atlas_hpe.errors import AtlasHpeError, DeviceError, MissingExtraError
from atlas_hpe_runtime.acl.codes import explain

if TYPE_CHECKING:
    from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["Acl", "acquire", "close_after", "device_error", "load_acl"]

#: What a call of ACL gives besides its code.
Result = object

# Calls that give their value alone, without a code, and the value by which they say that they
# failed (ascend.md sections 1.2 to 1.4 and 5.1).
_NO_CODE: Dict[str, object] = {
    "create_data_buffer": 0,
    "data_type_size": 0,
    "get_data_buffer_addr": 0,
    "get_data_buffer_size": 0,
    "get_data_buffer_size_v2": 0,
    "get_soc_name": "",
    "mdl.create_aipp": 0,
    "mdl.create_dataset": 0,
    "mdl.create_desc": 0,
    "mdl.get_dataset_buffer": 0,
    "mdl.get_dataset_num_buffers": 0,
    "mdl.get_input_data_type": -1,
    "mdl.get_input_format": -1,
    "mdl.get_input_name_by_index": "",
    "mdl.get_input_size_by_index": 0,
    "mdl.get_num_inputs": 0,
    "mdl.get_num_outputs": 0,
    "mdl.get_output_data_type": -1,
    "mdl.get_output_format": -1,
    "mdl.get_output_name_by_index": "",
    "mdl.get_output_size_by_index": 0,
    "mdl.get_tensor_real_name": "",
    "media.dvpp_create_batch_pic_desc": 0,
    "media.dvpp_create_channel_desc": 0,
    "media.dvpp_create_jpege_config": 0,
    "media.dvpp_create_pic_desc": 0,
    "media.dvpp_create_resize_config": 0,
    "media.dvpp_create_roi_config": 0,
    "media.dvpp_create_stream_desc": 0,
    "media.dvpp_get_pic_desc": 0,
    "media.dvpp_get_resize_config_interpolation": None,
    "media.vdec_create_channel_desc": 0,
    "media.vdec_create_frame_config": 0,
    "util.bytes_to_ptr": 0,
    "util.numpy_to_ptr": 0,
    "util.ptr_to_bytes": None,
    "util.ptr_to_numpy": None,
}
# As above, and every value is a good one.
_NO_CODE_PREFIXES = (
    "media.dvpp_get_pic_desc_",
    "media.dvpp_get_stream_desc_",
    "media.vdec_get_channel_desc_",
)
_CODED = object()  # stands in for the failing value of the calls that give a code
_UNNUMBERED = -1  # stands for the code of a failure for which ACL gave none
_GATES_LOCK = threading.Lock()  # two threads that open the first session get one gate


class Acl:
    """Calls the functions of one ``acl`` module by their dotted names.

    A gate also carries what exists once per process and ``acl`` module, for ``DeviceOwner``.

    Attributes:
        module: The module.
        simulated: Whether it is the simulator's.
        lock: Guards ``owners`` and ``ours``.
        owners: Device number -> its owner.
        ours: Whether it was us who initialised ACL; does not change while there is an owner.
        thread: What is known of the calling thread: whose context is current in it.

    Args:
        module: The module, the real one or the simulator's.
        simulated: Whether it is the simulator's.
    """

    def __init__(self, module: ModuleType, *, simulated: bool = False) -> None:
        self.module = module
        self.simulated = simulated
        self.lock = threading.RLock()
        self.owners: Dict[int, DeviceOwner] = {}
        self.ours = False
        self.thread = threading.local()
        self._known: Dict[str, Tuple[Callable[..., object], object]] = {}

    def has(self, name: str) -> bool:
        """Whether this generation of ACL has the function, for example ``"util.bytes_to_ptr"``."""
        return self._find(name) is not None

    def call(self, name: str, *args: object) -> Result:
        """Call a function.

        Args:
            name: Dotted name without ``acl.``, for example ``"rt.malloc"``.
            *args: Positional arguments; ACL takes no others.

        Returns:
            The value besides the code: None, one value, or a tuple of several.

        Raises:
            DeviceError: The function is missing, refused its arguments, or failed.
        """
        value, code = self.try_call(name, *args)
        if code != 0:
            raise device_error(name, code)
        return value

    def number(self, name: str, *args: object) -> int:
        """As ``call``, for a function whose value is one integer.

        Raises:
            DeviceError: As for ``call``, or the value is no integer.
        """
        value = self.call(name, *args)
        if not isinstance(value, int):
            raise _unexpected(name, value)
        return value

    def text(self, name: str, *args: object) -> str:
        """As ``call``, for a function whose value is a string.

        Raises:
            DeviceError: As for ``call``, or the value is no string.
        """
        value = self.call(name, *args)
        if not isinstance(value, str):
            raise _unexpected(name, value)
        return value

    def try_call(self, name: str, *args: object) -> Tuple[Result, int]:
        """Call a function and give (value, code) instead of raising for a code that is not 0.

        The failure of a function that returns no code has the code -1.

        Raises:
            DeviceError: The function is missing or refused its arguments.
        """
        known = self._known.get(name)
        if known is None:
            known = self._learn(name)
        function, failing = known
        try:
            result = function(*args)
        except (TypeError, ValueError, MemoryError, RuntimeError) as error:
            raise DeviceError(
                f"the device call acl.{name} refused its arguments",
                why=str(error),
                fix=explain(100000).fix,
            ) from error
        if failing is not _CODED:
            failed = result is None or (failing is not None and result == failing)
            return result, _UNNUMBERED if failed else 0
        return _unpack(name, result)

    def release(self, name: str, *args: object) -> None:
        """Call a function that gives something back; a failure is tried once more, then told.

        What the first try leaves behind would stay allocated for as long as the process lives.

        Raises:
            DeviceError: The first try failed.
        """
        code = self.try_call(name, *args)[1]
        if code != 0:
            self.try_call(name, *args)
            raise device_error(name, code)

    def _learn(self, name: str) -> Tuple[Callable[..., object], object]:
        function = self._find(name)
        if function is None:
            raise DeviceError(
                f"this version of CANN has no acl.{name}",
                fix="install a CANN release that has it, 5.0.4 or later",
            )
        failing = _NO_CODE.get(name, _CODED)
        if name.startswith(_NO_CODE_PREFIXES):
            failing = None
        self._known[name] = (function, failing)
        return function, failing

    def _find(self, name: str) -> Optional[Callable[..., object]]:
        found: object = self.module
        for part in name.split("."):
            found = getattr(found, part, None)
        return found if callable(found) else None


def _unpack(name: str, result: object) -> Tuple[Result, int]:
    """(value, code) from what a function with a code returned."""
    if isinstance(result, int):
        return None, result
    if isinstance(result, tuple) and len(result) > 1 and isinstance(result[-1], int):
        return (result[0] if len(result) == 2 else result[:-1]), result[-1]
    raise _unexpected(name, result)


def _unexpected(name: str, value: object) -> DeviceError:
    return DeviceError(
        f"the device call acl.{name} gave a result of an unknown form",
        why=f"it returned {value!r}",
        fix="report it with the version of CANN",
    )


def device_error(name: str, code: int, where: Optional[object] = None) -> DeviceError:
    """The error for a call that failed: names the call, the code, its meaning and the fix.

    Args:
        name: Dotted name of the call without ``acl.``.
        code: What it returned, -1 for a failure without a code.
        where: The file or tensor concerned.
    """
    if code == _UNNUMBERED:
        return DeviceError(
            f"the device call acl.{name} failed",
            where=where,
            why="it gave an empty result, and ACL gives no code with it",
            fix="look into the log of CANN, by default ~/ascend/log; " + explain(200000).fix,
        )
    known = explain(code)
    return DeviceError(
        f"the device call acl.{name} failed",
        where=where,
        why=f"code {code}: {known.meaning}",
        fix=known.fix,
    )


def acquire(stack: ExitStack, acl: Acl, name: str, *args: object, undo: str) -> int:
    """Create something and note on the stack how it is given back.

    Args:
        stack: Where the release is noted, at the moment the thing exists.
        acl: The gate.
        name: Call that creates a handle or allocates memory.
        *args: Its arguments.
        undo: Name of the call that releases it, which takes the handle alone.

    Returns:
        The handle or pointer.

    Raises:
        DeviceError: The call failed.
    """
    handle = acl.number(name, *args)
    stack.callback(acl.release, undo, handle)
    return handle


def close_after(error: Optional[BaseException], close: Callable[[], None]) -> None:
    """End a ``with`` block: what went wrong in it is told rather than what it did to the release.

    Args:
        error: What the block raised, None when it went well.
        close: Releases everything.

    Raises:
        DeviceError: The block went well and a release failed.
    """
    if error is None:
        close()
        return
    with suppress(DeviceError):
        close()


def load_acl() -> Acl:
    """The gate to the ``acl`` module of this machine; one gate per module.

    Raises:
        MissingExtraError: There is no pyACL on this machine, or it is not on the path.
        DeviceError: It is there and can't be loaded.
    """
    try:
        module = importlib.import_module("acl")
    except ModuleNotFoundError as error:
        if error.name != "acl":
            raise _not_loadable(error) from error
        raise MissingExtraError(
            "running on an Ascend device needs the Python package 'acl', which was not found",
            why="it comes with CANN and is put on the path by its set_env.sh",
            fix="source /usr/local/Ascend/ascend-toolkit/set_env.sh; "
            "without a board give --backend simulator the .onnx, or what convert --simulate makes",
        ) from error
    except AtlasHpeError:  # of the simulator that stands in its place
        raise
    except Exception as error:  # what a foreign module raises while it loads is not known
        raise _not_loadable(error) from error
    with _GATES_LOCK:
        return _gate(module)


def _not_loadable(error: Exception) -> DeviceError:
    return DeviceError(
        "pyACL is installed but can't be loaded",
        why=f"{type(error).__name__}: {error}",
        fix="source /usr/local/Ascend/ascend-toolkit/set_env.sh, with a Python that this "
        "release of CANN supports",
    )


@lru_cache(maxsize=None)
def _gate(module: ModuleType) -> Acl:
    """A module has one gate, because ACL is initialised once per process."""
    return Acl(module, simulated=hasattr(module, "__simulated__"))
