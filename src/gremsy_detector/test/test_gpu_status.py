# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N802, N815 - the fake has the C library's own names
"""GPU memory and clocks from NVML's own calls and from a Jetson's files; what is not known is left out."""

import uuid
from dataclasses import replace

import pytest

from gremsy_common.machine import cuda_probe
from gremsy_common.machine.cuda_probe import CudaProbe, Gpu
from gremsy_detector.gpu_status import GpuReading, GpuStatus, JetsonSource, NvmlSource, find_gpu

FAST = Gpu('NVIDIA RTX A6000', '8.6', 84, 48 << 30, '1f2e3d4c-0000-4000-8000-000000000001', '0000:65:00.0')
SLOW = Gpu('NVIDIA T400', '7.5', 6, 4 << 30, '9a8b7c6d-0000-4000-8000-000000000002', '0000:17:00.0')
# CUDA counts the fastest first, NVML by PCI address: on this machine they disagree.
BY_CUDA = (FAST, SLOW)
BY_NVML = (SLOW, FAST)


def cuda(*gpus):
    return lambda: CudaProbe(gpus, '12.6', '' if gpus else 'the NVIDIA driver finds none')


class Nvml:
    """The library as ctypes gives it: functions that write through their last argument and return a status.

    Names, arguments and codes are those of nvml.h 13 (also in PyPI's nvidia-ml-py 13.615): 6 is NVML_ERROR_NOT_FOUND.
    """

    def __init__(self, *, gpus=BY_NVML, kind='GPU', memory_status=0, clock_status=0, init_status=0):
        self.gpus = gpus
        self.kind = kind
        self.memory_status = memory_status
        self.clock_status = clock_status
        self.init_status = init_status
        self.asked = []

    def nvmlInit_v2(self):
        return self.init_status

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):
        return self._hand(handle, uuid, [f'{self.kind}-{gpu.uuid}'.encode() for gpu in self.gpus])

    def nvmlDeviceGetHandleByPciBusId_v2(self, address, handle):
        return self._hand(handle, address, [gpu.pci_address.encode() for gpu in self.gpus])

    def _hand(self, handle, name, names):
        self.asked.append(name)
        if name not in names:
            return 6
        handle._obj.value = 1000 + names.index(name)
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle, memory):
        assert handle.value >= 1000
        total = self.gpus[handle.value - 1000].memory_bytes
        memory._obj.total, memory._obj.free, memory._obj.used = total, total - (2 << 30), 2 << 30
        return self.memory_status

    def nvmlDeviceGetClockInfo(self, handle, kind, clock):
        clock._obj.value = {0: 918, 2: 2133}[kind]
        return self.clock_status

    def nvmlDeviceGetMaxClockInfo(self, handle, kind, clock):
        clock._obj.value = 1300
        return self.clock_status


def test_nvml_tells_memory_and_clocks():
    assert NvmlSource(Nvml(), FAST).read().rows() == {
        'GPU': 'NVIDIA RTX A6000 (1f2e3d4c-0000-4000-8000-000000000001, 0000:65:00.0)',
        'GPU memory used (MiB)': '2048',
        'GPU memory total (MiB)': '49152',
        'GPU clock (MHz)': '918',
        'GPU clock limit (MHz)': '1300',
        'GPU memory clock (MHz)': '2133',
    }


def test_what_nvml_does_not_know_is_left_out():
    name = 'NVIDIA T400 (9a8b7c6d-0000-4000-8000-000000000002, 0000:17:00.0)'
    assert NvmlSource(Nvml(clock_status=3), SLOW).read() == GpuReading(2 << 30, 4 << 30, name=name)
    assert NvmlSource(Nvml(memory_status=3, clock_status=3), SLOW).read().rows() == {'GPU': name}


