# SPDX-License-Identifier: Apache-2.0
"""Which camera model (zoom included) an image was taken with."""

from __future__ import annotations

from collections import Counter, deque

from gremsy_common.types.camera_model import CameraModel

# Changes, not messages, are kept: a zoom in motion changes the model 30 times a second, images are at most 0.8 s old.
_KEEP = 64


class CameraHistory:
    """Camera models by the stamp from which each was valid.

    Attributes:
        dropped: counts by reason of models that were not used.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._changes: deque[tuple[int, CameraModel]] = deque(maxlen=_KEEP)

    def offer(self, stamp_ns: int, model: CameraModel) -> bool:
        """Store what a CameraInfo of that stamp said; False (and counted) for an uncalibrated camera."""
        if not model.usable:
            self.dropped['camera_models_unusable'] += 1
            return False
        while self._changes and self._changes[-1][0] > stamp_ns:  # a clock that jumped back
            self._changes.pop()
        if not self._changes or self._changes[-1][1] != model:
            self._changes.append((stamp_ns, model))
        return True

    def clear(self) -> None:
        """Forget all but the newest model, which stays valid for every time."""
        if self._changes:
            newest = self._changes[-1][1]
            self._changes.clear()
            self._changes.append((0, newest))

    def at(self, stamp_ns: int) -> CameraModel | None:
        """The model valid at that time (the oldest one known, for an earlier time); None before the first."""
        for since_ns, model in reversed(self._changes):
            if since_ns <= stamp_ns:
                return model
        return self._changes[0][1] if self._changes else None
