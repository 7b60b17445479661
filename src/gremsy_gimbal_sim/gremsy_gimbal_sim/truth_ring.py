# SPDX-License-Identifier: Apache-2.0
"""The simulated payload's true state in shared memory, for the `sim:` camera and the benchmarks only.

One writer, any number of readers, no lock: the writer fills the next slot, then publishes its index; a reader copies
slots and looks again whether the writer came round in the meantime.
"""

from __future__ import annotations

import mmap
import os
import stat
import sys
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gremsy_common.errors import SuiteError

_MAGIC = 0x47524D5331  # "GRMS1"
_HEADER = np.dtype([('magic', '<i8'), ('capacity', '<i8'), ('written', '<i8')])
_DIRECTORY = Path('/dev/shm')  # noqa: S108 shared memory, not a temporary file

DEFAULT_RING = 'payload'
# In the environment of a process whose cameras see the payload of another ring, where `source` names none.
RING_VARIABLE = 'GREMSY_TRUTH_RING'


class TruthUnavailable(SuiteError):
    """No simulated payload writes under that name."""


@dataclass(frozen=True, slots=True)
class TrueState:
    """True optical axis and zoom at one time; angles as in `geometry` (azimuth left +, tilt down +)."""

    stamp_ns: int
    azimuth_rad: float
    tilt_rad: float
    azimuth_rate_rad_s: float
    tilt_rate_rad_s: float
    zoom: float

    def at(self, stamp_ns: int) -> TrueState:
        """The state carried on at its own rates to another time close by."""
        dt_s = (stamp_ns - self.stamp_ns) * 1e-9
        azimuth_rad = self.azimuth_rad + self.azimuth_rate_rad_s * dt_s
        tilt_rad = self.tilt_rad + self.tilt_rate_rad_s * dt_s
        return replace(self, stamp_ns=stamp_ns, azimuth_rad=azimuth_rad, tilt_rad=tilt_rad)


_SAMPLE = np.dtype([(field.name, '<i8' if field.name == 'stamp_ns' else '<f8') for field in fields(TrueState)])


def ring_path(name: str) -> Path:
    """Where the ring of that name lives."""
    if not name or '/' in name:
        raise ValueError(f"'{name}' cannot name a truth ring: use letters, digits, '-' and '_'.")
    return _DIRECTORY / f'gremsy-truth-{name}'


def _is_ring_or_nothing(path: Path) -> bool:
    """Also true for what a writer left that was killed before its first word: nothing but zeros."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open('rb') as file:
            start = file.read(_HEADER['magic'].itemsize)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return int.from_bytes(start, sys.byteorder) in (0, _MAGIC)


def _inode_of(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except OSError:
        return -1


class _TruthRing:
    """The ring of that name, as one process has it mapped."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path = ring_path(name)
        self._memory: mmap.mmap | None = None
        self._inode = 0

    def _use(self, memory: mmap.mmap) -> None:
        self._header = np.frombuffer(memory, dtype=_HEADER, count=1)
        self._samples = np.frombuffer(memory, dtype=_SAMPLE, offset=_HEADER.itemsize)
        self._memory = memory

    def close(self) -> None:
        """Unmap; idempotent."""
        if self._memory is None:
            return
        del self._header, self._samples
        self._memory.close()
        self._memory = None


class TruthRingWriter(_TruthRing):
    """Creates the ring and writes samples; `close` removes it."""

    def __init__(self, name: str, capacity: int = 4096) -> None:
        super().__init__(name)
        self._capacity = capacity

    def open(self) -> None:
        """Create the shared memory, replacing what a killed writer left behind.

        Raises:
            TruthUnavailable: when what has that name is not a ring, or shared memory has no room for it.
        """
        size = _HEADER.itemsize + self._capacity * _SAMPLE.itemsize
        if not _is_ring_or_nothing(self._path):
            raise TruthUnavailable(
                f'{self._path} is not a truth ring of a simulated payload: move it away, or name another `truth_ring`.'
            )
        try:
            self._use(self._mapped(size))
        except OSError as error:
            if self._inode:
                self._path.unlink(missing_ok=True)
            raise TruthUnavailable(
                f'Shared memory for the simulated payload cannot be made in {_DIRECTORY} ({error.strerror}): '
                f'{size / 1024:.0f} kB are needed; mount it writable and larger (`sudo mount -o remount,rw,size=512m '
                f'{_DIRECTORY}`; in Docker `--shm-size=256m`).'
            ) from error
        self._header['capacity'] = self._capacity
        self._header['magic'] = _MAGIC

    def _mapped(self, size: int) -> mmap.mmap:
        self._path.unlink(missing_ok=True)
        descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            self._inode = os.fstat(descriptor).st_ino
            # Takes the room now: where there is none, a later write would end the process by SIGBUS.
            os.posix_fallocate(descriptor, 0, size)
            return mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)

    def write(self, state: TrueState) -> None:
        """Append one sample; stamps must not go back."""
        written = int(self._header['written'][0])
        self._samples[written % self._capacity] = astuple(state)
        self._header['written'] = written + 1

    def close(self) -> None:
        """Remove the ring; readers that have it mapped keep their last view."""
        if self._memory is None:
            return
        super().close()
        # Another payload of that name may have put its own there in the meantime.
        if _inode_of(self._path) == self._inode:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> TruthRingWriter:
        self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class TruthRingReader(_TruthRing):
    """Reads the newest state, or the history that is still in the ring."""

    def open(self) -> None:
        """Map the ring.

        Raises:
            TruthUnavailable: when no simulated payload writes under that name.
        """
        try:
            with self._path.open('rb') as file:
                self._inode = os.fstat(file.fileno()).st_ino
                self._use(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise TruthUnavailable(
                f"No simulated payload writes its true attitude under '{self._name}': "
                f'start `sim_payload --truth-ring {self._name}`, or give the camera a video file (-p source:=FILE).'
            ) from error

    def newest(self) -> TrueState | None:
        """The newest sample, None before the first."""
        while True:
            written = int(self._header['written'][0])
            if written == 0:
                return None
            sample = self._samples[(written - 1) % len(self._samples)].copy()
            if int(self._header['written'][0]) - written < len(self._samples) - 1:
                return TrueState(*sample.item())

    def since(self, stamp_ns: int) -> NDArray[np.void]:
        """All samples in the ring newer than `stamp_ns`, oldest first, as a structured array."""
        written = int(self._header['written'][0])
        capacity = len(self._samples)
        first = max(0, written - capacity)
        copy = self._samples[np.arange(first, written) % capacity].copy()
        # Samples that the writer may have begun to overwrite while they were copied are left out.
        overwritten = max(0, int(self._header['written'][0]) + 1 - capacity - first)
        copy = copy[overwritten:]
        return copy[copy['stamp_ns'] > stamp_ns]

    def replaced(self) -> bool:
        """True when the payload was restarted and writes to a new ring (or none) under the same name."""
        return self._memory is None or _inode_of(self._path) != self._inode
