"""What atc's error codes and the messages around it mean, as data.

Codes, causes and fixes are those of ascend.md sections 3.5 and 10; E10006, E10007, E10009, E10036,
E10041, E10047, E10049, E10054 and E10410 come from the error list in the source of GE (2026).

In a command ``{model}`` stands for the ONNX file and ``{fixed}`` for a new one beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

__all__ = ["CODES", "CONTINUED", "MESSAGES", "OUT_OF_MEMORY", "Advice"]

_CHECK = "atlas-hpe check {model}"
_DOCTOR = "atlas-hpe doctor --need compiler"
_EXPORT = "atlas-hpe export {model} --out {fixed}"
_HELP = "atlas-hpe convert --help"
_INSPECT = "atlas-hpe inspect {model}"


@dataclass(frozen=True)
class Advice:
    """What a message means.

    Attributes:
        what: What happened, one sentence without a final full stop.
        cause: Why, None when the message itself says it.
        fix: What to do about it.
        command: Command to type.
        inner: The message tells only where atc noticed; any other message is nearer to the cause.
    """

    what: str
    cause: Optional[str]
    fix: str
    command: Optional[str] = None
    inner: bool = False


_BAD_VALUE = "an option of atc has a value that it does not take"
_PROFILES = "batches or image sizes do not fit the shapes of the inputs"
_FREE_AXES = Advice(
    _PROFILES,
    "batches or image sizes are given, but no input has a free axis; or the other way round",
    "give --batch or --image-size for a model with free axes, and neither for one without",
    _INSPECT,
)
_NO_PARSER = Advice(
    "atc has no ONNX parser for an operator",
    "the opset is too new for this CANN, which has no fallback to an older one, or the operator is "
    "a custom one",
    "export again with this toolkit: it writes opset 11 and replaces what atc does not know",
    _EXPORT,
)
_NO_KERNEL = Advice(
    "an operator has no kernel on this chip",
    "atc can parse the operator, but neither the AI Core nor the AI CPU has it",
    "rewrite the module with other operators; check lists what the chip has",
    _CHECK,
)
_NOT_COMPILED = Advice(
    "the kernel of an operator could not be compiled",
    "its shape does not fit the chip's buffers, or memory ran out",
    "use a smaller batch or image size, or switch off the fusion pass that the log names with "
    "--fusion-off",
    _CHECK,
)
_NO_SHAPE = Advice(
    "the output shape of an operator can't be found",
    "sizes that are fixed in the graph, as those of a Reshape, do not fit the batch or the image "
    "size that was asked for",
    "keep the graph's own sizes, or export the network for these",
    _INSPECT,
)
_TOGETHER = Advice(
    "options of atc exclude each other", None, "leave one of them out", "atlas-hpe convert --help"
)

#: Code -> what it means.
CODES: Dict[str, Advice] = {
    "E10001": Advice(
        _BAD_VALUE,
        "often the spelling of --soc, or a chip that this CANN does not know",
        "correct the value; doctor lists what this machine's CANN is",
        _DOCTOR,
    ),
    "E10002": Advice(
        "the shapes of the inputs are not written as atc wants them",
        "it wants name:1,3,256,256;name:1,21 without spaces",
        "leave --input_shape out: the ONNX file has the shapes",
        _INSPECT,
    ),
    "E10003": Advice(_BAD_VALUE, None, "correct the value", _HELP),
    "E10004": Advice("an option of atc has no value", None, "give it one", _HELP),
    "E10005": Advice("an option of atc wants true or false", None, "write true or false", _HELP),
    "E10006": Advice("an option of atc wants 1 or 0", None, "write 1 or 0", _HELP),
    "E10007": Advice("a required option of atc is missing", None, "add it after --", _HELP),
    "E10009": Advice(
        "several kinds of dynamic shapes at once",
        "batches, image sizes and free dimensions exclude each other",
        "give --batch or --image-size, not both",
        _HELP,
    ),
    "E10010": Advice(
        "there is no such level of the log",
        "it takes debug, info, warning, error or null",
        "correct --log",
    ),
    "E10012": _FREE_AXES,
    "E10014": Advice(
        "a list of batches or image sizes can't be read",
        "batches are 1,2,4; image sizes are 256x256,320x320",
        "correct --batch or --image-size",
        _HELP,
    ),
    "E10016": Advice(
        "an option names a node or an input that the model does not have",
        "simplifiers and exporters rename nodes",
        "take the names as the file has them",
        _INSPECT,
    ),
    "E10017": Advice(
        "an option names a node that is no input of the model",
        None,
        "take the names of the inputs as the file has them",
        _INSPECT,
    ),
    "E10034": Advice(
        "an input has AIPP and is a float16 input at once",
        "with AIPP the input takes the bytes of a picture",
        "leave --input_fp16_nodes out",
    ),
    "E10035": Advice(_PROFILES, "atc wants at least 2 of them", "give 2 to 100 values", _HELP),
    "E10036": Advice(_PROFILES, "atc takes 100 of them at most", "give 2 to 100 values", _HELP),
    "E10040": _FREE_AXES,
    "E10041": Advice(
        "atc can't load the model",
        "the file is damaged, its weights lie elsewhere, or --framework is not 5",
        "look whether the file can be read here",
        _CHECK,
    ),
    "E10047": _TOGETHER,
    "E10049": Advice(
        "a shape has another number of dimensions than the input",
        None,
        "give as many numbers as the input has dimensions",
        _INSPECT,
    ),
    "E10052": Advice(
        "the AIPP settings are not possible",
        None,
        "choose another --input, crop or padding, or leave --input out and feed float pictures",
        _HELP,
    ),
    "E10054": Advice("a required option of atc is missing", None, "add it after --", _HELP),
    "E10410": Advice(
        "a file that an option names is not there",
        None,
        "correct the path of --keep_dtype or --compress_weight_conf",
    ),
    "E10501": Advice(
        "the operator library of CANN is not found",
        "set_env.sh was not sourced, or ASCEND_OPP_PATH points elsewhere",
        "source set_env.sh of the toolkit",
        _DOCTOR,
    ),
    "E13026": Advice(
        "a path can't be used",
        "a file is missing, or a folder can't be written",
        "look at the path in the message",
    ),
    "E14001": Advice(
        "an operator has an argument that atc does not take",
        None,
        "check names the rule and the module",
        _CHECK,
    ),
    "E16001": Advice(
        "the model has no input", "every input is a constant of the file", "export it again", _CHECK
    ),
    "E16002": _NO_PARSER,
    "E16004": Advice(
        "there is no graph in the file", "the file is not a model", "export it again", _INSPECT
    ),
    "E16005": Advice(
        "the model imports more than one opset",
        "atc takes one opset_import when a node has no domain; some exporters leave more",
        "export it again with this toolkit: it removes opsets that no node needs",
        _EXPORT,
    ),
    "E19010": _NO_PARSER,
    "E19021": Advice(
        "atc can't read the ONNX file",
        "weights in files beside it that were not found, a file over 2 GB, or a damaged one",
        "look whether the file can be read here, then export it again in one piece",
        _CHECK,
    ),
    "E19999": Advice(
        "an internal error of atc",
        "the other lines of the log say more; operator libraries of another CANN version show so",
        "look at the log, and at the versions of this machine",
        _DOCTOR,
        inner=True,
    ),
    "E81012": Advice(
        "the kernel of AIPP could not be compiled",
        "settings that this chip does not have",
        "choose another --input, or leave it out",
        _HELP,
    ),
    "EZ3002": Advice(
        "the AI Core does not take an operator as the model uses it",
        "the kernel does not have this type, format or shape",
        "change the shape or the type, or switch off the fusion pass that the log names with "
        "--fusion-off",
        _CHECK,
    ),
    "EZ3003": _NO_KERNEL,
    "EZ9999": Advice(
        "a kernel could not be compiled or run",
        "a shape too big for the chip's buffers, or not enough memory",
        "use a smaller batch or image size; the other lines of the log say more",
        _CHECK,
        inner=True,
    ),
}

OUT_OF_MEMORY = Advice(
    "atc was killed: memory ran out",
    "the system ended it with signal 9, as it does when no memory is left",
    "end other programs, add swap, or set TE_PARALLEL_COMPILER=1; on a board, convert on an x86 "
    "machine instead",
    _DOCTOR,
)
_NO_LIBRARY = Advice(
    "a library of CANN is not found", "set_env.sh was not sourced", "source set_env.sh", _DOCTOR
)

#: (what to look for, in lower case; all parts are due in one line) -> what it means.
MESSAGES: Tuple[Tuple[Tuple[str, ...], Advice], ...] = (
    (
        ("libascend_hal.so",),
        Advice(
            "the driver's library libascend_hal.so is not found",
            "a machine without a board has no driver",
            "add the toolkit's folder runtime/lib64/stub to LD_LIBRARY_PATH, or use --docker IMAGE",
            _DOCTOR,
        ),
    ),
    (("error while loading shared libraries",), _NO_LIBRARY),
    (("cannot open shared object file",), _NO_LIBRARY),
    (
        ("atc: command not found",),
        Advice("atc is not found", "set_env.sh was not sourced", "source set_env.sh", _DOCTOR),
    ),
    (
        ("atc: not found",),
        Advice("atc is not found", "set_env.sh was not sourced", "source set_env.sh", _DOCTOR),
    ),
    (
        ("unknown command line flag",),
        Advice(
            "this atc does not know an option",
            "it came with another release of CANN, or it is misspelt",
            "leave it out, or correct what stands after --",
            _DOCTOR,
        ),
    ),
    (
        ("modulenotfounderror: no module named",),
        Advice(
            "a Python package that the toolkit needs is missing",
            None,
            "pip install it for the Python that atc finds first on PATH",
            _DOCTOR,
        ),
    ),
    (
        ("no space left on device",),
        Advice(
            "the disk is full",
            "atc writes its kernels into the working folder",
            "make room, or set TMPDIR to a folder with room",
        ),
    ),
    (
        ("memory", "2097152"),
        Advice(
            "there is too little memory for atc",
            "it does not start with less than 2 GB available",
            "end other programs or add swap; on a board, convert on an x86 machine instead",
            _DOCTOR,
        ),
    ),
    (("out of memory",), OUT_OF_MEMORY),
    ((" killed",), OUT_OF_MEMORY),
    (("exit status 137",), OUT_OF_MEMORY),  # convert.sh: 128 + signal 9
    (("cannot allocate memory",), OUT_OF_MEMORY),
    (("std::bad_alloc",), OUT_OF_MEMORY),
    (
        ("cannot connect to the docker daemon",),
        Advice("docker does not answer", "its service does not run", "start it", "docker info"),
    ),
    (
        ("unable to find image",),
        Advice(
            "the container image is not on this machine",
            None,
            "build it as docker/README.md says",
            "docker images",
        ),
    ),
)

#: Lines without a code of their own that continue a report -> code they belong to.
CONTINUED: Tuple[Tuple[str, Optional[str], Advice], ...] = (
    ("No parser is registered for Op [", "E19010", _NO_PARSER),
    ("No ONNX parser is registered for optype", "E16002", _NO_PARSER),
    ("No supported Ops kernel and engine are found for [", "EZ3003", _NO_KERNEL),
    ("Failed to compile Op [", None, _NOT_COMPILED),
    ("InferShapeAndType for node:", None, _NO_SHAPE),
)
