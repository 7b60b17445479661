# SPDX-License-Identifier: Apache-2.0
"""The tool `gremsy_gimbal` against the simulated payload, over a real socket and a real tty, as a user would run it."""

from __future__ import annotations

import errno
import json
import math
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gremsy_gimbal_driver.calibration.calibration_file import read_calibration
from gremsy_gimbal_driver.cli import moving_gimbal, params
from gremsy_gimbal_driver.cli.gremsy_gimbal import main
from gremsy_gimbal_driver.cli.parameter_file import ParameterFileError, ParameterSnapshot, write_snapshot
from gremsy_gimbal_driver.mavlink.mavlink_encoder import FLAGS_FOLLOW, MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import IMU_AXES
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import RunningPayload, running_payload

TOOL = [sys.executable, '-m', 'gremsy_gimbal_driver.cli.gremsy_gimbal']


@pytest.fixture(params=['udp', 'pty'])
def payload(request: pytest.FixtureRequest) -> Iterator[RunningPayload]:
    with running_payload(transport=request.param) as running:
        yield running


@pytest.fixture
def udp_payload() -> Iterator[RunningPayload]:
    with running_payload() as running:
        yield running


def angles_deg(payload: RunningPayload) -> tuple[float, float]:
    azimuth, tilt = payload.angles_rad
    return math.degrees(azimuth), math.degrees(tilt)


def sit_in_neutral(payload: RunningPayload) -> None:
    """As after a client that died in the middle of a home: NEUTRAL holds until somebody asks for another mode."""
    encoder, gimbal = MavlinkEncoder(Sender(1, 191)), Sender(1, 154)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(('127.0.0.1', int(payload.uri.rpartition(':')[2])))
        client.send(encoder.heartbeat())
        for _ in range(3):
            client.send(encoder.motion(gimbal, (0.0, 0.0, 0.0), flags=FLAGS_FOLLOW | 2))
            time.sleep(0.05)


# info


def test_info_tells_who_is_there_and_how_it_is(payload, capsys):
    assert main(['info', '--link', payload.uri, '--json']) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts['gimbal'] == '1/154'
    assert sorted(facts['components'].values()) == ['camera', 'gimbal', 'payload']
    assert (facts['vendor'], facts['model'], facts['firmware']) == ('GREMSY', 'SIMULATED', '7.9.0')
    assert (facts['protocol'], facts['mode']) == ('v2', 'follow')
    assert (facts['azimuth_deg'], facts['tilt_deg']) == (0.0, 0.0)
    assert (facts['azimuth_limits_deg'], facts['tilt_limits_deg']) == ([-320.0, 320.0], [-90.0, 120.0])
    assert (facts['status'], facts['status_bits']) == (['motors on', 'follow'], 0x11)
    assert (facts['faults'], facts['fault_bits'], facts['voltage_v']) == ([], 0, 12.0)
    assert (facts['health'], facts['health_reasons']) == ('ok', [])
    assert facts['streams_hz']['285 attitude'] == pytest.approx(20.0, rel=0.3)
    assert payload.rate_commands == []


def test_info_of_a_gimbal_in_trouble_that_looks_somewhere_else(capsys):
    options = PayloadOptions(
        start_mode='lock', fault_bits=0x08, firmware=(7, 9, 1), firmware_type=128, has_payload=False, system=4
    )
    with running_payload(options) as running:
        assert main(['info', '--link', running.uri]) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert (lines['gimbal'], lines['components']) == ('4/154', '4/154 gimbal')
    assert (lines['firmware'], lines['mode']) == ('7.9.1 beta', 'lock')
    assert lines['faults'] == 'pan motor fault (0x0008)'
    assert lines['health'] == 'error: pan motor fault'


def test_a_gimbal_of_the_old_protocol_is_seen_too(capsys):
    with running_payload(PayloadOptions(protocol='v1')) as running:
        assert main(['info', '--link', running.uri, '--json']) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts['model'], facts['mode'], facts['health'], facts['health_reasons']) == (
        None,
        'follow',
        'warn',
        ['it has not reported its model'],
    )
    assert '265 orientation' in facts['streams_hz']


