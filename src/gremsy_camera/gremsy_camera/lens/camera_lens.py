# SPDX-License-Identifier: Apache-2.0
"""The camera model of each image of a source that does not know its own: from a file, or guessed from the field.

A calibration is of images of one size, at one zoom. An image of another size is taken for the same picture, larger or
smaller; one of another aspect for the middle of it, which is how cameras make 16:9 video of a 4:3 sensor, unless
`calibration_region` says which part it is. The file is one that ROS's camera_calibration writes (plumb_bob,
rational_polynomial or equidistant).

A gimbal camera reports its magnification as the lens's maker specifies it: the true focal length is off by a few
percent, and the distortion of a wide lens is different at its long end. A zoom table says both, as measured.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from gremsy_common.parameters.parameter_fields import ParameterError, Span, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_common.types.camera_model import CameraModel, lens_of

_FORM = "write 'ZOOM: SCALE', as '4: 3.87', or with distortion coefficients behind it, as '4: 3.87 -0.02 0.1 0 0 0'"


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
        raise ParameterError(f"Parameter `zoom_table` has the row '{text}', which is not valid: {_FORM}.")
    return _Row(numbers[0], numbers[1], tuple(numbers[2:]))


def read_calibration(path: Path) -> CameraModel:
    """The camera of the file, of images of the calibrated size, with its rectification and projection.

    Raises:
        ParameterError: naming `calibration_file` when it cannot be read, or is no such file.
    """
    try:
        return _model_of(yaml.safe_load(path.read_text(encoding='utf-8')))
    except OSError as error:
        raise ParameterError(
            f"Parameter `calibration_file` is '{path}', which cannot be read ({error.strerror}): "
            'name a file that camera_calibration wrote, or leave it empty.'
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError):
        reason = 'it is not YAML'
    except KeyError as error:
        reason = f'it has no {error}'
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        reason = str(error)
    raise ParameterError(
        f"Parameter `calibration_file` is '{path}', which holds no camera calibration ({reason}): "
        'name a file that camera_calibration wrote, or leave it empty.'
    )


def _model_of(content: Any) -> CameraModel:
    if not isinstance(content, Mapping):
        raise TypeError('it has no keys')
    try:
        model = CameraModel.calibrated(
            int(content['image_width']),
            int(content['image_height']),
            str(content.get('distortion_model') or ''),
            _numbers(content['distortion_coefficients'], 'distortion_coefficients'),
            _numbers(content['camera_matrix'], 'camera_matrix'),
            _numbers(content.get('rectification_matrix'), 'rectification_matrix', 9),
            _numbers(content.get('projection_matrix'), 'projection_matrix', 12),
        )
    except ValueError as error:
        raise ValueError(f'it {error}' if str(error).startswith('has ') else str(error)) from error
    if not model.usable or model.width <= 0 or model.height <= 0:
        raise ValueError('size and focal lengths must be positive')
    return model


def _numbers(matrix: Any, name: str, size: int | None = None) -> list[float]:
    """The data of one matrix; none where the file leaves it out."""
    if matrix is None and size is not None:
        return []
    if not isinstance(matrix, Mapping) or not isinstance(matrix.get('data'), list):
        raise TypeError(f'its {name} has no list of data')
    try:
        found = [float(each) for each in matrix['data']]
    except (TypeError, ValueError) as error:
        raise ValueError(f'its {name} has data that are not numbers') from error
    if not all(map(math.isfinite, found)) or (size is not None and len(found) != size):
        wanted = 'finite numbers' if size is None else f'{size} finite numbers'
        raise ValueError(f'its {name} must be {wanted}')
    return found


# 640x360 and 1366x768 are both called 16:9.
_SAME_ASPECT = 0.01


@dataclass(frozen=True)
class LensParameters:
    """What is known of the lens where the source does not say it."""

    horizontal_field_deg: float = param(
        0.0,
        'Horizontal field of view at zoom 1, for sources that bring no intrinsics; 0 if unknown.',
        Span(0.0, 179.0, 'deg'),
    )
    calibration_file: str = param(
        '',
        'YAML file written by camera_calibration at zoom 1, for sources that bring no intrinsics; empty for none.',
        form=TextForm.PATH,
    )
    calibration_region: tuple[float, ...] = param(
        (),
        'x, y, width and height of the part of the calibrated images that the video shows; empty for all of it, '
        'or for its middle where the video has a different aspect ratio (logged).',
        Span(0.0, unit='px'),
    )
    zoom_table: tuple[str, ...] = param(
        (),
        "Focal length by zoom, one text per zoom: `'4: 3.87'` means 3.87 times the calibrated focal length at "
        "zoom 4. Distortion coefficients may follow: `'4: 3.87 -0.02 0.1 0 0 0'`. Empty for a focal length "
        'proportional to the zoom.',
    )


class Lens:
    """Of one source; `say` takes one sentence for each thing about it that is a guess, once."""

    def __init__(self, parameters: LensParameters, say: Callable[[str], None]) -> None:
        """Remember; nothing is read before `open`."""
        self._parameters = parameters
        self._table = ZoomTable.parse(parameters.zoom_table)
        self._say = say
        self._calibrated: CameraModel | None = None
        self._base: CameraModel | None = None
        self._reported: set[str] = set()

    def open(self) -> None:
        """Read the calibration file, if there is one.

        Raises:
            ParameterError: when it, or what is said of it, cannot be used.
        """
        if not self._parameters.calibration_file:
            return
        calibrated = read_calibration(self._path)
        self._table.check(calibrated)
        _check_region(self._parameters.calibration_region, calibrated)
        self._calibrated = calibrated

    def model(self, width: int, height: int, zoom: float) -> CameraModel:
        """Of an image of that size, taken at that magnification (> 0); focal length 0 where nothing is known."""
        base = self._base
        if base is None or (base.width, base.height) != (width, height):
            base = self._base = self._of_size(width, height)
        table = self._table
        if base.usable and table.beyond(zoom):
            self._say_once(
                f'The zoom goes beyond `zoom_table`, which is of {table.rows[0].zoom:g} to {table.rows[-1].zoom:g}: '
                'the focal length is taken in proportion to it there, so add rows.'
            )
        return table.zoomed(base, zoom)

    @property
    def origin(self) -> str:
        """Where the intrinsics come from, for the diagnostics."""
        if self._parameters.calibration_file:
            return f'calibration {self._path}'
        if self._parameters.horizontal_field_deg > 0.0:
            return f'a guess: horizontal_field_deg {self._parameters.horizontal_field_deg:g}'
        return 'unknown: neither calibration_file nor horizontal_field_deg is given'

    @property
    def _path(self) -> Path:
        return Path(self._parameters.calibration_file).expanduser()

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._reported:
            self._reported.add(sentence)
            self._say(sentence)

    def _of_size(self, width: int, height: int) -> CameraModel:
        if self._calibrated is not None:
            return self._part(self._calibrated, width, height)
        field_deg = self._parameters.horizontal_field_deg
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
        region = self._parameters.calibration_region
        if region:
            x, y, across, down = region
            if not same_aspect(across, down, width, height):
                self._say_once(
                    f'`calibration_region` is {across:g}x{down:g} px of {self._path}, and the images are '
                    f'{width}x{height} px, another aspect: their pixels are taken not to be square, so '
                    'correct it if they are.'
                )
            return calibrated.cut(x, y, across, down, width, height)
        if same_aspect(calibrated.width, calibrated.height, width, height):
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


def same_aspect(width: float, height: float, other_width: float, other_height: float) -> bool:
    """Whether a picture of the one size can be the other, made smaller or larger, where sides are rounded."""
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
