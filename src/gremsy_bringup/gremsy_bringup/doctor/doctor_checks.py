# SPDX-License-Identifier: Apache-2.0
"""The questions of `./gremsy doctor`: one function each, from a `Host` to one row of the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.host_view import Host
from gremsy_common.dds_settings import memory_for_images
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, RTX, Kind

# Where the simulated payload listens by default (gremsy_gimbal_driver's default UDP port).
GIMBAL_UDP_PORT = 14566
_NEEDED_DISK_BYTES = 2 * 1024**3
# One 1080p BGR frame is 6.2 MB; Fast DDS's segments in `config/fastdds_shm.xml` are 32 MB each, one a process.
_NEEDED_SHARED_MEMORY_BYTES = 128 * 1024**2


Question = Callable[[Host], Check]


def probed(machine: Host, code: str) -> tuple[dict[str, Any], str]:
    """The JSON object on the last line of a child that runs this code; of one that failed, its end in a few words."""
    outcome = machine.run_python(code)
    lines = outcome.output.strip().splitlines()
    if outcome.status == 0 and lines:
        return json.loads(lines[-1]), ''
    if outcome.status is not None and outcome.status < 0:
        return {}, f'the probe was ended by signal {-outcome.status}'
    errors = outcome.errors.strip().splitlines()
    return {}, errors[-1] if errors else f'the probe ended with status {outcome.status}'


def python(machine: Host) -> Check:
    """Which interpreter."""
    answer, why_not = probed(
        machine,
        'import json, sys; print(json.dumps({"version": sys.version.split()[0], "at": sys.executable,'
        ' "fit": sys.version_info >= (3, 10)}))',
    )
    if why_not:
        return Check('Python', False, why_not, 'Reinstall Python 3.10 or newer.', needed=True)
    remedy = '' if answer['fit'] else 'Install Python 3.10 or newer and run `./gremsy setup`.'
    return Check('Python', answer['fit'], f'{answer["version"]} at {answer["at"]}', remedy, needed=True)


def ros(machine: Host) -> Check:
    """Which ROS 2, and from where."""
    answer, why_not = probed(machine, 'import json, rclpy; print(json.dumps({"at": rclpy.__file__}))')
    if why_not:
        return Check('ROS 2', False, why_not, 'Run `./gremsy setup`, or source a ROS 2 first.', needed=True)
    place = str(answer['at'])
    origin = f'system ({Path(place).parents[4]})' if place.startswith('/opt/ros/') else 'PyPI wheels'
    distribution = machine.environment.get('ROS_DISTRO', 'unnamed distribution')
    return Check('ROS 2', True, f'{distribution}, {origin}', needed=True)


def middleware(machine: Host) -> Check:
    """Which RMW, and whether it loads."""
    answer, why_not = probed(
        machine, 'import json, rclpy; print(json.dumps({"rmw": rclpy.get_rmw_implementation_identifier()}))'
    )
    if why_not:
        remedy = 'Unset RMW_IMPLEMENTATION, or install the middleware that it names.'
        return Check('Middleware', False, why_not, remedy, needed=True)
    return Check('Middleware', True, str(answer['rmw']), needed=True)


def interfaces(machine: Host) -> Check:
    """The message packages."""
    names = ('sensor_msgs', 'diagnostic_msgs', 'visualization_msgs', 'vision_msgs', 'tf2_msgs')
    missing = [name for name in names if not machine.has_module(name)]
    if missing:
        remedy = 'Run `./gremsy setup` (it builds the underlay), or install them with rosdep.'
        return Check('Messages', False, f'missing: {", ".join(missing)}', remedy, needed=True)
    return Check('Messages', True, ', '.join(names), needed=True)


def launch(machine: Host) -> Check:
    """`ros2 launch`."""
    if machine.has('ros2') and machine.has_module('launch_ros'):
        return Check('ros2 launch', True, 'present')
    return Check('ros2 launch', False, 'not here', 'Use `./gremsy run`: it starts and watches the same processes.')


_CUDA_PROBE = """
import json
from gremsy_common.machine.cuda_probe import look
print(json.dumps(look()))
"""


def gpu(machine: Host) -> Check:
    """An NVIDIA GPU with its driver; asked in a child, since a broken driver may end the process."""
    answer, why_not = probed(machine, _CUDA_PROBE)
    if why_not or answer['reason']:
        return Check(
            'GPU (CUDA)', False, why_not or answer['reason'], 'Optional: detection runs on the CPU without it.'
        )
    names = ', '.join(each['name'] for each in answer['gpus'])
    return Check('GPU (CUDA)', True, f'{names}; driver for CUDA {answer["driver_version"]}')


# What the detector itself would find and say; loaded only where it would be, since it crashes without a CUDA device.
_TENSORRT_PROBE = """
import json
from gremsy_detector.backends.tensorrt.tensorrt_kinds import KINDS
from gremsy_detector.backends.tensorrt.tensorrt_library import installed_module, load_library, why_not
kind = next(each for each in KINDS if each.name == {name!r})
answer = {{'module': installed_module(kind), 'reason': why_not(kind)}}
if answer['reason'] is None:
    library = load_library(kind)
    answer |= {{'title': library.title, 'builder': library.has_builder}}
