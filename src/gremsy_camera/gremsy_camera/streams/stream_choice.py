# SPDX-License-Identifier: Apache-2.0
"""Which library reads a stream, and whether from the camera itself or from the server that has its one session.

A module `NAME_reader` of this folder is a reader: `why_not(options)` says in one sentence, "reason: way out", why this
machine cannot use it, else None; `create(address, context)` makes one. `reader` is its name; `auto` takes the first
that this machine can use. While a camera is read directly, a watch checks every few seconds whether the
server that was away has the stream again.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import LivePicture, LiveReader
from gremsy_camera.sources.source import SourceContext, SourceInfo, SourceUri
from gremsy_camera.streams.credentials import fill_in
from gremsy_camera.streams.rtsp_session import RtspSession
from gremsy_camera.streams.stream_address import StreamAddress

_EVERY_S = 5.0
# A server that restarts again and again is not worth the gap of a change.
_TIMES_IN_A_ROW = 3


class ServerWatch(threading.Thread):
    """Looks from `start` until `stopped` is set. `has_stream` once the server had it three times in a row."""

    def __init__(self, server: StreamAddress) -> None:
        super().__init__(name='server-watch', daemon=True)
        self.server = server
        self.stopped = threading.Event()
        self.has_stream = False

    def run(self) -> None:
        """By the thread; a look that is on its way when it is stopped ends by itself."""
        seen = 0
        while not self.stopped.wait(_EVERY_S):
            seen = seen + 1 if self._describes() else 0
            self.has_stream = seen >= _TIMES_IN_A_ROW

    def _describes(self) -> bool:
        session = RtspSession(self.server)
        try:
            return session.describe().track is not None
        except SourceError:
            return False
        finally:
            session.close()


# In the order in which `auto` tries them.
_READERS = ('pyav', 'gstreamer', 'opencv')
# Whose decoder only GStreamer has: PyAV decodes on its CPU.
_JETSON = Path('/etc/nv_tegra_release')
_ON_A_JETSON = ('gstreamer', 'pyav', 'opencv')


@dataclass(frozen=True, slots=True)
class ChosenReader:
    """A reader's module, and why not those before it."""

    name: str
    module: ModuleType
    refused: tuple[tuple[str, str], ...]

    @property
    def details(self) -> tuple[tuple[str, str], ...]:
        """Rows for diagnostics."""
        return (('reader', self.name), *((f'not read by {name}', why) for name, why in self.refused))

    @property
    def sentence(self) -> str:
        """For the log, without the ways out, which are as long as a command line."""
        if not self.refused:
            return f'RTSP is read by {self.name}.'
        reasons = '; '.join(why.partition(': ')[0] for _, why in self.refused)
        return f'RTSP is read by {self.name}: {reasons} (`./gremsy doctor` says how to get it).'


def choose_reader(options: LiveParameters) -> ChosenReader:
    """The module that `reader` asks for.

    Raises:
        SourceUnusable: with each one's reason where none can be used.
    """
    refused: list[tuple[str, str]] = []
    wanted = options.reader
    order = _ON_A_JETSON if _JETSON.exists() and options.decoder != 'software' else _READERS
    for name in order if wanted == 'auto' else (wanted,):
        module = importlib.import_module(f'gremsy_camera.streams.{name}_reader')
        why: str | None = module.why_not(options)
        if why is None:
            return ChosenReader(name, module, tuple(refused))
        refused.append((name, why))
    reasons = ' '.join(why for _, why in refused)
    raise SourceUnusable(f'Nothing on this machine can read RTSP with `reader` {wanted}. {reasons}')


class StreamReader(LiveReader):
    """See LiveReader. Finds credentials and library when it is opened, and changes between server and camera."""

    def __init__(self, uri: SourceUri, context: SourceContext) -> None:
        super().__init__(f'The camera {uri.text}', context)
        self._text = f'{uri.scheme}:{uri.rest}'
        self._options = context.live
        self._reader: LiveReader | None = None
        self._rows: tuple[tuple[str, str], ...] = ()
        self._reported: set[str] = set()
        self._server_failed = False
        self._from_server = False
        self._watch: ServerWatch | None = None

    def open(self) -> SourceInfo:
        """See LiveReader."""
        self.close()
        secrets = self._secrets()
        camera = StreamAddress.of(fill_in(self._text, 'source', secrets), 'source')
        server = None
        if self._options.server_url and self._options.via != 'camera':
            server = StreamAddress.of(fill_in(self._options.server_url, 'server_url', secrets), 'server_url')
        if self._options.via == 'server' and server is None:
            raise SourceUnusable('`via` is server and `server_url` is empty: write where the server has the stream.')
        chosen = choose_reader(self._options)
        self._say_once(chosen.sentence)
        if server is not None and (self._options.via == 'server' or not self._server_failed):
            try:
                self._open(chosen, server, f'the server {server.shown}')
            except SourceError as error:
                if self._options.via == 'server':
                    raise
                self._say_once(str(error))
            else:
                self._from_server = True
                return self.info
        away = f', since the server {server.shown} is away' if server is not None else ''
        try:
            self._open(chosen, camera, f'the camera {camera.shown}{away}')
        except SourceError:
            # Whichever of the two is back first is taken.
            self._server_failed = False
            raise
        if server is not None:
            self._say_once(f'The camera {camera.shown} is read directly{away}.')
            self._watch = ServerWatch(server)
            self._watch.start()
        return self.info

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._reader is None:
            raise self._not_open()
        if self._watch is not None and self._watch.has_stream:
            self._server_failed = False
            raise SourceError(
                f'The server {self._watch.server.shown} has the stream again: it is read from there from now on.'
            )
        picture = self._reader.read(timeout_s)
        self._take_info(self._reader)
        # Of the camera's own session nobody else has the RTP times.
        return picture if picture is None or self._from_server else replace(picture, rtp=None)

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        reader = self._reader
        return reader.counts() if reader is not None else {}

    def close(self) -> None:
        """See LiveReader. A server that was read from is not the first to be asked again."""
        if self._watch is not None:
            self._watch.stopped.set()
            self._watch = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None
            self._server_failed = self._from_server
            self._from_server = False

    def _open(self, chosen: ChosenReader, address: StreamAddress, read_from: str) -> None:
        self._rows = (*chosen.details, ('read from', read_from))
        reader: LiveReader = chosen.module.create(address, self.context)
        try:
            reader.open()
        except SourceError:
            reader.close()
            raise
        self._reader = reader
        self._take_info(reader)

    def _take_info(self, reader: LiveReader) -> None:
        self.info = replace(reader.info, details=(*self._rows, *reader.info.details))

    def _say_once(self, sentence: str) -> None:
        """Once until pictures come, not at each of the openings of a bad night."""
        if sentence not in self._reported:
            self._reported.add(sentence)
            self.context.say(sentence)
