# SPDX-License-Identifier: Apache-2.0
"""source -> image_raw, camera_info, image_raw/compressed, image_mono8, video_time."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import cv2
import numpy as np

from gremsy_camera.camera_parameters import CameraParameters, optical_frame_name
from gremsy_camera.external.foreign_frames import ForeignFrames
from gremsy_camera.external.foreign_watch import SCHEME as EXTERNAL
from gremsy_camera.external.foreign_watch import external_topics
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.lens.camera_lens import Lens
from gremsy_camera.recording.recording_node import CameraRecording
from gremsy_camera.ros.camera_outlets import CameraOutlets, OutletPlan
from gremsy_camera.ros.foreign_camera import ForeignCamera
from gremsy_camera.source_feed import FeedState, SourceFeed
from gremsy_camera.sources import create_source, parse_uri
from gremsy_camera.sources.source import Captured, SourceContext
from gremsy_camera.streams.credentials import redacted
from gremsy_common.errors import Unusable
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.picture.viewable_pictures import DEEP_GREY, ViewablePictures
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.ros.messages.image_messages import compressed_message
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.gimbal_state import ZoomState
from gremsy_common.types.video_time import VideoTime

_READ_TIMEOUT_S = 0.2
# The executor, which answers for all nodes of the process, waits no longer for a camera; one that is there takes less.
_OPENS_WITHIN_S = 0.3
# A stall shorter than this is in the rate and the age; a slow source may be silent for some of its periods.
_SILENT_AFTER_S, _SILENT_PERIODS = 2.0, 3.0


class CameraNode(SuiteNode[CameraParameters]):
    """Wires a `SourceFeed` to the camera's topics."""

    node_name = 'camera'
    parameters_type = CameraParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._zoom_factor = 1.0
        self._intrinsics = ''
        self._to_show: LatestSlot[Frame] = LatestSlot()
        self._pictures = ViewablePictures()
        self._newest_stamp_ns: int | None = None
        self._newest_at_ns = 0
        self._foreign: ForeignCamera | None = None

    def configure(self) -> None:
        """Open the source, so that one that cannot work ends the start with its sentence, be it a little later."""
        wanted = self.parameters
        if not wanted.source.strip():
            raise ParameterError(
                f'Parameter `source` of {self.get_fully_qualified_name()} is empty: say where its video comes from in '
                'the parameter file (params_file), or start with sim:=true for the simulated payload.'
            )
        clock = SystemClock(self.now_ns)
        default_frame_id = optical_frame_name(self.get_namespace())
        frame_id = wanted.frame_id or default_frame_id
        self._recording = CameraRecording(self, clock, frame_id)
        frames = ForeignFrames(wanted.frame_id, default_frame_id)
        context = SourceContext(
            frame_id=frame_id,
            rate_hz=wanted.rate_hz,
            at_end=AtEnd(wanted.at_end),
            clock=clock,
            say=self.get_logger().info,
            live=wanted,
            tap=self._recording.recorder,
            foreign=frames,
        )
        uri = parse_uri(wanted.source)
        self._foreign = None
        if uri.scheme == EXTERNAL:
            configured = bool(wanted.calibration_file) or wanted.horizontal_field_deg > 0.0
            self._foreign = ForeignCamera(self, external_topics(uri), frames, configured)
        source = create_source(wanted.source, context)
        self._feed = SourceFeed(source, clock, self.report_error, say=self.get_logger().info)
        self._lens = Lens(wanted, self.get_logger().warning)
        self._lens.open()
        self._feed.open(_OPENS_WITHIN_S, self.give_up)

    def activate(self) -> None:
        """Frames go out as they come; what is only shown of them is made on a thread of its own, newest first."""
        self._outlets = CameraOutlets(self, self._foreign.plan if self._foreign is not None else OutletPlan())
        self._to_show, self._pictures = LatestSlot(), ViewablePictures()
        self._newest_stamp_ns, self._newest_at_ns = None, time.monotonic_ns()
        self.subscription(topics.GIMBAL_ZOOM, self._on_zoom)
        self._recording.activate()
        if self._foreign is not None:
            self._foreign.activate(self._takes_images, self._outlets.follow)
        self.worker('source', self._read)
        self.worker('show', self._show, niceness=5)

    def deactivate(self) -> None:
        """Wake the thread of pictures so that it can end, and close what is being recorded."""
        self._to_show.close()
        self._recording.deactivate()

    def cleanup(self) -> None:
        """Close the source."""
        self._feed.close()
        self._recording.recorder.close()

    def diagnostic_values(self) -> dict[str, str]:
        """The source's state and counts."""
        if not hasattr(self, '_feed'):
            return {}
        counts, info = self._feed.counts(), self._feed.info
        rows = {
            'source': redacted(self.parameters.source),
            'source state': self._feed.state.value,
            'frames that failed to decode': str(counts.decode_failures),
            'ticks missed': str(counts.missed_ticks),
            'times started again': str(counts.loops),
            'times reopened': str(self._feed.reopened),
            'intrinsics': self._intrinsics,
            'pictures to show dropped while busy': str(self._to_show.dropped),
        }
        if self._newest_stamp_ns is not None:
            rows['age of the newest frame (s)'] = f'{(self.now_ns() - self._newest_stamp_ns) * 1e-9:.3f}'
        if self._foreign is not None:
            rows |= self._foreign.rows(self._lens.origin)
        if info is not None:
            if info.width:
                rows['image'] = f'{info.width}x{info.height}' + (f' at {info.rate_hz:g} Hz' if info.rate_hz else '')
            rows['stamp is'] = info.stamp_source
            rows |= dict(info.details)
        return rows | {reason: str(count) for reason, count in counts.others.items()} | self._recording.recorder.rows()

    def health(self) -> Health:
        """OK only while frames come."""
        if self._foreign is not None:
            return self._foreign.health()
        feed = self._feed
        if feed.broken:
            return Health(Level.ERROR, feed.problem)
        if feed.state is FeedState.ENDED:
            return Health(Level.WARN, feed.problem)
        silent_s = (time.monotonic_ns() - self._newest_at_ns) * 1e-9
        rate_hz = feed.info.rate_hz if feed.info is not None else 0.0
        if silent_s > max(_SILENT_AFTER_S, _SILENT_PERIODS / rate_hz if rate_hz > 0.0 else 0.0):
            return Health(Level.ERROR, f'No image has come from `source` for {silent_s:.0f} s: check the log.')
        return Health()

    def _takes_images(self) -> bool:
        return self._outlets.watched or self._recording.recorder.recording

    def _on_zoom(self, zoom: ZoomState) -> None:
        if math.isfinite(zoom.factor) and zoom.factor > 0.0:
            self._zoom_factor = self._recording.zoom = zoom.factor
            return
        name = topics.GIMBAL_ZOOM.name
        self.report_drop(
            name,
            'not positive',
            f'The magnification on {self.resolve_topic_name(name)} is {zoom.factor:g} and is not used: '
            'check its publisher.',
        )

    def _read(self) -> None:
        problem = self._feed.problem
        captured = self._feed.read(_READ_TIMEOUT_S)
        if captured is None:
            return
        if problem:
            self.diagnostics.settle_error(problem)
        frame = captured.frame
        camera = StampedCamera(frame.stamp_ns, frame.frame_id, self._camera_of(captured))
        awaited = self._foreign is not None and self._foreign.lens_awaited
        self._outlets.publish(None if awaited else camera, frame)
        if captured.rtp is not None:
            self._outlets.video_time.publish(VideoTime(frame.stamp_ns, captured.rtp))
        self._recording.frame(frame, camera)
        if self._outlets.pictures_watched:
            self._to_show.put(frame)
        self._newest_stamp_ns, self._newest_at_ns = frame.stamp_ns, time.monotonic_ns()
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

    def _show(self) -> None:
        frame = self._to_show.take(_READ_TIMEOUT_S)
        if frame is None:
            return
        try:
            picture = self._pictures.of(frame)
        except Unusable as error:
            name = topics.IMAGE_RAW.name
            sentence = f'An image on {self.resolve_topic_name(name)} cannot be shown: {error}'
            self.report_drop(name, error.reason, sentence, stamp_ns=frame.stamp_ns)
            return
        if self._outlets.mono8.watched:
            self._outlets.mono8.publish(_grey(picture))
        if self._outlets.compressed_watched:
            lossless = self.parameters.compressed_format == 'png'
            shown = frame if lossless and frame.encoding in DEEP_GREY else picture
            message = compressed_message(shown, self.parameters.jpeg_quality, lossless=lossless)
            self._outlets.publish_compressed(message)

    def _camera_of(self, captured: Captured) -> CameraModel:
        if captured.camera is not None:
            self._intrinsics = "the source's own"
            return captured.camera
        self._intrinsics = self._lens.origin
        return self._lens.model(captured.frame.width, captured.frame.height, self._zoom_factor)


def _grey(picture: Frame) -> Frame:
    if picture.encoding == 'mono8':
        return picture
    grey = np.asarray(cv2.cvtColor(picture.image, cv2.COLOR_BGR2GRAY))
    return replace(picture, image=lock_read_only(grey), encoding='mono8')


def main() -> None:
    """`camera_node`."""
    run_node(CameraNode)


if __name__ == '__main__':
    main()
