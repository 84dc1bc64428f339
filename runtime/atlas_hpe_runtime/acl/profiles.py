"""Profiles of dynamic models: the shapes that atc was told, and the choice among them.

A dynamic model has a fixed list of batches, of picture sizes, or of sets of dims. The smallest
one that fits is taken and the input is padded with zeros (ascend.md sections 1.3 and 2.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from atlas_hpe.errors import SessionError, UsageError
from atlas_hpe_runtime.acl.api import Acl
from atlas_hpe_runtime.acl.description import (
    ModelDescription,
    Port,
    element_count,
    shape_from,
)

__all__ = ["Profile", "choose_profile", "narrow_profiles", "read_profiles"]

Shape = Tuple[int, ...]
_RESERVED = -1  # second argument of the calls that list profiles


@dataclass(frozen=True)
class Profile:
    """One set of shapes that a model runs with.

    Attributes:
        shapes: Shape of each input.
        setting: Call and arguments, after the shape input's index, that choose it; None for the
            only shapes of a static model.
        batch: The batch, for profiles that differ in it only.
        image_size: Height and width, for profiles that differ in them only.
    """

    shapes: Tuple[Shape, ...]
    setting: Optional[Tuple[object, ...]] = None
    batch: Optional[int] = None
    image_size: Optional[Tuple[int, int]] = None

    def fits(self, wanted: Sequence[Shape]) -> bool:
        """Whether arrays of these shapes, one per input, go into it."""
        return all(
            len(have) == len(want) and all(a >= b for a, b in zip(have, want))
            for have, want in zip(self.shapes, wanted)
        )

    @property
    def elements(self) -> int:
        """Elements of all inputs."""
        return sum(element_count(shape) for shape in self.shapes)


def read_profiles(acl: Acl, description: ModelDescription) -> Tuple[Profile, ...]:
    """The profiles of a model, the smallest first; a static model has one.

    Raises:
        DeviceError: A call failed.
    """
    shapes = tuple(port.spec.shape for port in description.inputs)
    if description.shape_input is None:
        return (_only_profile(description),)
    desc = description.handle
    profiles = (
        _batch_profiles(shapes, acl.call("mdl.get_dynamic_batch", desc))
        or _dims_profiles(acl, desc, shapes)
        or _size_profiles(description.inputs, acl.call("mdl.get_dynamic_hw", desc, _RESERVED))
    )
    return tuple(sorted(profiles, key=lambda profile: profile.elements))


def choose_profile(profiles: Sequence[Profile], wanted: Sequence[Shape]) -> int:
    """Place of the smallest profile that takes arrays of these shapes, one per input.

    Raises:
        SessionError: None is large enough.
    """
    for place, profile in enumerate(profiles):
        if profile.fits(wanted):
            return place
    largest = profiles[-1]
    raise SessionError(
        "the arrays are larger than the model was converted for",
        why=f"they are {_show(wanted)}; the largest profile is {_show(largest.shapes)}",
        fix="feed smaller arrays, or convert the model for larger ones: atlas-hpe convert --batch "
        "or --image-size",
    )


def narrow_profiles(
    profiles: Sequence[Profile],
    batch: Optional[int],
    image_size: Optional[Tuple[int, int]],
) -> Tuple[Profile, ...]:
    """The profiles that are left when the caller has chosen a batch or a picture size.

    Raises:
        UsageError: The model has no such profile.
    """
    kept = [
        profile
        for profile in profiles
        if batch in (None, profile.batch) and image_size in (None, profile.image_size)
    ]
    if not kept:
        wishes = [] if batch is None else [f"batch {batch}"]
        if image_size is not None:
            wishes.append(f"pictures of {image_size[1]}x{image_size[0]} px")
        raise UsageError(
            f"the model has no profile for {' and '.join(wishes)}",
            why="the shapes of its inputs: "
            + ", or ".join(_show(profile.shapes) for profile in profiles),
            fix="choose one of these, or leave it out",
        )
    return tuple(kept)


def _only_profile(description: ModelDescription) -> Profile:
    specs = [port.spec for port in description.inputs]
    first = specs[0].shape if specs else ()
    size = None
    if len(first) == 4:
        size = (first[1], first[2]) if specs[0].layout == "NHWC" else (first[2], first[3])
    shapes = tuple(spec.shape for spec in specs)
    return Profile(shapes, batch=first[0] if first else None, image_size=size)


def _batch_profiles(shapes: Sequence[Shape], answer: object) -> List[Profile]:
    return [
        Profile(
            tuple(_filled(shape, [batch]) for shape in shapes),
            ("mdl.set_dynamic_batch_size", batch),
            batch=batch,
        )
        for batch in _listed(answer, "batch")
        if isinstance(batch, int)
    ]


def _size_profiles(ports: Sequence[Port], answer: object) -> List[Profile]:
    listed = [item for item in _listed(answer, "hw") if isinstance(item, (list, tuple))]
    sizes = [(int(item[0]), int(item[1])) for item in listed]
    largest = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    return [
        Profile(
            tuple(
                _filled(port.spec.shape, [_rows(port, largest, size[0]), size[1]]) for port in ports
            ),
            ("mdl.set_dynamic_hw_size", *size),
            image_size=size,
        )
        for size in sizes
    ]


def _rows(port: Port, largest: Tuple[int, int], height: int) -> int:
    """Rows of an input for pictures of that height: NV12 has half as many again."""
    pixels = element_count(_filled(port.spec.shape, largest))
    is_nv12 = port.spec.dtype == "uint8" and 2 * port.size_bytes == 3 * pixels
    return height * 3 // 2 if is_nv12 else height


def _dims_profiles(acl: Acl, desc: int, shapes: Sequence[Shape]) -> List[Profile]:
    count = acl.number("mdl.get_input_dynamic_gear_count", desc, _RESERVED)
    if not count:
        return []
    gears = acl.call("mdl.get_input_dynamic_dims", desc, _RESERVED, count)
    profiles = []
    for gear in gears if isinstance(gears, list) else []:
        rest = shape_from(gear)
        cut: List[Shape] = []
        for shape in shapes:  # a gear names the dims of all inputs, one after the other
            cut.append(rest[: len(shape)])
            rest = rest[len(shape) :]
        profiles.append(Profile(tuple(cut), ("mdl.set_input_dynamic_dims", gear)))
    return profiles


def _listed(answer: object, key: str) -> Sequence[object]:
    found: Dict[str, Sequence[object]] = answer if isinstance(answer, dict) else {}
    return found.get(key, ())


def _filled(shape: Shape, sizes: Sequence[int]) -> Shape:
    """The shape with its -1 replaced by the sizes, in order."""
    left = list(sizes)
    return tuple(left.pop(0) if size < 0 and left else size for size in shape)


def _show(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
