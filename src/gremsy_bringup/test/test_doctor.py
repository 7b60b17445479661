# SPDX-License-Identifier: Apache-2.0
"""The doctor on machines that do not exist: each lack is named with its way out, and nothing ends in a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gremsy_bringup.doctor import camera_checks, doctor_checks, doctor_command
from gremsy_bringup.doctor.doctor_command import verdict
from gremsy_bringup.doctor.doctor_table import Check, ask_all, table
from gremsy_bringup.robot_doctor.host_view import Host, Owner, ProgramResult
from gremsy_common.installing import pip_install
from gremsy_common.machine.cuda_probe import look
from gremsy_detector.backends.tensorrt.tensorrt_kinds import KINDS, Kind


@dataclass(frozen=True)
class FakeMachine(Host):
    """Answers from tables; `answers` maps a word in the probe's code to what the child ends with."""

    environment: Mapping[str, str] = field(default_factory=dict)
    answers: dict[str, ProgramResult] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    allowed: bool = True
    free: int = 10**12
    port_free: bool = True

    def run_python(self, code: str, timeout_s: float = 20.0) -> ProgramResult:
        for word, outcome in self.answers.items():
            if word in code:
                return outcome
        return ProgramResult(1, '', "Traceback ...\nModuleNotFoundError: No module named 'nothing'")

    def has_module(self, name: str) -> bool:
        return name in self.modules

    def has(self, program: str) -> bool:
        return False

    def may_open(self, path: str | Path) -> bool:
        return self.allowed

    def owner(self, path: str | Path) -> Owner:
        return Owner(0, 44, 0o660)

    def free_bytes(self, path: str | Path) -> int:
        return self.free

    def udp_port_free(self, port: int) -> bool:
        return self.port_free


def says(**values: Any) -> ProgramResult:
    return ProgramResult(0, 'a warning of some library\n' + json.dumps(values) + '\n', '')


ALL_QUESTIONS = (*doctor_checks.QUESTIONS, *camera_checks.CAMERA_QUESTIONS)
GPU = says(gpus=[{'name': 'NVIDIA Orin'}], driver_version='13.0', reason='')


def test_a_bare_machine_gives_a_row_for_every_question_and_no_exception() -> None:
    checks = ask_all(FakeMachine(free=0, port_free=False), ALL_QUESTIONS)
    assert len(checks) == len(ALL_QUESTIONS)
    assert not any(check.ok for check in checks)
    assert all(check.remedy for check in checks)
    assert verdict(checks).startswith('The demo cannot run here yet: see Python, ROS 2, Middleware, Messages,')


def test_a_probe_that_raises_becomes_a_row() -> None:
    def broken_question(machine: object) -> Check:
        raise OSError('the device went away')

    (check,) = ask_all(FakeMachine(), [broken_question])
    assert check == Check(
        'broken question', False, 'could not look: OSError: the device went away', 'Report this as an issue.'
    )


def test_ros_from_the_system_and_from_wheels_are_told_apart() -> None:
    at = '/opt/ros/jazzy/lib/python3.12/site-packages/rclpy/__init__.py'
    system = FakeMachine(answers={'rclpy': says(at=at)}, environment={'ROS_DISTRO': 'jazzy'})
    wheels = FakeMachine(answers={'rclpy': says(at='/home/a/v/lib/python3.12/site-packages/rclpy/__init__.py')})
    assert doctor_checks.ros(system).found == 'jazzy, system (/opt/ros/jazzy)'
    assert doctor_checks.ros(wheels).found == 'unnamed distribution, PyPI wheels'


def test_a_cuda_driver_that_crashes_its_process_is_reported_not_suffered() -> None:
    check = doctor_checks.gpu(FakeMachine(answers={'cuda_probe': ProgramResult(-11, '', '')}))
    assert (check.ok, check.found) == (False, 'the probe was ended by signal 11')


def test_a_machine_without_an_nvidia_driver_says_so_in_words() -> None:
    found = says(**look('libcuda.so.none'))
    check = doctor_checks.gpu(FakeMachine(answers={'cuda_probe': found}))
    assert check.found == 'the NVIDIA driver is not installed (libcuda.so.none is not found)'


