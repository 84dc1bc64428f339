"""ONNX -> .om: drives atc of the CANN toolkit, and needs neither torch nor onnx.

The way of a conversion: ``request`` -> ``job`` -> ``cache``, or ``atc`` in a ``scratch`` folder
(``log`` keeps what it says, ``faults`` reads it when it fails) -> ``record``, what is said of the
result -> ``publish``; ``convert`` is the flow. Without a compiler ``bundle`` writes a folder for
another machine, and ``simulate`` makes a model for the simulator.
"""

from __future__ import annotations

from atlas_hpe_export.convert.convert import compile_om, newest_model
from atlas_hpe_export.convert.report import ConvertReport, convert_to_dict, describe_convert
from atlas_hpe_export.convert.request import (
    PRECISIONS,
    AippRequest,
    AtcCommand,
    ConvertOptions,
    build_command,
    parse_options,
)

__all__ = [
    "PRECISIONS",
    "AippRequest",
    "AtcCommand",
    "ConvertOptions",
    "ConvertReport",
    "build_command",
    "compile_om",
    "convert_to_dict",
    "describe_convert",
    "newest_model",
    "parse_options",
]
