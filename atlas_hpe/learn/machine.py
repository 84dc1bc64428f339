"""What a run computes on: device, arithmetic and processes, through lightning-fabric."""

from __future__ import annotations

import logging
import os
import platform

import torch
from lightning_fabric import Fabric

__all__ = ["describe_machine", "open_fabric"]


def _has_bf16(accelerator: str) -> bool:
    """Whether bfloat16 is computed natively; where it is emulated it only costs."""
    if accelerator == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = torch.cpu.get_capabilities() if accelerator == "cpu" else {}
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def open_fabric(precision: str) -> Fabric:
    """Join the processes that torchrun started; alone, take the GPU or else the processor.

    Args:
        precision: one of `plan.PRECISIONS`.
    """
    # Fabric tells what every run has alike; the run's own lines stay readable without it.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    accelerator = "cpu"
    if torch.cuda.is_available():
        accelerator = "cuda"
    elif torch.backends.mps.is_available():
        accelerator = "mps"
    mixed = precision == "bf16" or (precision == "auto" and _has_bf16(accelerator))
    # The names are torchrun's; without it there is one process.
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp" if world > 1 else "auto",
        precision="bf16-mixed" if mixed else "32-true",
    )
    fabric.launch()
    return fabric


def describe_machine(fabric: Fabric) -> str:
    """Processor or GPU, processes and arithmetic in words, for a recipe."""
    name = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processor cores"
    if fabric.device.type == "cuda":
        name = f"{torch.cuda.get_device_name(fabric.device)}, {name}"
    processes = f"{fabric.world_size} process{'es' if fabric.world_size > 1 else ''}"
    threads = f"{torch.get_num_threads()} torch threads each"
    return f"{name}, {processes}, {threads}, precision {fabric.strategy.precision.precision}"
