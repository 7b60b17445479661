# SPDX-License-Identifier: Apache-2.0
"""Memory and clocks of the GPU, for diagnostics: from NVML, or from the Jetson's own files.

NVML (`libnvidia-ml.so.1`, part of the driver) is called through ctypes: it needs no package, and no CUDA context.
Its numbers are not CUDA's (https://docs.nvidia.com/deploy/nvml-api, nvmlDeviceGetIndex), so a GPU is asked for by the
UUID that CUDA gives it.
A Jetson's integrated GPU shares the machine's memory and shows its clock in devfreq
(https://docs.kernel.org/driver-api/devfreq.html: `cur_freq` and `max_freq` in Hz).
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gremsy_common.machine.cuda_probe import CudaProbe, Gpu, probe_cuda

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
    """What could be read; None is what could not.

    Attributes:
        name: of the card, with what tells it from its like.
        missing: why there are no figures, the middle of a sentence; empty where there are.
    """

    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    clock_hz: int | None = None
    clock_limit_hz: int | None = None
    memory_clock_hz: int | None = None
    name: str = ''
    missing: str = ''

    def rows(self) -> dict[str, str]:
        """For /diagnostics; what is not known is left out."""
        rows = {name: text for name, text in (('GPU', self.name), ('GPU figures missing', self.missing)) if text}
        numbers = (
            ('GPU memory used (MiB)', self.memory_used_bytes, 2**20),
            ('GPU memory total (MiB)', self.memory_total_bytes, 2**20),
            ('GPU clock (MHz)', self.clock_hz, 10**6),
            ('GPU clock limit (MHz)', self.clock_limit_hz, 10**6),
            ('GPU memory clock (MHz)', self.memory_clock_hz, 10**6),
        )
        return rows | {name: f'{value / unit:.0f}' for name, value, unit in numbers if value is not None}


class GpuSource(Protocol):
    """Where the numbers come from."""

    def read(self) -> GpuReading:
        """Ask now; an empty reading when nothing can be read. May take milliseconds."""


class _NvmlMemory(ctypes.Structure):
    """nvml.h: nvmlMemory_t."""

    _fields_ = (('total', ctypes.c_ulonglong), ('free', ctypes.c_ulonglong), ('used', ctypes.c_ulonglong))


class NvmlSource:
    """One GPU by NVML."""

    def __init__(self, library: Any, gpu: Gpu) -> None:
        """`library` is loaded and initialised; `gpu` is what CUDA says of it."""
        self._library = library
        self._gpu = gpu
        self._name = f'{gpu.name} ({", ".join(filter(None, (gpu.uuid, gpu.pci_address))) or "of unknown address"})'

    def read(self) -> GpuReading:
        """See `GpuSource.read`; the handle is asked for each time, since a GPU may fall off the bus and come back."""
        handle = self._handle()
        if handle is None:
            return GpuReading(name=self._name, missing='NVML does not find this GPU')
        memory = _NvmlMemory()
        known = self._library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
        return GpuReading(
            memory_used_bytes=int(memory.used) if known else None,
            memory_total_bytes=int(memory.total) if known else None,
            clock_hz=self._clock_hz('nvmlDeviceGetClockInfo', handle, _GRAPHICS_CLOCK),
            clock_limit_hz=self._clock_hz('nvmlDeviceGetMaxClockInfo', handle, _GRAPHICS_CLOCK),
            memory_clock_hz=self._clock_hz('nvmlDeviceGetClockInfo', handle, _MEMORY_CLOCK),
            name=self._name,
        )

    def _handle(self) -> ctypes.c_void_p | None:
        """By UUID, which is a whole GPU's or a MIG instance's; by address only where the driver tells no UUID."""
        gpu, handle = self._gpu, ctypes.c_void_p()
        if gpu.uuid:
            names = [('nvmlDeviceGetHandleByUUID', f'{kind}-{gpu.uuid}') for kind in ('GPU', 'MIG')]
        else:
            names = [('nvmlDeviceGetHandleByPciBusId_v2', gpu.pci_address)] if gpu.pci_address else []
        for function, name in names:
            if getattr(self._library, function)(name.encode(), ctypes.byref(handle)) == 0:
                return handle
        return None

    def _clock_hz(self, function: str, handle: ctypes.c_void_p, kind: int) -> int | None:
        clock_mhz = ctypes.c_uint()
        if getattr(self._library, function)(handle, kind, ctypes.byref(clock_mhz)) != 0:
            return None
        return int(clock_mhz.value) * 1_000_000


class JetsonSource:
    """The integrated GPU of a Jetson: its devfreq folder, and the memory that it shares with the CPU."""

    def __init__(self, gpu: Path, meminfo: Path = _MEMINFO, name: str = '') -> None:
        self._gpu = gpu
        self._meminfo = meminfo
        self._name = name or gpu.name

    def read(self) -> GpuReading:
        """See `GpuSource.read`."""
        total, available = self._memory_bytes('MemTotal'), self._memory_bytes('MemAvailable')
        return GpuReading(
            memory_used_bytes=total - available if total is not None and available is not None else None,
            memory_total_bytes=total,
            clock_hz=_number(self._gpu / 'cur_freq'),
            clock_limit_hz=_number(self._gpu / 'max_freq'),
            name=self._name,
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
    cuda: Callable[[], CudaProbe] = probe_cuda,
) -> GpuSource | None:
    """The source for the GPU that CUDA calls `device`; None where there is none.

    A Jetson is asked first: its NVML, where there is one, knows neither memory nor clocks of the integrated GPU. A
    board with a card beside it (IGX) has both.
    """
    for name in _JETSON_GPUS:
        if (devfreq / name).is_dir():
            gpu = _gpu_of(device, cuda)
            if gpu is None or gpu.integrated:
                return JetsonSource(devfreq / name, name=gpu.name if gpu is not None else '')
    try:
        library = load(_NVML)
        found = library.nvmlInit_v2() == 0
    except (OSError, AttributeError):
        return None  # no driver, or one older than the API
    # The child process that asks CUDA is started only where there is a driver.
    gpu = _gpu_of(device, cuda) if found else None
    return NvmlSource(library, gpu) if gpu is not None else None


def _gpu_of(device: int, cuda: Callable[[], CudaProbe]) -> Gpu | None:
    gpus = cuda().gpus
    return gpus[device] if 0 <= device < len(gpus) else None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding='ascii').strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
