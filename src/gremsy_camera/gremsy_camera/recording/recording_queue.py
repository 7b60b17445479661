# SPDX-License-Identifier: Apache-2.0
"""Between the threads of the loop and the one that writes: they only store, and what does not fit is counted."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket
from gremsy_camera.recording.bag_file import BagChannel
from gremsy_common.types.frame import Frame

# A minute of a camera at 8 Mbit/s: what a slow card may take for its own housekeeping.
_MOST_BYTES = 64_000_000
# Frames are kept as they are, 25 MB each at 4K; behind them the encoder is too slow, not the disk.
_MOST_FRAMES = 4
_MOST_MESSAGES = 5_000
_MOST_ITEMS = 50_000


@dataclass(frozen=True, slots=True)
class QueuedPacket:
    """A picture as the source had it."""

    video: EncodedFormat
    packet: EncodedPacket
    received_ns: int


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """A decoded picture; `packets` is how many packets had come when it did."""

    frame: Frame
    packets: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """An item of a topic; `received_ns` is the ROS clock's."""

    channel: BagChannel
    item: object
    received_ns: int


@dataclass(frozen=True, slots=True)
class QueuedStamp:
    """The capture time of a picture whose packet was queued before."""

    pts_ns: int
    stamp_ns: int


Queued = QueuedPacket | QueuedStamp | QueuedFrame | QueuedMessage


class RecordingQueue:
    """Bounded, first in, first out; `put_*` never wait and may be called from any thread.

    Attributes:
        dropped: what did not fit, by the reason in a few words.
        frames_matter: whether a frame that did not fit is missing in the recording.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._items: deque[Queued] = deque()
        self._bytes = self._frames = self._messages = 0
        self._packets_put = 0
        self._broken = False
        self._closed = False
        self.frames_matter = False
        self.dropped: Counter[str] = Counter()

    def put_packet(self, video: EncodedFormat, packet: EncodedPacket, received_ns: int) -> None:
        """After one that did not fit, the rest up to the next key frame is of no use either."""
        with self._condition:
            if self._closed:
                return
            self._packets_put += 1
            self._broken = self._bytes + len(packet.data) > _MOST_BYTES or (self._broken and not packet.key)
            if self._broken:
                self.dropped['pictures, the disk is too slow'] += 1
                return
            self._bytes += len(packet.data)
            self._add(QueuedPacket(video, packet, received_ns))

    def put_frame(self, frame: Frame, received_ns: int) -> None:
        """One that does not fit is left out."""
        with self._condition:
            if self._closed:
                return
            if self._frames >= _MOST_FRAMES:
                # Beside a film that is copied they only tell that the source is alive.
                self.dropped['frames, writing them is too slow'] += self.frames_matter
                return
            self._frames += 1
            self._add(QueuedFrame(frame, self._packets_put, received_ns))

    def put_message(self, channel: BagChannel, item: object, received_ns: int) -> None:
        """One that does not fit is left out."""
        with self._condition:
            if self._closed:
                return
            if self._messages >= _MOST_MESSAGES:
                self.dropped['messages, the disk is too slow'] += 1
                return
            self._messages += 1
            self._add(QueuedMessage(channel, item, received_ns))

    def put_stamp(self, pts_ns: int, stamp_ns: int) -> None:
        """As `EncodedTap.stamped`."""
        with self._condition:
            if not self._closed and len(self._items) < _MOST_ITEMS:
                self._add(QueuedStamp(pts_ns, stamp_ns))

    def take(self, timeout_s: float) -> Queued | None:
        """The oldest; None after the timeout, or when it is closed and empty."""
        with self._condition:
            self._condition.wait_for(lambda: self._items or self._closed, timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, QueuedPacket):
                self._bytes -= len(item.packet.data)
            elif isinstance(item, QueuedFrame):
                self._frames -= 1
            elif isinstance(item, QueuedMessage):
                self._messages -= 1
            return item

    def close(self) -> None:
        """Take nothing more; what is there comes out still."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def drained(self) -> bool:
        """Closed, and nothing is left."""
        with self._condition:
            return self._closed and not self._items

    def _add(self, item: Queued) -> None:
        self._items.append(item)
        self._condition.notify()
