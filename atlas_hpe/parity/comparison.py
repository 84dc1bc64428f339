"""Does a model still say what its reference says? In tensors and, what counts, in joints."""

from __future__ import annotations

import math
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Union

import numpy as np

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe.parity.report import JointLimits, JointParity, ParityReport, TensorParity
from atlas_hpe.parity.sample import Answer, Feeds, Joints, Outputs, Run, Sample, ask
from atlas_hpe.parity.tally import JointTally, TensorTally, WorstSample
from atlas_hpe.parity.tolerances import TOLERANCES, Tolerance

__all__ = ["Comparison", "DecodeJoints", "bind_joints", "compare", "decode_differs"]

#: Card and the outputs of one sample -> (21, 2) joints in input pixels, NaN where there is none.
DecodeJoints = Callable[[ModelCard, Outputs], np.ndarray]


def bind_joints(
    card: Optional[ModelCard], decode_joints: Optional[DecodeJoints]
) -> Optional[Joints]:
    """The decoder for the outputs of one model.

    None when either is missing, and for a hand detector, which has no joints.
    """
    if card is None or decode_joints is None or card.task == "hand-detect":
        return None
    known_card, decode = card, decode_joints
    return lambda outputs: decode(known_card, outputs)


def decode_differs(reference: Optional[ModelCard], model: Optional[ModelCard]) -> bool:
    """Whether two forms of one network give their joints in outputs of their own."""
    if reference is None or model is None:
        return False
    is_same_network = reference.provenance.network == model.provenance.network
    return is_same_network and reference.decode != model.decode


def compare(
    reference: Run,
    candidate: Run,
    feeds: Iterable[Union[Feeds, Sample]],
    *,
    card: Optional[ModelCard] = None,
    decode_joints: Optional[DecodeJoints] = None,
    tolerance: Optional[Tolerance] = None,
    source: str = "inputs given by the caller",
) -> ParityReport:
    """Run two models on the same inputs and compare what they say.

    NaN or infinite numbers fail, in either: a network that says them says nothing. A joint that
    neither finds is the same, and one that only one finds is lost, which fails.

    Args:
        reference: Input name -> array, to output name -> array.
        candidate: The same for the model under test.
        feeds: One entry per sample; taken one at a time.
        card: The model's card; needed with ``decode_joints``.
        decode_joints: Joints from the outputs of one sample; None to compare tensors only.
        tolerance: Limits; None for ``TOLERANCES["float32"]``.
        source: What the feeds are, in words, for the report.

    Raises:
        UsageError: No feeds, or a decoder without a card.
        CheckFailedError: An output is missing, or has another shape.
    """
    if decode_joints is not None and card is None:
        raise UsageError("joints can't be decoded without a card", fix="pass card=")
    comparison = Comparison(card, decode_joints)
    for answer in ask(reference, _name_samples(feeds), bind_joints(card, decode_joints)):
        comparison.add(answer, candidate(answer.sample.feeds))
    return comparison.report(tolerance or TOLERANCES["float32"], source)


def _name_samples(feeds: Iterable[Union[Feeds, Sample]]) -> Iterator[Sample]:
    for number, item in enumerate(feeds):
        yield item if isinstance(item, Sample) else Sample(f"sample {number}", item)


