# SPDX-License-Identifier: Apache-2.0
"""Which library reads a stream, and whether from the camera itself or from the server that has its one session.

A module of this folder that has `why_not(options)` and `create(request)` is a reader; `reader` names it, and `auto`
takes the first that this machine can use. While a camera is read directly, a watch checks every few seconds whether the
server that was away has the stream again.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from gremsy_camera.errors import SourceError, SourceUnusable
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import LivePicture, LiveReader, StreamInfo
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.streams.credentials import fill_in, read_secrets
from gremsy_camera.streams.rtsp_session import RtspSession
from gremsy_camera.streams.stream_address import ReaderRequest, StreamAddress

_EVERY_S = 5.0
# A server that restarts again and again is not worth the gap of a change.
_TIMES_IN_A_ROW = 3


class ServerWatch:
    """A thread from `start` to `stop`. `has_stream` once the server had it three times in a row."""

    def __init__(self, server: StreamAddress) -> None:
        self._server = server
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name='server-watch', daemon=True)
        self.has_stream = False

    @property
    def shown(self) -> str:
        """The server's address without credentials."""
        return self._server.shown

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that is on its way ends by itself."""
        self._stopped.set()

    def _look(self) -> None:
        seen = 0
        while not self._stopped.wait(_EVERY_S):
            seen = seen + 1 if self._describes() else 0
            self.has_stream = seen >= _TIMES_IN_A_ROW

    def _describes(self) -> bool:
        session = RtspSession(self._server)
        try:
            return session.describe().track is not None
        except SourceError:
            return False
        finally:
            session.close()


# In the order in which `auto` tries them.
_MODULES = {'pyav': 'pyav_reader', 'gstreamer': 'gstreamer_reader', 'opencv': 'opencv_reader'}
# Whose decoder only GStreamer has: PyAV decodes on its CPU.
_JETSON = Path('/etc/nv_tegra_release')
_ON_A_JETSON = ('gstreamer', 'pyav', 'opencv')


class ReaderModule(Protocol):
    """What a module of this folder has to be a reader."""

    def why_not(self, options: LiveParameters) -> str | None:
        """In one sentence, 'reason: way out', why this machine cannot use it; None where it can."""

    def create(self, request: ReaderRequest) -> LiveReader:
        """A reader of that stream, which has touched nothing yet."""


@dataclass(frozen=True, slots=True)
class ChosenReader:
    """A reader's module, and why not those before it."""

    name: str
    module: ReaderModule
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
    order = _ON_A_JETSON if _JETSON.exists() and options.decoder != 'software' else tuple(_MODULES)
    for name in order if wanted == 'auto' else (wanted,):
        module = cast(ReaderModule, importlib.import_module(f'gremsy_camera.streams.{_MODULES[name]}'))
        why = module.why_not(options)
        if why is None:
            return ChosenReader(name, module, tuple(refused))
        refused.append((name, why))
    reasons = ' '.join(why for _, why in refused)
    raise SourceUnusable(f'Nothing on this machine can read RTSP with `reader` {wanted}. {reasons}')


class StreamReader:
    """See LiveReader. Finds the credentials and the library when it is opened, and changes between server and camera.

    Args:
        text: `source` as it was written, `${NAME}` and all.
        context: of the source.
        environment: where `${NAME}` is looked up besides the secrets file.
    """

    def __init__(self, text: str, context: SourceContext, environment: Mapping[str, str] = os.environ) -> None:
        self._text = text
        self._options = context.live
        self._say = context.say
        self._context = context
        self._environment = environment
        self._reader: LiveReader | None = None
        self._rows: tuple[tuple[str, str], ...] = ()
        self._said: set[str] = set()
        self._server_failed = False
        self._from_server = False
        self._watch: ServerWatch | None = None

    def open(self) -> StreamInfo:
        """See LiveReader."""
        self.close()
        secrets = {**self._environment, **read_secrets(self._options.secrets_file, self._say)}
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
                return self._open_server(chosen, server)
            except SourceError as error:
                if self._options.via == 'server':
                    raise
                self._say_once(str(error))
        return self._open_camera(chosen, camera, server)

    def read(self, timeout_s: float) -> LivePicture | None:
        """See LiveReader."""
        if self._reader is None:
            raise SourceError('The stream is not open: call `open` first.')
        if self._watch is not None and self._watch.has_stream:
            self._server_failed = False
            raise SourceError(
                f'The server {self._watch.shown} has the stream again: it is read from there from now on.'
            )
        picture = self._reader.read(timeout_s)
        # Of the camera's own session nobody else has the RTP times.
        return picture if picture is None or self._from_server else replace(picture, rtp=None)

    @property
    def info(self) -> StreamInfo:
        """See LiveReader."""
        assert self._reader is not None
        return self._with_rows(self._reader.info)

    def counts(self) -> Mapping[str, int]:
        """See LiveReader."""
        reader = self._reader
        return reader.counts() if reader is not None else {}

    def close(self) -> None:
        """See LiveReader. A server that was read from is not the first to be asked again."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None
            self._server_failed = self._from_server
            self._from_server = False

    def _open_server(self, chosen: ChosenReader, server: StreamAddress) -> StreamInfo:
        self._rows = (*chosen.details, ('read from', f'the server {server.shown}'))
        info = self._open(chosen, server)
        self._from_server = True
        return info

    def _open_camera(self, chosen: ChosenReader, camera: StreamAddress, server: StreamAddress | None) -> StreamInfo:
        away = f', since the server {server.shown} is away' if server is not None else ''
        self._rows = (*chosen.details, ('read from', f'the camera {camera.shown}{away}'))
        try:
            info = self._open(chosen, camera)
        except SourceError:
            # Whichever of the two is back first is taken.
            self._server_failed = False
            raise
        if server is not None:
            self._say_once(f'The camera {camera.shown} is read directly, since the server {server.shown} is away.')
            self._watch = ServerWatch(server)
            self._watch.start()
        return info

    def _open(self, chosen: ChosenReader, address: StreamAddress) -> StreamInfo:
        context = self._context
        reader = chosen.module.create(ReaderRequest(address, self._options, context.clock, context.tap, self._say))
        try:
            info = reader.open()
        except SourceError:
            reader.close()
            raise
        self._reader = reader
        return self._with_rows(info)

    def _with_rows(self, info: StreamInfo) -> StreamInfo:
        return replace(info, details=(*self._rows, *info.details))

    def _say_once(self, sentence: str) -> None:
        """Once until pictures come, not at each of the openings of a bad night."""
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)
