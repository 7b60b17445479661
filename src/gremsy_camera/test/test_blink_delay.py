# SPDX-License-Identifier: Apache-2.0
"""A lamp of which all is known: the offset that comes out is the one that was put in."""

import io
import time

import numpy as np
import pytest

from gremsy_camera.check.blink_delay import BlinkWatch, LampSwitch
from gremsy_camera.check.lamps import Blinking, FileLamp, LampUnusable, ScreenLamp

START_NS = 1_790_000_000_000_000_000
MS = 1_000_000


def switching(rng, seconds):
    at_ns, lit, switches = START_NS, False, []
    while at_ns < START_NS + seconds * 1e9:
        at_ns += int(rng.uniform(0.2, 0.55) * 1e9)
        lit = not lit
        switches.append(LampSwitch(at_ns, lit))
    return switches


def light(switches, begin_ns, end_ns):
    """The share of an exposure in which the lamp was lit."""
    times = np.linspace(begin_ns, end_ns, 41)
    states = [0.0, *(float(switch.lit) for switch in switches)]
    return np.mean([states[i] for i in np.searchsorted([switch.at_ns for switch in switches], times, side='right')])


def film(watch, switches, rng, offset_ms, rate_hz=30.0, exposure_ms=10.0, lost=0.0, jitter_ms=0.0, size=6, bits=8):
    """Stamps are off by -offset_ms: adding it gives the middle of the exposure."""
    levels = 1 if bits == 8 else 100
    for index in range(int(10 * rate_hz)):
        middle_ns = START_NS + index / rate_hz * 1e9 + rng.normal(0.0, jitter_ms) * MS
        share = light(switches, middle_ns - exposure_ms / 2 * MS, middle_ns + exposure_ms / 2 * MS)
        image = rng.normal(60.0, 3.0, (180, 320))
        # Something else in the picture that changes evenly.
        image[:50, :100] += 80.0 * np.sin(index / 7.0)
        image[100 : 100 + size, 200 : 200 + size] += 150.0 * share
        image = np.clip(image * levels, 0, 255 * levels).astype(np.uint8 if bits == 8 else np.uint16)
        if rng.random() >= lost:
            watch.see(image if bits == 16 else np.dstack([image] * 3), round(middle_ns - offset_ms * MS))


@pytest.mark.parametrize('offset_ms', [0.0, -281.0, 120.0, -1200.0])
def test_the_offset_that_was_put_in_comes_out(offset_ms):
    rng, watch = np.random.default_rng(7), BlinkWatch()
    switches = switching(rng, 10)
    film(watch, switches, rng, offset_ms)
    delay = watch.delay(switches)
    assert delay.offset_ns / MS == pytest.approx(offset_ms, abs=2.5)
    assert delay.agreement > 0.9
    assert delay.place == pytest.approx((203 / 320, 103 / 180), abs=1 / 36)
    assert abs(delay.offset_ns / MS - offset_ms) <= delay.uncertainty_ns / MS + 2.5


@pytest.mark.parametrize(
    'filming',
    [
        {'rate_hz': 60.0, 'exposure_ms': 1.0},
        {'rate_hz': 10.0, 'exposure_ms': 60.0},
        {'lost': 0.3},
        {'jitter_ms': 3.0},
        {'bits': 16},
        {'size': 60},
    ],
    ids=str,
)
def test_of_whatever_camera(filming):
    rng, watch = np.random.default_rng(11), BlinkWatch()
    switches = switching(rng, 10)
    film(watch, switches, rng, -80.0, **filming)
    # A picture every 100 ms and 25 switches leave 4 ms between those that fall into none.
    assert watch.delay(switches).offset_ns / MS == pytest.approx(
        -80.0, abs=6.0 if filming.get('rate_hz') == 10.0 else 2.5
    )


def test_a_picture_without_the_lamp_says_nothing():
    rng, watch = np.random.default_rng(13), BlinkWatch()
    switches = switching(rng, 10)
    film(watch, [], rng, 0.0)
    assert watch.delay(switches) is None


def test_too_little_says_nothing():
    rng, watch = np.random.default_rng(13), BlinkWatch()
    switches = switching(rng, 10)
    assert watch.delay(switches) is None
    film(watch, switches, rng, 0.0)
    assert watch.delay(switches[:4]) is None


def test_a_lamp_is_switched_at_full_and_put_back(tmp_path):
    lamp = tmp_path / 'brightness'
    lamp.write_text('40\n')
    (tmp_path / 'max_brightness').write_text('255\n')
    seen = set()
    with Blinking(FileLamp(lamp), time.time_ns, seed=1) as blinking:
        end = time.monotonic() + 5.0
        while len(blinking.switches) < 3 and time.monotonic() < end:
            seen.add(lamp.read_text())
            time.sleep(0.01)
    assert {'0', '255'} <= seen and lamp.read_text() == '40'
    assert [switch.lit for switch in blinking.switches[:3]] == [True, False, True]
    assert blinking.failure is None


def test_a_lamp_that_cannot_be_switched_says_so_at_once(tmp_path):
    with pytest.raises(LampUnusable) as raised, Blinking(FileLamp(tmp_path / 'none'), time.time_ns):
        pass
    assert str(raised.value) == (
        f'The lamp {tmp_path}/none cannot be switched (No such file or directory): name a file that takes 0 and 1, as '
        '/sys/class/leds/NAME/brightness, and run as a user who may write it.'
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_blinks_on_a_page_of_its_own_and_comes_back():
    terminal = Terminal()
    lamp = ScreenLamp(terminal)
    lamp.set(True)
    lamp.set(False)
    lamp.restore()
    lamp.restore()
    assert terminal.getvalue() == (
        '\x1b[?1049h\x1b[?25l\x1b[48;5;231m\x1b[2J\x1b[H\x1b[48;5;16m\x1b[2J\x1b[H\x1b[0m\x1b[?25h\x1b[?1049l'
    )


def test_without_a_terminal_there_is_nothing_to_blink_with():
    with pytest.raises(LampUnusable) as raised:
        ScreenLamp(io.StringIO()).set(True)
    assert str(raised.value) == (
        'There is no terminal to blink with: run it in one, or name a lamp as `--blink '
        '/sys/class/leds/NAME/brightness`.'
    )
