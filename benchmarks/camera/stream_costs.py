# SPDX-License-Identifier: Apache-2.0
"""What reading a stream costs: time beyond the bare decoder, CPU beside OpenCV's own reader, memory over restarts.

Whatever is measured as a process runs in one of its own: `python -m benchmarks.camera.stream_costs KIND ...` prints one
JSON object.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.camera.camera_readers import NAMES, MeasuredReader, next_frame
from gremsy_camera.live.encoded_video import EncodedFormat, EncodedPacket, EncodedTap
from gremsy_camera.trial.debian_gi import reach_debian_gi
from gremsy_camera.trial.trial_camera import TrialCameraOptions, running_camera
from gremsy_common.errors import SuiteError

# Busy enough that decoding is real work: 6 Mbit/s of noise and movement.
_BIG = TrialCameraOptions(width=1920, height=1080, kbps=6000, noise=2)
_SMALL = TrialCameraOptions(width=160, height=128, gop=1)
_WARM_S, _MEASURED_S, _ROUNDS = 3.0, 10.0, 2
# The reader that is taken by default; the others are opened so often as shows a leak of one thing a time.
_RESTARTS, _RESTARTS_OF_OTHERS, _SETTLED_AFTER = 2000, 400, 100
_PATIENCE_S = 1800.0


def measure(reader: MeasuredReader) -> dict[str, Any]:
    """CPU of this reader and of cv2.VideoCapture, at the same time on the same stream, and the time beyond decoding."""
    ratios, ours, theirs, overheads, decodes = [], [], [], [], []
    hands_packets_on = reader.name != 'opencv'
    with running_camera(_BIG) as camera:
        for _ in range(_ROUNDS):
            children = [_child('source', camera.uri, reader), _child('opencv', camera.uri, reader)]
            source, opencv = (_answer(child) for child in children)
            ours.append(source['cpu_ms'])
            theirs.append(opencv['cpu_ms'])
            ratios.append(source['cpu_ms'] / opencv['cpu_ms'])
            if hands_packets_on:
                found = _answer(_child('overhead', camera.uri, reader))
                overheads.append(found['overhead_ms'])
                decodes.append(found['decode_ms'])
    return {
        'cpu_over_opencv': _rounded(median(ratios)),
        'cpu_ms_per_picture': _rounded(median(ours)),
        'opencv_cpu_ms_per_picture': _rounded(median(theirs)),
        # OpenCV's reader keeps its packets to itself.
        'decode_overhead_ms': _rounded(median(overheads)) if overheads else None,
        'bare_decode_ms': _rounded(median(decodes)) if decodes else None,
    }


def restarts(reader: MeasuredReader) -> dict[str, Any]:
    """What so many openings leave behind, from the hundredth on."""
    with running_camera(_SMALL) as camera:
        return _answer(_child('restarts', camera.uri, reader))


def _child(kind: str, uri: str, reader: MeasuredReader) -> subprocess.Popen[str]:
    words = [sys.executable, '-m', 'benchmarks.camera.stream_costs', kind, uri, reader.name, reader.folder]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, 'OPENCV_LOG_LEVEL': 'SILENT'})


def _answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        output, _ = child.communicate(timeout=_PATIENCE_S)
    finally:
        child.kill()
    if child.returncode != 0:
        raise SuiteError(f'The camera benchmark cannot go on: a child ended with status {child.returncode}.')
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def _watch_source(uri: str, reader: MeasuredReader) -> dict[str, float]:
    """CPU a picture of the whole source, as the node reads it."""
    feed = reader.feed(uri)
    feed.open()
    next_frame(feed)
    _for(_WARM_S, lambda: next_frame(feed))
    begin_s, frames = time.process_time(), 0

    def one() -> None:
        nonlocal frames
        next_frame(feed)
        frames += 1

    _for(_MEASURED_S, one)
    cpu_s = time.process_time() - begin_s
    feed.close()
    return {'cpu_ms': cpu_s / frames * 1e3, 'frames': frames}


def _watch_opencv(uri: str) -> dict[str, float]:
    """The same of cv2.VideoCapture as people write it, over TCP as it does by itself."""
    import cv2

    capture = cv2.VideoCapture(uri, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SuiteError(f'cv2.VideoCapture does not open {uri}.')
    _for(_WARM_S, capture.read)
    begin_s, frames = time.process_time(), 0

    def one() -> None:
        nonlocal frames
        frames += bool(capture.read()[0])

    _for(_MEASURED_S, one)
    cpu_s = time.process_time() - begin_s
    capture.release()
    return {'cpu_ms': cpu_s / frames * 1e3, 'frames': frames}


class _Newest(EncodedTap):
    """A tap that keeps the packets since the last key frame that nobody has taken yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packets: list[bytes] = []

    @property
    def wanted(self) -> bool:
        """Always."""
        return True

    def put(self, video: EncodedFormat, packet: EncodedPacket) -> None:
        """See EncodedTap."""
        del video
        with self._lock:
            self._packets.append(packet.data)

    def take(self) -> list[bytes]:
        """All of them."""
        with self._lock:
            taken, self._packets = self._packets, []
            return taken


