"""What an exporter's refusal means, in one line, and what to write instead."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from atlas_hpe_export.wording import first_line

__all__ = ["CAPTURE_ERRORS", "explain"]

#: What a forward pass and the exporters raise; anything else is a fault of ours.
CAPTURE_ERRORS = (
    RuntimeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
)
_HOST = "compute it on the host, before or after the network"
#: Operator -> what to write in its place, for those that no front end can write.
_ADVICE = {
    "linalg_cholesky": _HOST,
    "linalg_eigh": _HOST,
    "linalg_lstsq": "write the normal equations with torch.linalg.solve",
    "linalg_pinv": "write inv(A^T A) A^T with torch.linalg.inv, for a matrix of full rank",
    "linalg_qr": _HOST,
    "linalg_slogdet": "write torch.linalg.det and the logarithm of its magnitude",
    "linalg_svd": _HOST,
    "median": "use topk or sort",
}
_ANY_OPERATOR = "write it with other operators, or " + _HOST
_BRANCHES = "use torch.where for values, and fixed numbers for sizes and loops"
_OPERATOR = (
    re.compile(r"No ONNX function found for <OpOverload\(op='\w+\.(\w+)'"),
    re.compile(r"Exporting the operator '\w+::(\w+)'"),
    re.compile(r"ONNX export of operator (\w+)"),
)
_CODE = re.compile(r'raised this error:\s+File "[^"]*", line \d+, in \w+\n +(\S[^\n]*)')
_COLOUR = re.compile(r"\x1b\[[0-9;]*m|\[\d+m")


def explain(error: BaseException) -> Tuple[str, Optional[str]]:
    """The cause in one line, and the advice that fits it or None.

    Args:
        error: What a front end raised; its chain of causes is followed to the end.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    if "data-dependent" in text:
        code = _CODE.search(text)
        place = f": {code.group(1).strip()}" if code else ""
        return f"forward decides by the values of a tensor{place}", _BRANCHES
    for pattern in _OPERATOR:
        match = pattern.search(text)
        if match:
            name = match.group(1).lstrip("_")
            return f"the operator '{name}' has no ONNX form", _ADVICE.get(name, _ANY_OPERATOR)
    lines = str(error).strip().splitlines()
    if lines and "TorchScript interpreter" in lines[0]:
        return lines[-1].strip(), None  # the traceback comes first, what failed last
    return _COLOUR.sub("", first_line(error)), None
