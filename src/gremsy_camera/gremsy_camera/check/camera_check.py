# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_camera camera_check URI`: opens a source as the camera node does, and says what it gives.

Exit status: 0 it works, 1 it does not work now, 2 it cannot work as it is given, 128 and the signal's number when it
was ended by a signal (what was found until then is shown).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from gremsy_camera.camera_parameters import CameraParameters
from gremsy_camera.check.blink_delay import BlinkDelay, BlinkWatch
from gremsy_camera.check.camera_finding import find, found_lines
from gremsy_camera.check.check_report import CheckResult, advice, as_object, rows, snippet
from gremsy_camera.check.lamps import Blinking, FileLamp, Lamp, ScreenLamp
from gremsy_camera.check.stream_figures import StreamMeasure
from gremsy_camera.errors import SourceError
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.source_feed import FeedState, SourceFeed
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import SourceContext, SourceCounts
from gremsy_camera.streams.credentials import redacted
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError, from_values
from gremsy_common.parameters.parameter_forms import given_number
from gremsy_common.programs import EndedBySignal, ended_by_signals

WORKS, FAILED, MISUSED = 0, 1, 2
_SCREEN = 'screen'
_POLL_S = 0.1
# A stream is joined at a key frame, which some cameras send every ten seconds only.
_FIRST_FRAME_S = 12.0
# A second try, as where the server is away and the camera itself is read; a node on a robot would go on trying.
_ANOTHER_TRY_S = 1.5


