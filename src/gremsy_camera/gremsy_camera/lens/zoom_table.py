# SPDX-License-Identifier: Apache-2.0
"""What a lens's zoom does to its focal length, and to its distortion, by a table of what was measured.

A gimbal camera tells its magnification as the lens's maker gives it: the true focal length is off by some percent, and
the distortion of a wide lens is another one at its long end.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.camera_model import CameraModel, lens_of

_FORM = "write 'ZOOM: SCALE', as '4: 3.87', or with coefficients of distortion behind, as '4: 3.87 -0.02 0.1 0 0 0'"


@dataclass(frozen=True, slots=True)
class _Row:
    zoom: float
    scale: float
    distortion: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ZoomTable:
    """Rows by rising zoom; without any, focal lengths are in proportion to the zoom, and the distortion stays."""

    rows: tuple[_Row, ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> ZoomTable:
        """Of parameter `zoom_table`.

        Raises:
            ParameterError: for what is no such table.
        """
        rows = sorted((_row_of(text) for text in texts), key=lambda row: row.zoom)
        zooms = [row.zoom for row in rows]
        if len(set(zooms)) != len(zooms):
            twice = next(zoom for zoom in zooms if zooms.count(zoom) > 1)
            raise ParameterError(f'Parameter `zoom_table` has the zoom {twice:g} twice: give each once.')
        if len({len(row.distortion) for row in rows}) > 1:
            raise ParameterError(
                'Parameter `zoom_table` has coefficients of distortion in some rows, or not the same number in all: '
                'give them in each, or in none.'
            )
        return cls(tuple(rows))

    def check(self, camera: CameraModel) -> None:
        """Whether its coefficients are of that camera's lens.

        Raises:
            ParameterError: where they cannot be.
        """
        if self.rows and self.rows[0].distortion:
            try:
                lens_of('equidistant' if camera.fisheye else '', self.rows[0].distortion)
            except ValueError as error:
                raise ParameterError(
                    f'Parameter `zoom_table` {error}: give as many as the lens of `calibration_file` has.'
                ) from error

    def beyond(self, zoom: float) -> bool:
        """Whether the table says nothing of that zoom."""
        return bool(self.rows) and not self.rows[0].zoom <= zoom <= self.rows[-1].zoom

    def zoomed(self, camera: CameraModel, zoom: float) -> CameraModel:
        """The camera of the calibration at that zoom (> 0).

        Between two rows the logarithm of the scale goes in proportion to that of the zoom; before the first row and
        after the last the scale goes in proportion to the zoom, and the distortion stays.
        """
        if not self.rows:
            return camera.zoomed(zoom)
        place = bisect.bisect_right([row.zoom for row in self.rows], zoom)
        below, above = self.rows[max(place - 1, 0)], self.rows[min(place, len(self.rows) - 1)]
        if below is above:
            scale, distortion = below.scale * zoom / below.zoom, below.distortion
        else:
            share = math.log(zoom / below.zoom) / math.log(above.zoom / below.zoom)
            scale = below.scale * (above.scale / below.scale) ** share
            pairs = zip(below.distortion, above.distortion, strict=True)
            distortion = tuple(first + share * (second - first) for first, second in pairs)
        zoomed = camera.zoomed(scale)
        return replace(zoomed, distortion=distortion) if distortion else zoomed


def _row_of(text: str) -> _Row:
    zoom, colon, rest = text.partition(':')
    try:
        numbers = [float(each) for each in (zoom, *rest.split())]
    except ValueError:
        numbers = []
    if not colon or len(numbers) < 2 or not all(map(math.isfinite, numbers)) or numbers[0] <= 0.0 or numbers[1] <= 0.0:
        raise ParameterError(f"Parameter `zoom_table` has the row '{text}', which is none: {_FORM}.")
    return _Row(numbers[0], numbers[1], tuple(numbers[2:]))