@pytest.mark.parametrize(
    ('kind', 'name'),
    [(kind, name) for kind in KINDS for name in kind.modules],
    ids=lambda each: getattr(each, 'name', each),
)
def test_every_tensorrt_that_the_detector_would_take_is_found_and_not_loaded_where_it_cannot_run(
    kind: Kind, name: str, tmp_path: Path
) -> None:
    """The real child, on modules that end the process when they are imported, as TensorRT does without a GPU."""
    (tmp_path / name).mkdir()
    (tmp_path / name / '__init__.py').write_text('import os; os._exit(139)')
    # No other TensorRT, and no cuda-python, whatever is installed here.
    hide = f'import importlib.util as u; u.find_spec = lambda wanted: wanted if wanted == {name!r} else None'

    class Without(Host):
        def run_python(self, code: str, timeout_s: float = 20.0) -> ProgramResult:
            return super().run_python(f'import sys; sys.path.insert(0, {str(tmp_path)!r}); {hide}\n{code}', timeout_s)

    check = getattr(doctor_checks, kind.name)(Without())
    assert (check.ok, check.needed, check.name) == (False, False, kind.title)
    assert check.found == f'{name} lacks cuda-python, which handles its memory ({pip_install("cuda-python")})'


def test_each_tensorrt_that_is_not_there_has_its_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GREMSY_ENVIRONMENT', 'wheels')
    machine = FakeMachine(answers={'tensorrt': says(module=None, reason='is not installed (pip install x)')})
    assert doctor_checks.tensorrt(machine) == Check(
        'TensorRT',
        False,
        'not installed',
        'Optional, on a robot with an NVIDIA GPU: apt install python3-libnvinfer on a Jetson, ./gremsy exec python -m '
        'pip install tensorrt cuda-python elsewhere.',
    )
    assert doctor_checks.tensorrt_rtx(machine) == Check(
        'TensorRT for RTX',
        False,
        'not installed',
        'Optional, on a PC with an RTX card: ./gremsy exec python -m pip install tensorrt-rtx cuda-python.',
    )


@pytest.mark.parametrize(
    ('builder', 'expected'),
    [
        (True, 'TensorRT 10.3.0, builds engines'),
        (False, 'TensorRT 10.3.0, runtime only: runs engines built for this GPU'),
    ],
)
def test_tensorrt_says_whether_it_can_build_engines(builder: bool, expected: str) -> None:
    answer = says(module='tensorrt', reason=None, title='TensorRT 10.3.0', builder=builder)
    assert doctor_checks.tensorrt(FakeMachine(answers={"'tensorrt'": answer})) == Check('TensorRT', True, expected)


def test_a_changed_model_file_is_noticed() -> None:
    answer = says(name='nanodet_g_416.onnx', digest='0' * 64, fit=False, shape=[1, 3, 416, 416])
    check = doctor_checks.model(FakeMachine(answers={'default_model': answer}))
    assert not check.ok
    assert check.found == 'nanodet_g_416.onnx, sha256 000000000000, input 1x3x416x416: changed'


def test_footage_that_is_not_here_is_no_obstacle() -> None:
    check = doctor_checks.footage(FakeMachine(answers={'find_footage': says(path='')}))
    assert (check.ok, check.needed, check.found) == (False, False, 'not here yet')


def test_this_machine_is_asked_for_the_footage_by_the_name_that_the_module_has() -> None:
    check = doctor_checks.footage(Host())
    assert check.ok or check.found == 'not here yet'


def camera(path: str, **values: Any) -> dict[str, Any]:
    empty = {'path': path, 'name': '', 'source': path, 'formats': [], 'denied_to': '', 'trouble': ''}
    return empty | values


