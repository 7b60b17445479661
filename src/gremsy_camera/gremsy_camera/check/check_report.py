# SPDX-License-Identifier: Apache-2.0
"""What was found of a source, in rows, advice, lines for the parameter file, and one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from gremsy_camera.camera_parameters import CameraParameters
from gremsy_camera.check.blink_delay import BlinkDelay
from gremsy_camera.check.stream_figures import StreamFigures
from gremsy_camera.sources.source import SourceInfo
from gremsy_camera.streams.credentials import redacted

_NS_PER_MS = 1_000_000
# Less is not worth a line: a picture lasts ten times as long.
_RIGHT_MS = 3.0
# By how much of the announced rate the measured one may be lower.
_SAME_RATE = 0.1
_ARRIVAL = 'arrival'
_BY_NAME = '${CAMERA_USER}:${CAMERA_PASSWORD}'


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Everything.

    Attributes:
        source: as it was given; it is shown without its credentials.
        camera: name of the camera in the parameter file.
        info: the last that the source said of itself; None where it never opened.
        figures: of the frames.
        lost: what was lost, by reason.
        reopened: how often it broke and was opened again.
        problem: the sentence of why it does not work at the end; '' where it does.
        parameters: that it was opened with.
        blinked: whether a lamp was switched.
        blink: what came of that; None where it was not seen.
    """

    source: str
    camera: str
    info: SourceInfo | None
    figures: StreamFigures
    lost: Mapping[str, int]
    reopened: int
    problem: str
    parameters: CameraParameters
    blinked: bool = False
    blink: BlinkDelay | None = None

    @property
    def works(self) -> bool:
        """Whether frames came, and come."""
        return self.figures.frames > 0 and not self.problem

    @property
    def stamped_by_arrival(self) -> bool:
        """Whether the camera reports no capture times."""
        return self.info is not None and self.info.stamp_source.startswith(_ARRIVAL)


def rows(result: CheckResult) -> dict[str, str]:
    """By name, as diagnostics have them."""
    figures, info = result.figures, result.info
    found = {'source': redacted(result.source), 'works': _works(result)}
    if info is None:
        return found
    found['image'] = ', then '.join(figures.sizes) or f'{info.width}x{info.height}'
    found['rate'] = _rate(figures, info)
    found |= dict(info.details)
    found['stamp is'] = info.stamp_source
    if figures.delay_ms_p50 is None:
        return found
    since = 'arrival (the time before that is not included)' if result.stamped_by_arrival else 'capture'
    found['delay'] = (
        f'{figures.delay_ms_p50:.1f} ms (95 %: {figures.delay_ms_p95:.1f} ms) from {since} to the image, of which '
        f'{figures.work_ms_p50:.1f} ms since it arrived'
    )
    found['jitter'] = (
        f'arrivals {figures.jitter_ms_p95:.1f} ms, stamps {figures.stamp_jitter_ms_p95:.1f} ms off an even beat '
        f'(95 %); longest gap {figures.longest_gap_ms:.0f} ms'
    )
    found['losses'] = ', '.join(f'{reason}: {count}' for reason, count in losses_of(result).items()) or 'none'
    if result.blinked:
        found['lamp'] = _lamp(result.blink)
    return found


def losses_of(result: CheckResult) -> dict[str, int]:
    """What was counted, and what the stamps show to be missing beyond that."""
    unexplained = result.figures.frames_missing - sum(result.lost.values())
    gaps = {'frames missing by their stamps, for no reason that was counted': unexplained} if unexplained > 0 else {}
    again = {'times opened again': result.reopened} if result.reopened else {}
    return {**result.lost, **gaps, **again}


def settings(result: CheckResult) -> dict[str, Any]:
    """Parameters that are worth a line: those that were given, and those that were measured."""
    given = {
        field.name: value
        for field in dataclasses.fields(result.parameters)
        if (value := getattr(result.parameters, field.name)) != field.default
    }
    shown = {name: _written(value) if isinstance(value, str) else value for name, value in given.items()}
    return {**shown, **_measured(result)}


def snippet(result: CheckResult) -> str:
    """Lines for the parameter file."""
    values = settings(result)
    ordered = {'source': values.pop('source'), **values}
    text: str = yaml.safe_dump({f'/**/{result.camera}/camera': {'ros__parameters': ordered}}, sort_keys=False)
    return text