class _Measurement:
    """Opens, watches, and keeps what it has seen, however it ends."""

    def __init__(self, options: argparse.Namespace, parameters: CameraParameters) -> None:
        self._options = options
        self._parameters = parameters
        self._clock = SystemClock()
        self._sentences: list[str] = []
        context = SourceContext(
            'camera', parameters.rate_hz, AtEnd(parameters.at_end), self._clock, self._say, parameters
        )
        self._feed = SourceFeed(create_source(parameters.source, context), self._clock, self._broke)
        self._measure = StreamMeasure()
        self._watch = BlinkWatch()
        self._blinking: Blinking | None = None
        self._took_s = self._broke_s = 0.0
        self._failures = 0
        self._counts = SourceCounts()
        self._problem = ''

    def run(self) -> None:
        """See the frames of so many seconds, from the first one on.

        Raises:
            SourceError: it does not work, or never can.
            LampUnusable: what was to blink cannot.
        """
        self._feed.open()
        try:
            self._await_first()
            with self._lamp() as blinking:
                self._blinking = blinking
                self._see(self._options.seconds)
                if blinking is not None and blinking.failure is not None:
                    raise blinking.failure
        finally:
            # A source that is closed counts nothing.
            self._counts = self._feed.counts()
            self._problem = self._feed.problem if self._feed.state is FeedState.RETRYING else ''
            self._feed.close()

    def result(self) -> CheckResult:
        """What it came to, also after an end before its time."""
        counts = self._counts
        lost = {
            'frames that failed to decode': counts.decode_failures,
            'ticks missed': counts.missed_ticks,
            **counts.others,
        }
        return CheckResult(
            source=self._parameters.source,
            camera=self._options.name,
            info=self._feed.info,
            figures=self._measure.figures(round(self._took_s, 2)),
            lost={reason: count for reason, count in lost.items() if count},
            reopened=self._feed.reopened,
            problem=redacted(self._problem),
            parameters=self._parameters,
            blinked=self._options.blink is not None,
            blink=self._blink(),
        )

    def _await_first(self) -> None:
        until_s = time.monotonic() + _FIRST_FRAME_S
        while time.monotonic() < until_s:
            captured = self._feed.read(_POLL_S)
            if captured is not None:
                return
            broke_s = time.monotonic() - self._broke_s if self._feed.state is FeedState.RETRYING else 0.0
            if self._failures > 1 or broke_s > _ANOTHER_TRY_S:
                raise SourceError(self._feed.problem)
        raise SourceError(
            f'`source` {redacted(self._parameters.source)} opened, but no frame came within {_FIRST_FRAME_S:g} s: '
            'check that the camera sends pictures.'
        )

    def _see(self, seconds: float) -> None:
        begin_s = time.monotonic()
        while self._took_s < seconds:
            captured = self._feed.read(_POLL_S)
            self._took_s = time.monotonic() - begin_s
            if captured is None:
                if self._feed.state is FeedState.ENDED:
                    return
                continue
            self._measure.see(captured, self._clock.ros_ns(), self._clock.monotonic_ns())
            if self._blinking is not None:
                self._watch.see(captured.frame.image, captured.frame.stamp_ns)

    def _lamp(self) -> AbstractContextManager[Blinking | None]:
        wanted = self._options.blink
        if wanted is None:
            return nullcontext()
        lamp: Lamp = ScreenLamp() if wanted == _SCREEN else FileLamp(Path(wanted).expanduser())
        return Blinking(lamp, self._clock.ros_ns)

    def _blink(self) -> BlinkDelay | None:
        if self._blinking is None:
            return None
        late_ns = round(self._options.screen_delay_ms * 1e6) if self._options.blink == _SCREEN else 0
        switches = [replace(each, at_ns=each.at_ns + late_ns) for each in self._blinking.switches]
        return self._watch.delay(switches)

    def _say(self, sentence: str) -> None:
        text = redacted(sentence)
        # A page of blinking is no place for words: they are shown after it.
        if self._options.blink == _SCREEN:
            self._sentences.append(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _broke(self, sentence: str) -> None:
        """The source is opened again; before the first frame that is shown at the end."""
        self._failures += 1
        self._broke_s = time.monotonic()
        if self._measure.frames:
            self._say(sentence)

    def show_said(self) -> None:
        """What could not be said while the screen blinked."""
        for sentence in self._sentences:
            print(sentence, file=sys.stderr, flush=True)
        self._sentences.clear()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.find:
        return _find(options.json)
    if options.source is None:
        parser.error('name a source, as rtsp://... or /dev/video0, or --find the cameras that there are')
    try:
        measurement = _Measurement(options, _parameters(options))
    except SuiteError as error:
        print(redacted(str(error)), file=sys.stderr)
        return MISUSED
    status, problem = WORKS, ''
    try:
        with ended_by_signals(afterwards=signal.SIG_DFL):
            measurement.run()
    except EndedBySignal as signalled:
        status = signalled.status
    except SuiteError as error:
        status = MISUSED if not isinstance(error, SourceError) or error.permanent else FAILED
        problem = redacted(str(error))
    measurement.show_said()
    result = measurement.result()
    if status == WORKS and not result.works:
        status = FAILED
    if options.json:
        print(
            json.dumps({**as_object(result), 'problem': problem or result.problem, 'works': status == WORKS}, indent=2)
        )
    elif result.figures.frames:
        _show(result)
    if problem:
        print(problem, file=sys.stderr)
    return status


def _find(as_json: bool) -> int:
    found = find()
    print(json.dumps(asdict(found), indent=2) if as_json else '\n'.join(found_lines(found)))
    return WORKS if found.cameras or found.network_cameras else FAILED


def _show(result: CheckResult) -> None:
    table = rows(result)
    width = max(map(len, table))
    for name, text in table.items():
        print(f'{name:{width}}  {text}')
    for sentence in advice(result):
        print(f'\n{sentence}')
    print(f'\nFor the parameter file (params_file):\n\n{snippet(result)}', end='')


def _parameters(options: argparse.Namespace) -> CameraParameters:
    values: dict[str, Any] = {}
    for each in options.parameter:
        name, equals, text = each.partition('=')
        if not equals:
            raise ParameterError(f'-p {each} has no value: write -p NAME=VALUE, such as -p transport=udp.')
        try:
            values[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ParameterError(f'Parameter `{name}` is not a YAML value: put it in quotes.') from error
    return from_values(CameraParameters, {**values, 'source': options.source})


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog='camera_check',
        description='Opens a source as the camera node does, and says what it gives, how late, how evenly, what is '
        'lost, and what to write into the parameter file.',
    )
    made.add_argument(
        'source', nargs='?', metavar='URI', help='as parameter `source`: rtsp://..., /dev/video0, a file ...'
    )
    made.add_argument(
        '-p', dest='parameter', action='append', default=[], metavar='NAME=VALUE', help='a parameter of the camera node'
    )
    made.add_argument(
        '--seconds', type=given_number(1.0, 3600.0), default=10.0, metavar='S', help='how long to watch (default: 10)'
    )
    made.add_argument(
        '--blink',
        nargs='?',
        const=_SCREEN,
        metavar='LAMP',
        help='measure by how much the stamps are off, from a lamp in the picture: a file that takes 0 and 1 '
        '(/sys/class/leds/NAME/brightness, a GPIO), or this terminal where none is named',
    )
    made.add_argument(
        '--screen-delay-ms',
        type=given_number(0.0, 1000.0),
        default=0.0,
        metavar='MS',
        help='how long the screen takes to show a change (default: 0; 10 to 50 is usual)',
    )
    made.add_argument(
        '--name', default='eo', metavar='CAMERA', help='of the camera in the lines to write (default: eo)'
    )
    made.add_argument(
        '--find',
        action='store_true',
        help='list the cameras of this machine and those that answer ONVIF discovery',
    )
    made.add_argument('--json', action='store_true', help='print one JSON object instead')
    return made


if __name__ == '__main__':
    sys.exit(main())