def test_a_camera_without_permission_names_the_group() -> None:
    found = [camera('/dev/video0', name='HD Webcam', denied_to='video'), camera('/dev/video2', denied_to='video')]
    check = camera_checks.cameras(FakeMachine(answers={'found_cameras': says(cameras=found)}))
    assert check.found == (
        '/dev/video0 (HD Webcam): no permission (group video); /dev/video2: no permission (group video)'
    )
    assert check.remedy == 'Run `sudo usermod -aG video $USER` and log in again.'
    assert table([check], 200).startswith('denied   Cameras  /dev/video0 (HD Webcam): no permission')


def test_cameras_are_listed_with_what_they_offer() -> None:
    link = '/dev/v4l/by-id/usb-HD-video-index0'
    formats = ['YUYV to 1280x720 at 10 Hz', 'MJPG to 1920x1080 at 30 Hz']
    found = [
        camera('/dev/video0', name='HD Webcam', source=link, formats=formats),
        camera('/dev/video2', trouble='Input/output error'),
        camera('/dev/video4', name='Depth'),
    ]
    check = camera_checks.cameras(FakeMachine(answers={'found_cameras': says(cameras=found)}))
    assert check == Check(
        'Cameras',
        True,
        f'{link} (HD Webcam): YUYV to 1280x720 at 10 Hz, MJPG to 1920x1080 at 30 Hz; /dev/video2: Input/output error; '
        '/dev/video4 (Depth): no format that is decoded here',
    )


@pytest.mark.parametrize(
    ('answer', 'expected'),
    [
        (
            {'pyav': None, 'gstreamer': 'No gi: apt.', 'opencv': None},
            Check('Network cameras', True, 'read by pyav, opencv. Not by gstreamer: No gi: apt.'),
        ),
        (
            {'pyav': None, 'gstreamer': None, 'opencv': None},
            Check('Network cameras', True, 'read by pyav, gstreamer, opencv'),
        ),
        (
            {'pyav': 'No PyAV: pip.', 'gstreamer': 'No gi: apt.', 'opencv': None},
            Check(
                'Network cameras',
                False,
                'read by opencv, which has no capture time',
                'Optional: pyav: No PyAV: pip. gstreamer: No gi: apt.',
            ),
        ),
        (
            {'pyav': 'No PyAV: pip.', 'gstreamer': 'No gi: apt.', 'opencv': 'No FFmpeg: pip.'},
            Check(
                'Network cameras',
                False,
                'nothing here reads them',
                'Optional: pyav: No PyAV: pip. gstreamer: No gi: apt. opencv: No FFmpeg: pip.',
            ),
        ),
    ],
)
def test_what_reads_network_cameras_is_said_with_what_others_lack(answer: dict[str, Any], expected: Check) -> None:
    assert camera_checks.network_cameras(FakeMachine(answers={'why_not': says(**answer)})) == expected


@pytest.mark.parametrize(
    ('answer', 'expected'),
    [
        (
            {'encoder': 'x264 (PyAV)', 'others': 'nvenc: does not open'},
            Check('Video out', True, 'encoded by x264 (PyAV). Not by nvenc: does not open'),
        ),
        (
            {'encoder': "the Jetson's encoder", 'others': ''},
            Check('Video out', True, "encoded by the Jetson's encoder"),
        ),
        (
            {'problem': 'No encoder for H.264 works here (x264: is not in this PyAV): install one.'},
            Check(
                'Video out',
                False,
                'nothing here encodes H.264',
                'Optional: No encoder for H.264 works here (x264: is not in this PyAV): install one.',
            ),
        ),
    ],
)
def test_what_encodes_video_is_said_with_what_does_not(answer, expected):
    assert camera_checks.video_out(FakeMachine(answers={'choose_encoder': says(**answer)})) == expected


def test_this_machines_encoder_is_found_or_its_lack_explained():
    check = camera_checks.video_out(Host())
    assert check.found.startswith('encoded by ') if check.ok else 'No encoder for H.264 works here' in check.remedy


def test_this_machine_is_asked_for_its_readers_by_the_names_that_the_modules_have() -> None:
    check = camera_checks.network_cameras(Host())
    assert 'opencv' in check.found


def test_this_machine_is_asked_for_its_cameras_by_the_names_that_the_module_has() -> None:
    check = camera_checks.cameras(Host())
    assert check.ok or check.found == 'none' or check.lack == 'denied'


