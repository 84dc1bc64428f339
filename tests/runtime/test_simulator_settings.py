"""What can be simulated, and which calls can be made to fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.errors import UsageError
from atlas_hpe_runtime.simulator import SimulatorSettings
from atlas_hpe_runtime.simulator.faults import FaultPlan

NAMES = st.sampled_from(["acl.init", "acl.rt.malloc", "acl.mdl.execute", "acl.rt.free"])
COUNTS = st.none() | st.integers(1, 20)
FAULTS = st.dictionaries(st.tuples(NAMES, COUNTS), st.integers(1, 999_999), max_size=6)


def text_of(faults: Any) -> str:
    return ",".join(
        f"{name}={code}" if count is None else f"{name}@{count}={code}"
        for (name, count), code in faults.items()
    )


def test_the_environment_gives_what_it_says() -> None:
    environment = {
        "ATLAS_HPE_SIM_MODE": "ep",
        "ATLAS_HPE_SIM_CANN": "7.0",
        "ATLAS_HPE_SIM_SOC": "Ascend310P3",
        "ATLAS_HPE_SIM_DEVICES": "2",
        "ATLAS_HPE_SIM_MEMORY_MB": "64",
        "ATLAS_HPE_SIM_FAIL": "acl.init=100003",
    }
    expected = SimulatorSettings("ep", "7.0", "Ascend310P3", 2, 64, "acl.init=100003")
    assert SimulatorSettings.from_environment(environment) == expected
    assert expected.to_environment() == environment


def test_the_chip_may_be_named_by_its_board() -> None:
    settings = SimulatorSettings.from_environment({"ATLAS_HPE_SIM_SOC": "Atlas 200I DK A2"})
    assert settings.soc == "Ascend310B4"


def test_an_unknown_chip_in_the_environment_names_the_near_ones() -> None:
    with pytest.raises(UsageError, match="Ascend310P4") as caught:
        SimulatorSettings.from_environment({"ATLAS_HPE_SIM_SOC": "Ascend310P8"})
    assert caught.value.where == "--soc, ATLAS_HPE_SIM_SOC"


def test_an_empty_environment_gives_the_board() -> None:
    assert SimulatorSettings.from_environment({}) == SimulatorSettings()
    assert SimulatorSettings() == SimulatorSettings("rc", "6.0", "Ascend310", 1, 8192, "")


@pytest.mark.parametrize(
    "bad",
    [
        {"mode": "pcie"},
        {"cann": "5.1"},
        {"soc": "310"},
        {"soc": "Ascend999"},
        {"soc": "Ascend310\n"},
        {"devices": 0},
        {"devices": 65},
        {"memory_mb": 0},
        {"memory_mb": 1 << 21},
        {"fail": "acl.init"},
    ],
)
def test_an_impossible_value_is_named(bad: Any) -> None:
    with pytest.raises(UsageError) as caught:
        SimulatorSettings(**bad)
    assert caught.value.fix


@pytest.mark.parametrize("text", ["", "two", "-1", "1.5", "9" * 10, "1" + "²"])
def test_a_number_in_the_environment_has_to_be_one(text: str) -> None:
    with pytest.raises(UsageError, match="devices"):
        SimulatorSettings.from_environment({"ATLAS_HPE_SIM_DEVICES": text})


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, {"5.0", "6.0", "7.0"}),
        ("6.0", None, {"6.0", "7.0"}),
        (None, "6.0", {"5.0", "6.0"}),
        ("6.0", "6.0", {"6.0"}),
    ],
)
def test_generations_have_an_order(since: Any, until: Any, expected: Any) -> None:
    settings = [SimulatorSettings(cann=cann) for cann in ("5.0", "6.0", "7.0")]
    assert {one.cann for one in settings if one.has(since, until)} == expected


@given(faults=FAULTS, calls=st.lists(NAMES, max_size=60))
def test_the_plan_fails_the_nth_call_or_all_of_them(faults: Any, calls: Any) -> None:
    plan = FaultPlan.parse(text_of(faults))
    seen: dict[str, int] = {}
    for name in calls:
        seen[name] = seen.get(name, 0) + 1
        every = faults.get((name, None))
        assert plan.next(name) == faults.get((name, seen[name]), every)
    assert plan.counts() == seen
    assert plan.names() == tuple(sorted({name for name, _ in faults}))


@given(st.text(alphabet="acl.rtm@=,0123456789 \n-²٣", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_plan_or_a_clear_error(text: str) -> None:
    try:
        FaultPlan.parse(text)
    except UsageError as error:
        assert error.fix and error.why


@pytest.mark.parametrize(
    "text",
    [
        "acl.rt.malloc",
        "rt.malloc=1",
        "acl=1",
        "acl.rt.malloc@0=1",
        "acl.rt.malloc=0",
        "acl.rt.malloc=-1",
        "acl.rt.malloc@x=1",
        "acl.rt.malloc=1,acl.rt.malloc=2",
        "acl.rt.malloc@2=1,acl.rt.malloc@02=2",
        "acl.rt.malloc=1,",
        "acl.rt.malloc=" + "1" * 5000,
    ],
)
def test_a_plan_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="can't be planned"):
        FaultPlan.parse(text)


def test_spaces_around_entries_are_no_mistake() -> None:
    assert FaultPlan.parse(" acl.init=1 , acl.rt.malloc@2=5 ").names() == (
        "acl.init",
        "acl.rt.malloc",
    )