def test_a_gpu_that_fell_off_the_bus_has_no_figures_and_comes_back():
    library = Nvml()
    source = NvmlSource(library, FAST)
    library.gpus = (SLOW,)
    assert source.read().rows() == {
        'GPU': 'NVIDIA RTX A6000 (1f2e3d4c-0000-4000-8000-000000000001, 0000:65:00.0)',
        'GPU figures missing': 'NVML does not find this GPU',
    }
    library.gpus = BY_NVML
    assert source.read().memory_total_bytes == 48 << 30


def test_a_part_of_a_divided_gpu_is_found_by_its_own_uuid():
    library = Nvml(kind='MIG')
    assert NvmlSource(library, SLOW).read().memory_total_bytes == 4 << 30


def test_where_the_driver_tells_no_uuid_the_address_says_which_it_is():
    library = Nvml()
    assert NvmlSource(library, replace(SLOW, uuid='')).read().memory_total_bytes == 4 << 30
    assert library.asked == [b'0000:17:00.0']


def test_a_gpu_of_which_nothing_is_known_gets_no_figures_of_another():
    assert NvmlSource(Nvml(), Gpu('Graphics Device', '9.9', 1, 1)).read().rows() == {
        'GPU': 'Graphics Device (of unknown address)',
        'GPU figures missing': 'NVML does not find this GPU',
    }


def jetson(tmp_path, name='17000000.gpu'):
    gpu = tmp_path / 'devfreq' / name
    gpu.mkdir(parents=True)
    (gpu / 'cur_freq').write_text('306000000\n')
    (gpu / 'max_freq').write_text('918000000\n')
    meminfo = tmp_path / 'meminfo'
    meminfo.write_text('MemTotal:        7620248 kB\nMemFree:  100 kB\nMemAvailable:    4620248 kB\n')
    return gpu, meminfo


def test_a_jetson_tells_its_clock_and_the_memory_it_shares(tmp_path):
    assert JetsonSource(*jetson(tmp_path)).read() == GpuReading(
        memory_used_bytes=3_000_000 * 1024,
        memory_total_bytes=7620248 * 1024,
        clock_hz=306_000_000,
        clock_limit_hz=918_000_000,
        name='17000000.gpu',
    )


def test_files_that_are_missing_or_odd_are_left_out(tmp_path):
    gpu, meminfo = jetson(tmp_path)
    (gpu / 'cur_freq').write_text('<unknown>\n')
    (gpu / 'max_freq').unlink()
    meminfo.write_text('MemTotal: lots\n')
    assert JetsonSource(gpu, meminfo).read() == GpuReading(name='17000000.gpu')
    assert JetsonSource(tmp_path / 'gone', tmp_path / 'gone', 'Orin').read() == GpuReading(name='Orin')


@pytest.mark.parametrize('name', ['17000000.gpu', '17000000.ga10b', '17000000.gv11b', 'gpu-gpc-0'])
def test_a_jetson_is_known_by_its_devfreq_folder(tmp_path, name):
    gpu, _ = jetson(tmp_path, name)
    orin = Gpu('Orin', '8.7', 16, 30 << 30, integrated=True)
    for probe in (cuda(orin), cuda()):
        source = find_gpu(0, load=lambda name: Nvml(), devfreq=gpu.parent, cuda=probe)
        assert isinstance(source, JetsonSource)


def test_the_card_beside_a_jetsons_own_gpu_is_asked_by_nvml(tmp_path):
    gpu, _ = jetson(tmp_path)
    orin = Gpu('Orin', '8.7', 16, 30 << 30, integrated=True)
    sources = [
        find_gpu(device, load=lambda name: Nvml(), devfreq=gpu.parent, cuda=cuda(FAST, orin)) for device in (0, 1)
    ]
    assert sources[0].read().memory_total_bytes == 48 << 30
    assert isinstance(sources[1], JetsonSource)


def test_another_boards_gpu_is_not_taken_for_a_jetsons(tmp_path):
    gpu, _ = jetson(tmp_path, 'fde60000.gpu')

    def no_library(name):
        raise OSError(f'{name}: cannot open shared object file')

    assert find_gpu(0, load=no_library, devfreq=gpu.parent, cuda=cuda(FAST)) is None


