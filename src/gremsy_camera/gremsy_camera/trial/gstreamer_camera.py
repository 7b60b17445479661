# SPDX-License-Identifier: Apache-2.0
"""The camera itself: GStreamer's RTSP server, run by the Python that has `gi` (`trial_camera` starts it).

    PYTHONPATH=… /usr/bin/python3 -m gremsy_camera.trial.gstreamer_camera '{"port": 8554, …}'

prints `ready` once it listens and takes commands on its standard input, one a line: `stall`, `go_on`, `freeze`, `thaw`,
`loss PERCENT`, `corrupt PERCENT` and `size WIDTH HEIGHT`.
"""

from __future__ import annotations

import json
import math
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtsp', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 -- their versions are chosen first

from gremsy_camera.trial import burned_clock, gstreamer_server, turning_view  # noqa: E402

_NS_PER_S = 1_000_000_000
# From NTP's zero, 1900, to 1970.
_NTP_EPOCH_S = 2_208_988_800
_NTP_TIME_IS_CLOCK_TIME = 3
_BAR_PX = 32
# Of the lamp and of the target on a gimbal: dark, fully lit, and what nothing else in the picture reaches.
_DARK, _LIT, _TARGET = 0x14, 0xE0, 0xDE
_TARGET_PX = (40, 60)
# Of the wall behind it, to either side of what is seen at azimuth 0; rows of it with noise of their own.
_WALL_PX, _WALLS = 1200, 24

_ENCODERS = {
    'h264': 'x264enc name=encoder speed-preset={speed} tune=zerolatency sliced-threads=false threads=1 bitrate={kbps} '
    'key-int-max={gop} ! video/x-h264,profile=baseline ! h264parse ! rtph264pay config-interval=-1 name=pay0 pt=96',
    # x264's own defaults, but for its speed: look-ahead and B-frames.
    'h264-b': 'x264enc name=encoder speed-preset=veryfast bitrate={kbps} key-int-max={gop} bframes=2 '
    '! video/x-h264,profile=main ! rtph264pay config-interval=-1 name=pay0 pt=96',
    'h265': 'x265enc name=encoder speed-preset=ultrafast tune=zerolatency bitrate={kbps} key-int-max={gop} '
    '! video/x-h265 ! h265parse ! rtph265pay config-interval=-1 name=pay0 pt=96',
    'mjpeg': 'jpegenc name=encoder quality=80 ! rtpjpegpay name=pay0 pt=26',
    'vp8': 'vp8enc name=encoder deadline=1 target-bitrate={bps} ! rtpvp8pay name=pay0 pt=96',
}
_AUDIO_ONLY = '( audiotestsrc is-live=true wave=ticks ! audioconvert ! mulawenc ! rtppcmupay name=pay0 pt=0 )'