def _overhead(uri: str, reader: MeasuredReader) -> dict[str, float]:
    """Picture by picture: the source's time from its arrival, and then the bare decoder's for the very same packet.

    Bare is FFmpeg's decoder and its conversion to BGR, in this process, with the source's own number of threads.
    """
    import av

    tap = _Newest()
    feed = reader.feed(uri, tap)
    feed.open()
    context = av.CodecContext.create('h264', 'r')
    context.thread_type, context.thread_count = 'SLICE', len(os.sched_getaffinity(0))
    works: list[float] = []
    bares: list[float] = []

    def one() -> None:
        work_ms = next_frame(feed).work_ns * 1e-6
        packets = tap.take()
        for data in packets:
            begin_s = time.perf_counter()
            frames = context.decode(av.Packet(data))
            for frame in frames:
                frame.to_ndarray(format='bgr24')
            took_ms = (time.perf_counter() - begin_s) * 1e3
        # Where one frame stands for one packet.
        if len(packets) == 1 and frames:
            works.append(work_ms)
            bares.append(took_ms)

    _for(_WARM_S, one)
    works.clear()
    bares.clear()
    _for(_MEASURED_S, one)
    feed.close()
    more = [work - bare for work, bare in zip(works, bares, strict=True)]
    return {'overhead_ms': median(more), 'decode_ms': median(bares), 'frames': len(more)}


def _restart(uri: str, reader: MeasuredReader) -> dict[str, float]:
    before: dict[str, float] = {}
    begin_s = time.monotonic()
    count = _RESTARTS if reader.name == NAMES[0] else _RESTARTS_OF_OTHERS
    for number in range(count):
        if number == _SETTLED_AFTER:
            before = _resources()
        feed = reader.feed(uri)
        feed.open()
        next_frame(feed)
        feed.close()
    after = _resources()
    return {
        'restart_count': count,
        'restart_ms': _rounded((time.monotonic() - begin_s) / count * 1e3),
        **{f'restart_growth_{name}': _rounded(after[name] - before[name]) for name in before},
    }


def _resources() -> dict[str, float]:
    gc.collect()
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return {
        'memory_mb': pages * os.sysconf('SC_PAGE_SIZE') / 1e6,
        'threads': float(len(list(Path('/proc/self/task').iterdir()))),
        'descriptors': float(len(list(Path('/proc/self/fd').iterdir()))),
        'python_threads': float(threading.active_count()),
    }


def _for(seconds: float, work: Any) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        work()


def _rounded(value: float) -> float:
    return round(float(value), 3)


def _main(kind: str, uri: str, name: str, folder: str) -> None:
    reach_debian_gi(Path(folder))
    assert name in NAMES
    reader = MeasuredReader(name, folder)
    work = {
        'source': lambda: _watch_source(uri, reader),
        'opencv': lambda: _watch_opencv(uri),
        'overhead': lambda: _overhead(uri, reader),
        'restarts': lambda: _restart(uri, reader),
    }
    print(json.dumps(work[kind]()))
    # Without waiting for threads of libraries.
    sys.stdout.flush()
    os._exit(0)


if __name__ == '__main__':
    _main(*sys.argv[1:])
