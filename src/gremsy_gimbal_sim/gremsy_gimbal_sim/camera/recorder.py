# SPDX-License-Identifier: Apache-2.0
"""Recording, stills and the card they go to."""

from __future__ import annotations

import json
import math

from gremsy_gimbal_sim.options.options_camera import PayloadCameraOptions

PHOTO, VIDEO = 0, 1
_LEAST_INTERVAL_S = 0.1
"""As fast as the shutter goes; MAVLink leaves that to the hardware."""


class Recorder:
    """What is recorded since when, how many pictures there are, and what is left on the card."""

    def __init__(self, options: PayloadCameraOptions, start_s: float) -> None:
        self._options = options
        self._time_s = start_s
        self.mode = VIDEO
        self.used_mib = min(options.storage_used_mib, options.storage_mib)
        self.image_count = 0
        self.interval_s = 0.0
        self.recording = False
        self._began_s = start_s
        self._left = 0
        self._last_number = 0
        self._new_images: list[int] = []
        self._next_still_s = math.inf

    @property
    def available_mib(self) -> float:
        """On the card."""
        return self._options.storage_mib - self.used_mib

    @property
    def capturing(self) -> bool:
        """Whether more pictures of a series are to come."""
        return self._next_still_s < math.inf

    def recording_s(self, now_s: float) -> float:
        """Since the recording began; 0 while there is none."""
        return now_s - self._began_s if self.recording else 0.0

    def start(self, now_s: float) -> bool:
        """Video; false on a full card."""
        if self.available_mib <= 0:
            return False
        if not self.recording:
            self.recording, self._began_s = True, now_s
        return True

    def stop(self) -> None:
        """Video."""
        self.recording = False

    def capture(self, interval_s: float, count: int, number: int, now_s: float) -> bool:
        """IMAGE_START_CAPTURE: so many pictures, 0 until stopped; false on a full card.

        One picture whose number is that of the one before is not taken again: the command was only sent again.
        """
        if self.available_mib < self._options.still_mib:
            return False
        if count == 0 and not interval_s > 0.0 and self._options.vendor_still:
            count, number = 1, 0
        if count == 1 and number > 0:
            if number == self._last_number:
                return True
            self._last_number = number
        self.interval_s = 0.0 if count == 1 else max(interval_s, _LEAST_INTERVAL_S)
        self._left = count if count > 0 else -1
        self._next_still_s = now_s
        self.advance(now_s)
        return True

    def take_new_images(self) -> list[int]:
        """Which pictures, counted from 0, were taken since this was asked last."""
        new, self._new_images = self._new_images, []
        return new

    def power_up(self) -> None:
        """As after switching on: nothing runs, and no number is remembered."""
        self.stop()
        self.end_capture()
        self._last_number = 0

    def end_capture(self) -> None:
        """No more pictures."""
        self._next_still_s, self.interval_s = math.inf, 0.0

    def format(self) -> bool:
        """Empty the card; not while something is written to it."""
        if self.recording or self.capturing:
            return False
        self.used_mib, self.image_count = 0.0, 0
        return True

    def advance(self, to_s: float) -> None:
        """Move on; a full card ends both."""
        while self._next_still_s <= to_s:
            self.used_mib += self._options.still_mib
            self._new_images.append(self.image_count)
            self.image_count += 1
            self._left -= 1
            self._next_still_s += self.interval_s
            if self._left == 0 or self.available_mib < self._options.still_mib:
                self.end_capture()
        elapsed, self._time_s = max(to_s - self._time_s, 0.0), max(to_s, self._time_s)
        if self.recording:
            self.used_mib += elapsed * self._options.recording_mib_per_s
            if self.available_mib <= 0:
                self.used_mib, self.recording = self._options.storage_mib, False

    def status_text(self, now_s: float) -> str:
        """As JSON, longer than one STATUSTEXT takes."""
        state = {
            'recording': self.recording,
            'time_s': round(self.recording_s(now_s), 1),
            'images': self.image_count,
            'available_mib': round(self.available_mib, 1),
        }
        return json.dumps(state)
