# SPDX-License-Identifier: Apache-2.0
"""The API's group of the video benchmark: the whole demo runs, its web node a process of its own as always.

What is compared is the same loop before and during: frames, detections and commands a second, of the traces and of the
wire. A stop's time is from its request's first byte to the first zero rate on the wire after which nothing else comes.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_progress import report, wait_until
from benchmarks.video.api.wire_tap import WireTap
from gremsy_bringup.demo.demo_options import DemoOptions
from gremsy_bringup.demo.demo_session import DemoSession
from gremsy_bringup.describe.system_description import PayloadStart
from gremsy_bringup.supervise.free_ports import free_udp_port
from gremsy_common.errors import SuiteError

_RATE_HZ = 200.0
_SOCKETS = 50
_BAD_CLIENTS = 500
_STOPS = 20
_TURN_RAD_S = 0.3
_PATIENCE_S = 10.0
_until = partial(wait_until, benchmark='benchmark of the API', patience_s=_PATIENCE_S)
_SETTLE_S = 3.0
# It is not used while the loop is watched alone.
_LEASE_S = 600.0
# The kinds of trace whose rates are the loop's, and what they are called here.
_LOOP = {'frame': 'fps', 'detection': 'detections_per_s', 'track': 'tracks_per_s'}


@dataclass(frozen=True, slots=True)
class Phase:
    """From when to when, ns of the ROS clock and of the monotonic one, and what each process used during that."""

    name: str
    cpu_s: dict[str, float]
    wall_ns: tuple[int, int]
    monotonic_ns: tuple[int, int]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.wall_ns[1] - self.wall_ns[0]) * 1e-9


def measure(_browser: object, folder: Path, seconds: float) -> dict[str, Any]:
    """All figures of the API, flat; `seconds` of each of its four phases.

    Args:
        _browser: of the benchmark's other groups; here nobody looks at the page.
        folder: empty; what the run leaves goes into it.
        seconds: of a phase.
    """
    payload_port, tap_port = free_udp_port(), free_udp_port()
    payload = PayloadStart(payload_port, f'{os.getpid()}-{secrets.token_hex(4)}', by_way_of=tap_port)
    options = DemoOptions(report=folder / 'demo', payload=payload, parameters={'web': {'lease_s': _LEASE_S}})
    with WireTap(tap_port, payload_port, folder / 'rates.bin') as tap:
        with DemoSession(options, report) as session:
            session.wait(_SETTLE_S)
            bench = ApiBench(session, tap, seconds)
            figures = bench.run()
        events = list(session.events())
        figures |= bench.loop_rates(events)
    return figures


class ApiBench:
    """Asks the running demo's API."""

    def __init__(self, session: DemoSession, tap: WireTap, seconds: float) -> None:
        self._session = session
        self._tap = tap
        self._seconds = seconds
        self._port = session.page_port
        self._phases: list[Phase] = []
        self._lease = ''
        self._direction = 1.0

    def run(self) -> dict[str, Any]:
        """Every phase, one after another."""
        self._lease = self._post('/api/control/take', {'name': 'the benchmark'})['lease']
        report(f'{self._seconds:.0f} s of the loop alone ...')
        with self._phase('before'):
            self._session.wait(self._seconds)
        figures: dict[str, Any] = {'stop': self._stops('nobody else')}
        figures['bare'] = self._bare()
        report(f'{_RATE_HZ:.0f} requests a second, {_SOCKETS} live sockets ...')
        with self._phase('during'):
            figures['api'], figures['live'] = self._together(self._requests(), self._listeners())
        more_s = self._seconds + 2.5 * _STOPS
        load = [self._start(*self._requests(more_s)), self._start(*self._listeners(more_s))]
        figures['stop_under_load'] = self._stops('all of those')
        for each in load:
            each.kill()
            each.wait()
        report(f'{_BAD_CLIENTS} slow or silent clients ...')
        self._rearm()
        bad = self._start(*self._bad_clients(2.5 * self._seconds))
        self._session.wait(_SETTLE_S)
        with self._phase('beside_bad'):
            self._session.wait(self._seconds)
        with self._phase('beside_bad_and_asked'):
            figures['api_beside_bad'] = self._together(self._requests())[0]
        figures['bad'] = _answer(bad)
        return _flat(figures)

    def loop_rates(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Of every phase: what the loop and the driver did a second."""
        at_ns, _ = self._tap.rates()
        figures: dict[str, Any] = {}
        for phase in self._phases:
            begin, end = phase.wall_ns
            counts = Counter(each['kind'] for each in events if begin <= each['stamp_ns'] < end)
            figures |= {f'{name}_{phase.name}': round(counts[kind] / phase.seconds, 2) for kind, name in _LOOP.items()}
            figures[f'cpu_s_per_s_{phase.name}'] = {
                process: round(used_s / phase.seconds, 3) for process, used_s in phase.cpu_s.items()
            }
            begin, end = phase.monotonic_ns
            written = int(((at_ns >= begin) & (at_ns < end)).sum())
            figures[f'wire_rates_per_s_{phase.name}'] = round(written / phase.seconds, 2)
        return figures

    @contextmanager
    def _phase(self, name: str) -> Any:
        wall_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        before = self._session.usage_now()
        yield
        cpu_s = {each: used.cpu_s - before[each].cpu_s for each, used in self._session.usage_now().items()}
        self._phases.append(Phase(name, cpu_s, (wall_ns, time.time_ns()), (monotonic_ns, time.monotonic_ns())))

    def _stops(self, beside: str) -> dict[str, float]:
        """Turn by hand, stop, arm again; ms from the request to the wire and to the answer."""
        report(f'{_STOPS} stops beside {beside} ...')
        to_wire, to_answer = [], []
        for _ in range(_STOPS):
            self._rearm()
            self._turn()
            sent_ns = time.monotonic_ns()
            self._post('/api/gimbal/stop', {})
            to_answer.append((time.monotonic_ns() - sent_ns) * 1e-6)
            # As long as the driver's and the API's own time to live: nothing may move after it.
            self._session.wait(0.4)
            to_wire.append(zero_after_ms(*self._tap.rates(), sent_ns))
        self._rearm()
        return {
            'to_wire_ms_p50': _percentile(to_wire, 50),
            'to_wire_ms_p95': _percentile(to_wire, 95),
            'to_wire_ms_max': _percentile(to_wire, 100),
            'to_answer_ms_p50': _percentile(to_answer, 50),
        }

    def _turn(self) -> None:
        """Until the wire says so; the other way each time, so that no limit is met."""
        self._direction = -self._direction
        body = {'lease': self._lease, 'azimuth_rad_s': self._direction * _TURN_RAD_S, 'tilt_rad_s': 0.0, 'ttl_s': 1.0}
        self._post('/api/gimbal/rate', body)
        _until(lambda: abs(self._newest_yaw() - -self._direction * _TURN_RAD_S) < 0.05, 'the gimbal does not turn')

    def _newest_yaw(self) -> float:
        _, rates = self._tap.rates()
        return float(rates[-1, 1]) if len(rates) else 0.0

    def _rearm(self) -> None:
        _until(
            lambda: self._ask('POST', '/api/arm', {'armed': True, 'lease': self._lease})[0] == 200, 'it does not arm'
        )
        # The answer is the driver's; that it is armed comes to the API by a topic.
        _until(lambda: bool(self._ask('GET', '/api/gimbal', {})[1]['armed']), 'it does not say that it is armed')

    def _bare(self) -> dict[str, Any]:
        """The same requests to a server that does nothing, the loop beside it."""
        report('the same requests to a server that does nothing ...')
        server = self._start('benchmarks.video.api.bare_server')
        try:
            assert server.stdout is not None
            figures = self._together(self._requests(port=int(server.stdout.readline())))[0]
        finally:
            server.kill()
            server.communicate()
        return {name: figures[name] for name in ('ms_p50', 'p99_ms', 'ms_max')}

    def _requests(self, seconds: float | None = None, port: int | None = None) -> tuple[str, ...]:
        words = ('--rate', f'{_RATE_HZ}', '--seconds', f'{seconds or self._seconds}', '--lease', self._lease)
        return ('benchmarks.video.api.api_requests', '--port', str(port or self._port), *words)

    def _listeners(self, seconds: float | None = None) -> tuple[str, ...]:
        return self._others('listen', _SOCKETS, seconds or self._seconds)

    def _bad_clients(self, seconds: float) -> tuple[str, ...]:
        return self._others('misbehave', _BAD_CLIENTS, seconds)

    def _others(self, kind: str, count: int, seconds: float) -> tuple[str, ...]:
        words = ('--port', str(self._port), '--count', str(count), '--seconds', f'{seconds}')
        return ('benchmarks.video.api.other_clients', kind, *words)

    @staticmethod
    def _start(*words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, '-m', *words], stdout=subprocess.PIPE)

    def _together(self, *clients: tuple[str, ...]) -> list[dict[str, Any]]:
        return [_answer(each) for each in [self._start(*words) for words in clients]]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, content = self._ask('POST', path, body)
        if status != 200:
            raise SuiteError(f'The API answers {path} with {status}: {content.get("error")}')
        return content

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=_PATIENCE_S)
        try:
            connection.request(method, path, json.dumps(body), {'Content-Type': 'application/json'})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def zero_after_ms(at_ns: NDArray[np.int64], rates: NDArray[np.float32], sent_ns: int) -> float:
    """From then to the first zero after the last rate that was none.

    Args:
        at_ns: (N,) when rates were on the wire.
        rates: (N, 2) rad/s.
        sent_ns: when the stop was asked for; likewise ns of the monotonic clock.
    """
    after = at_ns >= sent_ns
    at_ns, moves = at_ns[after], np.abs(rates[after]).max(axis=1) > 1e-6
    first = int(np.flatnonzero(moves)[-1]) + 1 if moves.any() else 0
    if first >= len(at_ns):
        raise SuiteError('A stop was answered, and no zero rate came to the payload.')
    return float(at_ns[first] - sent_ns) * 1e-6


def _answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = process.communicate()
    if process.returncode != 0:
        raise SuiteError('A client of the benchmark ended with a fault: its words are above.')
    content: dict[str, Any] = json.loads(output)
    return content


def _flat(figures: dict[str, Any]) -> dict[str, Any]:
    return {f'{group}_{name}': value for group, each in figures.items() for name, value in each.items()}


def _percentile(values: list[float], percent: float) -> float:
    return round(float(np.percentile(np.array(values), percent)), 3)


if __name__ == '__main__':
    import tempfile

    with tempfile.TemporaryDirectory(prefix='gremsy-bench-') as scratch:
        print(json.dumps(measure(None, Path(scratch), float(sys.argv[1]) if len(sys.argv) > 1 else 15.0), indent=2))
