# SPDX-License-Identifier: Apache-2.0
"""Node `recorder`: overlay -> Film.add, in a worker of its own, newest first; a fault ends the film, not the loop."""

from __future__ import annotations

import time
from pathlib import Path

from gremsy_bringup.film.film import Film, free_name
from gremsy_bringup.film.recorder_parameters import RecorderParameters
from gremsy_common.errors import SuiteError
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.topics import OVERLAY
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.frame import Frame

_TAKE_TIMEOUT_S = 0.2


class RecorderNode(SuiteNode[RecorderParameters]):
    """Writes what the operator would see to an MP4."""

    node_name = 'recorder'
    parameters_type = RecorderParameters

    def configure(self) -> None:
        """Choose the file; it is made with the first frame."""
        self._film: Film | None = Film(free_name(Path(self.parameters.path).expanduser()), self.parameters.rate_hz)
        self._slot: LatestSlot[Frame] = LatestSlot()
        self._ended = ''

    def activate(self) -> None:
        """Overlay -> slot -> film."""
        self._overlay = self.subscription(OVERLAY, self._came)
        self.intake.begin(OVERLAY.name, self._overlay.name)
        self.worker('encode', self._encode, niceness=5)

    def cleanup(self) -> None:
        """Finish the file."""
        film, self._film = self._film, None
        if film is not None:
            film.close()
            self.get_logger().info(f'Frames written to {film.path}: {film.frames_written}.')

    def diagnostic_values(self) -> dict[str, str]:
        """What is written, and how much did not fit."""
        film = self._film
        if film is None:
            return {'film': 'none'}
        return {
            'film': str(film.path),
            'codec': film.codec,
            'frames written': str(film.frames_written),
            'frames of another size': str(film.frames_refused),
            'dropped': str(self._slot.dropped),
        }

    def health(self) -> Health:
        """OK only while pictures are filmed."""
        return Health(Level.ERROR, self._ended) if self._ended else self.intake.health()

    def _came(self, frame: Frame) -> None:
        self.intake.came()
        self._slot.put(frame)

    def _encode(self) -> None:
        frame = self._slot.take(_TAKE_TIMEOUT_S)
        film = self._film
        if frame is None or film is None:
            return
        first, refused = film.frames_written == 0, film.frames_refused
        started_s = time.monotonic()
        try:
            film.add(frame)
        except Exception as error:  # noqa: BLE001 - whatever an encoder raises must not disturb the loop
            self._film = None
            self.host.call_soon(lambda: self.close_subscription(self._overlay))
            said = str(error) if isinstance(error, SuiteError) else f'{type(error).__name__}: {error}'
            self._ended = f'The film {film.path} ends here: {said}'
            self.report_error(self._ended)
            film.close()
            return
        if film.frames_refused > refused:
            self.report_drop(
                OVERLAY.name,
                'another size',
                f'Pictures on {self._overlay.name} have changed to {frame.width}x{frame.height} px and are left out of '
                'the film, which has one size: start the recorder again for a film of them.',
            )
            return
        self.intake.used()
        self.trace.event('encoded', frame.stamp_ns, encode_ms=(time.monotonic() - started_s) * 1e3)
        if first:
            self.get_logger().info(f'Recording to {film.path}, {film.codec}.')


def main() -> None:
    """`ros2 run gremsy_bringup recorder_node`."""
    run_node(RecorderNode)


if __name__ == '__main__':
    main()
