# SPDX-License-Identifier: Apache-2.0
"""The executable: it starts, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_gimbal_sim.sim_payload import _parser, _payload_options, main
from gremsy_gimbal_sim.truth_ring import TruthRingReader, ring_path
from gremsy_gimbal_sim.wire.ports import PortUnavailable, PtyPort

COMMAND = [sys.executable, '-m', 'gremsy_gimbal_sim.sim_payload']


def start(*arguments: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    while not child.stdout.readline().startswith('simulated payload ready'):
        assert child.poll() is None
    return child


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_the_ring_and_the_name_are_gone(tmp_path, number):
    name, ring = tmp_path / 'ttyGREMSY', f'test-{tmp_path.name}'
    child = start('--udp', '127.0.0.1:0', '--pty', str(name), '--truth-ring', ring, '--ros-args', '-r', '__ns:=/x')
    assert name.is_symlink()
    reader = TruthRingReader(ring)
    reader.open()
    first = reader.newest()
    time.sleep(0.1)
    newest = reader.newest()
    assert first is not None
    assert newest is not None
    assert newest.stamp_ns > first.stamp_ns
    assert abs(time.time_ns() - newest.stamp_ns) < 1_000_000_000
    reader.close()
    child.send_signal(number)
    _, errors = child.communicate(timeout=10)
    assert (child.returncode, errors) == (0, '')
    assert not name.is_symlink()
    assert not ring_path(ring).exists()


def test_a_port_in_use_is_one_sentence_and_status_1(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 0))
        port = other.getsockname()[1]
        assert main(['--udp', f'127.0.0.1:{port}']) == 2
    assert capsys.readouterr().err == (
        f'sim_payload: UDP port {port} on 127.0.0.1 is already in use: stop the other payload, '
        "or choose another port with --udp HOST:PORT (and the driver's parameter `link`).\n"
    )


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (
            ['--udp', 'nonsense'],
            "sim_payload: --udp 'nonsense' is not an address: write HOST:PORT, for example 127.0.0.1:14566.\n",
        ),
        (
            ['--udp', '127.0.0.1:0', '--truth-ring', 'a/b'],
            "sim_payload: 'a/b' cannot name a truth ring: use letters, digits, '-' and '_'.\n",
        ),
        (
            ['--pty', '/no/such/folder/tty'],
            "sim_payload: The serial port's name /no/such/folder/tty cannot be made (No such file or directory): "
            'give --pty another path.\n',
        ),
        (
            ['--udp', '127.0.0.1:0', '--attitude-rate', '0'],
            'sim_payload: Payload option `attitude_rate_hz` is 0, out of its range: use 0.1 .. 200 Hz.\n',
        ),
        (
            ['--udp', '127.0.0.1:0', '--byte-loss', '1.5'],
            'sim_payload: Payload option `lost_byte_share` is 1.5, out of its range: use 0 .. 1.\n',
        ),
        (
            ['--udp', '127.0.0.1:0', '--component', '300'],
            'sim_payload: Payload option `gimbal_component` is 300, out of its range: use 1 .. 255.\n',
        ),
        (
            ['--udp', '127.0.0.1:0', '--attitude-rate', 'fast'],
            "sim_payload: Payload option `attitude_rate_hz` is 'fast': use a number.\n",
        ),
        (
            ['--udp', '127.0.0.1:0', '--set', 'zoom_max'],
            "sim_payload: --set 'zoom_max' sets nothing: write NAME=VALUE, for example attitude_rate_hz=10.\n",
        ),
        (
            ['--udp', '127.0.0.1:0', '--set', 'zoom_mx=3'],
            'sim_payload: There is no payload option `zoom_mx`: did you mean `zoom_max`?\n',
        ),
        (
            ['--udp', '127.0.0.1:0', '--control', '/no/such/folder/pipe'],
            'sim_payload: The control pipe /no/such/folder/pipe cannot be opened (No such file or directory): '
            'give --control another path.\n',
        ),
        (
            ['--udp', '127.0.0.1:0', '--control', '/etc/hostname'],
            'sim_payload: The control pipe /etc/hostname cannot be opened (it is not a pipe): '
            'give --control another path.\n',
        ),
    ],
)
def test_wrong_arguments_are_one_sentence_and_status_1(capsys, arguments, sentence):
    assert main(arguments) == 2
    assert capsys.readouterr().err == sentence


def test_it_ends_by_itself_after_its_duration(capsys):
    assert main(['--udp', '127.0.0.1:0', '--duration', '0.1']) == 0


def test_it_lists_its_options(capsys):
    assert main(['--list-options']) == 0
    assert '  zoom_max=20.0  magnification at 100 % [1 .. 1000]\n' in capsys.readouterr().out


def test_options_are_the_presets_then_the_shortcuts_then_those_that_are_set(capsys):
    given = ['--preset', 'realistic', '--byte-loss', '0', '--set', 'attitude_rate_hz=7', '--set', 'plant.delay_s=0.3']
    options = _payload_options(_parser().parse_args([*given, '--attitude-rate', '9']))
    realistic = PRESETS['realistic']
    assert options == replace(
        realistic, lost_byte_share=0.0, attitude_rate_hz=7.0, plant=replace(realistic.plant, delay_s=0.3)
    )


@pytest.mark.parametrize('through', ['stdin', 'pipe'])
def test_it_is_controlled_by_lines(tmp_path, through):
    name, pipe = tmp_path / 'tty', tmp_path / 'control'
    control = '-' if through == 'stdin' else str(pipe)
    command = [*COMMAND, '--udp', '127.0.0.1:0', '--pty', str(name), '--control', control]
    streams = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    child = subprocess.Popen(command, text=True, bufsize=1, **streams)

    def answer() -> str:
        assert child.stdout is not None
        return child.stdout.readline()

    while not answer().startswith('simulated payload ready'):
        assert child.poll() is None
    with child.stdin if through == 'stdin' else pipe.open('w', buffering=1) as lines:
        lines.write('unplug pty\n')
        assert answer() == 'done: unplug pty\n'
        assert not name.is_symlink()
        lines.write('replug pty\nunplug usb\nreboot 0.1\n')
        assert (answer(), answer()) == ('done: replug pty\n', 'done: reboot 0.1\n')
        assert name.is_symlink()
    child.send_signal(signal.SIGTERM)
    child.wait(timeout=10)
    assert child.stderr is not None
    errors = child.stderr.read()
    assert (child.returncode, errors) == (
        0,
        "sim_payload: The payload has no plug 'usb': it has udp, pty.\n",
    )
    assert not pipe.exists()


def test_it_takes_little_of_a_core():
    child = start('--udp', '127.0.0.1:0', '--truth-ring', 'test-cost')
    before = processor_s(child.pid)
    time.sleep(1.5)
    used = (processor_s(child.pid) - before) / 1.5
    child.terminate()
    child.communicate(timeout=10)
    assert used < 0.25  # about 0.03 on an idle core; the bound is for a machine that is busy testing


def processor_s(process: int) -> float:
    fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


@pytest.mark.parametrize('stays_open', [False, True])
def test_it_goes_on_without_harm_whether_or_not_its_standard_input_ends(stays_open):
    command = [*COMMAND, '--udp', '127.0.0.1:0', '--control', '-']
    streams = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    with subprocess.Popen(command, text=True, bufsize=1, **streams) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        child.stdin.write('reboot\n')
        if not stays_open:
            child.stdin.close()
        lines = [child.stdout.readline() for _ in range(3)]
        time.sleep(0.1)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert (child.wait(timeout=10), child.stderr.read()) == (0, '')
    assert lines[2] == 'done: reboot\n'


def test_the_link_of_a_killed_payload_is_replaced_and_goes_at_the_end(tmp_path: Path) -> None:
    name = tmp_path / 'gimbal'
    name.symlink_to('/dev/pts/99999')
    port = PtyPort(str(name))
    port.open()
    assert str(name.readlink()) == port.path
    port.close()
    assert not name.is_symlink()


def test_a_link_of_the_users_own_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    name, target = tmp_path / 'gimbal', tmp_path / 'notes.txt'
    target.write_text('mine')
    name.symlink_to(target)
    port = PtyPort(str(name))
    with pytest.raises(PortUnavailable) as refused:
        port.open()
    assert str(refused.value) == (
        f"The serial port's name {name} cannot be made (File exists): give --pty another path."
    )
    port.close()
    assert name.readlink() == target


def test_a_payload_that_ends_leaves_the_link_of_its_successor(tmp_path: Path) -> None:
    name = tmp_path / 'gimbal'
    first, second = PtyPort(str(name)), PtyPort(str(name))
    first.open()
    second.open()
    first.close()
    assert str(name.readlink()) == second.path
    second.close()
    assert not name.is_symlink()
