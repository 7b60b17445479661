# SPDX-License-Identifier: Apache-2.0
"""Starts a trial camera or a video server to publish to, processes of Debian's Python on loopback, and commands them.

    with running_camera(CameraOptions(codec='h265')) as camera:
        open(camera.uri)
        camera.stall()

`pytest_camera` makes fixtures of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar, Generic, TypeVar
from urllib.parse import quote

import gremsy_camera

# Debian's own, for which its `gi` is built; `python3` on PATH may be another.
_PYTHON = '/usr/bin/python3'
_APT = (
    'apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad '
    'gstreamer1.0-plugins-ugly python3-gi gir1.2-gst-rtsp-server-1.0'
)
_ELEMENTS = ('appsrc', 'rtph264pay', 'x264enc', 'x265enc', 'h264parse', 'h265parse', 'jpegenc', 'vp8enc')
_PROBE = f"""
import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer
Gst.init(None)
print(' '.join(name for name in {_ELEMENTS!r} if Gst.ElementFactory.find(name) is None))
"""


class TrialCameraFailed(Exception):
    """The camera did not start or died."""


@dataclass(frozen=True, slots=True)
class TrialCameraOptions:
    """What the camera is like.

    Attributes:
        codec: 'h264' (zero latency), 'h264-b' (x264's defaults: look-ahead and two B-frames), 'h265', 'mjpeg',
            'vp8' or 'audio' (no video at all).
        rate_hz, kbps: of the video.
        gop: pictures from one key frame to the next.
        speed: x264's preset.
        colorimetry: as GStreamer names it ('bt709', '1:4:0:0' for full-range BT.601); '' for its own.
        noise: up to so many levels are added to or taken from every pixel.
        user, password: who may look; '' for anybody.
        authentication: 'basic' or 'digest'.
        certificate: PEM of key and certificate for rtsps; '' for rtsp.
        clock_offset_s, clock_drift_ppm: of the camera's clock against ours.
        report_every_s: between sender reports, about.
        reports: whether it sends any.
        stamps_after_encoder: whether the reports name the time of sending, not of capture.
        one_session: 503 for a second reader.
        loss_percent: of the RTP packets.
        protocols: 'tcp', 'udp' or '' for both.
        path: of the stream; any other is 404.
        lamp: a file; while it holds a number above 0, a lamp in the picture is lit, at 1 fully, else at that grey
            level. '' for no lamp.
        ring: of a simulated payload: the camera is on its gimbal and sees nothing but a bright target, which goes to
            and fro at the horizon (`turning_view`). '' for a camera on no gimbal.
        field_deg: how wide it sees then.
        sway_deg, sway_deg_s: how far to either side that target goes, and how fast in the middle.
        seed: of noise, loss and damage.
    """

    codec: str = 'h264'
    width: int = 640
    height: int = 360
    rate_hz: float = 30.0
    kbps: int = 2000
    gop: int = 30
    speed: str = 'ultrafast'
    colorimetry: str = ''
    noise: int = 0
    user: str = ''
    password: str = ''
    authentication: str = 'basic'
    certificate: str = ''
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    report_every_s: float = 1.0
    reports: bool = True
    stamps_after_encoder: bool = False
    one_session: bool = False
    loss_percent: float = 0.0
    protocols: str = ''
    path: str = '/eo'
    lamp: str = ''
    ring: str = ''
    field_deg: float = 60.0
    sway_deg: float = 14.0
    sway_deg_s: float = 8.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class TrialVideoServerOptions:
    """What the server is like.

    Attributes:
        path: that takes a stream; any other is 404.
        user, password: who may publish; '' for anybody.
        authentication: 'basic' or 'digest'.
    """

    path: str = '/eo'
    user: str = ''
    password: str = ''
    authentication: str = 'basic'


@cache
def why_no_trial_camera() -> str | None:
    """In one sentence with the way out why there can be none on this machine; None where there can."""
    if not Path(_PYTHON).exists():
        return f'The trial camera needs {_PYTHON} with GStreamer: {_APT}'
    probe = subprocess.run([_PYTHON, '-c', _PROBE], capture_output=True, text=True, check=False, timeout=60)
    if probe.returncode:
        return f'The trial camera needs GStreamer and its RTSP server for {_PYTHON}: {_APT}'
    missing = probe.stdout.split()
    return f'The trial camera lacks GStreamer elements ({", ".join(missing)}): {_APT}' if missing else None


Options = TypeVar('Options', TrialCameraOptions, TrialVideoServerOptions)


class TrialProcess(Generic[Options]):
    """A server of GStreamer that runs; `stop` and `start` are its power switch, and the port stays the same."""

    # The module that it runs, and what sentences call it.
    module: ClassVar[str]
    what: ClassVar[str]

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None

    def start(self) -> None:
        """Switch it on, and wait until it listens.

        Raises:
            TrialCameraFailed: with what it said.
        """
        self._log = tempfile.TemporaryFile('w+', encoding='utf-8')  # noqa: SIM115 -- lives as long as the process
        package_root = str(Path(gremsy_camera.__file__).resolve().parents[1])
        arguments = json.dumps({'port': self.port, **asdict(self.options)})
        inherited = {name: os.environ[name] for name in ('HOME', 'PATH', 'TMPDIR') if name in os.environ}
        self._process = subprocess.Popen(
            [_PYTHON, '-m', f'gremsy_camera.trial.{self.module}', arguments],
            env={**inherited, 'PYTHONPATH': package_root, 'PYTHONDONTWRITEBYTECODE': '1'},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._expect('ready')

    def stop(self) -> None:
        """Cut the power: the connections end, and nothing listens."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _expect(self, word: str) -> None:
        pipe = self._running().stdout
        assert pipe is not None
        # The answer is a line or, when the process dies, the end; pytest's own time limit ends a hang.
        if pipe.readline().strip() != word:
            said = ''
            if self._log is not None:
                self._log.seek(0)
                said = self._log.read()[-2000:]
            self.stop()
            raise TrialCameraFailed(f'The {self.what} did not answer `{word}`. It said:\n{said}')

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise TrialCameraFailed(f'The {self.what} is switched off: call `start`.')
        return self._process


def user_info(user: str, password: str) -> str:
    """As it stands before the host of an address; '' for no user."""
    return f'{quote(user, safe="")}:{quote(password, safe="")}@' if user else ''


class TrialCamera(TrialProcess[TrialCameraOptions]):
    """See TrialProcess."""

    module = 'gstreamer_camera'
    what = 'trial camera'

    @property
    def address(self) -> str:
        """Host, port and path, without credentials."""
        return f'127.0.0.1:{self.port}{self.options.path}'

    @property
    def uri(self) -> str:
        """The stream, with the credentials that it asks for."""
        scheme = 'rtsps' if self.options.certificate else 'rtsp'
        return f'{scheme}://{user_info(self.options.user, self.options.password)}{self.address}'

    def restart(self, options: TrialCameraOptions | None = None, away_s: float = 0.0) -> None:
        """Cut the power, wait, and switch on again, as another camera where `options` say so."""
        self.stop()
        self.options = options or self.options
        time.sleep(away_s)
        self.start()

    def hang(self) -> None:
        """Stop the whole process, as a camera does whose software hangs: connections stay, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Undo `hang`."""
        self._running().send_signal(signal.SIGCONT)

    def stall(self) -> None:
        """Send no pictures any more, while the connection lives."""
        self._command('stall')

    def go_on(self) -> None:
        """Undo `stall`."""
        self._command('go_on')

    def freeze(self) -> None:
        """Send the same picture over and over."""
        self._command('freeze')

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._command('thaw')

    def lose(self, percent: float) -> None:
        """Lose so many of the RTP packets."""
        self._command(f'loss {percent}')

    def corrupt(self, percent: float) -> None:
        """Damage some bytes of so many of the encoded pictures."""
        self._command(f'corrupt {percent}')

    def resize(self, width: int, height: int) -> None:
        """Change the size in mid-stream."""
        self.options = replace(self.options, width=width, height=height)
        self._command(f'size {width} {height}')

    def _command(self, line: str) -> None:
        pipe = self._running().stdin
        assert pipe is not None
        pipe.write(f'{line}\n')
        pipe.flush()
        self._expect('done')


class TrialVideoServer(TrialProcess[TrialVideoServerOptions]):
    """See TrialProcess. Lines of JSON that it writes are kept."""

    module = 'gstreamer_video_server'
    what = 'trial video server'

    def __init__(self, options: TrialVideoServerOptions) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._reports: list[dict[str, Any]] = []

    @property
    def server(self) -> str:
        """Its address without a path, with the credentials that it asks for."""
        return f'rtsp://{user_info(self.options.user, self.options.password)}127.0.0.1:{self.port}'

    def start(self) -> None:
        """See TrialProcess."""
        super().start()
        threading.Thread(target=self._listen, args=(self._running().stdout,), daemon=True).start()

    def reports(self, kind: str) -> list[dict[str, Any]]:
        """All that came so far and has such a field: 'rtp', 'report' or 'luma'."""
        with self._lock:
            return [each for each in self._reports if kind in each]

    def wait_for(self, kind: str, count: int, timeout_s: float = 20.0, work: Callable[[], object] = dict) -> bool:
        """Whether so many came in time; until then `work` is repeated."""
        until_s = time.monotonic() + timeout_s
        while len(self.reports(kind)) < count:
            if time.monotonic() > until_s:
                return False
            work()
            time.sleep(0.005)
        return True

    def _listen(self, pipe: IO[str]) -> None:
        # Closed by `stop`, in the middle of a line where it comes so.
        with suppress(ValueError, OSError):
            for line in pipe:
                with self._lock:
                    self._reports.append(json.loads(line))


@contextmanager
def running_camera(options: TrialCameraOptions | None = None) -> Iterator[TrialCamera]:
    """A camera that is switched off at the end.

    Raises:
        TrialCameraFailed: where this machine cannot have one, with the way out.
    """
    wanting = why_no_trial_camera()
    if wanting:
        raise TrialCameraFailed(wanting)
    camera = TrialCamera(options or TrialCameraOptions())
    try:
        camera.start()
        yield camera
    finally:
        camera.stop()


def make_certificate(folder: Path) -> Path | None:
    """PEM of a key and a certificate for 127.0.0.1 by the program openssl; None where there is none."""
    program = shutil.which('openssl')
    if program is None:
        return None
    key, certificate, both = folder / 'key.pem', folder / 'certificate.pem', folder / 'camera.pem'
    request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1']
    files = ['-keyout', str(key), '-out', str(certificate)]
    subprocess.run([program, *request, *files], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return both


def free_port() -> int:
    """A TCP port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port
