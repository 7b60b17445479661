# SPDX-License-Identifier: Apache-2.0
"""The camera model of each image of a source that does not know its own: from a file, or guessed from the field.

A calibration is of images of one size, at one zoom. An image of another size is taken for the same picture, larger or
smaller; one of another aspect for the middle of it, which is how cameras make 16:9 video of a 4:3 sensor, unless
`calibration_region` says which part it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gremsy_camera.lens.lens_calibration import read_calibration
from gremsy_camera.lens.zoom_table import ZoomTable
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.types.camera_model import CameraModel

# 640x360 and 1366x768 are both called 16:9.
_SAME_ASPECT = 0.01


@dataclass(frozen=True, slots=True)
class LensOptions:
    """What the parameters say of the lens.

    Attributes:
        calibration_file: of camera_calibration; empty for none.
        horizontal_field_deg: where there is no file; 0 for unknown.
        calibration_region: x, y, width and height, px, of the part of the calibrated images that the source shows;
            empty for the whole, or its middle.
        zoom_table: what the zoom does to the calibrated focal lengths.
    """

    calibration_file: str = ''
    horizontal_field_deg: float = 0.0
    calibration_region: tuple[float, ...] = ()
    zoom_table: ZoomTable = ZoomTable()


class Lens:
    """Of one source; `say` takes one sentence for each thing about it that is a guess, once."""

    def __init__(self, options: LensOptions, say: Callable[[str], None]) -> None:
        """Remember; nothing is read before `open`."""
        self._options = options
        self._say = say
        self._calibrated: CameraModel | None = None
        self._base: CameraModel | None = None
        self._said: set[str] = set()

    def open(self) -> None:
        """Read the calibration file, if there is one.

        Raises:
            ParameterError: when it, or what is said of it, cannot be used.
        """
        options = self._options
        if not options.calibration_file:
            return
        calibrated = read_calibration(self._path)
        options.zoom_table.check(calibrated)
        _check_region(options.calibration_region, calibrated)
        self._calibrated = calibrated

    def model(self, width: int, height: int, zoom: float) -> CameraModel:
        """Of an image of that size, taken at that magnification (> 0); focal length 0 where nothing is known."""
        base = self._base
        if base is None or (base.width, base.height) != (width, height):
            base = self._base = self._of_size(width, height)
        table = self._options.zoom_table
        if base.usable and table.beyond(zoom):
            self._say_once(
                f'The zoom goes beyond `zoom_table`, which is of {table.rows[0].zoom:g} to {table.rows[-1].zoom:g}: '
                'the focal length is taken in proportion to it there, so add rows.'
            )
        return table.zoomed(base, zoom)

    @property
    def origin(self) -> str:
        """Where the intrinsics come from, for the diagnostics."""
        if self._options.calibration_file:
            return f'calibration {self._path}'
        if self._options.horizontal_field_deg > 0.0:
            return f'a guess: horizontal_field_deg {self._options.horizontal_field_deg:g}'
        return 'unknown: neither calibration_file nor horizontal_field_deg is given'

    @property
    def _path(self) -> Path:
        return Path(self._options.calibration_file).expanduser()

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)

    def _of_size(self, width: int, height: int) -> CameraModel:
        if self._calibrated is not None:
            return self._part(self._calibrated, width, height)
        field_deg = self._options.horizontal_field_deg
        if field_deg > 0.0:
            self._say_once(
                f'The intrinsics are a guess from `horizontal_field_deg` {field_deg:g}: square pixels, the optical '
                'axis in the middle, no distortion. Calibrate the camera (camera_calibration) and name the file in '
                '`calibration_file`, if bearings are to be right off the middle.'
            )
            return CameraModel.from_horizontal_field(width, height, math.radians(field_deg))
        return CameraModel(width, height, 0.0, 0.0, width / 2, height / 2)

    def _part(self, calibrated: CameraModel, width: int, height: int) -> CameraModel:
        """The calibration carried to an image of that size."""
        region = self._options.calibration_region
        if region:
            x, y, across, down = region
            if not _same_aspect(across, down, width, height):
                self._say_once(
                    f'`calibration_region` is {across:g}x{down:g} px of {self._path}, and the images are '
                    f'{width}x{height} px, another aspect: their pixels are taken for such that are not square, so '
                    'correct it if they are.'
                )
            return calibrated.cut(x, y, across, down, width, height)
        if _same_aspect(calibrated.width, calibrated.height, width, height):
            return calibrated.cut(0.0, 0.0, calibrated.width, calibrated.height, width, height)
        scale = max(width / calibrated.width, height / calibrated.height)
        across, down = width / scale, height / scale
        x, y = (calibrated.width - across) / 2, (calibrated.height - down) / 2
        self._say_once(
            f'Calibration {self._path} is of images of {calibrated.width}x{calibrated.height} px, and these are '
            f'{width}x{height} px, another aspect: they are taken for the middle {across:.0f}x{down:.0f} px of it. '
            'Calibrate with images as these, or say in `calibration_region` which part they show.'
        )
        return calibrated.cut(x, y, across, down, width, height)


def _same_aspect(width: float, height: float, other_width: float, other_height: float) -> bool:
    return abs(width * other_height / (height * other_width) - 1.0) < _SAME_ASPECT


def _check_region(region: Sequence[float], calibrated: CameraModel) -> None:
    if not region:
        return
    x, y, across, down = region
    inside = x + across <= calibrated.width and y + down <= calibrated.height
    if not inside:
        raise ParameterError(
            f'Parameter `calibration_region` is {list(region)}, which is not within the calibrated '
            f'{calibrated.width}x{calibrated.height} px: give x, y, width and height of the part that is shown.'
        )