@pytest.mark.parametrize(('device', 'total'), [(0, 48 << 30), (1, 4 << 30)])
def test_the_gpu_is_the_one_that_cuda_means_where_nvml_counts_otherwise(tmp_path, device, total):
    source = find_gpu(device, load=lambda name: Nvml(), devfreq=tmp_path, cuda=cuda(*BY_CUDA))
    assert source.read().memory_total_bytes == total


# With CUDA_VISIBLE_DEVICES=1, =GPU-9a8b7c6d or =MIG-..., CUDA has one GPU left, its number 0, whatever NVML has.
def test_a_gpu_that_is_the_only_visible_one_is_found_among_all(tmp_path):
    source = find_gpu(0, load=lambda name: Nvml(), devfreq=tmp_path, cuda=cuda(SLOW))
    assert source.read().memory_total_bytes == 4 << 30


def test_a_gpu_that_cuda_does_not_see_has_no_source(tmp_path):
    assert find_gpu(0, load=lambda name: Nvml(), devfreq=tmp_path, cuda=cuda()) is None
    assert find_gpu(2, load=lambda name: Nvml(), devfreq=tmp_path, cuda=cuda(*BY_CUDA)) is None


class Driver:
    """libcuda as ctypes gives it, as much as tells which GPU is meant; 100 is CUDA_ERROR_NO_DEVICE."""

    def __init__(self, *, status=0):
        self.status = status

    def cuDeviceGet(self, device, index):
        device._obj.value = index
        return 0

    def cuDeviceGetName(self, text, size, device):
        text.value = BY_CUDA[device.value].name.encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory, device):
        memory._obj.value = BY_CUDA[device.value].memory_bytes
        return 0

    def cuDeviceGetAttribute(self, number, attribute, device):
        gpu = BY_CUDA[device.value]
        major, minor = map(int, gpu.compute_capability.split('.'))
        number._obj.value = {75: major, 76: minor, 16: gpu.multiprocessors, 18: 0}[attribute]
        return 0

    def cuDeviceGetUuid_v2(self, raw, device):
        if self.status == 0:
            raw.raw = uuid.UUID(BY_CUDA[device.value].uuid).bytes
        return self.status

    def cuDeviceGetPCIBusId(self, text, size, device):
        if self.status == 0:
            text.value = BY_CUDA[device.value].pci_address.encode()
        return self.status


class DriverBefore114(Driver):
    """It has the first form of the UUID's function only."""

    cuDeviceGetUuid = Driver.cuDeviceGetUuid_v2
    cuDeviceGetUuid_v2 = None


@pytest.mark.parametrize('driver', [Driver(), DriverBefore114()])
def test_the_probe_tells_which_gpu_each_of_cudas_numbers_is(driver):
    assert tuple(Gpu(**cuda_probe._gpu(driver, index)) for index in range(2)) == BY_CUDA


def test_a_driver_that_does_not_tell_is_no_failure():
    assert Gpu(**cuda_probe._gpu(Driver(status=100), 0)) == replace(FAST, uuid='', pci_address='')


def test_without_a_driver_there_is_nothing_to_ask(tmp_path):
    assert find_gpu(0, load=lambda name: Nvml(init_status=9), devfreq=tmp_path, cuda=cuda(FAST)) is None
    assert find_gpu(0, load=lambda name: object(), devfreq=tmp_path, cuda=cuda(FAST)) is None
    status = GpuStatus(None)
    status.refresh()
    assert not status.there
    assert status.reading.rows() == {}


def test_the_source_is_asked_once_a_second_however_often_it_is_refreshed():
    now = [0.0]
    library = Nvml()
    status = GpuStatus(NvmlSource(library, FAST), clock_s=lambda: now[0])
    for tenth in range(31):
        now[0] = tenth / 10
        status.refresh()
        assert status.reading.memory_total_bytes == 48 << 30
    assert len(library.asked) == 4
