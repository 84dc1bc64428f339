"""A live page on a free port, with a pipeline that only draws; and requests to it."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from contextlib import closing, contextmanager
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlsplit

import numpy as np

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame, HandPose
from atlas_hpe_pipelines.run_report import RunReport, StageReport
from atlas_hpe_pipelines.serve import LivePage

RATE = 50.0
Event = Tuple[str, Optional[int], Dict[str, object]]  # name, id, data


def make_hand(index: int = 0) -> HandPose:
    joints = np.random.default_rng(index).uniform(10, 60, (21, 2))
    joints[20] = np.nan
    return HandPose(
        joints=joints,
        joint_scores=np.ones(21),
        score=0.9,
        box=(1.0, 2.0, 3.0, 4.0),
        frame_index=index,
        time_s=index / RATE,
        handedness="left",
        handedness_score=0.8,
        track_id=3,
        depth=np.zeros(21),
    )


class DrawnPipeline:
    """Grey pictures that become lighter, with hands."""

    def __init__(
        self,
        sinks: Mapping[str, object],
        *,
        frames: int = 100_000,
        live: bool = False,
        size_px: Tuple[int, int] = (64, 48),
        fail_at: Optional[int] = None,
        hands: int = 1,
    ) -> None:
        self.sinks = sinks
        self.frames = frames
        self.live = live
        self.size_px = size_px
        self.fail_at = fail_at
        self.hands = hands
        self.done = 0
        self.stops = 0
        self.closed = False

    def __iter__(self) -> Iterator[Tuple[Frame, Tuple[HandPose, ...]]]:
        width, height = self.size_px
        for index in range(self.frames):
            if self.stops:
                return
            if index == self.fail_at:
                raise SourceError("the camera has gone", where="camera 0", fix="plug it in")
            if self.live:
                time.sleep(1 / RATE)
            picture = np.full((height, width, 3), index % 250, np.uint8)
            frame = Frame(index, index / RATE, picture)
            hands = (make_hand(index),) * self.hands
            for sink in self.sinks.values():
                sink.write(frame, picture, hands)
            picture[:] = 0  # a pipeline may use its arrays again
            self.done += 1
            yield frame, hands

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        self.closed = True

    def report(self) -> RunReport:
        stage = StageReport("draw", 1.0, 2.0, 3.0, 1.0, recent_ms=1.5)
        return RunReport(
            source="drawn",
            model="none",
            detector=None,
            backend="onnxruntime",
            basis="measured on this host",
            frames=self.done,
            frames_with_hand=self.done,
            detections=0,
            tracks=0,
            total_s=0.0,
            frames_per_s=0.0,
            stages=(stage,),
            outputs=(),
            warnings=(),
        )


class Client:
    """Requests to a page, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=30)

    def ask(
        self, path: str, method: str = "GET", headers: Optional[Dict[str, str]] = None
    ) -> Tuple[int, Dict[str, str], bytes]:
        """Status, headers (names in lower case) and body."""
        with closing(self.connect()) as connection:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()

    def state(self) -> Dict[str, object]:
        return json.loads(self.ask("/state")[2])

    def events(self, count: int) -> List[Event]:
        """The first events."""
        return list(itertools.islice(self.stream(), count))

    def stream(self) -> Iterator[Event]:
        """Events as they come."""
        with closing(self.connect()) as connection:
            connection.request("GET", "/events")
            answer = connection.getresponse()
            fields: Dict[str, str] = {}
            while True:
                line = answer.readline().decode("utf-8").rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                    continue
                if "data" in fields:
                    number = int(fields["id"]) if "id" in fields else None
                    yield fields["event"], number, json.loads(fields["data"])
                fields = {}


def wait_until(met: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@contextmanager
def served(
    make: Callable[[Sequence[object]], object] = DrawnPipeline, **options: object
) -> Iterator[Tuple[LivePage, Client]]:
    """A page that has begun; when it is closed no thread of it is left."""
    before = set(threading.enumerate())
    with LivePage(make, **{"port": 0, **options}) as page:
        page.start()
        yield page, Client(page.url)
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert left == []
