# SPDX-License-Identifier: Apache-2.0
"""Lamps that a program can switch: a file of the kernel (a diode, a pin) or this terminal, and who switches them."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TextIO

from gremsy_camera.check.blink_delay import LampSwitch
from gremsy_common.errors import SuiteError

# Between two switchings, at random: several pictures long, and many in ten seconds.
_SHORTEST_S, _LONGEST_S = 0.2, 0.55


class LampUnusable(SuiteError):
    """What was to blink cannot."""


class Lamp(Protocol):
    """Something that can be lit."""

    def set(self, lit: bool) -> None:
        """Light it, or put it out; the light changes when this returns.

        Raises:
            LampUnusable: with the way out.
        """

    def restore(self) -> None:
        """As it was before."""


class FileLamp:
    """A file that lights when a number is written to it: `/sys/class/leds/NAME/brightness`, a GPIO's `value`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: str | None = None
        self._full = '1'

    def set(self, lit: bool) -> None:
        """See Lamp."""
        try:
            if self._before is None:
                self._before = self._path.read_text(encoding='ascii').strip() or '0'
                most = self._path.parent / 'max_brightness'
                self._full = most.read_text(encoding='ascii').strip() if most.exists() else '1'
            self._path.write_text(self._full if lit else '0', encoding='ascii')
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, 'strerror', None) or 'it is no text'
            raise LampUnusable(
                f'The lamp {self._path} cannot be switched ({reason}): name a file that takes 0 and 1, as '
                '/sys/class/leds/NAME/brightness, and run as a user who may write it.'
            ) from error

    def restore(self) -> None:
        """See Lamp."""
        if self._before is not None:
            with suppress(OSError):
                self._path.write_text(self._before, encoding='ascii')


class ScreenLamp:
    """The terminal that this runs in, white or black; the screen shows it some 10 to 50 ms after the command."""

    def __init__(self, terminal: TextIO = sys.stderr) -> None:
        self._terminal = terminal
        self._entered = False

    def set(self, lit: bool) -> None:
        """See Lamp."""
        if not self._terminal.isatty():
            raise LampUnusable(
                'There is no terminal to blink with: run it in one, or name a lamp as `--blink '
                '/sys/class/leds/NAME/brightness`.'
            )
        # Its own page, without cursor; colours 231 and 16 are white and black of xterm's fixed part.
        begin = '' if self._entered else '\x1b[?1049h\x1b[?25l'
        self._entered = True
        self._terminal.write(f'{begin}\x1b[48;5;{231 if lit else 16}m\x1b[2J\x1b[H')
        self._terminal.flush()

    def restore(self) -> None:
        """See Lamp."""
        if self._entered:
            self._terminal.write('\x1b[0m\x1b[?25h\x1b[?1049l')
            self._terminal.flush()
            self._entered = False


class Blinking:
    """Switches a lamp on a thread of its own for as long as the block lasts, and puts it back."""

    def __init__(self, lamp: Lamp, ros_ns: Callable[[], int], seed: int | None = None) -> None:
        self._lamp = lamp
        self._ros_ns = ros_ns
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name='blink', daemon=True)
        self.switches: list[LampSwitch] = []
        self.failure: LampUnusable | None = None

    def __enter__(self) -> Blinking:
        # Here, so that a lamp that does not work is said before ten seconds are over.
        self._lamp.set(False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._lamp.restore()

    def _run(self) -> None:
        lit = False
        while not self._over.wait(self._random.uniform(_SHORTEST_S, _LONGEST_S)):
            lit = not lit
            before_ns = self._ros_ns()
            try:
                self._lamp.set(lit)
            except LampUnusable as error:
                self.failure = error
                return
            self.switches.append(LampSwitch((before_ns + self._ros_ns()) // 2, lit))