print(json.dumps(answer))
"""


def tensorrt(machine: Host) -> Check:
    """The full TensorRT, or its lean or dispatch runtime."""
    return _tensorrt(machine, FULL, 'on a robot with an NVIDIA GPU')


def tensorrt_rtx(machine: Host) -> Check:
    """TensorRT for RTX."""
    return _tensorrt(machine, RTX, 'on a PC with an RTX card')


def _tensorrt(machine: Host, kind: Kind, where: str) -> Check:
    row = kind.title
    answer, why_not = probed(machine, _TENSORRT_PROBE.format(name=kind.name))
    if why_not:
        return Check(row, False, why_not, 'Reinstall it to match the CUDA driver.')
    if answer['module'] is None:
        return Check(row, False, 'not installed', f'Optional, {where}: {kind.how_to_install}.')
    if answer['reason'] is not None:
        remedy = 'Optional: the detector runs with another back end in the meantime.'
        return Check(row, False, f'{answer["module"]} {answer["reason"]}', remedy)
    does = 'builds engines' if answer['builder'] else 'runtime only: runs engines built for this GPU'
    return Check(row, True, f'{answer["title"]}, {does}')


def onnx_runtime(machine: Host) -> Check:
    """ONNX Runtime and its providers."""
    answer, why_not = probed(
        machine,
        'import json; from gremsy_detector.backends.onnxruntime_providers import load_onnxruntime; '
        'o = load_onnxruntime(); '
        'print(json.dumps({"version": o.__version__, "providers": o.get_available_providers()}))',
    )
    if why_not:
        return Check('ONNX Runtime', False, why_not, 'Run `./gremsy setup`.', needed=True)
    providers = ', '.join(name.removesuffix('ExecutionProvider') for name in answer['providers'])
    return Check('ONNX Runtime', True, f'{answer["version"]}, providers: {providers}', needed=True)


_MODEL_PROBE = """
import hashlib, json
from gremsy_detector.model.default_model import SHA256, default_model_path
from gremsy_detector.backends.onnxruntime_providers import load_onnxruntime
path = default_model_path()
digest = hashlib.sha256(path.read_bytes()).hexdigest()
session = load_onnxruntime().InferenceSession(str(path), providers=['CPUExecutionProvider'])
shape = session.get_inputs()[0].shape
print(json.dumps({'name': path.name, 'digest': digest, 'fit': digest == SHA256, 'shape': shape}))
"""


def model(machine: Host) -> Check:
    """The shipped model: there, unchanged, and it opens."""
    answer, why_not = probed(machine, _MODEL_PROBE)
    if why_not:
        return Check('Model', False, why_not, 'Check out the repository again, then `./gremsy setup`.', needed=True)
    text = f'{answer["name"]}, sha256 {answer["digest"][:12]}, input {"x".join(map(str, answer["shape"]))}'
    if not answer['fit']:
        return Check('Model', False, f'{text}: changed', 'Check out the file again.', needed=True)
    return Check('Model', True, text, needed=True)


_FOOTAGE_PROBE = """
import json, os
from gremsy_camera.footage.footage import cache_directory, find_footage
found = find_footage(cache_directory(os.environ))
print(json.dumps({'path': str(found) if found else ''}))
"""


def footage(machine: Host) -> Check:
    """The demo's default video."""
    answer, why_not = probed(machine, _FOOTAGE_PROBE)
    if why_not:
        return Check('Demo footage', False, why_not, 'Run `./gremsy setup`.')
    if not answer['path']:
        remedy = '`./gremsy demo` fetches it once (96 MB), or takes a video of yours with `--video FILE`.'
        return Check('Demo footage', False, 'not here yet', remedy)
    return Check('Demo footage', True, answer['path'])


