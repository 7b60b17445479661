# SPDX-License-Identifier: Apache-2.0
"""`./gremsy run log_format:=json`: every line is JSON, foreign nodes are in it, one stamp from image to command."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from gremsy_bringup.ask import ask_node

pytestmark = pytest.mark.integration

PATIENCE_S = 90.0
ROBOT = '/logged'
LEVELS = {'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'}
KEYS = ['time', 'level', 'node', 'message', 'fields', 'process', 'pid', 'robot']


def strict(line: str) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f'{word} in {line}')

    read: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return read


class Run:
    """The suite on its simulation, as a person starts it, and what it says."""

    def __init__(self, *words: str) -> None:
        self.lines: list[bytes] = []
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'gremsy_bringup.run', f'namespace:={ROBOT}', 'sim:=true', *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(iter(self._process.stdout.readline, b''))

    @property
    def records(self) -> list[dict[str, Any]]:
        return [strict(line.decode()) for line in list(self.lines)]

    def events(self, node: str, kind: str) -> set[int]:
        """The stamps of the images that a node has said something of."""
        said = (each for each in self.records if each['node'] == f'{ROBOT}/{node}')
        return {each['fields']['stamp_ns'] for each in said if each['fields'].get('event') == kind}

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline and self._process.poll() is None, self.lines[-50:]
            time.sleep(0.2)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(PATIENCE_S)
        self._thread.join()
        return status


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run('log_format:=json')
    yield made
    made.stop()


@pytest.fixture
def usb_cam() -> Iterator[Any]:
    """Somebody else's node, which the suite did not start."""
    context = rclpy.context.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node('usb_cam', namespace='/theirs', context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def ask(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        ask_node.main([*words, '--timeout', '60'])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_one_log_from_image_to_command(run: Run, usb_cam: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run.wait(
        lambda: any(each['node'] == f'{ROBOT}/eo/detector' and 'runs on' in each['message'] for each in run.records)
    )
    usb_cam.get_logger().warning('No frame for\n"2" s: \x1b[31mü\x07')

    # Levels change while it runs; until then nothing was said of single images.
    assert {each['level'] for each in run.records} <= {'INFO', 'WARN', 'ERROR'}
    for node in ('eo/camera', 'eo/detector', 'eo/tracker', 'gimbal_driver'):
        assert ask('log-level', f'{ROBOT}/{node}', 'debug') == 0
    capsys.readouterr()
    assert ask('log-level', f'{ROBOT}/eo/camera') == 0
    assert capsys.readouterr().out == 'debug\n'
    assert ask('call', f'{ROBOT}/gimbal_driver/arm', '{data: true}') == 0

    def whole_ways() -> set[int]:
        return (
            run.events('eo/camera', 'frame')
            & run.events('eo/detector', 'detection')
            & run.events('eo/tracker', 'track')
            & run.events('eo/tracker', 'setpoint')
            & run.events('gimbal_driver', 'command')
        )

    run.wait(lambda: len(whole_ways()) >= 3)
    stamp = f'"stamp_ns": {min(whole_ways())},'.encode()
    said = [strict(line.decode()) for line in run.lines if stamp in line]
    assert {each['process'] for each in said} == {'loop', 'gimbal'}

    assert ask('log-level', f'{ROBOT}/eo/camera', 'default') == 0
    time.sleep(1.0)
    silent_since = len(run.events('eo/camera', 'frame'))
    detected = len(run.events('eo/detector', 'detection'))
    run.wait(lambda: len(run.events('eo/detector', 'detection')) > detected + 3)
    assert len(run.events('eo/camera', 'frame')) == silent_since

    run.wait(lambda: any(each['node'] == '/theirs/usb_cam' for each in run.records))
    assert run.stop() == 0
    records = run.records
    assert all(list(each) == KEYS and each['level'] in LEVELS and each['robot'] == ROBOT for each in records)
    (foreign,) = (each for each in records if each['node'] == '/theirs/usb_cam')
    assert (foreign['level'], foreign['message']) == ('WARN', 'No frame for\n"2" s: \x1b[31mü\x07')
    assert (foreign['process'], foreign['fields']) == (None, {'heard_on': '/rosout'})
    # Nothing twice: of the suite's own, which is on /rosout too, nothing was heard there.
    times = Counter((each['node'], each['time']) for each in records if each['node'])
    assert [key for key, count in times.items() if count > 1] == []
    heard = defaultdict(list)
    for each in records:
        heard['heard_on' in each['fields']].append(each['node'])
    assert {node for node in heard[True] if node.startswith(ROBOT)} == set()


def pids(line: bytes) -> int:
    return int(strict(line.decode())['message'].rpartition(' ')[2].rstrip('.'))


def unread(pipe: Any) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b'\0' * 4), sys.byteorder)


@pytest.mark.parametrize('reader', ['gone', 'slow'])
def test_a_run_goes_on_and_ends_in_order_whoever_reads_it(reader: str, tmp_path: Path) -> None:
    words = [f'namespace:=/{reader}', 'sim:=true', 'cameras:=none', 'log_format:=json', 'log_level:=debug']
    reading, writing = os.pipe()
    # Before anything is in it: a pipe that holds more than a page is not made smaller.
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    errors = tmp_path / 'errors'
    with errors.open('w') as err, open(reading, 'rb', buffering=0) as output:  # noqa: PTH123 (a descriptor)
        run = subprocess.Popen([sys.executable, '-m', 'gremsy_bringup.run', *words], stdout=writing, stderr=err)
        os.close(writing)
        try:
            children = [pids(output.readline()) for _ in range(2)]
            if reader == 'gone':
                output.close()
            else:
                # Full: a line that finds no room in the page waits, so that no more comes.
                deadline, before = time.monotonic() + PATIENCE_S, -1
                while not 0 < before == unread(output):
                    assert time.monotonic() < deadline
                    before = unread(output)
                    time.sleep(1.0)
            time.sleep(3.0)
            assert run.poll() is None, errors.read_text()
            run.send_signal(signal.SIGINT)
            status = run.wait(PATIENCE_S)
        finally:
            if run.poll() is None:
                run.terminate()
                run.wait(PATIENCE_S)
    assert (status, errors.read_text()) == (0, '')
    assert not [pid for pid in children if Path(f'/proc/{pid}').exists()]


def test_what_cannot_run_says_so_in_json_too(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.write_text('/**/detector: {ros__parameters: {model: /there/is/none.onnx}}\n')
    words = ['namespace:=refused', 'sim:=true', f'params_file:={own}', 'log_format:=json']
    ended = subprocess.run(
        [sys.executable, '-m', 'gremsy_bringup.run', *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 2
    for line in ended.stdout.splitlines():
        strict(line)
    last = strict(ended.stderr)
    assert (last['level'], last['process']) == ('FATAL', 'gremsy')
    assert '/there/is/none.onnx' in last['message']
    wrong = subprocess.run(
        [sys.executable, '-m', 'gremsy_bringup.run', 'sim:=perhaps', 'log_format:=json'],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert strict(wrong.stderr)['message'] == "Argument `sim` is 'perhaps': use true or false."