class Comparison:
    """One candidate held against the answers of a reference, a sample at a time.

    Args:
        card: Card of the candidate, None when it has none.
        decode_joints: Joints from outputs; None to compare tensors only, as without a card.
        own_outputs: The two decode from outputs of different names, as when one computes its
            joints in the graph: then only the tensors that both have are compared.
    """

    def __init__(
        self,
        card: Optional[ModelCard],
        decode_joints: Optional[DecodeJoints],
        *,
        own_outputs: bool = False,
    ) -> None:
        self._decode = bind_joints(card, decode_joints)
        self._side_px = _longer_side_px(card)
        self._own_outputs = own_outputs
        self._tensors: Dict[str, TensorTally] = {}
        self._joints = JointTally()
        self._samples = 0

    @property
    def worst(self) -> Optional[WorstSample]:
        """The worst sample so far; None without joints."""
        return self._joints.worst

    def add(self, answer: Answer, have: Outputs) -> None:
        """Compare one sample.

        Args:
            answer: What the reference says.
            have: What the candidate says.

        Raises:
            CheckFailedError: An output is missing, has another shape, or nothing is shared.
        """
        want = answer.outputs
        if self._own_outputs:
            want = {name: value for name, value in want.items() if name in have}
            if not want and self._decode is None:
                raise CheckFailedError(
                    "the two models have nothing in common to compare",
                    why="their outputs have other names, and no joints are decoded",
                    fix="pass decode_joints=",
                )
        _check_interface(want, have)
        for name, expected in want.items():
            self._tensors.setdefault(name, TensorTally()).add(expected, have[name])
        if self._decode is not None and answer.joints is not None:
            self._joints.add(answer.sample, answer.joints, self._decode(have))
        self._samples += 1

    def report(
        self, tolerance: Tolerance, source: str, *, needs_joints: bool = False
    ) -> ParityReport:
        """The result over all samples.

        Args:
            tolerance: Limits.
            source: What the samples are, in words.
            needs_joints: Not one joint compared is a failure, and not just a warning.

        Raises:
            UsageError: There was no sample.
        """
        if not self._samples:
            raise UsageError("there is nothing to compare on", fix="give at least one input")
        tensors = tuple(tally.result(name) for name, tally in self._tensors.items())
        joints = None if self._decode is None else self._joints.result()
        limits = _find_limits(tolerance, self._side_px)
        failures = (*_judge_tensors(tensors, tolerance), *_judge_joints(joints, limits))
        if needs_joints and joints is not None and not joints.compared and not joints.lost:
            failures = (*failures, f"no joint was compared: neither found a hand in the {source}")
        return ParityReport(
            source=source,
            samples=self._samples,
            tensors=tensors,
            joints=joints,
            tensor_limit=_finite(tolerance.tensor),
            joint_limits=limits,
            failures=failures,
        )


def _longer_side_px(card: Optional[ModelCard]) -> int:
    return 0 if card is None else max(card.preprocess.width_px, card.preprocess.height_px)


def _find_limits(tolerance: Tolerance, side_px: int) -> JointLimits:
    if not side_px:
        return JointLimits(None, None)  # without a card there is no joint to judge
    return JointLimits(
        median_px=_finite(tolerance.joint_median * side_px),
        max_px=_finite(tolerance.joint * side_px),
    )


def _finite(limit: float) -> Optional[float]:
    return limit if math.isfinite(limit) else None


def _check_interface(want: Outputs, have: Outputs) -> None:
    for name, expected in want.items():
        found = have.get(name)
        if found is None or found.shape != expected.shape:
            shape = "missing" if found is None else f"of shape {list(found.shape)}"
            raise CheckFailedError(
                f"output '{name}' of the two models can't be compared",
                why=f"the reference gives {list(expected.shape)}, in the candidate it is {shape}",
                fix="compare a model with the checkpoint that it was exported from",
            )


def _judge_tensors(tensors: Iterable[TensorParity], tolerance: Tolerance) -> List[str]:
    failures: List[str] = []
    for tensor in tensors:
        limit = tensor.limit(tolerance.tensor)
        if tensor.max_abs > limit:
            failures.append(
                f"output '{tensor.name}' differs by {tensor.max_abs:.3g}, {limit:.3g} is allowed"
            )
        if tensor.reference_not_finite:
            failures.append(
                f"output '{tensor.name}' is NaN or infinite in the reference, "
                f"{tensor.reference_not_finite} times"
            )
        if tensor.mismatched_not_finite:
            count = tensor.mismatched_not_finite
            failures.append(f"output '{tensor.name}' is NaN or infinite in only one, {count} times")
    return failures


def _judge_joints(joints: Optional[JointParity], limits: JointLimits) -> List[str]:
    failures: List[str] = []
    if joints is not None and joints.lost:
        failures.append(f"{joints.lost} joints were found by only one of the two")
    moved = None if joints is None else joints.input_px
    if moved is None:
        return failures
    for what, value, limit in (
        ("a joint", moved.max, limits.max_px),
        ("the median joint", moved.median, limits.median_px),
    ):
        if limit is not None and value > limit:
            failures.append(
                f"{what} moved by {value:.3g} px of the network's input, {limit:.3g} px is allowed"
            )
    return failures
