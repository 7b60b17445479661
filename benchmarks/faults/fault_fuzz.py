# SPDX-License-Identifier: Apache-2.0
"""Damaged input of every kind: files, bytes, pictures in their own processes, the API and WHEP in the suite.

A crash is a process that ends, an exception that is none of ours, an answer of 500, or no answer. Seeded; how many
cases there are depends on the machine, since each kind has its seconds.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.faults.fuzz_inputs import KINDS, damaged
from benchmarks.faults.trial_suite import SuitePlan, TrialSuite

_SEED = 1
_ANSWER_S = 5.0
# Else nine in ten are refused for coming too often.
_REQUESTS_PER_S = 100_000.0
# What an answer may be: everything but the server's own fault. 503 is said where a part of the robot is not there.
_FAULTS = range(500, 600)
_NOT_THERE = (502, 503, 504)
_OFFER = (
    'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n'
    'm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\n'
    'a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n'
    'a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\na=setup:actpass\r\n'
    'a=fingerprint:sha-256 ' + ':'.join(['AB'] * 32) + '\r\n'
)
_NUMBERS: tuple[Any, ...] = (None, True, 0, -1, 1e308, float('nan'), 2**63)
_TEXTS: tuple[Any, ...] = ('', 'eo', 'x' * 5000, '../..', 'ü\n\0')
_VALUES = (*_NUMBERS, *_TEXTS, [], [1, 2], [1e400, None], {}, {'a': []})


def run(seconds: float) -> dict[str, Any]:
    """`fuzz_crashes`, and by kind what was tried."""
    kinds = {kind: _in_a_child(kind, seconds) for kind in KINDS}
    with TrialSuite(SuitePlan(parameters={'web': {'requests_per_s': _REQUESTS_PER_S}})) as suite:
        _until_it_answers(suite)
        before = suite.pids()
        for kind, attack in (('api', _attack_api), ('bytes', _attack_port), ('whep', _attack_whep)):
            kinds[kind] = attack(suite, seconds)
        kinds['suite'] = {'ended': sorted(name for name, pid in suite.pids().items() if before.get(name) != pid)}
    crashes = sum(
        each.get('raised', 0) + each.get('crashed', 0) + each.get('server_faults', 0) + len(each.get('ended', ()))
        for each in kinds.values()
    )
    return {'fuzz_crashes': crashes, 'fuzz': kinds, 'fuzz_seed': _SEED, 'fuzz_seconds_each': seconds}


def _in_a_child(kind: str, seconds: float) -> dict[str, Any]:
    report(f'fuzz {kind}, {seconds:g} s ...')
    words = [sys.executable, '-m', 'benchmarks.faults.fuzz_inputs', kind, str(_SEED), str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60 + 10 * seconds)
    if done.returncode:
        return {'crashed': 1, 'status': done.returncode, 'sentences': done.stderr[-1000:].splitlines()}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _until_it_answers(suite: TrialSuite) -> None:
    end_s = time.monotonic() + 60.0
    while time.monotonic() < end_s:
        try:
            if _ask(suite.web_port, 'GET', '/health', b'')[0] == 200:
                return
        except OSError:
            time.sleep(0.2)


def _attack_api(suite: TrialSuite, seconds: float) -> dict[str, Any]:
    """Every route of the API, with values of every kind in every field."""
    schema = json.loads(_ask(suite.web_port, 'GET', '/openapi.json', b'')[1])
    routes = [(method.upper(), path) for path, methods in schema['paths'].items() for method in methods]
    names = sorted(
        {name for each in schema['components']['schemas'].values() for name in each.get('properties', {})} | {'camera'}
    )
    chance = random.Random(f'api {_SEED}')

    def case() -> int:
        method, path = chance.choice(routes)
        for part in ('{path}', '{session}', '{camera}'):
            path = path.replace(part, chance.choice(('eo', '..', '%00', 'x' * 300, '%2e%2e%2f')))
        body = {name: chance.choice(_VALUES) for name in chance.sample(names, chance.randrange(len(names)))}
        data = json.dumps(body).encode()
        if chance.random() < 0.3:
            data = damaged(data, chance)
        query = f'?{chance.choice(names)}={chance.choice(("eo", "", "%ff", "1e999", "x" * 200))}'
        return _ask(suite.web_port, method, path + (query if chance.random() < 0.3 else ''), data)[0]

    return _attacked(case, seconds, 'api')


def _attack_whep(suite: TrialSuite, seconds: float) -> dict[str, Any]:
    """Damaged offers, by way of the page's server."""
    chance = random.Random(f'whep {_SEED}')
    headers = {'Content-Type': 'application/sdp'}

    def case() -> int:
        path = chance.choice(('/eo/whep', '/eo_overlay/whep', '/none/whep', '/video/eo/whep'))
        return _ask(suite.web_port, 'POST', path, damaged(_OFFER.encode(), chance), headers)[0]

    return _attacked(case, seconds, 'whep')


def _attack_port(suite: TrialSuite, seconds: float) -> dict[str, Any]:
    """What is no HTTP at all, or half of it."""
    chance = random.Random(f'bytes {_SEED}')
    good = (
        b'GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
        b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
    )

    def case() -> int:
        with socket.create_connection(('127.0.0.1', suite.web_port), timeout=_ANSWER_S) as connection:
            whole = chance.random() < 0.5
            connection.sendall(good + chance.randbytes(chance.randrange(300)) if whole else damaged(good, chance))
            connection.settimeout(0.05)
            try:
                answer = connection.recv(64)
            except OSError:
                return 0
        words = answer.split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    return _attacked(case, seconds, 'bytes')


def _attacked(case: Callable[[], int], seconds: float, kind: str) -> dict[str, Any]:
    report(f'fuzz {kind}, {seconds:g} s ...')
    cases = faults = 0
    answers: dict[str, int] = {}
    sentences: list[str] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        cases += 1
        try:
            status = case()
        except (OSError, http.client.HTTPException) as error:
            faults += 1
            sentences.append(f'case {cases}: {type(error).__name__}: {error}'[:300])
            continue
        answers[str(status)] = answers.get(str(status), 0) + 1
        if status in _FAULTS and status not in _NOT_THERE:
            faults += 1
            sentences.append(f'case {cases}: status {status}')
    return {'cases': cases, 'answers': answers, 'server_faults': faults, 'sentences': sentences[:10]}


def _ask(port: int, method: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=_ANSWER_S)
    try:
        connection.request(method, path, body, headers or {'Content-Type': 'application/json', 'X-Gremsy': '1'})
        answer = connection.getresponse()
        return answer.status, answer.read(1 << 20)
    finally:
        connection.close()
