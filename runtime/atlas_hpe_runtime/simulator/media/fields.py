"""Makers of the many calls that only set, read, make or destroy a description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional, Type, TypeVar, cast

from atlas_hpe_runtime.simulator.calls import acl_call

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["find", "make_creator", "make_destroyer", "make_getter", "make_setter"]

T = TypeVar("T")
Call = Callable[..., object]


def find(machine: Machine, kind: str, handle: int, of: Type[T]) -> T:
    """The object of a handle.

    Args:
        machine: The machine.
        kind: Its name in the ledger.
        handle: The handle.
        of: The class that all objects of this kind have.

    Raises:
        AclFailure: 100000, there is no such object.
    """
    return cast(T, machine.handles.get(kind, handle))


def make_setter(home: str, name: str, kind: str, field: str, form: str = "I") -> Call:
    """``acl.media.<name>(handle, value)`` -> ret, which sets one field.

    Args:
        home: ``__name__`` of the module that keeps the call.
        name: Name of the call.
        kind: Kind of the handle.
        field: Attribute to set.
        form: Format character of the value.
    """

    def call(machine: Machine, handle: int, value: object) -> None:
        setattr(machine.handles.get(kind, handle), field, value)

    return _mark(call, home, name, f"Set {field} of a {kind}.", "k" + form, "ret")


def make_getter(home: str, name: str, kind: str, field: str, default: int = 0) -> Call:
    """``acl.media.<name>(handle)`` -> value, or ``default`` for a bad handle."""

    def call(machine: Machine, handle: int) -> object:
        return getattr(machine.handles.get(kind, handle), field)

    return _mark(call, home, name, f"Read {field} of a {kind}.", "k", "value", default)


def make_creator(
    home: str, name: str, kind: str, make: Call, form: str = "", needs: Optional[str] = None
) -> Call:
    """``acl.media.<name>(...)`` -> handle, 0 on failure; ``make`` gets the arguments."""

    def call(machine: Machine, *values: int) -> int:
        return machine.handles.add(kind, make(*values))

    return _mark(call, home, name, f"Make a {kind}.", form, "value", 0, needs)


def make_destroyer(home: str, name: str, kind: str) -> Call:
    """``acl.media.<name>(handle)`` -> ret; a null handle is no failure."""

    def call(machine: Machine, handle: int) -> None:
        if handle:
            machine.handles.remove(kind, handle)

    return _mark(call, home, name, f"Destroy a {kind}.", "k", "ret")


def _mark(
    call: Call,
    home: str,
    name: str,
    text: str,
    form: str,
    returns: str,
    default: object = 0,
    needs: Optional[str] = None,
) -> Call:
    call.__module__, call.__name__, call.__doc__ = home, name, text
    return acl_call(f"acl.media.{name}", form, returns=returns, default=default, needs=needs)(call)