class GStreamerCamera:
    """Draws, encodes and serves until stopped."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._size: tuple[int, int] = (options['width'], options['height'])
        self._lamp: int | None = _DARK if options['lamp'] else None
        self._random = random.Random(options['seed'])
        self._lock = threading.Lock()
        self._frozen: bytes | None = None
        self._freeze = False
        self._go_on = threading.Event()
        self._go_on.set()
        self._loss_percent = float(options['loss_percent'])
        self._corrupt_percent = 0.0
        self._clock = Gst.SystemClock(clock_type=Gst.ClockType.REALTIME)
        self._set_clock(float(options['clock_offset_s']))
        self._re_entered = threading.local()

    def _set_clock(self, offset_s: float) -> None:
        """Camera's time = ours + offset, and gains drift_ppm from now on; in NTP's epoch."""
        now_ns = self._clock.get_internal_time()
        ahead_ns = round((_NTP_EPOCH_S + offset_s) * _NS_PER_S)
        rate = round(1_000_000_000 * (1 + self._options['clock_drift_ppm'] * 1e-6))
        self._clock.set_calibration(now_ns, now_ns + ahead_ns, rate, 1_000_000_000)

    def serve(self) -> None:
        options = self._options
        server = GstRtspServer.RTSPServer()
        # A connection that ends takes its session along; the library would keep it for a minute.
        server.connect('client-connected', _forget_sessions_at_its_end)
        if options['one_session']:
            server.get_session_pool().set_max_sessions(1)
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(self._launch_line())
        factory.set_shared(True)
        factory.set_clock(self._clock)
        factory.set_stop_on_disconnect(True)
        if options['codec'] != 'audio':
            factory.connect('media-configure', self._configured)
        if options['protocols']:
            transports = {'tcp': GstRtsp.RTSPLowerTrans.TCP, 'udp': GstRtsp.RTSPLowerTrans.UDP}
            factory.set_protocols(transports[options['protocols']])
        gstreamer_server.offer(server, factory, options)
        loop = GLib.MainLoop()
        threading.Thread(target=self._take_commands, args=(loop,), daemon=True).start()
        gstreamer_server.write_line('ready')
        loop.run()

    def _launch_line(self) -> str:
        options = self._options
        if options['codec'] == 'audio':
            return _AUDIO_ONLY
        encoder = _ENCODERS[options['codec']].format(
            speed=options['speed'], kbps=options['kbps'], bps=1000 * options['kbps'], gop=options['gop']
        )
        return f'( appsrc name=source is-live=true format=time block=false max-bytes=0 ! {encoder} )'

    def _configured(self, _factory: Any, media: Any) -> None:
        element = media.get_element()
        # The server makes its RTP parts in this pipeline later, and offers them to C only (`setup_rtpbin`).
        element.get_parent().connect('deep-element-added', self._part_added)
        source = element.get_by_name('source')
        pad = element.get_by_name('encoder').get_static_pad('src')
        pad.add_probe(Gst.PadProbeType.BUFFER, self._corrupt)
        pay = element.get_by_name('pay0').get_static_pad('src')
        pay.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, self._lose)
        ended = threading.Event()
        media.connect('unprepared', lambda _media: ended.set())
        threading.Thread(target=self._film, args=(source, ended), daemon=True).start()

    def _part_added(self, _pipeline: Any, _bin: Any, part: Any) -> None:
        """Have the sender reports made of the camera's own clock."""
        kind = part.get_factory().get_name()
        if kind == 'rtpbin':
            part.set_property('ntp-time-source', _NTP_TIME_IS_CLOCK_TIME)
            part.set_property('rtcp-sync-send-time', self._options['stamps_after_encoder'])
        elif kind == 'rtpsession':
            part.set_property('rtcp-min-interval', round(self._options['report_every_s'] * _NS_PER_S))
            part.connect('pad-added', self._session_pad_added)

    def _session_pad_added(self, _session: Any, pad: Any) -> None:
        if pad.get_name() == 'send_rtcp_src' and not self._options['reports']:
            pad.add_probe(Gst.PadProbeType.BUFFER, lambda *_: Gst.PadProbeReturn.DROP)

    def _film(self, source: Any, ended: threading.Event) -> None:
        """Push a picture a period, on an absolute schedule, stamped with the camera's clock as it is drawn."""
        period_s = 1.0 / self._options['rate_hz']
        shown: tuple[int, int] | None = None
        index = 0
        # Until the pipeline plays its times begin nowhere: a picture that was stamped before is waited for for ever.
        while not source.get_base_time() and not ended.wait(0.001):
            pass
        due_s = time.monotonic()
        while not ended.is_set():
            with self._lock:
                size = self._size
            if size != shown:
                width, height = shown = size
                source.set_property('caps', Gst.Caps.from_string(self._caps(width, height)))
                scene = self._scene(width, height)
            self._go_on.wait()
            due_s = max(due_s + period_s, time.monotonic() - 1.0)
            while (left_s := due_s - time.monotonic()) > 0:
                time.sleep(left_s)
            lamp = self._look_at_lamp()
            base_ns = source.get_base_time()
            time_us = time.time_ns() // 1000
            buffer_ns = self._clock.get_time() - base_ns
            if self._freeze:
                data = self._frozen = self._frozen or scene.picture(index, time_us, lamp)
            else:
                data, self._frozen = scene.picture(index, time_us, lamp), None
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts = max(0, buffer_ns)
            buffer.duration = round(period_s * _NS_PER_S)
            pushed = source.emit('push-buffer', buffer)
            if pushed == Gst.FlowReturn.FLUSHING:
                # The media is configured before its pipeline has started; `ended` says when it has stopped.
                time.sleep(0.005)
                continue
            if pushed != Gst.FlowReturn.OK:
                return
            index += 1

    def _scene(self, width: int, height: int) -> Scene:
        options = self._options
        if not options['ring']:
            return Scene(width, height, options['noise'], options['seed'])
        view = turning_view.TurningView(options['ring'], math.radians(options['field_deg']), width, height)
        sway = math.radians(options['sway_deg']), math.radians(options['sway_deg_s'])
        return TargetScene(width, height, options['noise'], options['seed'], view, sway)

    def _look_at_lamp(self) -> int | None:
        """How bright the lamp is; None where there is none."""
        if self._options['lamp']:
            # Who writes it empties it first: then it is as it was.
            text = Path(self._options['lamp']).read_text(encoding='ascii').strip()
            if text:
                self._lamp = {0: _DARK, 1: _LIT}.get(int(text), int(text))
        return self._lamp

    def _caps(self, width: int, height: int) -> str:
        rate = round(1000 * self._options['rate_hz'])
        colour = f',colorimetry={self._options["colorimetry"]}' if self._options['colorimetry'] else ''
        return f'video/x-raw,format=I420,width={width},height={height},framerate={rate}/1000{colour}'

    def _lose(self, pad: Any, info: Any) -> Any:
        """Drop packets, each with the same chance."""
        if self._loss_percent <= 0 or getattr(self._re_entered, 'yes', False):
            return Gst.PadProbeReturn.OK
        if info.type & Gst.PadProbeType.BUFFER:
            lost = self._random.random() * 100 < self._loss_percent
            return Gst.PadProbeReturn.DROP if lost else Gst.PadProbeReturn.OK
        packets = info.get_buffer_list()
        kept = Gst.BufferList.new()
        for number in range(packets.length()):
            if self._random.random() * 100 >= self._loss_percent:
                kept.insert(-1, packets.get(number))
        self._re_enter(lambda: pad.push_list(kept))
        return Gst.PadProbeReturn.DROP

    def _corrupt(self, pad: Any, info: Any) -> Any:
        """Change some bytes of an encoded picture."""
        chance = self._corrupt_percent
        if chance <= 0 or getattr(self._re_entered, 'yes', False) or self._random.random() * 100 >= chance:
            return Gst.PadProbeReturn.OK
        old = info.get_buffer()
        data = bytearray(old.extract_dup(0, old.get_size()))
        for _ in range(self._random.randint(1, 20)):
            data[self._random.randrange(len(data))] = self._random.randrange(256)
        new = Gst.Buffer.new_wrapped(bytes(data))
        new.pts, new.dts, new.duration = old.pts, old.dts, old.duration
        new.set_flags(old.get_flags())
        self._re_enter(lambda: pad.push(new))
        return Gst.PadProbeReturn.DROP

    def _re_enter(self, push: Callable[[], object]) -> None:
        self._re_entered.yes = True
        try:
            push()
        finally:
            self._re_entered.yes = False

    def _take_commands(self, loop: Any) -> None:
        for line in sys.stdin:
            command, *values = line.split()
            if command == 'stall':
                self._go_on.clear()
            elif command == 'go_on':
                self._go_on.set()
            elif command in ('freeze', 'thaw'):
                self._freeze = command == 'freeze'
            elif command == 'loss':
                self._loss_percent = float(values[0])
            elif command == 'corrupt':
                self._corrupt_percent = float(values[0])
            elif command == 'size':
                with self._lock:
                    self._size = (int(values[0]), int(values[1]))
            gstreamer_server.write_line('done')
        loop.quit()


