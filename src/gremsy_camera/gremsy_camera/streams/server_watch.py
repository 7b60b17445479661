# SPDX-License-Identifier: Apache-2.0
"""Looks every few seconds, beside the reading, whether a server that was away has the stream again."""

from __future__ import annotations

import threading

from gremsy_camera.errors import SourceError
from gremsy_camera.streams.rtsp_session import RtspSession
from gremsy_camera.streams.stream_address import StreamAddress

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
