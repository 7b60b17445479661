# SPDX-License-Identifier: Apache-2.0
"""One holder of the controls: taken, taken over only when that is said, given back, dropped with its connection."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace

from gremsy_web.http.api_errors import LeaseRefused

NOBODY_HOLDS = 'Nobody holds the controls: take them first (POST /api/control/take).'


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds the controls.

    Attributes:
        lease: what every motion request must carry; a secret of the holder's.
        holder: a name that all may see.
        live: the socket that it lives with; empty for one that lives by its time alone.
        until_s: when it ends unless used, by the monotonic clock; infinite with a socket.
    """

    lease: str
    holder: str
    live: str
    until_s: float


class ControlLease:
    """Of one robot; not for several threads.

    Args:
        ttl_s: how long a lease without a socket lives after it was last used.
    """

    def __init__(self, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._hold: Hold | None = None
        self.taken_over = 0

    def take(self, holder: str, live: str, *, take_over: bool, lease: str = '', now_s: float) -> Hold:
        """Hold the controls from now on; who has them already keeps the same lease.

        Raises:
            LeaseRefused: while somebody else holds them and `take_over` is not said.
        """
        held = self.held(now_s)
        if held is not None and (_same(held.lease, lease) or (live and held.live == live)):
            live = live or held.live
            self._hold = replace(held, until_s=self._until_s(live, now_s), live=live)
            return self._hold
        if held is not None and not take_over:
            raise LeaseRefused(f'{held.holder} holds the controls: ask for them, or send `take_over`: true.')
        self.taken_over += held is not None
        self._hold = Hold(secrets.token_urlsafe(16), holder, live, self._until_s(live, now_s))
        return self._hold

    def use(self, lease: str, now_s: float) -> Hold:
        """The holder's, which lives on by that.

        Raises:
            LeaseRefused: where that lease does not hold the controls (any more).
        """
        held = self.held(now_s)
        if held is None:
            raise LeaseRefused(NOBODY_HOLDS)
        if not _same(held.lease, lease):
            raise LeaseRefused(f'{held.holder} holds the controls, not this lease: take them over first.')
        self._hold = replace(held, until_s=self._until_s(held.live, now_s))
        return self._hold

    def _until_s(self, live: str, now_s: float) -> float:
        return float('inf') if live else now_s + self.ttl_s

    def held(self, now_s: float) -> Hold | None:
        """None while nobody holds them."""
        if self._hold is not None and now_s >= self._hold.until_s:
            self._hold = None
        return self._hold

    def give(self, lease: str, now_s: float) -> bool:
        """Whether that lease held the controls, which nobody holds now."""
        held = self.held(now_s)
        if held is None or not _same(held.lease, lease):
            return False
        self._hold = None
        return True

    def drop(self, live: str) -> bool:
        """A socket is gone: whether it held the controls."""
        if self._hold is None or not live or self._hold.live != live:
            return False
        self._hold = None
        return True


def _same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode(errors='surrogatepass'))
