"""A simulated device for tests of DVPP, and the pictures they look at."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import Iterator, List, Tuple

import numpy as np
from PIL import Image

from atlas_hpe_runtime.acl.api import Acl
from atlas_hpe_runtime.acl.owner import DeviceOwner, finalise
from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings


@contextmanager
def simulated_device(mode: str = "rc", cann: str = "6.0", fail: str = "") -> Iterator[DeviceOwner]:
    """An owner of a simulated device; nothing may be left on it at the end."""
    machine = Machine(SimulatorSettings(mode=mode, cann=cann, fail=fail))
    try:
        owner = DeviceOwner.acquire(Acl(build_acl(machine), simulated=True), 0)
        try:
            yield owner
        finally:
            owner.release()
            finalise(owner.acl)
        assert machine.ledger.live() == ()
    finally:
        machine.close()


def machine_of(owner: DeviceOwner) -> Machine:
    machine: Machine = vars(owner.acl.module)["__simulated__"]
    return machine


class CopyCounter:
    """Counts the bytes that cross between host and device while it is on."""

    def __init__(self, owner: DeviceOwner) -> None:
        self.sizes: List[int] = []
        self._acl = owner.acl
        self._call = owner.acl.try_call

    def __enter__(self) -> CopyCounter:
        def counted(name: str, *args: object) -> Tuple[object, int]:
            if "memcpy" in name:
                self.sizes.append(int(args[3]))  # type: ignore[call-overload]
            return self._call(name, *args)

        self._acl.try_call = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        self._acl.try_call = self._call  # type: ignore[method-assign]


def smooth_picture(width_px: int, height_px: int) -> np.ndarray:
    """Colours that change slowly, so that one filter is as good as another; (H, W, 3) RGB."""
    across = np.linspace(0, 1, width_px)[None, :, None]
    down = np.linspace(0, 1, height_px)[:, None, None]
    phases = np.array([0.0, 1.2, 2.4])
    waves = 128 + 100 * np.sin(2 * np.pi * (across + 0.5 * down) + phases)
    return np.clip(waves, 0, 255).astype(np.uint8)


def jpeg_bytes(picture: np.ndarray, **options: object) -> bytes:
    """A JPEG file of an (H, W, 3) RGB or (H, W) grey picture."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95, **options)
    return file.getvalue()
