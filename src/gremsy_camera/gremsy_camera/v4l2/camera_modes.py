# SPDX-License-Identifier: Apache-2.0
"""Which of the formats, sizes and rates that a camera offers is taken: what was asked for exactly, or a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.v4l2.kernel_video import fourcc_text
from gremsy_camera.v4l2.pixel_formats import BY_CODE, KINDS, kind_called

# Where none is asked for: what the tracker was made for, and what every camera has.
USUAL_RATE_HZ = 30.0
# Larger sizes than this are taken only where they are asked for: decoding 4K costs a core.
_LARGEST_UNASKED = 1920 * 1080
# 29.97 Hz (30000/1001) is 0.1 % below 30.
_SAME_RATE = 0.005
_MOST_LISTED = 12
_COLOURS = {'bgr8': 0, 'mono8': 1, 'mono16': 2}
_PLACE = {kind.code: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Mode:
    """One format at one size.

    Attributes:
        code: the kernel's number of the format.
        width, height: pixels.
        periods: seconds from picture to picture that there are, the shortest first; () where the driver does not tell.
        between: the periods are the shortest and the longest, and all between them are there too.
    """

    code: int
    width: int
    height: int
    periods: tuple[Fraction, ...] = ()
    between: bool = False

    @property
    def size(self) -> str:
        """As it is written in a URI."""
        return f'{self.width}x{self.height}'

    @property
    def format(self) -> str:
        """The letters of its format."""
        return fourcc_text(self.code)

    @property
    def fastest_hz(self) -> float:
        """0.0 where the driver does not say."""
        return float(1 / self.periods[0]) if self.periods else 0.0

    @property
    def rates(self) -> str:
        """In words, for a sentence."""
        each = [f'{float(1 / period):.4g}' for period in self.periods]
        return f'{each[-1]} to {each[0]} Hz' if self.between and len(each) == 2 else f'{", ".join(each)} Hz'

    def period(self, rate_hz: float) -> Fraction | None:
        """The period of that rate, if there is one."""
        if not self.periods:
            return Fraction(1 / rate_hz).limit_denominator(100_000)
        for period in self.periods:
            if abs(float(1 / period) / rate_hz - 1.0) <= _SAME_RATE:
                return period
        wanted = Fraction(1 / rate_hz).limit_denominator(100_000)
        return wanted if self.between and self.periods[0] <= wanted <= self.periods[-1] else None

    def period_up_to(self, rate_hz: float) -> Fraction | None:
        """That of the highest rate not above this one, else of the lowest; None where the driver does not say."""
        if not self.periods:
            return None
        exact = self.period(rate_hz)
        slower = [period for period in self.periods if float(1 / period) <= rate_hz]
        return exact or (slower[0] if slower else self.periods[-1])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a camera: '' and 0 leave it open. `target_hz` is come near to where no rate is asked for."""

    format: str = ''
    width: int = 0
    height: int = 0
    rate_hz: float = 0.0
    target_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class ModeChoice:
    """The mode taken, and the period to ask for; None leaves the driver its own."""

    mode: Mode
    period: Fraction | None


def choose(camera: str, modes: list[Mode], wanted: Wanted) -> ModeChoice:
    """Take the mode that was asked for; of what was left open the best.

    Where the format is open, colours go before grey and grey before 16 bit. Where the size is open, what comes nearest
    to the rate (30 Hz where none is named) goes before what is slower, then the largest up to 1920x1080. Of what is
    then equal, the format that stands first in `pixel_formats`. Where the rate is open, it is the fastest up to that.

    Raises:
        SourceUnusable: naming what the camera has instead.
    """
    if not modes:
        raise SourceUnusable(
            f'The camera {camera} offers no format at all: the device it is connected to may have no signal.'
        )
    left = [mode for mode in _of_format(camera, modes, wanted.format) if mode.code in BY_CODE]
    left = _of_size(camera, left, wanted)
    if wanted.rate_hz > 0.0:
        left = _of_rate(camera, left, wanted)
    target = wanted.rate_hz or wanted.target_hz or USUAL_RATE_HZ
    best = min(left, key=lambda mode: _rank(mode, target))
    period = best.period(wanted.rate_hz) if wanted.rate_hz > 0.0 else best.period_up_to(target)
    return ModeChoice(best, period)


def _rank(mode: Mode, target_hz: float) -> tuple[float, ...]:
    area = mode.width * mode.height
    reached = min(mode.fastest_hz or target_hz, target_hz * (1.0 - _SAME_RATE))
    # Beyond the largest size, the smaller the better.
    size = -area if area <= _LARGEST_UNASKED else area
    return (_COLOURS[BY_CODE[mode.code].pixels.encoding], -reached, size, _PLACE[mode.code])


def _of_format(camera: str, modes: list[Mode], name: str) -> list[Mode]:
    there = _joined(dict.fromkeys(mode.format for mode in modes))
    if not name:
        if all(mode.code not in BY_CODE for mode in modes):
            raise SourceUnusable(
                f'The camera {camera} has only formats that cannot be decoded here, {there}: read it with `gst:` and a '
                'pipeline that decodes one of them.'
            )
        return modes
    kind = kind_called(name)
    left = [mode for mode in modes if kind is not None and mode.code == kind.code]
    if left:
        return left
    if any(mode.format == name.strip().upper() for mode in modes):
        decoded = [kind.name for kind in KINDS if kind.code in {mode.code for mode in modes}]
        raise SourceUnusable(
            f'The format {name} of the camera {camera} is not decoded here: take one of {_joined(decoded)}, or read it '
            'with `gst:` and a pipeline that decodes it.'
        )
    raise SourceUnusable(f'The camera {camera} has no format {name}: it has {there}.')


def _of_size(camera: str, modes: list[Mode], wanted: Wanted) -> list[Mode]:
    if not wanted.width:
        return modes
    left = [mode for mode in modes if (mode.width, mode.height) == (wanted.width, wanted.height)]
    if left:
        return left
    sizes = dict.fromkeys(mode.size for mode in sorted(modes, key=lambda mode: -mode.width * mode.height))
    where = f' in {modes[0].format}' if len({mode.code for mode in modes}) == 1 else ''
    raise SourceUnusable(
        f'The camera {camera} does not give {wanted.width}x{wanted.height}{where}: it gives {_joined(sizes)}.'
    )


def _of_rate(camera: str, modes: list[Mode], wanted: Wanted) -> list[Mode]:
    left = [mode for mode in modes if mode.period(wanted.rate_hz) is not None]
    if left:
        return left
    each = [f'{mode.rates} in {mode.format} at {mode.size}' for mode in modes]
    raise SourceUnusable(
        f'The camera {camera} does not give {wanted.rate_hz:g} Hz in that form: it gives {_joined(each, "; ")}.'
    )


def _joined(words: Iterable[str], between: str = ', ') -> str:
    every = list(words)
    more = f'{between}and {len(every) - _MOST_LISTED} more' if len(every) > _MOST_LISTED else ''
    return between.join(every[:_MOST_LISTED]) + more
