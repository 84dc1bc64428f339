"""How far a model's joints lie from labels: photographs in, figures and pictures out."""

from __future__ import annotations

from atlas_hpe_pipelines.evaluation.files import check_evaluation_folder, write_evaluation
from atlas_hpe_pipelines.evaluation.measure import (
    LANDMARK,
    PIPELINE,
    Evaluation,
    EvaluationOptions,
    evaluate,
)
from atlas_hpe_pipelines.evaluation.report import (
    EvaluationReport,
    Figures,
    TaskReport,
    describe_evaluation,
    evaluation_to_dict,
)
from atlas_hpe_pipelines.evaluation.run import CIRCLE_DEG

__all__ = [
    "CIRCLE_DEG",
    "LANDMARK",
    "PIPELINE",
    "Evaluation",
    "EvaluationOptions",
    "EvaluationReport",
    "Figures",
    "TaskReport",
    "check_evaluation_folder",
    "describe_evaluation",
    "evaluate",
    "evaluation_to_dict",
    "write_evaluation",
]
