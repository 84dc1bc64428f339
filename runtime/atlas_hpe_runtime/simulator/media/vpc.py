"""``acl.media``: crop, resize and paste pictures (ascend.md sections 5.1 to 5.3).

Descriptions and areas are read when a call is made, pixels when its stream gets to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Tuple

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.media.channel import check_channel, check_dvpp_memory
from atlas_hpe_runtime.simulator.media.codes import NOT_SUPPORTED, noted
from atlas_hpe_runtime.simulator.media.configs import RESIZE, ROI
from atlas_hpe_runtime.simulator.media.descriptions import PIC
from atlas_hpe_runtime.simulator.media.fields import find
from atlas_hpe_runtime.simulator.media.formats import Picture
from atlas_hpe_runtime.simulator.media.limits import (
    Area,
    check_area,
    check_paste_area,
    check_scale,
    check_vpc_input,
    check_vpc_output,
)
from atlas_hpe_runtime.simulator.media.objects import PicDesc, ResizeConfig, RoiConfig
from atlas_hpe_runtime.simulator.media.planes import (
    crop_planes,
    read_picture,
    to_420,
    write_picture,
)
from atlas_hpe_runtime.simulator.media.resize import resize_planes

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "Job",
    "convert_color",
    "crop",
    "crop_and_paste",
    "crop_resize",
    "crop_resize_paste",
    "plan",
    "resize",
    "submit",
]


@dataclass(frozen=True)
class Job:
    """One area of one picture on its way into an area of another.

    Attributes:
        source: Picture that is read.
        crop: Area of it.
        target: Picture that is written.
        paste: Area of that.
        mode: Interpolation, 0 to 4.
    """

    source: Picture
    crop: Area
    target: Picture
    paste: Area
    mode: int


def plan(
    machine: Machine,
    pictures: Tuple[int, int],
    crop_area: Optional[Area] = None,
    paste_area: Optional[Area] = None,
    mode: int = 0,
) -> Job:
    """Check a job against all rules of the chip.

    Args:
        machine: The machine.
        pictures: Handles of the two picture descriptions.
        crop_area: None for the whole picture.
        paste_area: None for the whole picture.
        mode: Interpolation, 0 to 4.

    Raises:
        Refusal: 100000, 100027 or 200003, a rule is broken.
    """
    source, target = (find(machine, PIC, handle, PicDesc).picture() for handle in pictures)
    check_vpc_input(source)
    check_vpc_output(target)
    for picture in (source, target):
        check_dvpp_memory(machine, picture.data, picture.least_size)
    if crop_area is not None:
        check_area(crop_area, source)
    if paste_area is not None:
        check_paste_area(paste_area, target)
    crop_area = crop_area or _whole(source)
    paste_area = paste_area or _whole(target)
    check_scale(crop_area.width, crop_area.height, paste_area.width, paste_area.height)
    return Job(source, crop_area, target, paste_area, mode)


def _whole(picture: Picture) -> Area:
    return Area(0, picture.width - 1, 0, picture.height - 1)


def submit(machine: Machine, stream: int, jobs: List[Job]) -> None:
    """Queue jobs; all of them are one task of the stream."""

    def work() -> None:
        for job in jobs:
            _work(machine, job)

    machine.stream(stream).submit(work)


def _work(machine: Machine, job: Job) -> None:
    source, target = job.source, job.target
    memory = machine.memory.view(source.data, source.least_size, "device")
    planes = to_420(crop_planes(read_picture(memory, source), job.crop))
    planes = resize_planes(planes, job.paste.width, job.paste.height, job.mode)
    memory = machine.memory.view(target.data, target.least_size, "device")
    write_picture(memory, target, planes, job.paste)


def _area(machine: Machine, handle: int) -> Area:
    return find(machine, ROI, handle, RoiConfig).area()


def _mode(machine: Machine, handle: int) -> int:
    return find(machine, RESIZE, handle, ResizeConfig).interpolation


@acl_call("acl.media.dvpp_vpc_resize_async", "kkkkk", needs="context")
def resize(
    machine: Machine, channel: int, source: int, target: int, config: int, stream: int
) -> None:
    """Resize a picture to the size of the output description."""
    with noted(machine, "dvpp_vpc_resize_async"):
        check_channel(machine, channel)
        job = plan(machine, (source, target), mode=_mode(machine, config))
    submit(machine, stream, [job])


@acl_call("acl.media.dvpp_vpc_crop_async", "kkkkk", needs="context")
def crop(machine: Machine, channel: int, source: int, target: int, area: int, stream: int) -> None:
    """Cut an area out; resized if the output description has another size."""
    with noted(machine, "dvpp_vpc_crop_async"):
        check_channel(machine, channel)
        job = plan(machine, (source, target), _area(machine, area))
    submit(machine, stream, [job])


@acl_call("acl.media.dvpp_vpc_crop_resize_async", "kkkkkk", needs="context")
def crop_resize(
    machine: Machine,
    channel: int,
    source: int,
    target: int,
    area: int,
    config: int,
    stream: int,
) -> None:
    """Cut an area out and resize it to the size of the output description."""
    with noted(machine, "dvpp_vpc_crop_resize_async"):
        check_channel(machine, channel)
        mode = _mode(machine, config)
        job = plan(machine, (source, target), _area(machine, area), mode=mode)
    submit(machine, stream, [job])


@acl_call("acl.media.dvpp_vpc_crop_and_paste_async", "kkkkkk", needs="context")
def crop_and_paste(
    machine: Machine,
    channel: int,
    source: int,
    target: int,
    crop_area: int,
    paste_area: int,
    stream: int,
) -> None:
    """Cut an area out and resize it into an area of the output, whose rest stays as it is."""
    with noted(machine, "dvpp_vpc_crop_and_paste_async"):
        check_channel(machine, channel)
        areas = _area(machine, crop_area), _area(machine, paste_area)
        job = plan(machine, (source, target), *areas)
    submit(machine, stream, [job])


@acl_call("acl.media.dvpp_vpc_crop_resize_paste_async", "kkkkkkk", needs="context")
def crop_resize_paste(
    machine: Machine,
    channel: int,
    source: int,
    target: int,
    crop_area: int,
    paste_area: int,
    config: int,
    stream: int,
) -> None:
    """As ``crop_and_paste``, with a choice of interpolation."""
    with noted(machine, "dvpp_vpc_crop_resize_paste_async"):
        check_channel(machine, channel)
        areas = _area(machine, crop_area), _area(machine, paste_area)
        job = plan(machine, (source, target), *areas, mode=_mode(machine, config))
    submit(machine, stream, [job])


@acl_call("acl.media.dvpp_vpc_convert_color_async", "kkkk", needs="context")
def convert_color(machine: Machine, channel: int, source: int, target: int, stream: int) -> None:
    """Other chips convert colours here; Ascend 310 answers 200006."""
    raise AclFailure(NOT_SUPPORTED)
