# SPDX-License-Identifier: Apache-2.0
"""What encoding a stream of 1280x720 at 30 Hz costs, by each software encoder that is here, a process of its own each.

Run as `python -m benchmarks.video.encoder_costs ENCODER FOLDER`: prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench_progress import report
from benchmarks.video.video_page import Browser
from benchmarks.video.video_scene import HEIGHT, RATE_HZ, WIDTH, PanningScene, azimuth_at
from gremsy_camera.stream_parameters import StreamParameters
from gremsy_camera.streaming.encoder_choice import make_encoder
from gremsy_camera.streaming.rtp_sending import RtpSender
from gremsy_camera.streaming.video_encoder import EncoderError, VideoEncoderSettings
from gremsy_camera.trial.debian_gi import reach_debian_gi
from gremsy_common.errors import SuiteError
from gremsy_common.picture.i420_planes import i420_planes
from gremsy_common.ros.hosting import prepare_process

# x264 and OpenH264, through PyAV and through GStreamer.
ENCODERS = ('x264', 'x264enc', 'openh264', 'openh264enc')
_ROUNDS = 3
_WARM, _PICTURES, _KEPT = 30, 240, 60


def measure(browser: Browser, folder: Path, seconds: float) -> dict[str, Any]:
    """`encoder_cpu_cores` is the first that there is, which is what `auto` takes where there is no hardware."""
    del browser, seconds
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in ENCODERS}
    figures: dict[str, Any] = {'encoders_unusable': {}}
    for number in range(_ROUNDS):
        report(f'encoders, round {number + 1} of {_ROUNDS} ...')
        for name in ENCODERS:
            found = _answer(name, folder)
            if 'unusable' in found:
                figures['encoders_unusable'][name] = found['unusable']
            else:
                rounds[name].append(found)
    for name, runs in rounds.items():
        for key in runs[0] if runs else ():
            figures[f'{key}_{name}'] = round(median(each[key] for each in runs), 3)
    figures['encoder_cpu_cores'] = next(
        (figures[f'encoder_cpu_cores_{name}'] for name in ENCODERS if rounds[name]), None
    )
    return figures


def _answer(name: str, folder: Path) -> dict[str, Any]:
    words = [sys.executable, '-m', 'benchmarks.video.encoder_costs', name, str(folder)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SuiteError(f'The video benchmark cannot go on: encoding by {name} ended with status {done.returncode}.')
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def encode(name: str) -> dict[str, Any]:
    """BGR to RTP packets at the camera's pace: CPU time of the whole process over the time that it took, and more."""
    options, scene = StreamParameters(), PanningScene()
    try:
        encoder = make_encoder(name, VideoEncoderSettings(WIDTH, HEIGHT, RATE_HZ, options.bitrate_kbps, options.gop))
    except EncoderError as error:
        return {'unusable': str(error)}
    pictures = [scene.render(azimuth_at(number / RATE_HZ)) for number in range(_KEPT)]
    # Backwards after forwards: a camera does not jump.
    turns = [*pictures, *reversed(pictures)]
    sender = RtpSender()
    took_ms: list[float] = []
    bytes_out = 0
    begin_s = begin_cpu_s = 0.0
    first_s = time.monotonic()
    for number in range(_WARM + _PICTURES):
        time.sleep(max(0.0, first_s + number / RATE_HZ - time.monotonic()))
        if number == _WARM:
            begin_s, begin_cpu_s = time.monotonic(), time.process_time()
        started_s = time.perf_counter()
        stamp_ns = time.time_ns()
        for made in encoder.encode(i420_planes(turns[number % len(turns)]), stamp_ns, key=number == 0):
            sent = sender.packets(made.data, stamp_ns)
            if number >= _WARM:
                bytes_out += sum(map(len, sent))
        if number >= _WARM:
            took_ms.append((time.perf_counter() - started_s) * 1e3)
    elapsed_s, used_s = time.monotonic() - begin_s, time.process_time() - begin_cpu_s
    encoder.close()
    return {
        'encoder_cpu_cores': used_s / elapsed_s,
        'encoder_ms': median(took_ms),
        'encoder_kbps': bytes_out * 8e-3 / elapsed_s,
    }


def _main(name: str, folder: str) -> None:
    prepare_process()
    reach_debian_gi(Path(folder))
    print(json.dumps(encode(name)))


if __name__ == '__main__':
    _main(*sys.argv[1:])