def test_a_port_in_use_names_the_command_that_finds_its_holder() -> None:
    check = doctor_checks.udp_port(FakeMachine(port_free=False))
    assert check.found == '14566, by another program'
    assert table([check], 200).startswith('in use   UDP port  14566, by another program\n')
    assert check.remedy == (
        'End the program that has it (`ss -ulpn sport = :14566`), or choose another for the gimbal.'
    )


@pytest.mark.parametrize(
    ('ports', 'allowed', 'lack', 'found'),
    [
        (['/dev/ttyUSB0', '/dev/ttyACM0'], True, '', '/dev/ttyACM0, /dev/ttyUSB0'),
        (['/dev/ttyUSB0'], False, 'denied', 'no permission for /dev/ttyUSB0 (group 44)'),
        ([], True, 'missing', 'none'),
    ],
)
def test_a_serial_port_that_this_user_may_not_open_names_the_group(
    ports: list[str], allowed: bool, lack: str, found: str, tmp_path: Path
) -> None:
    machine = FakeMachine(root=tmp_path, answers={'list_ports': says(ports=ports)}, allowed=allowed)
    check = doctor_checks.serial_ports(machine)
    assert (check.ok, check.found) == (not lack, found)
    assert check.ok or check.lack == lack


@pytest.mark.parametrize(('free', 'ok'), [(128 * 1024**2 - 1, False), (128 * 1024**2, True)])
def test_shared_memory_must_hold_the_segments(free: int, ok: bool) -> None:
    assert doctor_checks.shared_memory(FakeMachine(free=free)).ok is ok


def test_the_table_wraps_and_marks_what_is_needed() -> None:
    checks = [Check('ROS 2', False, 'not here', 'Run `./gremsy setup`.', needed=True), Check('GPU', True, 'one ' * 20)]
    lines = table(checks, 60).splitlines()
    assert lines[0] == 'MISSING  ROS 2  not here'
    assert lines[1] == '                -> Run `./gremsy setup`.'
    assert lines[2].startswith('ok       GPU    one one')
    assert max(map(len, lines)) <= 60


def test_json_is_one_object_with_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [Check('ROS 2', True, 'jazzy', needed=True), Check('GPU', False, 'none')]
    monkeypatch.setattr(doctor_command, 'ask_all', lambda *_: checks)
    with pytest.raises(SystemExit) as ended:
        doctor_command.main(['--json'])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document['demo_can_run'] is True
    assert document['checks'][1] == {
        'name': 'GPU',
        'ok': False,
        'found': 'none',
        'remedy': '',
        'needed': False,
        'lack': 'missing',
    }


def test_this_machine_is_examined_without_an_exception() -> None:
    checks = ask_all(Host(), [doctor_checks.python, doctor_checks.disk, doctor_checks.udp_port])
    assert not any('could not look' in check.found for check in checks)
    assert checks[0].ok


def test_every_remedy_names_options_that_there_are() -> None:
    checks = ask_all(FakeMachine(free=0, port_free=False), ALL_QUESTIONS)
    text = ' '.join(check.remedy for check in checks)
    assert set(re.findall(r'`./gremsy ([^`]*)`', text)) == {'setup', 'setup --extra encode', 'run'}
    assert not re.search(r'docker/|rtsp', text)


def test_images_by_dds_are_lossy_until_the_profile_is_set() -> None:
    lossy = doctor_checks.image_memory(FakeMachine())
    assert (lossy.ok, lossy.lack) == (False, 'lossy')
    assert lossy.remedy == (
        "Set FASTRTPS_DEFAULT_PROFILES_FILE and FASTDDS_DEFAULT_PROFILES_FILE to gremsy_bringup's "
        "config/fastdds_shm.xml in the shell that starts the camera's node."
    )
    profile = Path(__file__).parents[1] / 'config' / 'fastdds_shm.xml'
    kept = doctor_checks.image_memory(FakeMachine(environment={'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile)}))
    assert (kept.ok, kept.remedy) == (True, '')