_ENCODER_PROBE = """
import json, av
print(json.dumps({'version': av.__version__, 'codecs': sorted(av.codecs_available)}))
"""


def encoder(machine: Host) -> Check:
    """What the demo's film and the stream can be encoded with."""
    hardware = [
        name for name, device in (('NVENC', 'nvidia0'), ('V4L2 M2M', 'v4l2-nvenc')) if machine.there(f'/dev/{device}')
    ]
    aside = f'; hardware: {", ".join(hardware)}' if hardware else ''
    answer, why_not = probed(machine, _ENCODER_PROBE)
    if why_not:
        remedy = 'Optional: `./gremsy setup --extra encode` installs PyAV, whose H.264 plays in browsers too.'
        return Check('Video encoder', False, f'OpenCV mp4v only{aside}', remedy)
    known = ('libopenh264', 'libx264', 'h264_nvenc', 'h264_v4l2m2m')
    present = ', '.join(name for name in known if name in answer['codecs'])
    remedy = '' if present else 'Optional: install a PyAV that was built with an H.264 encoder.'
    return Check('Video encoder', bool(present), f'PyAV {answer["version"]}: {present or "no H.264"}{aside}', remedy)


def serial_ports(machine: Host) -> Check:
    """Serial ports and whether this user may open them."""
    answer, why_not = probed(
        machine,
        'import json; from serial.tools import list_ports; '
        'print(json.dumps({"ports": [port.device for port in list_ports.comports()]}))',
    )
    if why_not:
        return Check('Serial ports', False, why_not, 'Run `./gremsy setup`.', needed=True)
    paths = sorted(map(Path, answer['ports']))
    if not paths:
        return Check('Serial ports', False, 'none', 'Optional: connect the gimbal, or reach it over UDP.')
    closed = [path for path in paths if not machine.may_open(path)]
    if closed:
        owner = machine.owner(closed[0])
        number = owner.group if owner else 0
        group, _ = machine.group_numbered(number) or (str(number), ())
        found = f'no permission for {", ".join(map(str, closed))} (group {group})'
        remedy = f'Run `sudo usermod -aG {group} $USER` and log in again.'
        return Check('Serial ports', False, found, remedy, lack='denied')
    return Check('Serial ports', True, ', '.join(map(str, paths)))


def udp_port(machine: Host) -> Check:
    """The simulated payload's UDP port."""
    if machine.udp_port_free(GIMBAL_UDP_PORT):
        return Check('UDP port', True, f'{GIMBAL_UDP_PORT} is free')
    remedy = f'End the program that has it (`ss -ulpn sport = :{GIMBAL_UDP_PORT}`), or choose another for the gimbal.'
    return Check('UDP port', False, f'{GIMBAL_UDP_PORT}, by another program', remedy, lack='in use')


def disk(machine: Host) -> Check:
    """Room for the environment and the reports."""
    free = machine.free_bytes(Path.cwd())
    remedy = '' if free >= _NEEDED_DISK_BYTES else f'Free {_NEEDED_DISK_BYTES / 1024**3:.0f} GiB.'
    return Check('Disk', not remedy, f'{free / 1024**3:.1f} GiB free', remedy, needed=True)


def shared_memory(machine: Host) -> Check:
    """Room in /dev/shm for the truth ring and Fast DDS."""
    free = machine.free_bytes(Path('/dev/shm'))  # noqa: S108 - asked for its room, nothing is written
    enough = free >= _NEEDED_SHARED_MEMORY_BYTES
    remedy = '' if enough else 'In Docker start the container with `--shm-size=256m`.'
    return Check('Shared memory', enough, f'{free / 1024**2:.0f} MiB free in /dev/shm', remedy, needed=True)


def image_memory(machine: Host) -> Check:
    """Whether images get from a node that is started alone to other processes."""
    memory = memory_for_images(machine.environment)
    remedy = f'{memory.remedy[:1].upper()}{memory.remedy[1:]}.' if memory.remedy else ''
    return Check('Images by DDS', memory.enough, memory.found, remedy, lack='lossy')


QUESTIONS: tuple[Question, ...] = (
    python,
    ros,
    middleware,
    interfaces,
    launch,
    gpu,
    tensorrt,
    tensorrt_rtx,
    onnx_runtime,
    model,
    footage,
    encoder,
    serial_ports,
    udp_port,
    disk,
    shared_memory,
    image_memory,
)
