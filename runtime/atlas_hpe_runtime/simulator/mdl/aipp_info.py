"""What a program asks about the AIPP of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Tuple

from atlas_hpe.aipp import AippSpec, CscMatrix
from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.aipp_record import INPUT_FORMATS
from atlas_hpe_runtime.simulator.mdl.constants import ACL_DTYPES, NO_INDEX, NOT_STATIC_AIPP
from atlas_hpe_runtime.simulator.mdl.describing import dims_dict
from atlas_hpe_runtime.simulator.mdl.models import find_model
from atlas_hpe_runtime.simulator.mdl.ports import FORMATS, size_of
from atlas_hpe_runtime.simulator.mdl.program import Program, picture_spec

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "get_aipp_type",
    "get_first_aipp_info",
]

_NONE, _STATIC, _DYNAMIC, _RECORD = 0, 1, 2, 3  # aclmdlInputAippType
# A quirk: the other four numbers of the matrix are not given out.
_MATRIX = ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 2))


@acl_call("acl.mdl.get_aipp_type", "Ik", returns="values+ret", default=(_NONE, NO_INDEX))
def get_aipp_type(machine: Machine, model_id: int, index: int) -> Tuple[int, int]:
    """The kind of AIPP of an input, and the hidden input that belongs to it."""
    program = find_model(machine, model_id).program
    if index >= len(program.inputs):
        raise AclFailure(INVALID_PARAM)
    if index >= len(program.data):
        is_record = index in {source.record for source in program.data}
        return (_RECORD if is_record else _NONE), NO_INDEX
    source = program.data[index]
    if source.record is not None:
        return _DYNAMIC, source.record
    return (_NONE if source.aipp is None else _STATIC), NO_INDEX


@acl_call("acl.mdl.get_first_aipp_info", "Ik", returns="value+ret", default=None)
def get_first_aipp_info(machine: Machine, model_id: int, index: int) -> Dict[str, object]:
    """The settings of static AIPP: the fields of aclAippInfo."""
    program = find_model(machine, model_id).program
    if index >= len(program.inputs):
        raise AclFailure(INVALID_PARAM)
    spec = program.data[index].aipp if index < len(program.data) else None
    if not isinstance(spec, AippSpec):
        raise AclFailure(NOT_STATIC_AIPP)
    numbers = {name: number for number, name in INPUT_FORMATS.items()}
    shapes = _shapes(program, index)
    return {
        "inputFormat": numbers[spec.input_format],
        "srcImageSizeW": spec.src_width_px,
        "srcImageSizeH": spec.src_height_px,
        **_switches(spec),
        **_colours(spec.csc or CscMatrix(((0, 0, 0), (0, 0, 0), (0, 0, 0)))),
        **_channels(spec),
        "srcFormat": FORMATS[program.layout],
        "srcDatatype": ACL_DTYPES[program.data[index].dtype],
        "srcDimNum": 4,
        "shapeCount": len(shapes),
        "outDims": shapes,
    }


def _switches(spec: AippSpec) -> Dict[str, object]:
    left, top, width, height = spec.crop or (0, 0, 0, 0)
    pad_left, pad_right, pad_top, pad_bottom = spec.padding
    return {
        "cscSwitch": int(spec.csc is not None),
        "rbuvSwapSwitch": int(spec.rbuv_swap),
        "axSwapSwitch": int(spec.ax_swap),
        "cropSwitch": int(spec.crop is not None),
        "loadStartPosW": left,
        "loadStartPosH": top,
        "cropSizeW": width,
        "cropSizeH": height,
        "resizeSwitch": 0,
        "resizeOutputW": 0,
        "resizeOutputH": 0,
        "paddingSwitch": int(any(spec.padding)),
        "leftPaddingSize": pad_left,
        "rightPaddingSize": pad_right,
        "topPaddingSize": pad_top,
        "bottomPaddingSize": pad_bottom,
    }


def _colours(csc: CscMatrix) -> Dict[str, object]:
    found: Dict[str, object] = {
        f"matrixR{row}C{column}": csc.rows[row][column] for row, column in _MATRIX
    }
    for channel in range(3):
        found[f"inputBias{channel}"] = csc.input_bias[channel]
        found[f"outputBias{channel}"] = csc.output_bias[channel]
    return found


def _channels(spec: AippSpec) -> Dict[str, object]:
    found: Dict[str, object] = {}
    for channel in range(4):
        given = channel < len(spec.mean)
        found[f"meanChn{channel}"] = spec.mean[channel] if given else 0
        found[f"minChn{channel}"] = spec.minimum[channel] if given else 0.0
        found[f"varReciChn{channel}"] = spec.var_reci[channel] if given else 1.0
    return found


def _shapes(program: Program, index: int) -> List[Dict[str, object]]:
    """For each profile the picture that goes in and the tensor that comes out."""
    source, port = program.data[index], program.inputs[index]
    found = []
    for profile in program.profiles.values():
        shape = profile.inputs[index]
        picture = picture_spec(source, shape, program.layout)
        rows = (shape[0], *picture.buffer_shape)
        dims = rows if len(rows) == 4 else (*rows, 1)
        found.append(
            {
                "srcDims": dims_dict(port.name, dims),
                "srcSize": size_of(dims, "uint8"),
                "aippOutdims": dims_dict(source.name, shape),
                "aippOutSize": size_of(shape, "float16"),
            }
        )
    return found
