# SPDX-License-Identifier: Apache-2.0
"""A `VideoOut` with its thread, and frames whose stamps are known."""

import threading
import time

import numpy as np

from gremsy_camera.stream_parameters import StreamParameters
from gremsy_camera.streaming.video_out import VideoOut
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.errors import SuiteError
from gremsy_common.types.frame import Frame

PERIOD_NS = 33_333_333
# Just before the RTP time comes round: it does within the first second. 37 600 times 13.26 h after 1970 is in 2026.
BEFORE_WRAP_NS = (37_600 * 2**32 - 30_000) * 100_000 // 9


class Sayings:
    """What it said."""

    def __init__(self):
        self.stages = {'encode': []}
        self.sent_stamps = []
        self.drops = []
        self.infos = []

    def stage(self, name, duration_ns):
        self.stages[name].append(duration_ns)

    def drop(self, reason, sentence):
        self.drops.append((reason, sentence))

    def info(self, sentence):
        self.infos.append(sentence)

    def sent(self, stamp_ns, size_bytes):
        self.sent_stamps.append(stamp_ns)


class Publishing:
    """A VideoOut with its thread, fed with frames whose stamps go on by a period each."""

    def __init__(self, server, path='eo', **options):
        self.said = Sayings()
        self.out = VideoOut(
            StreamAddress.of(f'{server}/{path}', 'server'),
            StreamParameters(**{'encoder': 'x264', **options}),
            self.said,
        )
        self.stamp_ns = BEFORE_WRAP_NS
        self.stamps = []
        self.errors = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stopped.is_set():
            try:
                self.out.step()
            except SuiteError as error:
                self.errors.append(error)

    def feed(self, image=None, encoding='bgr8'):
        """One frame, and the time that it takes to be encoded and sent."""
        self.stamp_ns += PERIOD_NS
        self.stamps.append(self.stamp_ns)
        pixels = np.full((96, 128, 3), len(self.stamps) * 3 % 200, np.uint8) if image is None else image
        self.out.put(Frame(pixels, self.stamp_ns, 'optical', encoding))
        time.sleep(0.03)

    def until(self, condition, work=lambda: None):
        deadline = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < deadline, f'{self.out.rows()} {self.out.problem} {self.errors} {self.said.infos}'
            work()
            time.sleep(0.005)

    def close(self):
        self._stopped.set()
        self._thread.join()
        self.out.close()
