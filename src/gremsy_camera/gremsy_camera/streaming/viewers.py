# SPDX-License-Identifier: Apache-2.0
"""Whether anybody watches a path: who asked for it lately, and the readers that the video server has."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

# Whoever watches says so once a second.
ASKED_HOLDS_S = 5.0
_TIMEOUT_S = 1.0
_POLL_EVERY_S = 0.5
# Of a path that nobody watches: a server that does not know it writes that into its log each time.
_POLLS_TO_LEAVE_OUT = 10
_KEY_WORD = 'key'


def parse_watch(text: str) -> tuple[str, bool] | None:
    """Of `PATH` or `PATH key`: the path, and whether a new viewer needs a key frame; None for anything else."""
    words = text.split()
    if len(words) == 1 or (len(words) == 2 and words[1] == _KEY_WORD):
        return words[0], len(words) == 2
    return None


@dataclass(frozen=True, slots=True)
class PathState:
    """What the server says of a path.

    Attributes:
        readers: how many read it.
        pulled: whether the server gets it from somewhere itself, and takes it of nobody.
    """

    readers: int = 0
    pulled: bool = False


class Viewers:
    """Of one path; times are monotonic seconds. Used under the lock of whoever has it."""

    def __init__(self) -> None:
        self._asked_s: float | None = None
        self._state = PathState()
        self.reachable = False

    def asked(self, now_s: float) -> bool:
        """Somebody said that it watches; whether nobody did before."""
        fresh = not self.watched(now_s)
        self._asked_s = now_s
        return fresh

    def polled(self, state: PathState | None) -> bool:
        """What the server answered, None where it did not; whether a reader has come."""
        self.reachable = state is not None
        before, self._state = self._state, state or PathState()
        return self._state.readers > before.readers

    def watched(self, now_s: float, *, always: bool = False) -> bool:
        """Whether anybody does, or it is to go out always; never where the server has the video from elsewhere."""
        return not self._state.pulled and (always or self._asking(now_s) or self._state.readers > 0)

    def words(self, now_s: float) -> str:
        """For people."""
        if self._state.pulled:
            return 'the server has it from the camera itself'
        readers = self._state.readers
        parts = ['an operator'] if self._asking(now_s) else []
        parts += [f'{readers} reader{"s" if readers > 1 else ""} of the server'] if readers else []
        return ' and '.join(parts) or 'nobody'

    def _asking(self, now_s: float) -> bool:
        return self._asked_s is not None and now_s - self._asked_s < ASKED_HOLDS_S


class ServerReaders(threading.Thread):
    """Asks the server's API on a thread from `start` to `stop`: twice a second, every 5 s where nobody watches."""

    def __init__(
        self,
        api: str,
        paths: tuple[str, ...],
        watched: Callable[[str], bool],
        answered: Callable[[str, PathState | None], None],
    ) -> None:
        """Nothing is asked yet.

        Args:
            api: as 'http://127.0.0.1:9997'.
            paths: to ask for.
            watched: whether anybody watches a path; on the thread.
            answered: called with each path's state, None where the API cannot be reached; on the thread.
        """
        super().__init__(name='video-readers', daemon=True)
        self._api = urlsplit(api)
        self._paths = paths
        self._watched = watched
        self._answered = answered
        self._ended = threading.Event()

    def stop(self) -> None:
        """End within the time that one question takes."""
        self._ended.set()

    def run(self) -> None:
        """The thread's own."""
        turn = 0
        while not self._ended.wait(_POLL_EVERY_S):
            turn += 1
            for path in self._paths:
                if turn % _POLLS_TO_LEAVE_OUT and not self._watched(path):
                    continue
                state = self._ask(path)
                if not self._ended.is_set():
                    self._answered(path, state)

    def _ask(self, path: str) -> PathState | None:
        kind = http.client.HTTPSConnection if self._api.scheme == 'https' else http.client.HTTPConnection
        connection = kind(self._api.hostname or '', self._api.port, timeout=_TIMEOUT_S)
        try:
            connection.request('GET', f'{self._api.path.rstrip("/")}/v3/paths/get/{quote(path, safe="")}')
            answer = connection.getresponse()
            body = answer.read(1 << 20)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        # 404: nobody publishes or reads it.
        return path_state(body) if answer.status == 200 else PathState() if answer.status == 404 else None


def path_state(body: bytes) -> PathState | None:
    """From the answer to `/v3/paths/get/PATH`; None where it is none."""
    try:
        reply = json.loads(body)
        readers, source = len(reply['readers'] or ()), reply.get('source')
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    # A static source is called by its kind ('rtspSource'), a publisher by its session ('rtspSession').
    pulled = isinstance(source, dict) and str(source.get('type', '')).endswith('Source')
    return PathState(readers, pulled)
