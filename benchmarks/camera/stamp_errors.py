# SPDX-License-Identifier: Apache-2.0
"""How far stamps are from the time that stands in the picture, for cameras whose clock is ours and whose is not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.camera.camera_readers import MeasuredReader, next_frame
from gremsy_camera.trial import burned_clock
from gremsy_camera.trial.trial_camera import TrialCameraOptions, running_camera
from gremsy_common.errors import SuiteError

_FRAMES = 450
# Stamps are the arrival until the first sender report, which this camera sends about once a second.
_SETTLE_S = 3.0
_CLOCKS = {
    'ours': TrialCameraOptions(),
    # Two hours and a bit ahead, and four seconds a day more.
    'drifting': TrialCameraOptions(clock_offset_s=7384.25, clock_drift_ppm=50.0),
}


def measure(reader: MeasuredReader) -> dict[str, Any]:
    """Errors in ms, both ways; `bias` is the median of stamp less truth."""
    figures: dict[str, Any] = {}
    # OpenCV hands on no time of the camera's: one look shows that it says so.
    cases = [('ours', 'direct')] if reader.name == 'opencv' else [(c, w) for c in _CLOCKS for w in ('direct', 'server')]
    for clock, way in cases:
        found = _errors(reader, _CLOCKS[clock], through_server=way == 'server')
        figures |= {f'{name}_{clock}_{way}': value for name, value in found.items()}
    return figures


def _errors(reader: MeasuredReader, options: TrialCameraOptions, *, through_server: bool) -> dict[str, Any]:
    if through_server and shutil.which('mediamtx') is None:
        return {'stamp_is': 'no mediamtx on PATH'}
    with ExitStack() as stack:
        camera = stack.enter_context(running_camera(options))
        uri = stack.enter_context(running_server(camera.uri)) if through_server else camera.uri
        feed = reader.feed(uri)
        stack.callback(feed.close)
        feed.open()
        next_frame(feed)
        settled_s = time.monotonic() + _SETTLE_S
        while time.monotonic() < settled_s:
            next_frame(feed)
        errors_ms = []
        for _ in range(_FRAMES):
            frame = next_frame(feed).frame
            true_us = burned_clock.read(frame.image)
            if true_us is not None:
                errors_ms.append(frame.stamp_ns * 1e-6 - true_us * 1e-3)
        origin = feed.info.stamp_source if feed.info is not None else ''
    if len(errors_ms) < _FRAMES // 2:
        raise SuiteError(f'The clock could be read in {len(errors_ms)} of {_FRAMES} pictures only.')
    from_source = not origin.startswith('arrival')
    return {
        'stamp_is': origin,
        # Of a reader that tells nothing of the capture there is nothing to be in error.
        ('capture_error_ms_p95' if from_source else 'arrival_error_ms_p95'): _rounded(
            np.percentile(np.abs(errors_ms), 95)
        ),
        ('capture_bias_ms' if from_source else 'arrival_bias_ms'): _rounded(np.median(errors_ms)),
    }


@contextmanager
def running_server(camera_uri: str) -> Iterator[str]:
    """MediaMTX, which reads the camera and serves its stream; the address of that.

    Raises:
        SuiteError: it does not serve the stream.
    """
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        settings = Path(folder) / 'mediamtx.yml'
        settings.write_text(
            'logLevel: error\n'
            f'rtspAddress: 127.0.0.1:{port}\nrtspTransports: [tcp]\n'
            'rtmp: no\nhls: no\nwebrtc: no\nsrt: no\n'
            # Its sender reports then carry the camera's times, and not those of its own receipt.
            f'paths:\n  eo:\n    source: {camera_uri}\n    rtspTransport: tcp\n    useAbsoluteTimestamp: yes\n',
            encoding='utf-8',
        )
        # Where it stands, MediaMTX leaves a key and a certificate of its own.
        with subprocess.Popen(
            ['mediamtx', str(settings)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                _await(process, port)
                yield f'rtsp://127.0.0.1:{port}/eo'
            finally:
                process.kill()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    until_s = time.monotonic() + 10.0
    request = f'DESCRIBE rtsp://127.0.0.1:{port}/eo RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n'.encode()
    while time.monotonic() < until_s:
        if process.poll() is not None:
            output = process.stdout.read().decode(errors='replace') if process.stdout is not None else ''
            raise SuiteError(f'mediamtx ended with status {process.returncode}: {output.strip()[-300:]}')
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=1.0) as connection:
                connection.sendall(request)
                if connection.recv(64).startswith(b'RTSP/1.0 200'):
                    return
        except OSError:
            # Not listening yet.
            time.sleep(0.1)
            continue
        time.sleep(0.1)
    raise SuiteError('mediamtx does not serve the stream of the trial camera within 10 s.')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


def _rounded(value: float) -> float:
    return round(float(value), 3)
