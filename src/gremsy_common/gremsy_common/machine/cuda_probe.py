# SPDX-License-Identifier: Apache-2.0
"""Which NVIDIA GPUs this process could use, asked in a child process.

TensorRT's `Runtime` ends the process (SIGSEGV) where there is no CUDA driver, and a driver that does not fit its kernel
module can hang or crash `cuInit`: both must not happen to the node. The child needs nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import functools
import json
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A cold driver takes about a second (persistence mode off: up to 5); a hung one never answers.
_PATIENCE_S = 30.0
# cuda.h: CUdevice_attribute.
_MULTIPROCESSORS, _INTEGRATED, _MAJOR, _MINOR = 16, 18, 75, 76
_NAME_BYTES, _PCI_ADDRESS_BYTES, _UUID_BYTES = 256, 32, 16


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. The multiprocessors tell apart boards whose driver gives one name: every Orin calls itself `Orin`.

    CUDA's number of a GPU is nobody else's: the fastest comes first unless CUDA_DEVICE_ORDER says otherwise, and
    CUDA_VISIBLE_DEVICES renumbers them. `uuid` (five groups of hexadecimal digits; a MIG instance has its own) and
    `pci_address` (as 0000:65:00.0) say which it is; empty where the driver does not tell.
    """

    name: str
    compute_capability: str
    multiprocessors: int
    memory_bytes: int
    uuid: str = ''
    pci_address: str = ''
    integrated: bool = False

    @property
    def identity(self) -> str:
        """What an engine is built for."""
        return f'{self.name} with {self.multiprocessors} multiprocessors'


@dataclass(frozen=True, slots=True)
class CudaProbe:
    """What the child found; `reason`, the middle of a sentence, says why there is no GPU, else it is empty."""

    gpus: tuple[Gpu, ...]
    driver_version: str
    reason: str


@functools.cache
def probe_cuda() -> CudaProbe:
    """Ask once per process: a GPU that comes later needs a new start anyway."""
    return ask([sys.executable, '-I', '-S', str(Path(__file__).resolve())])


def ask(command: Sequence[str], patience_s: float = _PATIENCE_S) -> CudaProbe:
    """Run the child and read its answer; whatever goes wrong becomes the reason."""
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
    except subprocess.TimeoutExpired:
        return _nothing(f'the NVIDIA driver did not answer within {patience_s:.0f} s')
    except OSError as error:
        return _nothing(f'the probe for it cannot be started ({error.strerror})')
    if child.returncode < 0:
        return _nothing(f'the NVIDIA driver ended the probe with signal {-child.returncode}')
    try:
        answer = json.loads(child.stdout)
        gpus = tuple(Gpu(**gpu) for gpu in answer['gpus'])
        return CudaProbe(gpus, str(answer['driver_version']), str(answer['reason']))
    except (ValueError, KeyError, TypeError):
        return _nothing(f'the probe for it failed ({_last_line(child.stderr)})')


def look(library_name: str = 'libcuda.so.1') -> dict[str, Any]:
    """What the child does: the driver's own answers, as the fields of `CudaProbe`."""
    found: dict[str, Any] = {'gpus': [], 'driver_version': '', 'reason': ''}
    try:
        driver = ctypes.CDLL(library_name)
    except OSError:
        return found | {'reason': f'the NVIDIA driver is not installed ({library_name} is not found)'}
    status = driver.cuInit(0)
    if status != 0:
        return found | {'reason': f'the NVIDIA driver finds none ({_error_name(driver, status)})'}
    version, count = ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    found['driver_version'] = f'{version.value // 1000}.{version.value % 1000 // 10}'
    status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0 or count.value < 1:
        return found | {'reason': f'the NVIDIA driver finds none ({_error_name(driver, status)})'}
    found['gpus'] = [_gpu(driver, index) for index in range(count.value)]
    return found


def _gpu(driver: Any, index: int) -> dict[str, Any]:
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, _NAME_BYTES, device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    numbers = []
    for attribute in (_MAJOR, _MINOR, _MULTIPROCESSORS, _INTEGRATED):
        number = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        numbers.append(number.value)
    return {
        'name': name.value.decode(errors='replace'),
        'compute_capability': f'{numbers[0]}.{numbers[1]}',
        'multiprocessors': numbers[2],
        'memory_bytes': memory.value,
        'uuid': _uuid(driver, device),
        'pci_address': _pci_address(driver, device),
        'integrated': bool(numbers[3]),
    }


def _uuid(driver: Any, device: ctypes.c_int) -> str:
    """A driver of CUDA 11.4 and later has the second form, which tells the instances of a divided GPU (MIG) apart."""
    raw = ctypes.create_string_buffer(_UUID_BYTES)
    for function in ('cuDeviceGetUuid_v2', 'cuDeviceGetUuid'):
        ask_uuid = getattr(driver, function, None)
        if ask_uuid is not None and ask_uuid(raw, device) == 0:
            return str(uuid.UUID(bytes=raw.raw))
    return ''


def _pci_address(driver: Any, device: ctypes.c_int) -> str:
    text = ctypes.create_string_buffer(_PCI_ADDRESS_BYTES)
    if driver.cuDeviceGetPCIBusId(text, _PCI_ADDRESS_BYTES, device) != 0:
        return ''
    return text.value.decode(errors='replace')


def _error_name(driver: ctypes.CDLL, status: int) -> str:
    name = ctypes.c_char_p()
    if driver.cuGetErrorName(status, ctypes.byref(name)) != 0 or name.value is None:
        return f'CUDA error {status}'
    return name.value.decode(errors='replace')


def _nothing(reason: str) -> CudaProbe:
    return CudaProbe((), '', reason)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200].rstrip('. ') if lines else 'it printed nothing'


if __name__ == '__main__':
    print(json.dumps(look()))