def advice(result: CheckResult) -> list[str]:
    """One sentence each, most important first."""
    found: list[str] = []
    info, figures = result.info, result.figures
    if info is None or not figures.frames:
        return found
    if result.stamped_by_arrival and result.blink is None:
        found.append(
            'The camera reports no capture time, so stamps are late by the time from the sensor to here: measure it '
            'with --blink, and write it as `transport_delay_ms`.'
        )
    if result.blinked and result.blink is None:
        found.append(
            'The lamp was not seen in the picture: point the camera at it, make it larger or the exposure shorter, and '
            'measure for longer (--seconds 20).'
        )
    if figures.stamps_ahead:
        found.append(
            f'{figures.stamps_ahead} of {figures.frames} frames are stamped later than they arrived: set the '
            "camera's clock by NTP, or measure with --blink."
        )
    if dict(info.details).get('B-frames', '').startswith('yes'):
        found.append('The stream has B-frames, which wait for later pictures: switch them off on the camera.')
    if any('packet' in reason for reason in result.lost) and result.parameters.transport != 'tcp':
        found.append('Packets are lost: `transport: tcp` has them sent again.')
    if figures.rate_hz and info.rate_hz and figures.rate_hz < (1.0 - _SAME_RATE) * info.rate_hz:
        found.append(
            f'Only {figures.rate_hz:.1f} of the announced {info.rate_hz:.1f} Hz arrive: the exposure may be too long '
            'for more, or the link or the decoder too slow.'
        )
    if _BY_NAME in str(settings(result).values()):
        found.append(
            'User name and password are not in the lines below: set CAMERA_USER and CAMERA_PASSWORD in the environment '
            'of the node, or in a file of mode 600 that `secrets_file` names.'
        )
    if not (
        result.parameters.horizontal_field_deg or result.parameters.calibration_file or result.source.startswith('sim:')
    ):
        found.append(
            'Pointing is impossible without the field of view: add `horizontal_field_deg` from the data sheet of '
            'the camera, or `calibration_file`.'
        )
    return found


def as_object(result: CheckResult) -> dict[str, Any]:
    """For --json."""
    info, blink = result.info, result.blink
    return {
        'source': redacted(result.source),
        'works': result.works,
        'problem': result.problem,
        'stamp_is': None if info is None else info.stamp_source,
        'announced_rate_hz': None if info is None else info.rate_hz,
        'details': {} if info is None else dict(info.details),
        **dataclasses.asdict(result.figures),
        'losses': losses_of(result),
        'blink': None
        if blink is None
        else {
            'offset_ms': _ms(blink.offset_ns),
            'uncertainty_ms': _ms(blink.uncertainty_ns),
            'agreement': round(blink.agreement, 3),
            'place': [round(each, 3) for each in blink.place],
        },
        'advice': advice(result),
        'parameters': settings(result),
    }


def _written(value: str) -> str:
    """An address as it stands in a file: its credentials by name."""
    shown = redacted(value)
    scheme, separator, rest = shown.partition('://')
    if shown == value or not separator or f'://{rest}' in value:
        return shown
    return f'{scheme}://{_BY_NAME}@{rest}'


def _works(result: CheckResult) -> str:
    figures = result.figures
    if result.works:
        return f'yes: {figures.frames} frames in {figures.seconds:.1f} s'
    if not result.problem:
        return f'no: not one frame in {figures.seconds:.1f} s'
    return f'no: {result.problem}'


def _rate(figures: StreamFigures, info: SourceInfo) -> str:
    announced = f'{info.rate_hz:.4g} Hz announced' if info.rate_hz else 'none announced'
    return announced if figures.rate_hz is None else f'{figures.rate_hz:.2f} Hz ({announced})'


def _lamp(blink: BlinkDelay | None) -> str:
    if blink is None:
        return 'not seen in the picture'
    across, down = (round(100.0 * each) for each in blink.place)
    return (
        f'seen at {across} % across and {down} % down: stamps are off by {_ms(blink.offset_ns):+.1f} ms, uncertain by '
        f'{_ms(blink.uncertainty_ns):.1f} ms'
    )


def _measured(result: CheckResult) -> dict[str, float]:
    """What the lamp showed, on top of what the measurement was made with."""
    if result.blink is None:
        return {}
    off_ms, known = _ms(result.blink.offset_ns), result.parameters
    if abs(off_ms) < max(_RIGHT_MS, _ms(result.blink.uncertainty_ns)):
        return {}
    if result.stamped_by_arrival:
        return {'transport_delay_ms': round(max(0.0, known.transport_delay_ms - off_ms), 1)}
    return {'stamp_offset_ms': round(known.stamp_offset_ms + off_ms, 1)}


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / _NS_PER_MS, 2)
