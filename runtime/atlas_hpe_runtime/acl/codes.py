"""What the error codes of ACL mean, and what to do about them (ascend.md sections 1.7 and 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional

__all__ = [
    "CONTEXT_NULL",
    "REPEAT_INITIALISE",
    "Code",
    "explain",
]

REPEAT_INITIALISE = 100002
CONTEXT_NULL = 107002


@dataclass(frozen=True)
class Code:
    """An error code in words.

    Attributes:
        number: The code as ACL returned it.
        meaning: What it stands for.
        fix: What the reader can do about it.
    """

    number: int
    meaning: str
    fix: str


_LOG = "look into the log of CANN, by default ~/ascend/log, for the lines at this time"
_BUG = "this is a fault of the program that made the call; report it with this message"
_REBUILD = (
    "convert the model again: atlas-hpe convert --soc of this chip, with the CANN version of this "
    "machine"
)
_VERSIONS = "install driver, firmware and CANN of one release (npu-smi info shows the first two)"
_MEMORY = "use a smaller batch, close models that are not needed, and run all models in one process"
_CONTEXT = "use the session's own calls from this thread; a context is set for each thread by them"
_TOO_LARGE = "use a smaller batch or picture, close other models; " + _LOG
_RESTART = "run again; when it comes back, restart the board and look into the log of CANN"
_FILE = "check the path and the file: atlas-hpe inspect MODEL.om"
_SHAPE = "feed arrays of the shape and type that the session's inputs show"
_MODEL_CODES: Dict[int, str] = {
    100011: "invalid model id",
    100012: "the model can't be deserialised",
    100013: "the model can't be parsed",
    100014: "the model can't be read",
    100015: "the size of the model is invalid",
    100016: "the model lacks an attribute",
    145006: "the size of the model's data is invalid",
    500002: "the graph engine failed",
    545001: "the model can't be loaded",
    545002: "a part of the model can't be loaded: the model",
    545003: "a part of the model can't be loaded: the weights",
    545004: "a part of the model can't be loaded: the tasks",
    545005: "a part of the model can't be loaded: the kernels",
    507009: "the type of a task is not supported, as with a model for another chip or CANN",
    148050: "the model holds an operator of dynamic shape, which is not supported",
}
_FILE_CODES: Dict[int, str] = {
    100003: "invalid file",
    100004: "a file can't be written",
    100005: "invalid file size",
    100006: "a file can't be parsed",
    100007: "a file lacks an attribute",
    100008: "a file has an invalid attribute",
    100009: "the dump settings are invalid",
    100010: "the profiling settings are invalid",
    145002: "the model's path is invalid",
}
_SHAPE_CODES: Dict[int, str] = {
    100017: "the input does not match the model",
    100018: "the output does not match the model",
    100019: "the model is not dynamic",
    100026: "the data type is not supported",
    100027: "the format does not match",
    100038: "the model has no static AIPP",
    145011: "the address of the dynamic input is invalid",
    145012: "the length of the dynamic input is invalid",
    145013: "the dynamic batch size is invalid",
    145014: "AIPP was given an empty batch",
    145015: "the model has no AIPP",
    145016: "the AIPP mode is invalid",
    145020: "the format is invalid",
    145021: "the shape is invalid",
    145022: "the data type is invalid",
}
_MEMORY_CODES: Dict[int, str] = {
    200000: "memory can't be allocated",
    207001: "device memory can't be allocated",
    207005: "a resource of the device can't be allocated",
    207007: "the device has no event left",
    207008: "the device has no stream left",
    207010: "the device has no room for another model",
    245000: "memory can't be allocated",
    245001: "device memory can't be allocated",
    245002: "an operation on device memory failed",
    300000: "the storage is over its limit",
}
_CONTEXT_CODES: Dict[int, str] = {
    107002: "the calling thread has no context",
    107003: "the stream does not belong to the current context",
    107004: "the model does not belong to the current context",
}
_DEVICE_CODES: Dict[int, str] = {
    107001: "invalid device number",
    200002: "invalid device",
    207004: "there is no device",
    207006: "no permission for the device",
    507008: "the chip's version does not fit",
    507033: "the device can't be set up",
    500004: "the driver failed",
    507899: "the driver failed inside",
    507901: "the connection to the device was lost",
    507010: "the heartbeat of the device was lost",
}
_EXECUTE_CODES: Dict[int, str] = {
    507011: "the model failed while it ran",
    507015: "an exception on the AI Core",
    507016: "a trap on the AI Core",
    507034: "a time-out on the vector core",
    507035: "an exception on the vector core",
    507036: "a trap on the vector core",
    507042: "a read outside of memory on the AI Core",
    507043: "a write outside of memory on the AI Core",
    207003: "an overflow on the AI Core",
}
_INSIDE_CODES: Dict[int, str] = {
    100002: "ACL was initialised before",
    100032: "invalid queue id",
    100033: "the stream was subscribed before",
    100034: "the stream is not subscribed",
    100035: "the thread is not subscribed",
    100036: "waiting for a callback took too long",
    100037: "ACL was finalised before",
    100040: "the group is not set",
    100041: "the group was not created",
    107000: "invalid parameter",
    107008: "the address is not aligned",
    107011: "the subscription failed",
    107012: "the subscription failed",
    107015: "no callback is registered",
    107019: "waiting took too long",
    107020: "the task took too long",
    145000: "invalid parameter",
    145001: "the executor is not initialised",
    145003: "invalid model id",
    145007: "the address of the model is invalid",
    145009: "the model is loaded already",
    145017: "the type of a task is invalid",
    145018: "the type of a kernel is invalid",
    148046: "profiling failed",
    148047: "profiling failed",
    148048: "the queue of operators is full",
    100020: "the operator's type does not match",
    100021: "the operator's input does not match",
    100022: "the operator's output does not match",
    100023: "the operator's attribute does not match",
    100024: "the operator was not found",
    100025: "the operator can't be loaded",
    100028: "the kernel's selector is not registered",
    100029: "the kernel is not registered",
    100030: "the selector is registered already",
    100031: "the kernel is registered already",
    200003: "the address of the memory is not aligned",
    200004: "the resources do not match",
    200005: "invalid handle of a resource",
}
_OTHER: Dict[int, Code] = {
    code.number: code
    for code in (
        Code(100000, "invalid parameter", _BUG),
        Code(100001, "ACL is not initialised", "open a session first; it initialises ACL"),
        Code(
            100039,
            "the stub library is in use",
            "source set_env.sh of the CANN on the board, not of a development kit",
        ),
        Code(148049, "the path of the operators is not set", "source set_env.sh of CANN"),
        Code(
            148052,
            "this JPEG is not supported",
            "use a baseline JPEG, or let the program fall back to the CPU",
        ),
        Code(200001, "this version of ACL does not have the function", _VERSIONS),
        Code(200006, "the feature is not supported here", _VERSIONS),
        Code(207000, "the feature is not supported here", _VERSIONS),
        Code(
            507013,
            "a copy by the system's DMA failed",
            "on an Atlas 200 DK copy with rt.memcpy, not with rt.memcpy_async",
        ),
        Code(507002, "the stream has no room for another task", "take results before submitting"),
    )
}
_INTERNAL: Dict[int, str] = {
    500000: "an error inside ACL",
    500001: "ACL failed",
    500003: "the runtime failed",
    500005: "profiling failed",
    507000: "an error inside the runtime",
    507001: "an error of the task scheduler",
    507012: "a report came too late",
    507014: "a task on the AI Core took too long",
    507017: "a task on the AI CPU took too long",
    507018: "an exception on the AI CPU",
    507022: "an error between processes",
    507900: "an error inside the AI CPU",
    545000: "an error inside the graph engine",
    545006: "a release inside the graph engine failed",
    545007: "a command inside the graph engine failed",
    545008: "the description of a tensor can't be read",
    545009: "the model can't be unloaded",
    545601: "the model ran too long",
}
_BY_FIX = (
    (_MODEL_CODES, _REBUILD),
    (_FILE_CODES, _FILE),
    (_SHAPE_CODES, _SHAPE),
    (_MEMORY_CODES, _MEMORY),
    (_CONTEXT_CODES, _CONTEXT),
    (_DEVICE_CODES, "check the device with npu-smi info; " + _VERSIONS),
    (_EXECUTE_CODES, _TOO_LARGE),
    (_INSIDE_CODES, _BUG),
    (_INTERNAL, _RESTART),
)


def explain(number: int) -> Code:
    """What a code means and what to do; a code that is not known is shown as it is."""
    known: Optional[Code] = _OTHER.get(number)
    if known is not None:
        return known
    for meanings, fix in _BY_FIX:
        if number in meanings:
            return Code(number, meanings[number], fix)
    return Code(number, "not a code that this program knows", _LOG)
