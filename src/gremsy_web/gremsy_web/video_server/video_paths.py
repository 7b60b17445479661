# SPDX-License-Identifier: Apache-2.0
"""The paths of the server: who publishes on each, who reads it, how much went through. No network is touched here."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from typing import Protocol

from gremsy_camera.streaming.rtp_sending import rtp_payloads
from gremsy_camera.streams.rtp_pictures import ReceivedPicture

# MediaMTX's words and rules, so that whoever talks to either is answered the same.
_PATH_NAME = re.compile(r'[0-9a-zA-Z_\-/.]+')
# A publisher that is asked more often than this would send nothing but key frames.
_KEY_FRAME_EVERY_S = 0.3
# MediaMTX's: with the headers of RTP, SRTP, UDP and IPv6 below the 1280 bytes that every IPv6 link takes.
_LARGEST_PAYLOAD = 1188


class VideoRefusal(Exception):
    """What a client asks for cannot be done; the text is MediaMTX's.

    Attributes:
        status: of HTTP and RTSP.
    """

    def __init__(self, status: int, text: str = '') -> None:
        super().__init__(text)
        self.status = status


def checked_name(name: str) -> str:
    """The name of a path; raises VideoRefusal as MediaMTX judges it."""
    if not name:
        why = 'cannot be empty'
    elif name.startswith('/'):
        why = "can't begin with a slash"
    elif name.endswith('/'):
        why = "can't end with a slash"
    elif not _PATH_NAME.fullmatch(name):
        why = f'can contain only alphanumeric characters, underscore, dot, minus, slash ({name})'
    else:
        return name
    raise VideoRefusal(400, f'invalid path name: {why}')


@dataclass(frozen=True, slots=True)
class SharedPicture:
    """One picture, cut once for all viewers.

    Attributes:
        payloads: of its RTP packets to viewers, H.264 as RFC 6184 packs it.
        timestamp: the publisher's RTP time, 32 bits, 90 kHz.
        key: whether decoding can begin here.
    """

    payloads: tuple[bytes, ...]
    timestamp: int
    key: bool


class Publisher(Protocol):
    """Who sends the pictures of a path."""

    session_id: str

    def ask_key_frame(self) -> None:
        """Send a key frame soon, if it can be done."""

    def kick(self) -> None:
        """Somebody else publishes there now, or the server ends."""


class Reader(Protocol):
    """Who takes the pictures of a path."""

    session_id: str
    kind: str

    @property
    def sent_bytes(self) -> int:
        """Of RTP, to this reader."""

    def take_picture(self, picture: Callable[[], SharedPicture | None], key: bool) -> None:
        """A picture is there; it is cut when the first reader calls for it. None for one that cannot be cut."""

    def take_packet(self, packet: bytes, *, is_report: bool) -> None:
        """A packet of RTP, or of RTCP, as the publisher sent it."""

    def publisher_gone(self) -> None:
        """There will be no more."""


@dataclass(slots=True)
class VideoPath:
    """A path that is published.

    Attributes:
        description: SDP as the publisher announced it.
        available: since when, for the API.
        inbound_bytes: of RTP.
        counts: of everything that was left out, in words.
    """

    name: str
    publisher: Publisher
    description: str
    available: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    inbound_bytes: int = 0
    bytes_to_gone_readers: int = 0
    readers: dict[str, Reader] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    _asked_s: float = float('-inf')
    _later: asyncio.TimerHandle | None = None

    @property
    def outbound_bytes(self) -> int:
        """Of RTP, to all readers."""
        return self.bytes_to_gone_readers + sum(reader.sent_bytes for reader in self.readers.values())

    def join(self, reader: Reader) -> None:
        """A reader comes."""
        self.readers[reader.session_id] = reader

    def leave(self, reader: Reader) -> None:
        """It goes, however often that is said."""
        if self.readers.pop(reader.session_id, None) is not None:
            self.bytes_to_gone_readers += reader.sent_bytes

    def packet(self, packet: bytes, *, is_report: bool = False) -> None:
        """A packet of RTP came, or of RTCP."""
        self.inbound_bytes += 0 if is_report else len(packet)
        for reader in tuple(self.readers.values()):
            reader.take_packet(packet, is_report=is_report)

    def picture(self, picture: ReceivedPicture) -> None:
        """A picture is complete. One that lacks packets goes to nobody, and a key frame is asked for."""
        if not picture.whole:
            self.counts['pictures with packets missing'] += 1
            self.ask_key_frame()
            return

        @cache
        def cut() -> SharedPicture | None:
            payloads = tuple(rtp_payloads(picture.data, _LARGEST_PAYLOAD))
            if not payloads:
                self.counts['pictures without a unit in them'] += 1
                return None
            return SharedPicture(payloads, picture.timestamp, picture.key)

        for reader in tuple(self.readers.values()):
            reader.take_picture(cut, picture.key)

    def ask_key_frame(self) -> None:
        """Ask the publisher for one; what comes too soon after another asking is asked when its time has come."""
        loop = asyncio.get_running_loop()
        wait_s = self._asked_s + _KEY_FRAME_EVERY_S - loop.time()
        if wait_s > 0:
            if self._later is None:
                self._later = loop.call_later(wait_s, self._ask_now)
            return
        self._ask_now()

    def close(self) -> None:
        """The publisher has gone: so do its readers, as MediaMTX closes them."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        readers, self.readers = tuple(self.readers.values()), {}
        for reader in readers:
            reader.publisher_gone()

    def _ask_now(self) -> None:
        self._later = None
        self._asked_s = asyncio.get_running_loop().time()
        self.publisher.ask_key_frame()


class PathBoard:
    """All paths that are published now."""

    def __init__(self) -> None:
        self._paths: dict[str, VideoPath] = {}

    def __iter__(self) -> Iterator[VideoPath]:
        return iter(sorted(self._paths.values(), key=lambda path: path.name))

    def published(self, path: VideoPath) -> None:
        """A publisher begins. One that is there already has to go (MediaMTX's `overridePublisher`)."""
        before = self._paths.get(path.name)
        if before is not None:
            self.gone(before)
            before.publisher.kick()
        self._paths[path.name] = path

    def gone(self, path: VideoPath) -> None:
        """A publisher has ended."""
        if self._paths.get(path.name) is path:
            del self._paths[path.name]
            path.close()

    def find(self, name: str) -> VideoPath:
        """The path that is published under that name; raises VideoRefusal for no name, and while nobody publishes."""
        path = self._paths.get(checked_name(name))
        if path is None:
            raise VideoRefusal(404, f"no stream is available on path '{name}'")
        return path
