# SPDX-License-Identifier: Apache-2.0
"""Messages to MCAP files as rosbag2 writes them: profile `ros2`, CDR, message definitions in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gremsy_camera.recording.recording_libraries import import_writer
from gremsy_camera.recording.recordings_folder import RecordingFile, RecordingsFolder

# A chunk is what is lost at most in a power cut, besides what `flush` has not been called for.
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Serialized:
    """One message as it goes into the bag.

    Attributes:
        data: CDR, with its header of four bytes.
        stamp_ns: of the message's header; None for one without, or with stamp 0.
    """

    data: bytes
    stamp_ns: int | None


@dataclass(frozen=True, slots=True, eq=False)
class BagChannel:
    """One topic of a bag.

    Attributes:
        topic: full name.
        message_type: as `sensor_msgs/msg/Imu`.
        definition: text of the message's definition and of all that it is made of, as rosbag2 joins them.
        qos: rosbag2's YAML of what to play it with; empty for its default.
        serialize: an item of the topic to its message; called on the recorder's thread, may raise whatever it likes.
    """

    topic: str
    message_type: str
    definition: str
    qos: str
    serialize: Callable[[Any], Serialized]


class BagFiles:
    """One recording's bags; used by one thread."""

    format = 'mcap'

    def __init__(self, folder: RecordingsFolder, stem: str, segment_s: float) -> None:
        self._folder = folder
        self._stem = stem
        self._segment_ns = round(segment_s * 1e9)
        self._file: RecordingFile | None = None
        self._writer: Any = None
        self._channels: dict[tuple[str, str], int] = {}
        self._schemas: dict[str, int] = {}
        self._sequences: dict[int, int] = {}
        self._begun_ns = 0
        self.paths: list[str] = []

    @property
    def current(self) -> tuple[RecordingFile, ...]:
        """The bag that is being written."""
        return (self._file,) if self._file is not None else ()

    def add(self, channel: BagChannel, message: Serialized, received_ns: int, now_ns: int) -> None:
        """Write one message.

        Args:
            channel: its topic.
            message: as `channel.serialize` made it.
            received_ns: when it came, ROS clock.
            now_ns: monotonic, for the length of a file: the ROS clock may be set.

        Raises:
            RecordingError, OSError: when nothing more can be written.
        """
        if self._file is not None and 0 < self._segment_ns <= now_ns - self._begun_ns:
            self.close()
        if self._file is None:
            self._begin()
            self._begun_ns = now_ns
        number = self._channels.get((channel.topic, channel.message_type))
        if number is None:
            number = self._register(channel)
        self._sequences[number] = self._sequences.get(number, 0) + 1
        self._writer.add_message(
            channel_id=number,
            log_time=max(0, received_ns),
            publish_time=max(0, received_ns if message.stamp_ns is None else message.stamp_ns),
            data=message.data,
            sequence=self._sequences[number],
        )

    def flush(self) -> None:
        """Close the chunk, so that a reader of a torn file gets all that came so far.

        Raises:
            OSError: when the disk refuses.
        """
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Write the index and finish the file; may be called twice.

        Raises:
            OSError: when the disk refuses; the file is closed all the same.
        """
        file, writer = self._file, self._writer
        self._file = self._writer = None
        if file is None:
            return
        try:
            writer.finish()
        finally:
            file.finish()

    def _begin(self) -> None:
        writers = import_writer('mcap')
        (file,) = self._folder.create(self._stem, '.mcap')
        self._channels, self._schemas, self._sequences = {}, {}, {}
        self._file = file
        self._writer = writers.Writer(file, chunk_size=_CHUNK_BYTES, compression=writers.CompressionType.ZSTD)
        self._writer.start(profile='ros2', library='gremsy_camera')
        # By which the file is known to be ours before it is ever deleted.
        self._writer.add_metadata('gremsy_camera', {'mark': file.mark})
        self.paths.append(file.path.name)

    def _register(self, channel: BagChannel) -> int:
        schema = self._schemas.get(channel.message_type)
        if schema is None:
            schema = self._writer.register_schema(channel.message_type, 'ros2msg', channel.definition.encode())
            self._schemas[channel.message_type] = schema
        number: int = self._writer.register_channel(channel.topic, 'cdr', schema, {'offered_qos_profiles': channel.qos})
        self._channels[channel.topic, channel.message_type] = number
        return number
