"""Loaded models and their descriptions, as objects behind handles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.constants import MODEL_CONTEXT, MODEL_ID
from atlas_hpe_runtime.simulator.mdl.program import Profile, Program

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Context, Machine

__all__ = ["DESC", "MODEL", "Desc", "Model", "find_desc", "find_model"]

MODEL, DESC = "model", "model description"


class Model:
    """A model in the memory of the device.

    Args:
        program: What runs.
        context: Where it was loaded.
        reserved: Bytes of the device's memory that it took by itself.
    """

    def __init__(self, program: Program, context: Context, reserved: int) -> None:
        self.program = program
        self.context = context
        self.reserved = reserved
        #: The profile that was chosen last.
        self.current: Profile = program.largest


class Desc:
    """A description, empty until ``get_desc``; it outlives its model."""

    def __init__(self) -> None:
        self.model: Optional[Model] = None
        self.model_id = 0


def find_model(machine: Machine, model_id: int, *, here: bool = False) -> Model:
    """The model of an id.

    Args:
        machine: The device.
        model_id: The id.
        here: It has to have been loaded in the current context.

    Raises:
        AclFailure: 145003, there is none; 107002, no context; 107004, it is of another one.
    """
    try:
        model = machine.handles.get(MODEL, model_id)
    except AclFailure:
        raise AclFailure(MODEL_ID) from None
    if not isinstance(model, Model):
        raise AclFailure(MODEL_ID)
    if here and machine.context() is not model.context:
        raise AclFailure(MODEL_CONTEXT)
    return model


def find_desc(machine: Machine, handle: int) -> Desc:
    """The description of a handle.

    Raises:
        AclFailure: 100000, there is none.
    """
    desc = machine.handles.get(DESC, handle)
    if not isinstance(desc, Desc):
        raise AclFailure(INVALID_PARAM)
    return desc
