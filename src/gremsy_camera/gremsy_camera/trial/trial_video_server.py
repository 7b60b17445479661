# SPDX-License-Identifier: Apache-2.0
"""Starts a video server to publish to, a process of Debian's Python on loopback, and collects what came to it.

`pytest_camera` makes a fixture of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from gremsy_camera.trial.trial_camera import TrialProcess, user_info


@dataclass(frozen=True, slots=True)
class TrialVideoServerOptions:
    """What the server is like.

    Attributes:
        path: that takes a stream; any other is 404.
        user, password: who may publish; '' for anybody.
        authentication: 'basic' or 'digest'.
    """

    path: str = '/eo'
    user: str = ''
    password: str = ''
    authentication: str = 'basic'


class TrialVideoServer(TrialProcess[TrialVideoServerOptions]):
    """See TrialProcess. Lines of JSON that it writes are kept."""

    module = 'gstreamer_video_server'
    what = 'trial video server'

    def __init__(self, options: TrialVideoServerOptions) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._reports: list[dict[str, Any]] = []

    @property
    def server(self) -> str:
        """Its address without a path, with the credentials that it asks for."""
        return f'rtsp://{user_info(self.options.user, self.options.password)}127.0.0.1:{self.port}'

    def start(self) -> None:
        """See TrialProcess."""
        super().start()
        threading.Thread(target=self._listen, args=(self._running().stdout,), daemon=True).start()

    def reports(self, kind: str) -> list[dict[str, Any]]:
        """All that came so far and has such a field: 'rtp', 'report' or 'luma'."""
        with self._lock:
            return [each for each in self._reports if kind in each]

    def wait_for(self, kind: str, count: int, timeout_s: float = 20.0, work: Callable[[], object] = dict) -> bool:
        """Whether so many came in time; until then `work` is repeated."""
        until_s = time.monotonic() + timeout_s
        while len(self.reports(kind)) < count:
            if time.monotonic() > until_s:
                return False
            work()
            time.sleep(0.005)
        return True

    def _listen(self, pipe: IO[str]) -> None:
        # Closed by `stop`, in the middle of a line where it comes so.
        with suppress(ValueError, OSError):
            for line in pipe:
                with self._lock:
                    self._reports.append(json.loads(line))
