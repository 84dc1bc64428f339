"""How a plain Python function becomes a call of ``acl``: arguments, failures, answers."""

from __future__ import annotations

import ctypes
import operator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Callable, Dict, Iterable, List, Optional, Tuple, TypeVar

from atlas_hpe_runtime.simulator.codes import SUCCESS

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine
    from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["AclFailure", "CallSpec", "acl_call", "bind", "spec_of"]

F = TypeVar("F", bound=Callable[..., object])

_ATTRIBUTE = "acl_spec"
_RETURNS = ("ret", "value", "value+ret", "values+ret")
_NEEDS = (None, "init", "context")
_SHORT_MAX = (1 << 15) - 1
_INT_MAX = (1 << 31) - 1


class AclFailure(Exception):
    """How an implementation fails; the program gets the code as the call's return code.

    Args:
        code: A return code of ascend.md section 1.7, not 0.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class CallSpec:
    """What the wrapper of a call has to know; the fields are the arguments of ``acl_call``."""

    name: str
    arguments: str
    returns: str
    default: object
    needs: Optional[str]
    since: Optional[str]
    until: Optional[str]
    when: Optional[Callable[[SimulatorSettings], bool]]

    def __post_init__(self) -> None:
        bad = set(self.arguments) - set(_CONVERTERS) - {"|"}
        if bad or self.returns not in _RETURNS or self.needs not in _NEEDS:
            raise ValueError(f"{self.name}: {self.arguments!r}, {self.returns!r}, {self.needs!r}")

    def available(self, settings: SimulatorSettings) -> bool:
        """Whether that generation has the call."""
        if not settings.has(self.since, self.until):
            return False
        return self.when is None or self.when(settings)


def acl_call(
    name: str,
    arguments: str = "",
    *,
    returns: str = "ret",
    default: object = 0,
    needs: Optional[str] = None,
    since: Optional[str] = None,
    until: Optional[str] = None,
    when: Optional[Callable[[SimulatorSettings], bool]] = None,
) -> Callable[[F], F]:
    """Mark a function as the implementation of a call; its first parameter is the machine.

    Args:
        name: Dotted name, for example ``"acl.rt.malloc"``.
        arguments: Format characters of CPython's PyArg_ParseTuple: ``k`` unsigned long (a real
            Python int; negative numbers come out modulo 2**64), ``K`` the same, ``I``, ``i``,
            ``H``, ``h``, ``f``, ``s``, ``O``; ``|`` starts the optional ones.
        returns: ``"ret"``: the code alone; ``"value"``: the value alone, or ``default`` on failure;
            ``"value+ret"``: both; ``"values+ret"``: the implementation returns a tuple, which is
            flattened in front of the code.
        default: What a failure puts in place of the value; a tuple for ``"values+ret"``. A callable
            is called each time, for objects that the program may change.
        needs: ``"init"`` (else 100001), ``"context"`` (else 107002), or None.
        since: First generation that has the call, None for all.
        until: Last generation that has the call, None for all.
        when: A further condition, for what depends on more than the generation.
    """
    spec = CallSpec(name, arguments, returns, default, needs, since, until, when)

    def mark(function: F) -> F:
        setattr(function, _ATTRIBUTE, spec)
        return function

    return mark


def bind(machine: Machine, modules: Iterable[ModuleType]) -> Dict[str, Callable[..., object]]:
    """The calls that the machine's generation has, by dotted name.

    Args:
        machine: What the calls work on.
        modules: Python modules with functions that ``acl_call`` marked.

    Raises:
        ValueError: Two functions claim one call.
    """
    calls: Dict[str, Callable[..., object]] = {}
    for module in modules:
        for function in list(vars(module).values()):
            spec = getattr(function, _ATTRIBUTE, None)
            if not isinstance(spec, CallSpec) or function.__module__ != module.__name__:
                continue
            if not spec.available(machine.settings):
                continue
            if spec.name in calls:
                raise ValueError(f"two functions implement {spec.name}")
            calls[spec.name] = _wrap(machine, spec, function)
    return calls


def _wrap(
    machine: Machine, spec: CallSpec, function: Callable[..., object]
) -> Callable[..., object]:
    def call(*arguments: object, **keywords: object) -> object:
        values = _parse(spec, arguments, keywords)
        try:
            machine.begin(spec.name, spec.needs)
            value, code = function(machine, *values), SUCCESS
        except AclFailure as failure:
            default = spec.default
            value, code = default() if callable(default) else default, failure.code
        if spec.returns == "ret":
            return code
        if spec.returns == "value":
            return value
        if spec.returns == "value+ret":
            return value, code
        return (*_as_tuple(value), code)

    call.__name__ = call.__qualname__ = spec.name.rpartition(".")[2]
    call.__module__ = spec.name.rpartition(".")[0]
    call.__doc__ = function.__doc__
    setattr(call, _ATTRIBUTE, spec)
    return call


def spec_of(call: Callable[..., object]) -> CallSpec:
    """What the wrapper of a call knows, for one that ``bind`` made."""
    spec: CallSpec = getattr(call, _ATTRIBUTE)
    return spec


def _as_tuple(value: object) -> Tuple[object, ...]:
    if not isinstance(value, tuple):
        raise TypeError("an implementation with several values returns a tuple")
    return value


def _parse(
    spec: CallSpec, arguments: Tuple[object, ...], keywords: Dict[str, object]
) -> List[object]:
    required, _, optional = spec.arguments.partition("|")
    formats = required + optional
    # A call without arguments does not look at what it is given; samples of the device's maker
    # pass it a device number.
    fits = not formats or len(required) <= len(arguments) <= len(formats)
    if fits and not keywords:
        try:
            return [_CONVERTERS[kind](value) for kind, value in zip(formats, arguments)]
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError(f"{spec.name} args parse failed")


def _unsigned_long(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value & ((1 << 64) - 1)


def _unsigned_int(value: object) -> int:
    return _index(value) & ((1 << 32) - 1)


def _unsigned_short(value: object) -> int:
    return _index(value) & ((1 << 16) - 1)


def _int(value: object) -> int:
    number = _index(value)
    if not -_INT_MAX - 1 <= number <= _INT_MAX:
        raise OverflowError
    return number


def _short(value: object) -> int:
    number = _index(value)
    if not -_SHORT_MAX - 1 <= number <= _SHORT_MAX:
        raise OverflowError
    return number


def _index(value: object) -> int:
    return operator.index(value)  # type: ignore[arg-type]  # a TypeError is the answer wanted


def _float(value: object) -> float:
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError
    return ctypes.c_float(float(value)).value  # type: ignore[arg-type]  # as for _index


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    value.encode()  # a lone surrogate is a ValueError
    return value


def _any(value: object) -> object:
    return value


_CONVERTERS: Dict[str, Callable[[object], object]] = {
    "k": _unsigned_long,
    "K": _unsigned_long,
    "I": _unsigned_int,
    "i": _int,
    "H": _unsigned_short,
    "h": _short,
    "f": _float,
    "s": _text,
    "O": _any,
}
