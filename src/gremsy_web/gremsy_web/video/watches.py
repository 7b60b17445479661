# SPDX-License-Identifier: Apache-2.0
"""Which video paths somebody watches: nothing is encoded for nobody, so the encoder goes by this."""

from __future__ import annotations

from dataclasses import dataclass

# A watch holds 5 s at the encoder. A session has ended without a word where nothing came from its reader for so long
# (the server may be busy), or where its path has no reader by the server's own word; a new one is not connected yet.
_UNHEARD_S = 15.0
_UNREAD_S = 3.0
_CONNECTING_S = 15.0


@dataclass(slots=True)
class _Session:
    path: str
    began_s: float
    seen_s: float
    unread_since_s: float | None = None

    def watches(self, now_s: float) -> bool:
        unread_s = 0.0 if self.unread_since_s is None else now_s - self.unread_since_s
        if unread_s >= _UNREAD_S and now_s - self.began_s >= _CONNECTING_S:
            return False
        return now_s - self.seen_s < _UNHEARD_S


class Watches:
    """Sessions that were negotiated here, by path; on the server's loop only."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._asked: dict[str, float] = {}

    def asked(self, path: str, now_s: float) -> None:
        """Somebody wants to begin, or reads at the server itself."""
        self._asked[path] = now_s

    def began(self, session: str, path: str, now_s: float) -> None:
        """A session was negotiated."""
        self._sessions[session] = _Session(path, now_s, now_s)

    def ended(self, session: str) -> None:
        """It was given back."""
        self._sessions.pop(session, None)

    def update(self, path: str, now_s: float, *, is_read: bool) -> None:
        """The server says whether it has a reader of that path."""
        for session in self._sessions.values():
            if session.path != path:
                continue
            if is_read:
                session.seen_s, session.unread_since_s = now_s, None
            elif session.unread_since_s is None:
                session.unread_since_s = now_s

    def paths(self, now_s: float, hold_s: float = 5.0) -> set[str]:
        """Those that somebody watches now."""
        self._sessions = {key: each for key, each in self._sessions.items() if each.watches(now_s)}
        self._asked = {path: at_s for path, at_s in self._asked.items() if now_s - at_s < hold_s}
        return {each.path for each in self._sessions.values()} | set(self._asked)