def test_info_needs_no_ros(udp_payload):
    code = (
        "import sys\nfor name in ('rclpy', 'std_msgs', 'geometry_msgs', 'sensor_msgs', 'builtin_interfaces'):\n"
        '    sys.modules[name] = None\n'
        'from gremsy_gimbal_driver.cli.gremsy_gimbal import main\n'
        f"sys.exit(main(['info', '--link', '{udp_payload.uri}']))"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, '')
    assert 'GREMSY SIMULATED' in done.stdout


# The link.


def test_without_a_link_the_tool_says_how_to_name_one(capsys, monkeypatch):
    monkeypatch.delenv('GREMSY_LINK', raising=False)
    assert main(['info']) == 2
    assert capsys.readouterr().err == (
        'gremsy_gimbal: No gimbal link was named: give --link udp://192.168.55.1:14566 or '
        '--link serial:///dev/ttyUSB0?baud=115200, or set the environment variable GREMSY_LINK.\n'
    )


def test_the_link_comes_from_the_environment(udp_payload, capsys, monkeypatch):
    monkeypatch.setenv('GREMSY_LINK', udp_payload.uri)
    assert main(['record', 'still']) == 0
    assert capsys.readouterr().out == 'Done: a picture.\n'


@pytest.mark.parametrize(
    ('link', 'sentence'),
    [
        (
            'serial:///dev/no-such-port',
            'There is no serial port /dev/no-such-port: plug the gimbal in, or correct --link.',
        ),
        (
            'tcp://1.2.3.4',
            "The gimbal link 'tcp://1.2.3.4' has an unknown scheme 'tcp': "
            'write udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200.',
        ),
    ],
)
def test_a_wrong_link_is_one_sentence_and_status_2(capsys, link, sentence):
    assert main(['info', '--link', link]) == 2
    assert capsys.readouterr().err == f'gremsy_gimbal: {sentence}\n'


