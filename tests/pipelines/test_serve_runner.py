"""Starting, stopping and beginning again."""

from __future__ import annotations

import threading
import time
from typing import Callable, Iterator, List, Mapping

import pytest
from live_pages import RATE, DrawnPipeline, wait_until

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.serve import LiveView, Runner
from atlas_hpe_pipelines.serve import runner as runner_module


class Maker:
    """Makes pipelines and remembers them."""

    def __init__(self, **options: object) -> None:
        self.options = options
        self.made: List[DrawnPipeline] = []

    def __call__(self, sinks: Mapping[str, object]) -> DrawnPipeline:
        self.made.append(DrawnPipeline(sinks, **self.options))
        return self.made[-1]


@pytest.fixture
def run() -> Iterator[Callable[..., Runner]]:
    runners: List[Runner] = []

    def make(maker: object, **options: object) -> Runner:
        runners.append(Runner(maker, options.pop("view", LiveView()), **options))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()
    names = [thread.name for thread in threading.enumerate()]
    assert "atlas-hpe-runner" not in names


def test_a_recorded_source_is_played_at_its_own_pace(run: Callable[..., Runner]) -> None:
    maker = Maker(frames=50)
    runner = run(maker, once=True)
    started = time.monotonic()
    runner.start()
    wait_until(lambda: runner.state == "ended")
    assert 0.95 * 50 / RATE <= time.monotonic() - started < 2.5
    assert maker.made[0].done == 50
    assert maker.made[0].closed


def test_a_live_source_is_not_paced(run: Callable[..., Runner]) -> None:
    class Fast(DrawnPipeline):
        def __iter__(self) -> Iterator[object]:
            for frame, hands in super().__iter__():
                yield Frame(frame.index, frame.time_s * 1000, frame.image), hands

    runner = run(lambda sinks: Fast(sinks, frames=20, live=True))
    runner.start()
    wait_until(lambda: runner.state == "ended", 5)


def test_at_its_end_it_begins_again(run: Callable[..., Runner]) -> None:
    maker = Maker(frames=60)
    view = LiveView()
    runner = run(maker, view=view)
    runner.start()
    wait_until(lambda: len(maker.made) == 3)
    assert runner.state in ("starting", "running")
    assert view.number >= 120  # the numbers go on
    assert maker.made[0].closed and maker.made[1].closed


def test_one_picture_is_not_opened_again_and_again(run: Callable[..., Runner]) -> None:
    maker = Maker(frames=1)
    runner = run(maker)
    runner.start()
    time.sleep(1.5)
    assert 1 <= len(maker.made) <= 2
    runner.stop()
    time.sleep(1.2)
    assert len(maker.made) <= 2


