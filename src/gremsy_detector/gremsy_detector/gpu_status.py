# SPDX-License-Identifier: Apache-2.0
"""Memory and clocks of the GPU, for diagnostics: from NVML, or from the Jetson's own files.

NVML (`libnvidia-ml.so.1`, part of the driver) is called through ctypes: it needs no package, and no CUDA context.
A Jetson's integrated GPU shares the machine's memory and shows its clock in devfreq
(https://docs.kernel.org/driver-api/devfreq.html: `cur_freq` and `max_freq` in Hz).
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_LEAST_PERIOD_S = 1.0
_NVML = 'libnvidia-ml.so.1'
# nvml.h: nvmlClockType_t.
_GRAPHICS_CLOCK, _MEMORY_CLOCK = 0, 2
_DEVFREQ = Path('/sys/class/devfreq')
# Orin on JetPack 6, Orin before, Xavier, Thor. The whole name: other boards have a Mali called `....gpu`.
_JETSON_GPUS = ('17000000.gpu', '17000000.ga10b', '17000000.gv11b', 'gpu-gpc-0')
_MEMINFO = Path('/proc/meminfo')


@dataclass(frozen=True, slots=True)
class GpuReading:
    """What could be read; None is what could not."""

    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    clock_hz: int | None = None
    clock_limit_hz: int | None = None
    memory_clock_hz: int | None = None

    def rows(self) -> dict[str, str]:
        """For /diagnostics; what is not known is left out."""
        rows: dict[str, str] = {}
        for name, value in (
            ('GPU memory used (MiB)', self.memory_used_bytes),
            ('GPU memory total (MiB)', self.memory_total_bytes),
        ):
            if value is not None:
                rows[name] = f'{value / 2**20:.0f}'
        for name, value in (
            ('GPU clock (MHz)', self.clock_hz),
            ('GPU clock limit (MHz)', self.clock_limit_hz),
            ('GPU memory clock (MHz)', self.memory_clock_hz),
        ):
            if value is not None:
                rows[name] = f'{value / 1e6:.0f}'
        return rows


class GpuSource(Protocol):
    """Where the numbers come from."""

    def read(self) -> GpuReading:
        """Ask now; an empty reading when nothing can be read. May take milliseconds."""


class _NvmlMemory(ctypes.Structure):
    """nvml.h: nvmlMemory_t."""

    _fields_ = (('total', ctypes.c_ulonglong), ('free', ctypes.c_ulonglong), ('used', ctypes.c_ulonglong))


class NvmlSource:
    """One GPU by NVML."""

    def __init__(self, library: Any, device: int) -> None:
        """`library` is loaded and initialised; `device` is NVML's number of the GPU."""
        self._library = library
        self._device = device

    def read(self) -> GpuReading:
        """See `GpuSource.read`; the handle is asked for anew, since a GPU may fall off the bus and come back."""
        handle = ctypes.c_void_p()
        if self._library.nvmlDeviceGetHandleByIndex_v2(self._device, ctypes.byref(handle)) != 0:
            return GpuReading()
        memory = _NvmlMemory()
        known = self._library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
        return GpuReading(
            memory_used_bytes=int(memory.used) if known else None,
            memory_total_bytes=int(memory.total) if known else None,
            clock_hz=self._clock_hz('nvmlDeviceGetClockInfo', handle, _GRAPHICS_CLOCK),
            clock_limit_hz=self._clock_hz('nvmlDeviceGetMaxClockInfo', handle, _GRAPHICS_CLOCK),
            memory_clock_hz=self._clock_hz('nvmlDeviceGetClockInfo', handle, _MEMORY_CLOCK),
        )

    def _clock_hz(self, function: str, handle: ctypes.c_void_p, kind: int) -> int | None:
        clock_mhz = ctypes.c_uint()
        if getattr(self._library, function)(handle, kind, ctypes.byref(clock_mhz)) != 0:
            return None
        return int(clock_mhz.value) * 1_000_000


class JetsonSource:
    """The integrated GPU of a Jetson: its devfreq folder, and the memory that it shares with the CPU."""

    def __init__(self, gpu: Path, meminfo: Path = _MEMINFO) -> None:
        self._gpu = gpu
        self._meminfo = meminfo

    def read(self) -> GpuReading:
        """See `GpuSource.read`."""
        total, available = self._memory_bytes('MemTotal'), self._memory_bytes('MemAvailable')
        return GpuReading(
            memory_used_bytes=total - available if total is not None and available is not None else None,
            memory_total_bytes=total,
            clock_hz=_number(self._gpu / 'cur_freq'),
            clock_limit_hz=_number(self._gpu / 'max_freq'),
        )

    def _memory_bytes(self, name: str) -> int | None:
        try:
            lines = self._meminfo.read_text(encoding='ascii').splitlines()
        except OSError:
            return None
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == f'{name}:' and words[1].isdigit():
                return int(words[1]) * 1024
        return None


class GpuStatus:
    """The newest reading; asks its source at most once a second, whoever asks it how often."""

    def __init__(self, source: GpuSource | None, clock_s: Callable[[], float] = time.monotonic) -> None:
        """None where there is no GPU."""
        self._source = source
        self._clock_s = clock_s
        self._read_at_s = float('-inf')
        self._reading = GpuReading()

    @property
    def there(self) -> bool:
        """Whether there is a GPU to ask."""
        return self._source is not None

    @property
    def reading(self) -> GpuReading:
        """The last one, at no cost."""
        return self._reading

    def refresh(self) -> None:
        """Ask the source if its last answer is older than a second; belongs to one thread, not the hot one."""
        now_s = self._clock_s()
        if self._source is None or now_s - self._read_at_s < _LEAST_PERIOD_S:
            return
        self._read_at_s = now_s
        self._reading = self._source.read()


def find_gpu(
    device: int,
    *,
    load: Callable[[str], Any] = ctypes.CDLL,
    devfreq: Path = _DEVFREQ,
    environment: Mapping[str, str] = os.environ,
) -> GpuSource | None:
    """The source for the GPU that CUDA calls `device`; None where there is none.

    A Jetson is asked first: its NVML, where there is one, knows neither memory nor clocks of the integrated GPU.
    """
    for name in _JETSON_GPUS:
        if (devfreq / name).is_dir():
            return JetsonSource(devfreq / name)
    try:
        library = load(_NVML)
        found = library.nvmlInit_v2() == 0
    except (OSError, AttributeError):
        return None  # no driver, or one older than the API
    return NvmlSource(library, _nvml_index(device, environment)) if found else None


def _nvml_index(device: int, environment: Mapping[str, str]) -> int:
    """NVML counts all GPUs; CUDA counts those that CUDA_VISIBLE_DEVICES leaves, in its order."""
    visible = [each.strip() for each in environment.get('CUDA_VISIBLE_DEVICES', '').split(',')]
    if device < len(visible) and visible[device].isdigit():
        return int(visible[device])
    return device


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding='ascii').strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
