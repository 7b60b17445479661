# SPDX-License-Identifier: Apache-2.0
"""Who may zoom: an operator at any time, the tracker only a while after an operator did."""

from __future__ import annotations


class ZoomArbiter:
    """Remembers the operator's last zoom; time comes in as an argument (any monotonic clock, ns).

    Zoom is no motion: it needs no arm and has no time to live, so the lease is one of its own, and longer.

    Attributes:
        refused: how many of the tracker's wishes an operator's lease kept out.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_ns = round(lease_s * 1e9)
        self._operator_ns: int | None = None
        self.refused = 0

    def operator_zooms(self, now_ns: int) -> None:
        """An operator set the zoom."""
        self._operator_ns = now_ns

    def tracker_may(self, now_ns: int) -> bool:
        """Whether a tracker's wish is to be passed on."""
        if self._operator_ns is None or now_ns - self._operator_ns >= self._lease_ns:
            return True
        self.refused += 1
        return False