def test_stop_is_prompt_also_while_a_slow_clip_waits_for_its_time(
    run: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    import live_pages

    monkeypatch.setattr(live_pages, "RATE", 0.01)  # the second frame is due in 100 s
    maker = Maker()
    runner = run(maker)
    runner.start()
    wait_until(lambda: maker.made and maker.made[0].done == 2)
    started = time.monotonic()
    runner.stop()
    wait_until(lambda: maker.made[0].closed, 2)
    assert runner.state == "stopped"
    runner.close()
    assert time.monotonic() - started < 2


def test_a_start_right_after_a_stop_plays_a_new_round(run: Callable[..., Runner]) -> None:
    for live in (False, True):
        maker = Maker(live=live)
        runner = run(maker)
        runner.start()
        wait_until(lambda maker=maker: maker.made and maker.made[0].done)
        runner.stop()
        runner.start()
        wait_until(lambda maker=maker: len(maker.made) == 2 and maker.made[1].done > 3)
        assert runner.state == "running"
        assert maker.made[0].closed


def test_a_start_while_it_runs_changes_nothing(run: Callable[..., Runner]) -> None:
    maker = Maker()
    runner = run(maker)
    for _ in range(5):
        runner.start()
    wait_until(lambda: maker.made and maker.made[0].done > 3)
    runner.start()
    time.sleep(0.1)
    assert len(maker.made) == 1
    assert maker.made[0].stops == 0
    assert runner.state == "running"


def test_a_pipeline_that_is_open_already_is_the_first_round(run: Callable[..., Runner]) -> None:
    maker = Maker(frames=50)
    view = LiveView()
    first = DrawnPipeline({"page": view}, frames=10)
    runner = run(maker, view=view)
    runner.start(first)
    wait_until(lambda: first.closed)
    assert first.done == 10
    wait_until(lambda: maker.made)


def test_a_first_round_that_was_stopped_before_it_began_is_the_next_one(
    run: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    work = Runner._work
    monkeypatch.setattr(Runner, "_work", lambda self: go.wait(10) and work(self))
    first = DrawnPipeline({})
    runner = run(Maker())
    runner.start(first)
    runner.stop()
    runner.start()
    go.set()
    wait_until(lambda: first.done)
    runner.stop()
    wait_until(lambda: first.closed)


def test_an_error_is_told_and_start_tries_again(run: Callable[..., Runner]) -> None:
    told: List[str] = []
    options = {"fail_at": 3}
    runner = run(lambda sinks: DrawnPipeline(sinks, **options), tell=told.append)
    runner.start()
    wait_until(lambda: runner.state == "failed")
    assert runner.error is not None
    assert "the camera has gone" in runner.error
    assert "plug it in" in runner.error
    assert told == [runner.error]
    options.clear()
    runner.start()
    assert runner.error is None
    wait_until(lambda: runner.state == "running")


def test_a_source_that_waits_is_stopped_and_what_it_says_to_that_is_no_failure(
    run: Callable[..., Runner],
) -> None:
    class Waits(DrawnPipeline):
        def __iter__(self) -> Iterator[object]:
            wait_until(lambda: self.stops)
            raise SourceError("the stream was cut off")
            yield

    made: List[Waits] = []

    def make(sinks: Mapping[str, object]) -> Waits:
        made.append(Waits(sinks, live=True))
        return made[-1]

    runner = run(make)
    runner.start()
    wait_until(lambda: runner.state == "running")
    runner.stop()
    wait_until(lambda: made[0].closed, 5)
    time.sleep(0.1)
    assert (runner.state, runner.error) == ("stopped", None)


def test_the_last_seconds_are_those_since_the_start(run: Callable[..., Runner]) -> None:
    view = LiveView()
    view.shot()
    runner = run(Maker(), view=view)
    runner.start()
    wait_until(lambda: view.number > 5)
    runner.stop()
    time.sleep(0.2)
    before = view.number
    runner.start()
    wait_until(lambda: view.number > before + 3)
    assert view.recent(10)[0].number > before


def test_an_error_while_opening_is_told_too(run: Callable[..., Runner]) -> None:
    def make(sinks: Mapping[str, object]) -> DrawnPipeline:
        raise OSError("no such device")

    runner = run(make)
    runner.start()
    wait_until(lambda: runner.state == "failed")
    assert runner.error == "no such device"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_program_is_no_silent_standstill(run: Callable[..., Runner]) -> None:
    makers = [lambda sinks: 1 / 0, DrawnPipeline]
    errors: List[str] = []

    def start_again() -> None:
        if runner.state == "failed":
            errors.append(str(runner.error))
            runner.start()  # also while the thread that failed still ends

    runner = run(lambda sinks: makers.pop(0)(sinks), changed=start_again)
    runner.start()
    wait_until(lambda: runner.state == "running")
    assert len(errors) == 1
    assert "fault" in errors[0]


def test_a_stop_while_a_pipeline_is_opened_keeps_it_from_playing(
    run: Callable[..., Runner],
) -> None:
    opening, go = threading.Event(), threading.Event()
    maker = Maker()

    def make(sinks: Mapping[str, object]) -> DrawnPipeline:
        opening.set()
        go.wait(10)
        return maker(sinks)

    runner = run(make)
    runner.start()
    assert opening.wait(10)
    runner.stop()
    go.set()
    wait_until(lambda: maker.made and maker.made[0].closed)
    assert maker.made[0].done == 0
    assert runner.state == "stopped"


def test_a_source_that_hangs_while_it_is_opened_does_not_hold_the_end(
    run: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_MOST_CLOSING_S", 0.2)
    go = threading.Event()
    runner = run(lambda sinks: go.wait(10) and DrawnPipeline(sinks))
    runner.start()
    time.sleep(0.1)
    started = time.monotonic()
    runner.close()
    assert time.monotonic() - started < 2
    go.set()
    wait_until(lambda: "atlas-hpe-runner" not in [item.name for item in threading.enumerate()])


def test_frames_that_are_late_are_not_caught_up_with(
    run: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stalls(DrawnPipeline):
        def __iter__(self) -> Iterator[object]:
            for frame, hands in super().__iter__():
                if frame.index == 5:
                    time.sleep(1.0)
                yield frame, hands

    runner = run(lambda sinks: Stalls(sinks, frames=60), once=True)
    started = time.monotonic()
    runner.start()
    wait_until(lambda: runner.state == "ended")
    assert time.monotonic() - started > 60 / RATE + 1.0 - 0.25 - 0.1
