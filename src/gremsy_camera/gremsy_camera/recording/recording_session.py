# SPDX-License-Identifier: Apache-2.0
"""One recording from its beginning to its end, on the thread that writes.

The film is the source's own video where it has one; else the frames are encoded. Which of the two is seen from what
comes: a source that gives packets gives them before the frames.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from gremsy_camera.recording.bag_file import BagChannel, BagFiles
from gremsy_camera.recording.frame_encoder import FrameEncoder
from gremsy_camera.recording.recording_libraries import import_writer
from gremsy_camera.recording.recording_parameters import RecordingParameters
from gremsy_camera.recording.recording_queue import Queued, QueuedFrame, QueuedPacket, QueuedStamp, RecordingQueue
from gremsy_camera.recording.recordings_folder import RecordingFile, RecordingsFolder
from gremsy_camera.recording.video_files import VideoFiles
from gremsy_common.errors import SuiteError, one_line
from gremsy_common.picture.viewable_pictures import DEEP_GREY, ViewablePictures
from gremsy_common.types.frame import Frame

_NS_PER_S = 1_000_000_000
_TICK_NS = _NS_PER_S
# Frames that are under way in the decoder when the first packet is asked for.
_FRAMES_WITHOUT_PACKETS = 5
_KEY_FRAME_MISSED_NS = 10 * _NS_PER_S
# Pictures in the decoder, of a camera whose pictures are JPEG.
_MOST_JPEGS = 30


def file_stem(pattern: str, namespace: str, time: str) -> str:
    """The pattern with its fields filled in: of `/robot/eo`, `{robot}` is robot and `{camera}` is eo."""
    *robot, camera = namespace.strip('/').split('/')
    filled = pattern.replace('{robot}', '_'.join(robot)).replace('{camera}', camera or 'camera').replace('{time}', time)
    return filled.strip('_') or 'camera'


def utc(time_ns: int) -> datetime:
    """Of a stamp of the ROS clock."""
    return datetime.fromtimestamp(time_ns / _NS_PER_S, timezone.utc)


@dataclass(frozen=True, slots=True)
class CameraChannels:
    """The camera's own topics in a bag: frames, pictures that are JPEG already, intrinsics."""

    images: BagChannel
    copied_images: BagChannel
    camera_info: BagChannel