class Scene:
    """A grey gradient, a bar that moves four pixels a picture, noise where asked for, and the clock where it fits."""

    def __init__(self, width: int, height: int, noise: int, seed: int) -> None:
        self._width, self._height = width, height
        self._random = random.Random(seed)
        ramp = bytes(40 + 160 * x // width for x in range(width)) * height
        # Noise is dear in pure Python: a dozen pictures of it are made once and come in any order.
        self._lumas = [_noisy(ramp, noise, self._random) for _ in range(12)] if noise else [ramp]
        chroma = ((width + 1) // 2) * ((height + 1) // 2)
        # GStreamer pads the rows of I420 to multiples of four.
        self._stride, self._chroma_stride = (width + 3) // 4 * 4, ((width + 1) // 2 + 3) // 4 * 4
        self._chroma = b'' if self._stride == width and self._chroma_stride * 2 == width and height % 2 == 0 else None
        self._blue = bytes((100,)) * chroma
        self._red = bytes((150,)) * chroma

    def draw(self, luma: bytearray, index: int) -> None:
        width, height = self._width, self._height
        bar = min(_BAR_PX, width)
        left = 4 * index % max(1, width - bar + 1)
        for y in range(3 * height // 4, height):
            luma[y * width + left : y * width + left + bar] = b'\xd0' * bar

    def draw_time(self, luma: bytearray, time_us: int) -> None:
        if burned_clock.has_room(self._width, self._height):
            burned_clock.draw(luma, self._width, time_us)

    def picture(self, index: int, time_us: int, lamp: int | None = None) -> bytes:
        width, height = self._width, self._height
        luma = bytearray(self._random.choice(self._lumas))
        self.draw(luma, index)
        self.draw_time(luma, time_us)
        if lamp is not None:
            # In the middle of the right half, out of the way of clock and bar.
            for y in range(height // 4, height // 2):
                luma[y * width + 3 * width // 4 : y * width + 7 * width // 8] = bytes((lamp,)) * (
                    7 * width // 8 - 3 * width // 4
                )
        if self._chroma is not None:
            return bytes(luma) + self._blue + self._red
        return self._padded(luma)

    def _padded(self, luma: bytearray) -> bytes:
        width, height = self._width, self._height
        half_width, half_height = (width + 1) // 2, (height + 1) // 2
        # I420's planes hold an even number of rows.
        rows = [bytes(luma[y * width : (y + 1) * width]).ljust(self._stride, b'\0') for y in range(height)]
        rows += [rows[-1]] * (height % 2)
        planes = [b''.join(rows)]
        for value in (100, 150):
            planes.append((bytes((value,)) * half_width).ljust(self._chroma_stride, b'\0') * half_height)
        return b''.join(planes)


class TargetScene(Scene):
    """A dim wall and one bright target, where the gimbal's true axis has them in the picture."""

    def __init__(
        self,
        width: int,
        height: int,
        noise: int,
        seed: int,
        view: turning_view.TurningView,
        sway: tuple[float, float],
    ) -> None:
        super().__init__(width, height, noise, seed)
        # Without colour, so that every channel is as bright as the luma says.
        self._blue = self._red = bytes((128,)) * (((width + 1) // 2) * ((height + 1) // 2))
        self._view = view
        self._sway = sway
        wall = _rough_row(width + 2 * _WALL_PX, self._random)
        self._walls = [_noisy(wall, noise, self._random) for _ in range(_WALLS)]

    def draw(self, luma: bytearray, _index: int) -> None:
        width, height = self._width, self._height
        left = round(min(max(_WALL_PX - self._view.turned_px, 0), 2 * _WALL_PX))
        rows = [each[left : left + width] for each in self._walls]
        luma[:] = b''.join(self._random.choice(rows) for _ in range(height))
        place = self._view.place_px(turning_view.swayed_rad(time.monotonic(), *self._sway), 0.0)
        if place is None:
            return
        left, top = (round(middle - size / 2) for middle, size in zip(place, _TARGET_PX, strict=True))
        right, bottom = min(self._width, left + _TARGET_PX[0]), min(self._height, top + _TARGET_PX[1])
        left, top = max(0, left), max(0, top)
        for y in range(top, bottom):
            luma[y * self._width + left : y * self._width + right] = bytes((_TARGET,)) * max(0, right - left)

    def draw_time(self, luma: bytearray, time_us: int) -> None:
        """No clock: it is as bright as the target."""


def _forget_sessions_at_its_end(server: Any, client: Any) -> None:
    pool = server.get_session_pool()
    sessions: list[Any] = []
    client.connect('new-session', lambda _client, session: sessions.append(session))
    client.connect('closed', lambda _client: [pool.remove(session) for session in sessions])


def _rough_row(length: int, generator: random.Random) -> bytes:
    """Dim stripes of about a dozen pixels, each as bright as chance has it."""
    row = bytearray()
    while len(row) < length:
        row += bytes((generator.randint(20, 100),)) * generator.randint(6, 18)
    return bytes(row[:length])


def _noisy(luma: bytes, amplitude: int, generator: random.Random) -> bytes:
    """Each pixel up to `amplitude` levels away from what it was."""
    spread = 2 * amplitude + 1
    noise = generator.randbytes(len(luma))
    return bytes(value + each % spread - amplitude for value, each in zip(luma, noise, strict=True))


def main() -> None:
    """See the module."""
    Gst.init(None)
    GStreamerCamera(json.loads(sys.argv[1])).serve()


if __name__ == '__main__':
    main()
