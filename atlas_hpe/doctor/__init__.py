"""What a machine has for exporting, compiling and running models, and what it lacks."""

from __future__ import annotations

from atlas_hpe.doctor.examine import NEEDS, examine_machine
from atlas_hpe.doctor.findings import FAULT, MISSING, OK, WARNING, Diagnosis, Finding, Group
from atlas_hpe.doctor.machine import Machine, Outcome, this_machine
from atlas_hpe.doctor.report import (
    describe_diagnosis,
    diagnosis_to_dict,
    next_step,
    verdict_of,
)

__all__ = [
    "FAULT",
    "MISSING",
    "NEEDS",
    "OK",
    "WARNING",
    "Diagnosis",
    "Finding",
    "Group",
    "Machine",
    "Outcome",
    "describe_diagnosis",
    "diagnosis_to_dict",
    "examine_machine",
    "next_step",
    "this_machine",
    "verdict_of",
]
