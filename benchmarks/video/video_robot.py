# SPDX-License-Identifier: Apache-2.0
"""The robot of the benchmark, a process: a simulated camera that pans and knows its boxes, and who publishes its video.

Run as `python -m benchmarks.video.video_robot PUBLISHER --ros-args ...`, where PUBLISHER is `node`, the suite's own
stream node, or `muxer`, what people write with PyAV: the same encoder, and FFmpeg's muxer for RTSP.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.video.video_scene import RATE_HZ, PanningScene, azimuth_at, burn
from gremsy_camera.footage.pacing import Pacer, SystemClock
from gremsy_camera.stream_node import StreamNode
from gremsy_common.parameters.parameter_fields import NodeParameters, param
from gremsy_common.picture.i420_planes import i420_planes
from gremsy_common.ros import topics
from gremsy_common.ros.hosting import leave, run_nodes
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame, lock_read_only

_TAKE_S = 0.2


@dataclass(frozen=True)
class PlayedCameraParameters(NodeParameters):
    """Of the camera."""

    truth: str = param('', 'File for what was in each picture, a JSON object a line.')


@dataclass(frozen=True)
class MuxerParameters(NodeParameters):
    """Of who publishes by FFmpeg."""

    server: str = param('', 'Where to, with the path.')


class PanningCamera(SuiteNode[PlayedCameraParameters]):
    """A picture and its true boxes 30 times a second. The stamp is of when the picture is drawn, and burned into it."""

    node_name = 'camera'
    parameters_type = PlayedCameraParameters

    def activate(self) -> None:
        """Start."""
        self._scene = PanningScene()
        self._pacer = Pacer(RATE_HZ, SystemClock(self.now_ns))
        self._begin_s = time.monotonic()
        self._images = self.publisher(topics.IMAGE_RAW)
        self._infos = self.publisher(topics.CAMERA_INFO)
        self._tracks = self.publisher(topics.TRACKS)
        self._truth = Path(self.parameters.truth).open('w', encoding='utf-8', buffering=1)  # noqa: SIM115
        self.worker('source', self._take)

    def deactivate(self) -> None:
        """No more of them are written."""
        self._truth.close()

    def _take(self) -> None:
        tick = self._pacer.wait(_TAKE_S)
        if tick is None:
            return
        azimuth_rad = azimuth_at(tick.monotonic_ns * 1e-9 - self._begin_s)
        image = self._scene.render(azimuth_rad)
        # Whole microseconds, which is what the picture can tell.
        stamp_ns = self.now_ns() // 1000 * 1000
        burn(image, stamp_ns // 1000)
        frame = Frame(lock_read_only(image), stamp_ns, 'eo')
        self._images.publish(frame)
        self._infos.publish(StampedCamera(stamp_ns, 'eo', self._scene.camera))
        boxes = self._scene.boxes(azimuth_rad)
        count = len(boxes)
        self._tracks.publish(
            Tracks(stamp_ns, 'eo', boxes[:, 1:], np.ones(count), np.full(count, 'door'), boxes[:, 0].astype(np.int64))
        )
        edges = [round(x, 2) for x in boxes[:, (1, 3)].ravel().tolist()]
        if not self._truth.closed:
            self._truth.write(json.dumps({'stamp_ns': stamp_ns, 'edges_px': edges}) + '\n')


class MuxerNode(SuiteNode[MuxerParameters]):
    """x264 as the stream node has it, given to a server by FFmpeg's muxer."""

    node_name = 'stream'
    parameters_type = MuxerParameters

    def activate(self) -> None:
        """Start."""
        self._frames: LatestSlot[Frame] = LatestSlot()
        self._output: Any = None
        self.subscription(topics.IMAGE_RAW, self._frames.put)
        self.worker('video eo', self._publish)

    def cleanup(self) -> None:
        """Close it."""
        if self._output is not None:
            self._output.close()

    def _publish(self) -> None:
        import av

        frame = self._frames.take(_TAKE_S)
        if frame is None:
            return
        if self._output is None:
            self._output = av.open(self.parameters.server, 'w', format='rtsp', options={'rtsp_transport': 'tcp'})
            options = {
                'preset': 'ultrafast',
                'tune': 'zerolatency',
                'profile': 'baseline',
                'x264-params': 'vbv-maxrate=3000:vbv-bufsize=100:scenecut=0',
            }
            self._stream = self._output.add_stream('libx264', rate=round(RATE_HZ), options=options)
            context = self._stream.codec_context
            context.width, context.height, context.pix_fmt = frame.image.shape[1], frame.image.shape[0], 'yuv420p'
            context.bit_rate, context.gop_size, context.max_b_frames, context.thread_count = 3_000_000, 30, 0, 1
            context.time_base = Fraction(1, 90_000)
            self._first_ns = frame.stamp_ns
        picture = av.VideoFrame.from_numpy_buffer(i420_planes(frame.image), format='yuv420p')
        picture.pts, picture.time_base = (frame.stamp_ns - self._first_ns) * 9 // 100_000, Fraction(1, 90_000)
        self._output.mux(self._stream.encode(picture))
        self.trace.event('sent', frame.stamp_ns)


_PUBLISHERS: dict[str, Callable[[Any], SuiteNode[Any]]] = {'node': StreamNode, 'muxer': MuxerNode}


def main() -> None:
    """Play the robot until a signal."""
    program, publisher, *rest = sys.argv
    leave(run_nodes([PanningCamera, _PUBLISHERS[publisher]], [program, *rest]))


if __name__ == '__main__':
    main()
