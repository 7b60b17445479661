# SPDX-License-Identifier: Apache-2.0
"""What makes the faults, for real, and undoes them."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.target_model import DARK, HANGING, RAISING
from benchmarks.faults.trial_suite import TrialSuite
from gremsy_bringup.supervise.supervisor import EventKind
from gremsy_camera.trial.trial_camera import TrialCamera

# More than the cores' own: each gets a share of one.
_HOGS_PER_CORE = 2
# What a process may still take once memory is short: nothing. What it has for pictures it keeps.
_LEFT_BYTES = 0
_CORRUPT_PERCENT = 60.0


def set_clock(path: Path, ahead_s: float) -> None:
    """As `jumping_clock.c` reads it: one number, of which no half is ever seen."""
    with path.open('r+b' if path.exists() else 'w+b', buffering=0) as file:
        file.write(struct.pack('<q', round(ahead_s * 1e9)))


class FaultHands:
    """Acts on one suite; every fault has its way back, and `undo_all` is harmless where nothing is wrong."""

    def __init__(self, suite: TrialSuite, disk: Path | None = None, clock: Path | None = None) -> None:
        self.suite = suite
        self._disk = disk
        self._clock = clock
        self._hogs: list[subprocess.Popen[bytes]] = []
        self._short: list[int] = []
        self._lost_s = 0.0

    @property
    def camera(self) -> TrialCamera:
        """That of the suite."""
        return self.suite.camera

    # Processes.

    def terminate(self, process: str) -> None:
        """SIGTERM."""
        self.suite.signal(process, signal.SIGTERM)

    def kill(self, process: str) -> None:
        """SIGKILL."""
        self.suite.signal(process, signal.SIGKILL)

    # The detector.

    def let_detector_raise(self) -> None:
        """Every run of the network ends with an error."""
        self.suite.show_lamp(RAISING)

    def let_detector_hang(self) -> None:
        """The next run of the network does not end."""
        self.suite.show_lamp(HANGING)

    def heal_detector(self) -> None:
        """From the next run on."""
        self.suite.show_lamp(DARK)

    def lose_model(self) -> None:
        """Its file is gone, and the process that had read it starts again."""
        self.suite.model.rename(self.suite.model.with_suffix('.away'))
        self._lost_s = time.monotonic()
        self.kill('loop')

    def model_was_missed(self) -> bool:
        """Whether the process has looked for it in vain."""
        return any(event.kind is EventKind.REFUSED and at_s > self._lost_s for at_s, event in self.suite.events)

    def bring_model_back(self) -> None:
        """Under its name."""
        away = self.suite.model.with_suffix('.away')
        if away.exists():
            away.rename(self.suite.model)

    # The machine.

    def load_processors(self) -> None:
        """Processes that only compute, more than there are cores."""
        for _ in range(_HOGS_PER_CORE * (os.cpu_count() or 1)):
            self._hogs.append(subprocess.Popen([sys.executable, '-I', '-S', '-c', 'while True: pass']))

    def unload_processors(self) -> None:
        """End them."""
        for hog in self._hogs:
            hog.kill()
            hog.wait()
        self._hogs.clear()

    def shorten_memory(self, process: str) -> None:
        """Let it take next to nothing more than it has now, by the kernel's own limit."""
        pid = self.suite.pids()[process]
        fields = (Path('/proc') / str(pid) / 'statm').read_text(encoding='ascii').split()
        soft = int(fields[0]) * os.sysconf('SC_PAGE_SIZE') + _LEFT_BYTES
        resource.prlimit(pid, resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))
        self._short.append(pid)

    def give_memory_back(self) -> None:
        """To those that still run."""
        for pid in self._short:
            try:
                resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            except ProcessLookupError:
                continue
        self._short.clear()

    def fill_disk(self) -> None:
        """Not a byte more can be written where the logs and traces are."""
        assert self._disk is not None
        with (self._disk / 'full').open('wb', buffering=0) as file:
            block = 1 << 16
            while block:
                try:
                    file.write(b'\0' * block)
                except OSError:
                    block >>= 1

    def empty_disk(self) -> None:
        """As it was."""
        if self._disk is not None:
            (self._disk / 'full').unlink(missing_ok=True)

    def set_clock(self, ahead_s: float) -> None:
        """Put the suite's system time so far from the true one; its monotonic clock is left alone."""
        if self._clock is not None:
            set_clock(self._clock, ahead_s)

    # All of it.

    def corrupt_camera(self) -> None:
        """Damage more than half of its encoded pictures."""
        self.camera.corrupt(_CORRUPT_PERCENT)

    def undo_all(self) -> None:
        """Whatever is still wrong."""
        steps: list[Callable[[], None]] = [
            self.heal_detector,
            self.bring_model_back,
            self.unload_processors,
            self.give_memory_back,
            self.empty_disk,
            lambda: self.suite.gimbal.garble(0.0),
            lambda: self.suite.gimbal.control('replug udp'),
        ]
        for step in steps:
            step()