class RecordingSession:
    """Written by one thread; `queue` is filled from any."""

    def __init__(
        self,
        parameters: RecordingParameters,
        folder: RecordingsFolder,
        stem: str,
        channels: CameraChannels | None,
        *,
        film: bool,
        pictures_in_bag: bool,
        report: Callable[[str], None],
    ) -> None:
        """Write nothing yet; `channels` is None where no bag is wanted."""
        self.queue = RecordingQueue()
        self.stem = stem
        self._parameters = parameters
        self.folder = folder
        self._channels = channels
        self._report = report
        self.video = VideoFiles(folder, stem, parameters.record_segment_s) if film else None
        self.bag = BagFiles(folder, stem, parameters.record_segment_s) if channels is not None else None
        self.writers = [each for each in (self.video, self.bag) if each is not None]
        self._pictures_in_bag = pictures_in_bag
        # A film has 8 bits: what has more is kept whole in the bag.
        self._deep_in_bag = channels is not None and parameters.record_images != 'none'
        self.queue.frames_matter = pictures_in_bag
        self._encoder: FrameEncoder | None = None
        self._pictures = ViewablePictures()
        self._held: list[Frame] = []
        self._packets_seen = self._silent = 0
        # Of a camera whose pictures are JPEG: those that wait for their stamp; None where there are none.
        self._jpegs: dict[int, QueuedPacket] | None = None
        self._stamps_come = False
        self._prepared = False
        self._next_tick_ns = 0
        self._key_frame_missed = False
        self._waiting_since_ns: int | None = None
        self.lost: Counter[str] = Counter()

    @property
    def wants_pictures(self) -> bool:
        """Whether the source's own video and its frames are of use."""
        return self.video is not None or self._pictures_in_bag

    @property
    def how(self) -> str:
        """How the film is made, in few words."""
        if self.video is None:
            return 'no film'
        return f'encoded by {self._encoder.encoder}' if self._encoder else 'copied from the source'

    def files(self) -> tuple[RecordingFile, ...]:
        """Those that are being written."""
        return tuple(file for each in self.writers for file in each.current)

    def work(self, timeout_s: float, now_ns: int) -> bool:
        """Write what comes next; False when all is written and closed.

        Raises:
            Exception: whatever ended it; `close` saves what was written.
        """
        if not self._prepared:
            self._prepare()
        item = self.queue.take(timeout_s)
        if item is not None:
            self._handle(item, now_ns)
        elif self.queue.drained:
            for pts_ns in list(self._jpegs or ()):
                self._leave_jpeg(pts_ns, now_ns)
            self.close()
            return False
        if now_ns >= self._next_tick_ns:
            self._next_tick_ns = now_ns + _TICK_NS
            self._tick(now_ns)
        return True

    def close(self) -> None:
        """Finish the files; may be called twice.

        Raises:
            OSError: when the disk refuses; they are closed all the same.
        """
        with ExitStack() as last:
            for each in reversed(self.writers):
                last.callback(each.close)
            self._end_encoder()

    def why(self, error: Exception) -> str:
        """What ended it, as a sentence."""
        if isinstance(error, SuiteError):
            return str(error)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"the disk that '{self.folder.path}' is on is full: make room, or raise `record_keep_free_gb`, "
                'with which recording ends before.'
            )
        if isinstance(error, OSError):
            return f"'{self.folder.path}' can no longer be written to ({error.strerror or error})."
        return f'{one_line(error)}.'

    def _prepare(self) -> None:
        self.folder.prepare()
        self._tidy()
        self._make_room()
        for each in self.writers:
            import_writer(each.format)
        self._prepared = True

    def _handle(self, item: Queued, now_ns: int) -> None:
        if isinstance(item, QueuedPacket):
            self._packet(item, now_ns)
        elif isinstance(item, QueuedStamp):
            self._stamp(item, now_ns)
        elif isinstance(item, QueuedFrame):
            self._frame(item, now_ns)
        else:
            self._to_bag(item.channel, item.item, item.received_ns, now_ns)

    def _packet(self, item: QueuedPacket, now_ns: int) -> None:
        self._silent = 0
        self._held.clear()
        if self._encoder is not None:
            self._end_encoder()
        if self.video is not None:
            self.video.add(item.video, item.packet)
        if item.video.codec != 'mjpeg':
            self._jpegs = None
        elif self._pictures_in_bag:
            self._jpegs = self._jpegs or {}
            self._jpegs[item.packet.pts_ns] = item
            if len(self._jpegs) > _MOST_JPEGS:
                self._leave_jpeg(next(iter(self._jpegs)), now_ns)

    def _stamp(self, item: QueuedStamp, now_ns: int) -> None:
        self._stamps_come = True
        if self.video is not None:
            self.video.stamp(item.pts_ns, item.stamp_ns)
        jpeg = self._jpegs.pop(item.pts_ns, None) if self._jpegs else None
        if jpeg is not None:
            self._jpeg_to_bag(jpeg, item.stamp_ns, now_ns)

    def _leave_jpeg(self, pts_ns: int, now_ns: int) -> None:
        """One that was not decoded; of a reader whose pictures have no positions, all that is known of its time."""
        assert self._jpegs is not None
        jpeg = self._jpegs.pop(pts_ns)
        if self._stamps_come:
            self.lost['JPEGs that were not decoded'] += 1
        else:
            self._jpeg_to_bag(jpeg, jpeg.packet.stamp_ns, now_ns)

    def _jpeg_to_bag(self, jpeg: QueuedPacket, stamp_ns: int, now_ns: int) -> None:
        if self._channels is not None:
            packet = replace(jpeg.packet, stamp_ns=stamp_ns)
            self._to_bag(self._channels.copied_images, packet, jpeg.received_ns, now_ns)

    def _frame(self, item: QueuedFrame, now_ns: int) -> None:
        self._silent = 0 if item.packets != self._packets_seen else self._silent + 1
        self._packets_seen = item.packets
        without_packets = self._silent > _FRAMES_WITHOUT_PACKETS or item.packets == 0
        deep = self._deep_in_bag and item.frame.encoding in DEEP_GREY
        as_jpeg = self._pictures_in_bag and (without_packets or self._jpegs is None)
        self.queue.frames_matter |= deep
        if self._channels is not None and (deep or as_jpeg):
            self._to_bag(self._channels.images, item.frame, item.received_ns, now_ns)
        if self.video is None:
            return
        if self._silent > 0:
            self._held.append(item.frame)
        if self._encoder is None and self._silent < _FRAMES_WITHOUT_PACKETS:
            return
        held, self._held = self._held, []
        for frame in held:
            self._encode(frame)

    def _encode(self, frame: Frame) -> None:
        assert self.video is not None
        if frame.width < 2 or frame.height < 2:
            self.lost['frames too small for a film'] += 1
            return
        if self._encoder is not None and not self._encoder.fits(frame):
            self._end_encoder()
        if self._encoder is None:
            # What was copied before ends here: this is another stream.
            self.video.close()
            self._encoder = FrameEncoder(frame.width, frame.height)
            self.queue.frames_matter = True
        for video, packet in self._encoder.encode(frame, self._pictures.of(frame).image):
            self.video.add(video, packet, stamped=True)

    def _end_encoder(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is None or self.video is None:
            return
        for video, packet in encoder.close():
            self.video.add(video, packet, stamped=True)
        self.video.close()
        self.queue.frames_matter = self._pictures_in_bag

    def _to_bag(self, channel: BagChannel, item: object, received_ns: int, now_ns: int) -> None:
        if self.bag is None:
            return
        try:
            message = channel.serialize(item)
        except Exception as error:  # noqa: BLE001 one that cannot be a message must not end the others
            reason = f'messages on {channel.topic}'
            self.lost[reason] += 1
            if self.lost[reason] == 1:
                self._report(
                    f'A message on {channel.topic} cannot be recorded ({one_line(error)}): check its publisher.'
                )
            return
        self.bag.add(channel, message, received_ns, now_ns)

    def _tick(self, now_ns: int) -> None:
        """Once a second: everything to the disk, and room for more."""
        for each in self.writers:
            each.flush()
        self._miss_key_frames(now_ns)
        for file in self.files():
            file.sync()
        self._make_room()

    def _make_room(self) -> None:
        deleted = self.folder.make_room(self._parameters)
        for name in deleted:
            self._report(f"'{name}', the oldest recording, was deleted to make room, as `record_delete_oldest` asks.")
        if deleted:
            self._tidy()

    def _tidy(self) -> None:
        try:
            self.folder.tidy()
        except OSError as error:
            # It is only longer than it need be.
            self._report(f"The list of the recordings in '{self.folder.path}' cannot be shortened ({error.strerror}).")

    def _miss_key_frames(self, now_ns: int) -> None:
        if self._waiting_since_ns is None or self.video is None or not self.video.waiting:
            self._waiting_since_ns = now_ns
        elif now_ns - self._waiting_since_ns > _KEY_FRAME_MISSED_NS and not self._key_frame_missed:
            self._key_frame_missed = True
            self._report(
                'No key frame has come for 10 s, and a film can only begin with one: set a shorter key frame (I frame) '
                'interval on the camera.'
            )
