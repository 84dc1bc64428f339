"""What an export starts from: any file a user has, told by its content, opened without surprises.

``open_input`` is the door. Each kind of file has its own module, with what it can and cannot do to
the machine that opens it in the docstring.
"""

from __future__ import annotations

from atlas_hpe_export.inputs.export_input import ExportInput
from atlas_hpe_export.inputs.open import open_input

__all__ = ["ExportInput", "open_input"]
