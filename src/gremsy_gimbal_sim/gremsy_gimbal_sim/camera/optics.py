# SPDX-License-Identifier: Apache-2.0
"""Where things are in the picture, and where the picture is in the world: a pinhole on 1920 x 1080."""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTH_PX, HEIGHT_PX = 1920, 1080

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CameraView:
    """What is in view: where the camera points, rad, azimuth left +, tilt down +, and how wide."""

    azimuth_rad: float
    tilt_rad: float
    hfov_rad: float

    @property
    def vfov_rad(self) -> float:
        """Vertical field, square pixels."""
        return 2.0 * math.atan(math.tan(self.hfov_rad / 2.0) * HEIGHT_PX / WIDTH_PX)

    @property
    def focal_px(self) -> float:
        """Pixels per unit of the tangent."""
        return WIDTH_PX / 2.0 / math.tan(self.hfov_rad / 2.0)

    def bearing(self, x_px: float, y_px: float) -> Pair:
        """Azimuth and tilt of a pixel."""
        left = (WIDTH_PX / 2.0 - x_px) / self.focal_px
        up = (HEIGHT_PX / 2.0 - y_px) / self.focal_px
        # The ray (1, left, up) of the camera, turned by the tilt about left and by the azimuth about up.
        ahead = math.cos(self.tilt_rad) + up * math.sin(self.tilt_rad)
        rise = up * math.cos(self.tilt_rad) - math.sin(self.tilt_rad)
        return self.azimuth_rad + math.atan2(left, ahead), -math.atan2(rise, math.hypot(ahead, left))

    def pixel(self, azimuth_rad: float, tilt_rad: float) -> Pair | None:
        """The pixel of a bearing; None outside the picture."""
        turned = azimuth_rad - self.azimuth_rad
        level, rise = math.cos(tilt_rad), -math.sin(tilt_rad)
        forward, left = level * math.cos(turned), level * math.sin(turned)
        ahead = forward * math.cos(self.tilt_rad) - rise * math.sin(self.tilt_rad)
        up = forward * math.sin(self.tilt_rad) + rise * math.cos(self.tilt_rad)
        if ahead <= 0:
            return None
        x = WIDTH_PX / 2.0 - self.focal_px * left / ahead
        y = HEIGHT_PX / 2.0 - self.focal_px * up / ahead
        return (x, y) if 0 <= x < WIDTH_PX and 0 <= y < HEIGHT_PX else None


def hfov_at(hfov_rad: float, zoom: float) -> float:
    """Horizontal field at a magnification."""
    return 2.0 * math.atan(math.tan(hfov_rad / 2.0) / zoom)