def test_a_udp_payload_that_a_driver_talks_to_is_left_alone(udp_payload, capsys):
    host, port = '127.0.0.1', int(udp_payload.uri.rpartition(':')[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as driver:
        driver.connect((host, port))
        assert main(['info', '--link', udp_payload.uri]) == 2
    assert capsys.readouterr().err == (
        f'gremsy_gimbal: Another program on this machine already talks to {udp_payload.uri}: stop the driver first, or '
        'use its ROS services and topics instead of this tool.\n'
    )
    assert main(['record', 'stop', '--link', udp_payload.uri]) == 0


def test_a_serial_port_that_a_driver_holds_is_one_sentence(capsys):
    with running_payload(transport='pty') as running:
        device = running.uri.removeprefix('serial://')
        holder = subprocess.Popen(
            [
                sys.executable,
                '-c',
                'import sys\nfrom gremsy_gimbal_driver.links.serial_link import SerialLink\n'
                f'link = SerialLink({device!r})\nlink.open()\n'
                "print('held', flush=True)\nsys.stdin.read()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == 'held\n'
        assert main(['info', '--link', running.uri]) == 2
        holder.communicate('')
    assert capsys.readouterr().err == (
        f'gremsy_gimbal: Another program holds the serial port {device}: stop the driver first, or use its ROS '
        'services and topics instead of this tool.\n'
    )


@pytest.mark.slow
def test_silence_is_said_with_what_to_check(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(('127.0.0.1', 0))
        uri = f'udp://127.0.0.1:{silent.getsockname()[1]}'
        assert main(['record', 'stop', '--link', uri]) == 1
    assert capsys.readouterr().err == (
        f'gremsy_gimbal: Nothing answers on {uri} within 5 s: check the power and the address, and that no driver '
        'elsewhere talks to it.\n'
    )


@pytest.mark.slow
def test_another_device_on_the_port_is_said(capsys):
    master, slave = pty.openpty()
    end = threading.Event()

    def babble() -> None:
        while not end.wait(0.05):
            os.write(master, b'$GPGGA,not,mavlink*00\r\n')

    thread = threading.Thread(target=babble)
    thread.start()
    try:
        assert main(['info', '--link', f'serial://{os.ttyname(slave)}']) == 1
    finally:
        end.set()
        thread.join()
        os.close(master)
        os.close(slave)
    assert re.fullmatch(
        r'gremsy_gimbal: No gimbal on serial://\S+: \d+ bytes came in 5 s and no MAVLink 2 message among them; '
        r'check the baud rate and which device is wired there\.\n',
        capsys.readouterr().err,
    )


# move


def test_move_turns_to_angles_and_disarms(payload, capsys):
    assert main(['move', '--link', payload.uri, '--azimuth', '8', '--tilt', '-4', '--yes']) == 0
    assert angles_deg(payload) == (pytest.approx(8.0, abs=1.5), pytest.approx(-4.0, abs=1.5))
    assert capsys.readouterr().out.startswith('Done: azimuth ')
    time.sleep(0.3)
    assert payload.rate_commands[-1][1:] == (0.0, 0.0)


def test_move_by_rates_lasts_as_long_as_was_asked(udp_payload, capsys):
    assert main(['move', '--link', udp_payload.uri, '--rate', '10', '-5', '--for', '1', '--yes']) == 0
    azimuth, tilt = angles_deg(udp_payload)
    assert azimuth == pytest.approx(10.0, abs=2.0)
    assert tilt == pytest.approx(-5.0, abs=1.5)
    moved = [at for at, *rates in udp_payload.rate_commands if any(rates)]
    assert moved[-1] - moved[0] == pytest.approx(1.0, abs=0.4)


def test_a_move_by_rates_ends_when_the_gimbal_falls_silent(capsys):
    with running_payload() as running:
        plug = next(iter(running.uris))
        unplugged = threading.Thread(
            target=lambda: (wait_until_turning(running), running.control(f'unplug {plug}')), name='unplugged'
        )
        unplugged.start()
        began_s = time.monotonic()
        assert main(['move', '--link', running.uri, '--rate', '10', '0', '--for', '20', '--yes']) == 1
        assert time.monotonic() - began_s < 15
        unplugged.join()
    assert capsys.readouterr().err == (
        'gremsy_gimbal: The move ended: no attitude came from the gimbal for 1 s; check its link and power.\n'
    )


def wait_until_turning(running: RunningPayload) -> None:
    while running.rates_rad_s[0] < 0.1:
        time.sleep(0.02)


def test_a_rate_that_moves_nothing_is_not_done(capsys):
    with running_payload(PayloadOptions(stalled_axis='azimuth')) as running:
        assert main(['move', '--link', running.uri, '--rate', '10', '5', '--for', '0.5', '--yes']) == 1
    assert capsys.readouterr().err == (
        'gremsy_gimbal: The azimuth did not move, although the gimbal was commanded to turn at 10 deg/s of azimuth and '
        '5 deg/s of tilt for 0.5 s: such a rate may be within its dead zone (2 deg/s on some: try a faster one), it '
        'may be at its limit, or something holds it.\n'
    )


@pytest.mark.parametrize('way', [['move', '--azimuth', '10'], ['move', '--rate', '10', '0', '--for', '1']])
def test_a_gimbal_that_sits_in_neutral_is_brought_out_of_it_and_moves(way, udp_payload):
    sit_in_neutral(udp_payload)
    assert main([*way, '--link', udp_payload.uri, '--yes']) == 0
    assert angles_deg(udp_payload)[0] == pytest.approx(10.0, abs=2.0)


def test_a_gimbal_that_stays_in_neutral_is_said_with_what_helps(udp_payload, capsys, monkeypatch):
    monkeypatch.setattr(moving_gimbal, '_MODE_WAIT_S', 1.0)
    sit_in_neutral(udp_payload)
    udp_payload.payload.gimbal.modes.forwards_flags = False  # an MB1 board with a mode of its own, NEUTRAL
    udp_payload.payload.gimbal.modes.board_mode = GimbalMode.HOME
    assert main(['move', '--azimuth', '10', '--link', udp_payload.uri, '--yes']) == 1
    assert capsys.readouterr().err == (
        'gremsy_gimbal: Nothing moved: the gimbal stays in mode home, although follow was requested for 1 s: let no '
        'other program command it; on a payload, check `gremsy_gimbal params get rc_mode`: it obeys in `standard` '
        'only.\n'
    )


def test_a_move_keeps_the_mode_that_the_gimbal_is_in():
    with running_payload(PayloadOptions(start_mode='lock')) as running:
        assert main(['move', '--link', running.uri, '--azimuth', '5', '--yes']) == 0
        assert reported_mode(running) is GimbalMode.LOCK


def test_unconfirmed_nothing_moves(udp_payload, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdin, 'isatty', lambda: False, raising=False)
    assert main(['move', '--link', udp_payload.uri, '--azimuth', '20']) == 1
    assert capsys.readouterr().err == (
        f'gremsy_gimbal: The gimbal 1/154 on {udp_payload.uri} is at azimuth 0.0 deg, tilt 0.0 deg. '
        'Turn it to azimuth 20 deg? Nothing was done, since there is no terminal to confirm on: give --yes.\n'
    )
    assert typed('yes\n', 'move', '--link', udp_payload.uri, '--azimuth', '20') == 1
    assert udp_payload.rate_commands == []
    assert angles_deg(udp_payload) == (0.0, 0.0)


def test_a_typed_confirmation_moves(udp_payload):
    done = typed('move\n', 'move', '--link', udp_payload.uri, '--azimuth', '5')
    assert done == 0
    assert angles_deg(udp_payload)[0] == pytest.approx(5.0, abs=1.5)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ([], 'give either --azimuth and --tilt, or --rate with --for'),
        (
            ['--azimuth', '1', '--rate', '1', '1', '--for', '1'],
            'give either --azimuth and --tilt, or --rate with --for',
        ),
        (['--rate', '1', '1'], '--rate needs --for SECONDS, so that it ends'),
        (['--azimuth', '1', '--for', '1'], '--for belongs to --rate; an angle ends by itself'),
        (['--rate', '1', 'nan', '--for', '1'], 'every number must be finite'),
        (['--tilt', 'inf'], 'every number must be finite'),
        (['--rate', '1', '1', '--for', '61'], '--for is 61 s, use more than 0 and at most 60'),
        (['--azimuth', '1', '--timeout', '0'], '--timeout is 0 s, use more than 0 and at most 60'),
        (['--azimuth', '1', '--max-rate', '61'], '--max-rate is 61 deg/s, use more than 0 and at most 60'),
        (
            ['--rate', '31', '0', '--for', '1'],
            '--rate is beyond --max-rate (30 deg/s); give a smaller one, or raise that to at most 60',
        ),
    ],
)
def test_a_move_that_cannot_be_meant_is_one_sentence_and_opens_nothing(capsys, arguments, sentence):
    assert main(['move', '--link', 'serial:///dev/no-such-port', '--yes', *arguments]) == 2
    assert capsys.readouterr().err == f'gremsy_gimbal: Nothing moved: {sentence}.\n'


def test_a_goal_beyond_the_limits_is_refused_or_blocked_with_its_reason(udp_payload, capsys):
    assert main(['move', '--link', udp_payload.uri, '--tilt', '-80', '--yes']) == 1
    said = capsys.readouterr().err
    assert said.startswith(('gremsy_gimbal: The move ended (blocked): ', 'gremsy_gimbal: Nothing moved: '))
    assert 'limit' in said
    assert angles_deg(udp_payload)[1] > -47.0


def test_a_stalled_axis_is_said(capsys):
    with running_payload(PayloadOptions(stalled_axis='azimuth')) as running:
        assert main(['move', '--link', running.uri, '--azimuth', '10', '--yes']) == 1
    assert capsys.readouterr().err.startswith('gremsy_gimbal: The move ended (stalled): ')


def test_with_its_motors_off_nothing_is_tried(capsys):
    with running_payload(PayloadOptions(start_mode='off')) as running:
        assert main(['move', '--link', running.uri, '--azimuth', '10', '--yes']) == 1
        assert running.rate_commands == []
    assert capsys.readouterr().err == (
        'gremsy_gimbal: Nothing moved: the motors are off; switch them on with `gremsy_gimbal mode follow` first.\n'
    )


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_every_signal_stops_the_gimbal(udp_payload, number):
    arguments = ['move', '--link', udp_payload.uri, '--rate', '10', '0', '--for', '30', '--yes']
    child = subprocess.Popen([*TOOL, *arguments], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(any(rates) for _, *rates in udp_payload.rate_commands))
    child.send_signal(number)
    sent_s = time.monotonic()
    _, said = child.communicate(timeout=20)
    assert child.returncode == (-number if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        assert said == f'gremsy_gimbal: {number.name}: stopped and disarmed.\n'
    wait_until(lambda: udp_payload.rate_commands[-1][1:] == (0.0, 0.0))
    last_motion_s = max(at for at, *rates in udp_payload.rate_commands if any(rates))
    assert last_motion_s < sent_s + 0.5
    wait_until(lambda: abs(udp_payload.rates_rad_s[0]) < math.radians(0.5))


def test_calibrated_signs_are_used(tmp_path, capsys):
    file = tmp_path / 'gimbal.yaml'
    file.write_text('not: a calibration\n')
    with running_payload() as running:
        assert main(['move', '--link', running.uri, '--azimuth', '5', '--calibration', str(file), '--yes']) == 1
        assert running.rate_commands == []
    assert str(file) in capsys.readouterr().err


# mode


def reported_mode(payload: RunningPayload) -> GimbalMode:
    done = subprocess.run([*TOOL, 'info', '--link', payload.uri, '--json'], capture_output=True, text=True, timeout=60)
    return GimbalMode(json.loads(done.stdout)['mode'])


@pytest.mark.parametrize('mode', ['lock', 'off', 'mapping', 'follow'])
def test_mode_waits_until_the_gimbal_reports_it(udp_payload, capsys, mode):
    assert main(['mode', mode, '--link', udp_payload.uri, '--yes']) == 0
    assert capsys.readouterr().out == f'Done: the gimbal is in mode {mode}; disarmed.\n'
    assert reported_mode(udp_payload) is GimbalMode(mode)


def test_home_looks_straight_ahead_in_whatever_mode(capsys):
    with running_payload(PayloadOptions(start_mode='lock')) as running:
        assert main(['move', '--link', running.uri, '--azimuth', '8', '--tilt', '5', '--yes']) == 0
        assert main(['mode', 'home', '--link', running.uri, '--yes']) == 0
        assert angles_deg(running) == (pytest.approx(0.0, abs=1.5), pytest.approx(0.0, abs=1.5))
    assert capsys.readouterr().out.endswith('Done: the camera looks straight ahead; stopped and disarmed.\n')


@pytest.mark.slow
def test_a_gimbal_that_does_not_take_the_mode_is_said(capsys):
    with running_payload(PayloadOptions(rc_mode=0)) as running:
        assert main(['mode', 'lock', '--link', running.uri, '--yes']) == 1
    assert capsys.readouterr().err == (
        'gremsy_gimbal: The gimbal is not in mode lock after 8 s (the gimbal stays in follow): let no other program '
        'command it; on a payload, check `gremsy_gimbal params get rc_mode`: it obeys in `standard` only.\n'
    )


# params


@pytest.mark.slow
def test_parameters_are_read_set_saved_compared_and_restored(payload, tmp_path, capsys):
    def tool(*arguments: str) -> tuple[int, str]:
        status = main(['params', arguments[0], '--link', payload.uri, *arguments[1:]])
        return status, capsys.readouterr().out

    file = str(tmp_path / 'saved.json')
    status, listed = tool('list')
    assert status == 0
    assert 'camera C_SOURCE 0' in listed.splitlines()
    assert any(line.startswith('gimbal PWR_TILT ') for line in listed.splitlines())
    assert tool('save', file)[0] == 0
    saved = json.loads(Path(file).read_text())
    assert (saved['model'], saved['camera']['C_SOURCE']) == ('SIMULATED', 0)
    assert tool('diff', file) == (0, 'No difference.\n')
    assert tool('set', 'PWR_TILT', '41') == (0, 'Parameter `PWR_TILT` is 41 (written).\n')
    assert tool('set', 'view_source', 'ir') == (0, 'Done: the setting view_source = ir; C_SOURCE reads 2.\n')
    assert tool('get', 'view_source') == (0, 'view_source = ir\n')
    assert tool('get', 'C_SOURCE', '--of', 'camera') == (0, 'C_SOURCE = 2\n')
    assert tool('get', 'PWR_TILT') == (0, 'PWR_TILT = 41\n')
    before = saved['gimbal']['PWR_TILT']
    lines = f'gimbal PWR_TILT: file {before}, device 41\ncamera C_SOURCE: file 0, device 2\n'
    assert tool('diff', file) == (1, lines)
    assert tool('restore', file, '--yes') == (0, f'{lines}Restored 2 parameters.\n')
    assert tool('restore', file, '--yes') == (0, 'Nothing to restore: the device has these values.\n')


def test_parameters_and_settings_are_set_and_read_back(payload, capsys):
    assert main(['params', 'set', 'PWR_TILT', '41', '--link', payload.uri]) == 0
    assert main(['params', 'set', 'view_source', 'ir', '--link', payload.uri]) == 0
    assert main(['params', 'get', 'C_SOURCE', '--of', 'camera', '--link', payload.uri]) == 0
    assert capsys.readouterr().out == (
        'Parameter `PWR_TILT` is 41 (written).\nDone: the setting view_source = ir; C_SOURCE reads 2.\nC_SOURCE = 2\n'
    )


@pytest.mark.parametrize(
    ('arguments', 'status', 'sentence'),
    [
        (
            ['get', 'NO_SUCH'],
            1,
            'The gimbal did not answer for parameter `NO_SUCH`: its firmware has no such parameter, or gTune is '
            'connected and takes the replies: disconnect it and try again.',
        ),
        (['set', 'PWR_TILT', 'much'], 2, "PWR_TILT cannot be 'much': use a whole number."),
        (
            ['set', 'view_source', 'loud'],
            1,
            "The setting 'view_source' cannot be 'loud': use one of eo_ir, eo, ir, ir_eo, sync, side_by_side.",
        ),
        (
            ['set', 'GB_MODE', '0', '--of', 'camera'],
            1,
            'The camera parameter GB_MODE moves the gimbal, so it was not sent: '
            "set the mode with the driver's own services or `gremsy_gimbal mode`.",
        ),
        (
            ['restore', '/no/such/file', '--yes'],
            1,
            "The file '/no/such/file' cannot be read (No such file or directory): check its name.",
        ),
    ],
)
def test_what_is_wrong_with_a_parameter_is_one_sentence(udp_payload, capsys, arguments, status, sentence):
    assert main(['params', arguments[0], '--link', udp_payload.uri, *arguments[1:]]) == status
    assert capsys.readouterr().err == f'gremsy_gimbal: {sentence}\n'


@pytest.mark.parametrize(
    ('content', 'why'),
    [
        ('{', 'it is not JSON'),
        ('{}', "it has neither 'gimbal' nor 'camera'"),
        ('{"gimbal": 3}', "'gimbal' is not a list of names and values"),
        ('{"gimbal": {"PWR_TILT": true}}', 'gimbal PWR_TILT is True and not a whole number'),
        ('{"gimbal": {"PWR_TILT": 1.5}}', 'gimbal PWR_TILT is 1.5 and not a whole number'),
    ],
)
def test_a_file_that_is_none_changes_nothing(udp_payload, tmp_path, capsys, content, why):
    file = tmp_path / 'wrong.json'
    file.write_text(content)
    assert main(['params', 'restore', str(file), '--link', udp_payload.uri, '--yes']) == 1
    assert capsys.readouterr().err.startswith(
        f"gremsy_gimbal: '{file}' is not a file of `gremsy_gimbal params save`: {why}"
    )


def test_a_restore_that_is_not_confirmed_writes_nothing(udp_payload, tmp_path, capsys):
    file = tmp_path / 'wanted.json'
    file.write_text('{"gimbal": {"PWR_TILT": 33, "VERSION_X": 9}}')
    assert main(['params', 'restore', str(file), '--link', udp_payload.uri]) == 1
    assert 'give --yes' in capsys.readouterr().err
    assert main(['params', 'restore', str(file), '--link', udp_payload.uri, '--yes']) == 0
    out = capsys.readouterr().out
    # What the firmware is cannot be restored, and a name that only the device has is left alone.
    assert out.endswith('Restored 1 parameter.\n')


def test_what_did_not_come_whole_is_not_saved(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(params, '_LIST_WAIT_S', 0.5)
    file = tmp_path / 'saved.json'
    with running_payload(PayloadOptions(parameter_lost_share=0.5)) as running:
        assert main(['params', 'save', str(file), '--link', running.uri]) == 1
    assert re.fullmatch(
        r'gremsy_gimbal: The gimbal sent \d+ of 38 parameters: check the link, which loses messages, and try again\.\n',
        capsys.readouterr().err,
    )
    assert not file.exists()


def test_a_bare_gimbal_has_only_its_own_parameters(tmp_path, capsys):
    with running_payload(PayloadOptions(has_payload=False)) as running:
        file = str(tmp_path / 'bare.json')
        assert main(['params', 'save', file, '--link', running.uri]) == 0
        assert 'camera' not in json.loads(Path(file).read_text())
        assert main(['params', 'get', 'view_source', '--link', running.uri]) == 1
    assert capsys.readouterr().err == (
        'gremsy_gimbal: This device has no camera (no component from 100 to 105 sends heartbeats), so reading the '
        'parameter C_SOURCE was not sent.\n'
    )


# record, calibrate, sim


def test_recording_goes_to_the_camera(payload, capsys):
    for what, sentence in (
        ('start', 'starting the recording'),
        ('still', 'a picture'),
        ('stop', 'stopping the recording'),
    ):
        assert main(['record', what, '--link', payload.uri]) == 0
        assert capsys.readouterr().out == f'Done: {sentence}.\n'


@pytest.mark.parametrize('way', [(), ('--vendor-still',)])
def test_two_pictures_are_two_on_a_camera_that_means_it_that_way(way):
    """Each call is a process of its own for the camera, which takes no picture twice for the same number."""
    with running_payload(PayloadOptions(vendor_still=bool(way))) as running:
        for _ in range(2):
            assert main(['record', 'still', *way, '--link', running.uri]) == 0
            time.sleep(1.0)  # of the clock that numbers the pictures
        assert running.payload.camera.recorder.image_count == 2


def test_a_device_without_a_camera_records_nothing(capsys):
    with running_payload(PayloadOptions(has_payload=False)) as running:
        assert main(['record', 'start', '--link', running.uri]) == 1
    assert capsys.readouterr().err == (
        'gremsy_gimbal: This device has no camera (no component from 100 to 105 sends heartbeats), so starting the '
        'recording was not sent.\n'
    )


def test_sim_passes_its_options_on(capsys):
    assert main(['sim', '--udp', '127.0.0.1:0', '--duration', '0.1']) == 0
    assert 'simulated payload ready, preset ideal, seed 0' in capsys.readouterr().out
    assert main(['sim', '--udp', 'nonsense']) == 2


def test_calibrate_refuses_bounds_that_it_cannot_keep(capsys):
    assert main(['calibrate', '--link', 'serial:///dev/no-such-port', '--travel', '90', '--yes']) == 2
    assert capsys.readouterr().err.startswith(
        'gremsy_gimbal: Parameter `calibration_travel_rad` is 1.5708, out of its range: use '
    )


@pytest.mark.slow
def test_calibrate_measures_and_writes_its_file(udp_payload, tmp_path, capsys):
    file = tmp_path / 'gimbal.yaml'
    assert main(['calibrate', '--link', udp_payload.uri, '--output', str(file), '--yes']) == 0
    assert read_calibration(file).imu_axes == IMU_AXES
    assert capsys.readouterr().out.endswith(f"Written to '{file}'.\n")
    assert main(['move', '--link', udp_payload.uri, '--azimuth', '5', '--calibration', str(file), '--yes']) == 0
    assert angles_deg(udp_payload)[0] == pytest.approx(5.0, abs=1.5)


def test_a_reader_that_has_enough_is_no_fault(udp_payload):
    tool = ' '.join([*TOOL, 'params', 'list', '--link', udp_payload.uri])
    done = subprocess.run(['bash', '-c', f'{tool} | head -1'], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, '')


# Helpers.


def wait_until(true, timeout_s: float = 15.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, 'it did not come true in time'
        time.sleep(0.01)


def typed(text: str, *arguments: str) -> int:
    """The tool at a terminal, at which that is typed when it asks."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*TOOL, *arguments])
    said = b''
    while b'Type "' not in said:
        said += os.read(terminal, 4096)
    os.write(terminal, text.encode())
    while True:
        try:
            if not os.read(terminal, 4096):
                break
        except OSError:
            break
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status)


# Files of the user.


def test_parameters_are_saved_over_another_save_and_over_nothing_else(payload, tmp_path, capsys):
    saved, notes = tmp_path / 'before.json', tmp_path / 'notes.json'
    for _ in range(2):
        assert main(['params', 'save', str(saved), '--link', payload.uri]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['before.json']
    notes.write_text('{"my": "notes"}')
    capsys.readouterr()
    assert main(['params', 'save', str(notes), '--link', payload.uri]) == 1
    assert capsys.readouterr() == (
        '',
        f"gremsy_gimbal: '{notes}' exists, and is not a file of `gremsy_gimbal params save`: move it away, or name "
        'another file.\n',
    )
    assert notes.read_text() == '{"my": "notes"}'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['before.json', 'notes.json']


def test_an_earlier_save_with_other_values_is_kept_because_it_may_be_the_only_way_back(payload, tmp_path, capsys):
    saved = tmp_path / 'before.json'
    earlier = ['{"gimbal": {"STIFF_TILT": 1}}', '{"gimbal": {"STIFF_TILT": 2}}']
    for text in earlier:
        saved.write_text(text)
        assert main(['params', 'save', str(saved), '--link', payload.uri]) == 0
    kept = [tmp_path / 'before.1.json', tmp_path / 'before.2.json']
    assert [path.read_text() for path in kept] == earlier
    assert f"The earlier save of that name has other values: it is kept as '{kept[1]}'." in capsys.readouterr().out


def test_a_disk_that_fills_while_the_earlier_save_is_copied_leaves_only_that(tmp_path, monkeypatch):
    saved = tmp_path / 'before.json'
    saved.write_text('{"gimbal": {"STIFF_TILT": 1}}')
    monkeypatch.setattr('os.fsync', lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, 'No space left on device')))
    with pytest.raises(ParameterFileError, match=r'No space left on device'):
        write_snapshot(saved, ParameterSnapshot(values={'gimbal': {'STIFF_TILT': 2}}))
    assert [path.name for path in tmp_path.iterdir()] == ['before.json']
    assert saved.read_text() == '{"gimbal": {"STIFF_TILT": 1}}'


@pytest.mark.parametrize('command', [['params', 'save'], ['calibrate', '--yes', '--output']], ids=' '.join)
def test_nothing_begins_whose_file_could_not_be_written(command, udp_payload, tmp_path, capsys):
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / 'it'
    assert main([*command, str(path), '--link', udp_payload.uri]) == 1
    assert capsys.readouterr() == (
        '',
        f"gremsy_gimbal: '{path}' cannot be written, because '{tmp_path}/file' is no folder that you may write to: "
        'name another file.\n',
    )
    assert udp_payload.rate_commands == []


def test_the_folder_of_a_save_is_made(udp_payload, tmp_path):
    assert main(['params', 'save', str(tmp_path / 'new' / 'before.json'), '--link', udp_payload.uri]) == 0
    assert 'gimbal' in json.loads((tmp_path / 'new' / 'before.json').read_text())


def test_a_calibration_does_not_begin_when_something_else_is_where_it_goes(payload, tmp_path, capsys):
    own = tmp_path / 'robot.yaml'
    own.write_text('/**/gimbal_driver:\n  ros__parameters:\n    azimuth_sign: 1\n    link: serial:///dev/ttyUSB0\n')
    before = own.read_text()
    assert main(['calibrate', '--yes', '--output', str(own), '--link', payload.uri]) == 1
    assert capsys.readouterr() == (
        '',
        f"gremsy_gimbal: '{own}' exists, and is not a calibration as it was written: move it away, or name another "
        'file.\n',
    )
    assert own.read_text() == before
    assert payload.rate_commands == []
