"""What is read from a model's description: names, types, and what can't be used."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest
from fake_acl import FakeModel, fake_gate

from atlas_hpe.errors import ModelFileError
from atlas_hpe_runtime.acl.session import AclSession


def open_fake(model: FakeModel) -> AclSession:
    return AclSession(fake_gate(model), Path("fake.om"))


def names(ports: List[str]) -> List[str]:
    model = FakeModel([("x", (1, 2), 0)], [(name, (1, 2), 0) for name in ports])
    with open_fake(model) as session:
        return [spec.name for spec in session.outputs]


def test_outputs_are_called_by_their_tensor() -> None:
    assert names(["Conv_7:0:heatmaps", "PartitionedCall_/a/Add_1:12:score"]) == [
        "heatmaps",
        "score",
    ]


@pytest.mark.parametrize("name", ["plain", "input:0", "a:b", "a:b:c", ":0:x", "node:0:"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert names([name]) == [name]


def test_a_name_with_colons_of_its_own_is_kept_whole() -> None:
    assert names(["Conv_7:0:scope/heat:0"]) == ["scope/heat:0"]


def test_names_that_would_be_the_same_stay_long() -> None:
    assert names(["a:0:y", "b:0:y", "c:0:z"]) == ["a:0:y", "b:0:y", "z"]


def test_inputs_may_have_long_names_too() -> None:
    with open_fake(FakeModel([("Data_1:0:image", (1, 2), 0)], [("y", (1, 2), 0)])) as session:
        assert session.inputs[0].name == "image"
        session.run({"image": np.zeros((1, 2), np.float32)})


def test_a_replaced_name_is_looked_up() -> None:
    model = FakeModel([("acl_modelId_1_input_0_x9", (1, 2), 0)], [("y", (1, 2), 0)])
    model.real_names["acl_modelId_1_input_0_x9"] = "long" * 40
    with open_fake(model) as session:
        assert session.inputs[0].name == "long" * 40


@pytest.mark.parametrize("number", [13, 27])
def test_element_types_that_numpy_lacks_are_refused(number: int) -> None:
    model = FakeModel([("x", (1, 2), 0)], [("y", (1, 2), number)])
    with pytest.raises(ModelFileError, match="'y'") as caught:
        open_fake(model)
    assert str(number) in str(caught.value)
    assert caught.value.where == "fake.om"


def test_a_model_with_settings_per_run_is_refused() -> None:
    model = FakeModel([("x", (1, 2), 4), ("ascend_dynamic_aipp_data", (160,), 4)], [("y", (1,), 0)])
    with pytest.raises(ModelFileError, match="AIPP") as caught:
        open_fake(model)
    assert caught.value.fix and "static AIPP" in caught.value.fix
    assert "rt.reset_device" in model.calls
