# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_model_tools capture_frames`: store frames of a running camera to calibrate a model on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gremsy_common.parameters.parameter_fields import NodeParameters, Span, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_common.ros import topics
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.frame import Frame
from gremsy_model_tools.frames.frame_store import FrameStore

_WAIT_S = 0.2


@dataclass(frozen=True)
class CaptureParameters(NodeParameters):
    """What to store, and where."""

    folder: str = param(
        'calibration_frames', 'Folder that the frames are stored in, as PNG; made where missing.', form=TextForm.PATH
    )
    count: int = param(100, 'Stop after so many.', Span(1, 10_000, 'frames'))
    least_change: float = param(
        2.0,
        'A frame is stored when its thumbnail differs from every stored one by so much on average.',
        Span(0.0, 255.0, 'grey levels'),
    )


class CaptureFramesNode(SuiteNode[CaptureParameters]):
    """Stores frames of `image_raw` that differ from each other, then ends."""

    node_name: ClassVar[str] = 'capture_frames'
    parameters_type: ClassVar[type[CaptureParameters]] = CaptureParameters

    def __init__(self, host: NodeHost, finished: Callable[[], None]) -> None:
        super().__init__(host)
        self._finished = finished
        self._newest: LatestSlot[Frame] = LatestSlot()
        self._store: FrameStore | None = None

    def configure(self) -> None:
        """The folder is made with the first frame."""
        asked = self.parameters
        self._store = FrameStore(Path(asked.folder).expanduser(), asked.count, asked.least_change)

    def activate(self) -> None:
        """The topic and the worker."""
        self._newest = LatestSlot()
        self.subscription(topics.IMAGE_RAW, self._newest.put)
        self.worker('capture', self._capture_one, niceness=5)

    def deactivate(self) -> None:
        """Wake the worker so that it can end."""
        self._newest.close()

    def diagnostic_values(self) -> dict[str, str]:
        """How far it is."""
        return {'frames stored': str(self._store.kept if self._store is not None else 0)}

    def _capture_one(self) -> None:
        frame, store = self._newest.take(_WAIT_S), self._store
        if frame is None or store is None:
            return
        path = store.offer(frame)
        if path is None:
            return
        self.get_logger().info(f'{store.kept}/{self.parameters.count}: {path}')
        if store.complete:
            self._finished()


def main() -> None:
    """Runs until enough frames are stored, or Ctrl-C."""
    # run_node ends on this signal as if the user had pressed Ctrl-C.
    run_node(
        CaptureFramesNode,
        factory=lambda host: CaptureFramesNode(host, finished=lambda: os.kill(os.getpid(), signal.SIGINT)),
    )


if __name__ == '__main__':
    main()
