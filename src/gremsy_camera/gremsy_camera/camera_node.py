# SPDX-License-Identifier: Apache-2.0
"""source -> image_raw, camera_info, image_raw/compressed."""

from __future__ import annotations

import math

from gremsy_camera.camera_parameters import CameraParameters, optical_frame_name
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.lens_calibration import camera_model
from gremsy_camera.source_feed import SourceFeed
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import Captured, SourceContext
from gremsy_common.ros import topics
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.messages.image_messages import compressed_message
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.timing.latest_slot import LatestSlot
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import ZoomState

_READ_TIMEOUT_S = 0.2


class CameraNode(SuiteNode[CameraParameters]):
    """Wires a `SourceFeed` to the camera's topics."""

    node_name = 'camera'
    parameters_type = CameraParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._zoom_factor = 1.0
        self._to_compress: LatestSlot[Frame] = LatestSlot()

    def configure(self) -> None:
        """Open the source, so that one that cannot work ends the start with its sentence."""
        wanted = self.parameters
        clock = SystemClock(self.now_ns)
        context = SourceContext(
            frame_id=wanted.frame_id or optical_frame_name(self.get_namespace()),
            rate_hz=wanted.rate_hz,
            at_end=AtEnd(wanted.at_end),
            clock=clock,
            say=self.get_logger().info,
        )
        self._feed = SourceFeed(create_source(wanted.source, context), clock, self.report_error)
        # Before the source is open its size is unknown; a bad calibration file must end the start all the same.
        self._fallback = self._fallback_camera(1, 1)
        self._feed.open()

    def activate(self) -> None:
        """Frames go out as they come; JPEG is made on a thread of its own, newest frame only."""
        self._image = self.publisher(topics.IMAGE_RAW)
        self._camera_info = self.publisher(topics.CAMERA_INFO)
        self._compressed = self.publisher(topics.IMAGE_COMPRESSED)
        self._to_compress = LatestSlot()
        self.subscription(topics.GIMBAL_ZOOM, self._zoom_came)
        self.worker('source', self._read)
        self.worker('jpeg', self._compress, niceness=5)

    def deactivate(self) -> None:
        """Wake the JPEG thread so that it can end."""
        self._to_compress.close()

    def cleanup(self) -> None:
        """Close the source."""
        self._feed.close()

    def diagnostic_values(self) -> dict[str, str]:
        """What the source says of itself."""
        if not hasattr(self, '_feed'):
            return {}
        counts, info = self._feed.counts(), self._feed.info
        rows = {
            'source': self.parameters.source,
            'source state': self._feed.state.value,
            'frames that failed to decode': str(counts.decode_failures),
            'ticks missed': str(counts.missed_ticks),
            'times started again': str(counts.loops),
            'times reopened': str(self._feed.reopened),
            'JPEGs dropped while busy': str(self._to_compress.dropped),
        }
        if info is not None:
            rows['image'] = f'{info.width}x{info.height} at {info.rate_hz:g} Hz'
            rows['stamp is'] = info.stamp_source
        return rows

    def _zoom_came(self, zoom: ZoomState) -> None:
        if math.isfinite(zoom.factor) and zoom.factor > 0.0:
            self._zoom_factor = zoom.factor
            return
        name = topics.GIMBAL_ZOOM.name
        self.report_drop(
            name,
            'not positive',
            f'The magnification on {self.resolve_topic_name(name)} is {zoom.factor:g} and is not used: '
            'check its publisher.',
        )

    def _read(self) -> None:
        captured = self._feed.read(_READ_TIMEOUT_S)
        if captured is None:
            return
        frame = captured.frame
        # First the intrinsics, so that whoever gets the image has those that belong to it.
        self._camera_info.publish(StampedCamera(frame.stamp_ns, frame.frame_id, self._camera_of(captured)))
        self._image.publish(frame)
        if self._compressed.watched:
            self._to_compress.put(frame)
        self.diagnostics.stage('capture').record(self.now_ns() - frame.stamp_ns)
        self._note(captured)

    def _note(self, captured: Captured) -> None:
        values: dict[str, float | int] = {'render_ns': captured.work_ns}
        if captured.footage_index is not None:
            values['footage_frame'] = captured.footage_index
        view = captured.true_view
        if view is not None:
            values.update(azimuth_rad=view.azimuth_rad, tilt_rad=view.tilt_rad, zoom=view.zoom)
        self.trace.event('frame', captured.frame.stamp_ns, **values)

    def _compress(self) -> None:
        frame = self._to_compress.take(_READ_TIMEOUT_S)
        if frame is not None:
            self._compressed.publish(compressed_message(frame, self.parameters.jpeg_quality))

    def _camera_of(self, captured: Captured) -> CameraModel:
        if captured.camera is not None:
            return captured.camera
        if (self._fallback.width, self._fallback.height) != (captured.frame.width, captured.frame.height):
            self._fallback = self._fallback_camera(captured.frame.width, captured.frame.height)
        return self._fallback.zoomed(self._zoom_factor)

    def _fallback_camera(self, width: int, height: int) -> CameraModel:
        wanted = self.parameters
        return camera_model(width, height, wanted.calibration_file, wanted.horizontal_field_deg)


def main() -> None:
    """`camera_node`."""
    run_node(CameraNode)


if __name__ == '__main__':
    main()
