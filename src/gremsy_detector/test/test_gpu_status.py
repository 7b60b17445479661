# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N802 - the fake has the C library's own names
"""GPU memory and clocks from NVML's own calls and from a Jetson's files; what is not known is left out."""

import pytest

from gremsy_detector.gpu_status import GpuReading, GpuStatus, JetsonSource, NvmlSource, find_gpu


class Nvml:
    """The library as ctypes gives it: functions that write through their last argument and return a status."""

    def __init__(self, *, devices=2, memory_status=0, clock_status=0, init_status=0):
        self.devices = devices
        self.memory_status = memory_status
        self.clock_status = clock_status
        self.init_status = init_status
        self.asked = []

    def nvmlInit_v2(self):
        return self.init_status

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        self.asked.append(index)
        if index >= self.devices:
            return 2
        handle._obj.value = 1000 + index
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle, memory):
        assert handle.value >= 1000
        memory._obj.total, memory._obj.free, memory._obj.used = 8 << 30, 6 << 30, 2 << 30
        return self.memory_status

    def nvmlDeviceGetClockInfo(self, handle, kind, clock):
        clock._obj.value = {0: 918, 2: 2133}[kind]
        return self.clock_status

    def nvmlDeviceGetMaxClockInfo(self, handle, kind, clock):
        clock._obj.value = 1300
        return self.clock_status


def test_nvml_tells_memory_and_clocks():
    assert NvmlSource(Nvml(), 0).read().rows() == {
        'GPU memory used (MiB)': '2048',
        'GPU memory total (MiB)': '8192',
        'GPU clock (MHz)': '918',
        'GPU clock limit (MHz)': '1300',
        'GPU memory clock (MHz)': '2133',
    }


def test_what_nvml_does_not_know_is_left_out():
    assert NvmlSource(Nvml(clock_status=3), 0).read() == GpuReading(2 << 30, 8 << 30)
    assert NvmlSource(Nvml(memory_status=3, clock_status=3), 0).read().rows() == {}


def test_a_gpu_that_fell_off_the_bus_has_no_rows_and_comes_back():
    library = Nvml()
    source = NvmlSource(library, 1)
    library.devices = 0
    assert source.read() == GpuReading()
    library.devices = 2
    assert source.read().memory_total_bytes == 8 << 30


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
    )


def test_files_that_are_missing_or_odd_are_left_out(tmp_path):
    gpu, meminfo = jetson(tmp_path)
    (gpu / 'cur_freq').write_text('<unknown>\n')
    (gpu / 'max_freq').unlink()
    meminfo.write_text('MemTotal: lots\n')
    assert JetsonSource(gpu, meminfo).read() == GpuReading()
    assert JetsonSource(tmp_path / 'gone', tmp_path / 'gone').read() == GpuReading()


@pytest.mark.parametrize('name', ['17000000.gpu', '17000000.ga10b', '17000000.gv11b', 'gpu-gpc-0'])
def test_a_jetson_is_known_by_its_devfreq_folder(tmp_path, name):
    gpu, _ = jetson(tmp_path, name)
    source = find_gpu(0, load=lambda name: Nvml(), devfreq=gpu.parent, environment={})
    assert isinstance(source, JetsonSource)


def test_another_boards_gpu_is_not_taken_for_a_jetsons(tmp_path):
    gpu, _ = jetson(tmp_path, 'fde60000.gpu')

    def no_library(name):
        raise OSError(f'{name}: cannot open shared object file')

    assert find_gpu(0, load=no_library, devfreq=gpu.parent, environment={}) is None


@pytest.mark.parametrize(
    ('device', 'visible', 'asked'), [(0, '', 0), (1, '', 1), (0, '1', 1), (1, '3, 2', 2), (0, 'GPU-8a3b', 0)]
)
def test_the_gpu_is_the_one_that_cuda_means(tmp_path, device, visible, asked):
    library = Nvml(devices=4)
    source = find_gpu(
        device, load=lambda name: library, devfreq=tmp_path, environment={'CUDA_VISIBLE_DEVICES': visible}
    )
    source.read()
    assert library.asked == [asked]


def test_without_a_driver_there_is_nothing_to_ask(tmp_path):
    assert find_gpu(0, load=lambda name: Nvml(init_status=9), devfreq=tmp_path, environment={}) is None
    assert find_gpu(0, load=lambda name: object(), devfreq=tmp_path, environment={}) is None
    status = GpuStatus(None)
    status.refresh()
    assert not status.there
    assert status.reading.rows() == {}


def test_the_source_is_asked_once_a_second_however_often_it_is_refreshed():
    now = [0.0]
    library = Nvml()
    status = GpuStatus(NvmlSource(library, 0), clock_s=lambda: now[0])
    for tenth in range(31):
        now[0] = tenth / 10
        status.refresh()
        assert status.reading.memory_total_bytes == 8 << 30
    assert len(library.asked) == 4
