# SPDX-License-Identifier: Apache-2.0
"""The page's panels in a real Chromium: settings, snapshot, recording, whose tracker moves the gimbal; and the ways of
moving it that a mouse has not, the gamepad and two fingers. The robot is `page_robot/fake_robot.js`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from src.gremsy_web.test.page_visits import Visit

pytestmark = pytest.mark.integration
# A machine that is busy shows pictures late, which would lock what is tried.
UNHURRIED = 'robot.staleAfterS = 5;'
# What a standard gamepad tells: axes of -1 to 1, buttons of the W3C's standard layout.
GAMEPAD = """
robot.staleAfterS = 5;
window.pad = { axes: [0, 0, 0, 0], buttons: [...Array(17)].map(() => ({ pressed: false, value: 0 })) };
navigator.getGamepads = () => [null, { mapping: 'standard', connected: true, ...window.pad }];
"""


def bodies(tab: Visit, path: str) -> list[dict[str, Any]]:
    return [json.loads(each['body']) for each in tab.asked(path) if each['method'] == 'POST']


def open_settings(tab: Visit, node: str) -> Any:
    """The settings, with that node's unfolded."""
    tab.page.get_by_role('button', name='Settings').click()
    group = tab.page.locator('.group').filter(has=tab.page.get_by_role('heading', name=node, exact=True))
    group.locator('summary').click()
    group.locator('.setting').first.wait_for()
    return group


def setting(tab: Visit, name: str) -> Any:
    return tab.page.locator(f'.setting[data-name={name}]')


def test_settings_are_made_of_what_the_nodes_say(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    group = open_settings(tab, 'eo/tracker')
    assert group.locator('.setting').count() == 7
    gain = setting(tab, 'gain_per_s')
    assert '0 to 10 1/s · default 2' in gain.inner_text() and 'changed' in gain.inner_text()
    slider = gain.get_by_role('slider')
    assert [slider.get_attribute(each) for each in ('min', 'max', 'step')] == ['0', '10', '0.05']
    assert gain.get_by_role('textbox').input_value() == '2.5'
    assert setting(tab, 'select').get_by_role('combobox').locator('option').all_inner_texts() == [
        'none',
        'nearest',
        'largest',
    ]
    assert setting(tab, 'enabled').get_by_role('switch').get_attribute('aria-checked') == 'true'
    # What is set at start only has no control, and stands last.
    fixed = setting(tab, 'trace_dir')
    assert 'set at start only' in fixed.inner_text()
    assert fixed.locator('input, select, button:visible').count() == 0
    assert group.locator('.setting').last.get_attribute('data-name') == 'trace_dir'
    assert tab.faults() == []


def test_without_the_controls_settings_can_be_read_only(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    open_settings(tab, 'eo/tracker')
    assert tab.page.locator('.settings-lock').inner_text() == 'Take control first.'
    tab.until(lambda: setting(tab, 'gain_per_s').get_by_role('slider').is_disabled(), 'the lock')
    tab.take()
    tab.until(lambda: setting(tab, 'gain_per_s').get_by_role('slider').is_enabled(), 'the controls')
    # An old picture locks what moves the gimbal, and no settings: one may be what brings it back.
    tab.robot('robot.frozen = true')
    tab.page.locator('.picture.is-main.is-stale').wait_for()
    assert setting(tab, 'gain_per_s').get_by_role('slider').is_enabled()


def test_a_setting_is_set_and_a_refusal_is_told_in_the_nodes_words(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED + 'robot.armed = false;')
    tab.take()
    open_settings(tab, 'eo/tracker')
    field = setting(tab, 'gain_per_s').get_by_role('textbox')
    field.fill('3,5')
    field.press('Enter')
    tab.said('gain_per_s is set until the next start')
    field.fill('12')
    field.press('Enter')
    setting(tab, 'gain_per_s').get_by_text('is 12, out of its range: use 0 .. 10 1/s.').wait_for()
    assert tab.faults() == []
    field.fill('much')
    field.press('Enter')
    setting(tab, 'gain_per_s').get_by_text('Write a number.').wait_for()
    # Escape takes back what was typed, and closes nothing.
    field.press('Escape')
    assert field.input_value() == '3.5' and tab.page.locator('#settings').is_visible()
    setting(tab, 'enabled').get_by_role('switch').click()
    setting(tab, 'classes').get_by_role('textbox').fill('person, "quad bike"')
    setting(tab, 'classes').get_by_role('textbox').press('Enter')
    setting(tab, 'select').get_by_role('combobox').select_option('largest')
    tab.until(lambda: len(bodies(tab, '/api/settings')) == 5, 'five changes')
    sent = {(each['name'], json.dumps(each['value'])) for each in bodies(tab, '/api/settings')}
    assert sent == {
        ('gain_per_s', '3.5'),
        ('gain_per_s', '12'),
        ('enabled', 'false'),
        ('classes', '["person", "\\"quad bike\\""]'),
        ('select', '"largest"'),
    }
    assert {(each['node'], each['lease']) for each in bodies(tab, '/api/settings')} == {('eo/tracker', 'lease-1')}
    setting(tab, 'gain_per_s').get_by_role('button', name='Back to default: gain_per_s').click()
    tab.until(lambda: field.input_value() == '2', 'the default')
    tab.page.keyboard.press('Escape')
    tab.page.locator('#settings').wait_for(state='hidden')


def test_while_armed_a_setting_that_moves_the_gimbal_is_asked_back_once(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    tab.take()
    open_settings(tab, 'eo/tracker')
    enabled = setting(tab, 'enabled').get_by_role('switch')
    enabled.click()
    dialog = tab.page.get_by_role('dialog', name='The gimbal is armed')
    dialog.get_by_role('button', name='Cancel').click()
    setting(tab, 'enabled').get_by_text('Nothing was changed.').wait_for()
    assert bodies(tab, '/api/settings') == []
    enabled.click()
    dialog.get_by_role('button', name='Set it').click()
    tab.until(lambda: enabled.get_attribute('aria-checked') == 'false', 'the change')
    enabled.click()
    tab.until(lambda: enabled.get_attribute('aria-checked') == 'true', 'the second change')
    # Space stops from the panel too, and throws no switch.
    enabled.focus()
    tab.page.keyboard.press('Space')
    tab.until(lambda: tab.sent('stop'), 'the stop')
    assert len(bodies(tab, '/api/settings')) == 2


def test_settings_are_searched_filtered_and_copied(visit: Callable[..., Visit]) -> None:
    tab = visit(
        UNHURRIED + 'robot.settings.gimbal_driver[0].value = "lock"; robot.settings["eo/tracker"][5].value = 3;'
    )
    page = tab.page
    open_settings(tab, 'eo/tracker')
    search = page.get_by_role('searchbox', name='Search in all settings')
    search.fill('rate command')
    setting(tab, 'time_to_live_s').wait_for()
    assert page.locator('.setting:visible').count() == 1
    search.fill('nothing like it')
    page.get_by_text('No setting matches.').wait_for()
    search.fill('')
    page.get_by_role('button', name='Changed', exact=True).click()
    shown = page.locator('.setting:visible')
    tab.until(lambda: shown.count() == 4, 'those that differ')
    page.get_by_role('button', name='Copy as YAML').click()
    lines = page.get_by_role('dialog', name='Lines for my_robot.yaml').get_by_role('textbox').input_value()
    # As PyYAML reads them, types and all.
    assert yaml.safe_load(lines) == {
        '/**/eo/tracker': {'ros__parameters': {'gain_per_s': 2.5, 'classes': ['person', 'car'], 'lost_after_s': 3.0}},
        '/**/gimbal_driver': {'ros__parameters': {'mode': 'lock'}},
    }
    assert isinstance(yaml.safe_load(lines)['/**/eo/tracker']['ros__parameters']['lost_after_s'], float)
    tab.shot('settings_yaml_1440x900_light')
    assert tab.faults() == []


def test_a_node_that_is_away_is_said_and_asked_again(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED + "robot.settingsAway = ['gimbal_driver'];")
    tab.page.get_by_role('button', name='Settings').click()
    group = tab.page.locator('.group').filter(has=tab.page.get_by_role('heading', name='gimbal_driver', exact=True))
    group.locator('summary').click()
    group.get_by_text('gimbal_driver/list_parameters is not there: is its node running?').wait_for()
    tab.robot('robot.settingsAway = [];')
    group.get_by_role('button', name='Try again').click()
    group.locator('.setting').first.wait_for()


@pytest.mark.parametrize(('width', 'height', 'scheme'), [(390, 844, 'light'), (820, 1180, 'dark'), (844, 390, 'dark')])
def test_the_settings_leave_the_stop_on_every_screen(
    visit: Callable[..., Visit], width: int, height: int, scheme: str
) -> None:
    tab = visit(UNHURRIED, viewport={'width': width, 'height': height}, color_scheme=scheme, has_touch=True)
    open_settings(tab, 'eo/tracker')
    tab.page.wait_for_timeout(400)
    tab.shot(f'settings_{width}x{height}_{scheme}')
    assert tab.page.evaluate('document.documentElement.scrollWidth') <= width
    assert tab.faults() == []
    tab.page.get_by_role('button', name='STOP').click()
    tab.until(lambda: tab.asked('/api/gimbal/stop'), 'the stop')


def test_whose_tracker_moves_the_gimbal_is_shown_and_chosen(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    choice = tab.page.get_by_role('group', name='Whose tracker moves the gimbal')
    eo, ir = choice.get_by_role('button', name='Follow EO'), choice.get_by_role('button', name='Follow IR')
    tab.until(lambda: eo.get_attribute('aria-pressed') == 'true', 'the one that it is')
    assert ir.is_disabled()
    tab.take()
    tab.until(ir.is_enabled, 'the controls')
    ir.click()
    tab.until(lambda: ir.get_attribute('aria-pressed') == 'true', 'the other')
    assert bodies(tab, '/api/camera/setpoint_source') == [{'camera': 'ir', 'lease': 'lease-1'}]
    assert eo.get_attribute('aria-pressed') == 'false'


def test_what_is_recorded_is_what_the_camera_says(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    record = tab.page.get_by_role('button', name='Record', exact=True)
    record.click()
    tab.said('Recording to /data/eo_1.mp4.')
    tab.page.locator('.is-main .rec').get_by_text('REC 1:23').wait_for()
    tab.until(lambda: record.get_attribute('aria-pressed') == 'true', 'the state')
    assert 'Recording to /data/eo_1.mp4, 12.5 MB' in tab.until(lambda: record.get_attribute('title'), 'where to')
    # Nobody here ended it: the disk did.
    tab.robot(
        "robot.recording = { ...robot.recording, on: false, text: 'none; eo_1 ended by itself: the disk is full' }"
    )
    tab.said('Recording of EO ended: none; eo_1 ended by itself: the disk is full')
    tab.until(lambda: record.get_attribute('aria-pressed') == 'false', 'the end')
    assert tab.page.locator('.is-main .rec').is_hidden()


def test_a_snapshot_is_shown_with_what_was_seen_in_it(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    tab.page.get_by_role('button', name='Snapshot').click()
    dialog = tab.page.get_by_role('dialog', name='Snapshot')
    dialog.get_by_text('3 objects in view').wait_for()
    picture = dialog.locator('canvas')
    assert picture.evaluate('(canvas) => [canvas.width, canvas.height]') == [1280, 720]
    with_boxes = picture.evaluate('(canvas) => canvas.toDataURL()')
    dialog.get_by_role('checkbox', name='Boxes').uncheck()
    assert picture.evaluate('(canvas) => canvas.toDataURL()') != with_boxes
    with tab.page.expect_download() as waiting:
        dialog.get_by_role('link', name='Save detections').click()
    kept = json.loads(waiting.value.path().read_text(encoding='utf-8'))
    assert waiting.value.suggested_filename == f'eo_{kept["stamp_ns"]}.json'
    assert [each['id'] for each in kept['detections']] == [7, 12, 31]
    # The robot's clock is an hour ahead; the visitor's watch is not.
    shown = dialog.locator('p').first.inner_text().split(' · ')[1]
    seconds = tab.page.evaluate(
        """(shown) => { const now = new Date(), at = new Date(now.toDateString() + ' ' + shown);
        return Math.abs(now - at) / 1000; }""",
        shown,
    )
    assert seconds < 120
    assert tab.faults() == []
    dialog.get_by_role('button', name='Close').click()
    tab.robot('robot.tracks = false')
    tab.page.get_by_role('button', name='Snapshot').click()
    dialog.get_by_text('No detections came for this frame').wait_for()


def test_events_have_the_time_of_this_device(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    tab.robot("robot.event('warning', 'eo/camera', 'no frame for 0.6 s')")
    line = tab.page.locator('.events li').filter(has_text='no frame for 0.6 s')
    line.wait_for()
    shown = line.locator('time').inner_text()
    now = tab.page.evaluate("new Date().toLocaleTimeString('en-GB')")
    apart = abs(_seconds(now) - _seconds(shown)) % 86400
    assert min(apart, 86400 - apart) < 120


def _seconds(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(':'))
    return 3600 * hours + 60 * minutes + seconds


def test_a_gamepad_steers_zooms_tracks_and_stops(visit: Callable[..., Visit]) -> None:
    tab = visit(GAMEPAD)
    tab.take()

    def press(number: int, effect: Callable[[], Any], what: str) -> None:
        tab.page.evaluate(f'pad.buttons[{number}].pressed = true')
        tab.until(effect, what)
        tab.page.evaluate(f'pad.buttons[{number}].pressed = false')

    tab.page.evaluate('pad.axes = [0.9, -0.7, 0, 0]')
    tab.until(lambda: any(each['azimuth_rad_s'] < -0.1 for each in tab.sent('rate')), 'turning right')
    # The stick's own up is up.
    assert all(each['tilt_rad_s'] <= 0 for each in tab.sent('rate'))
    # A worn stick rests a little beside its middle.
    tab.page.evaluate('pad.axes = [0.08, -0.05, 0, 0]')
    tab.until(lambda: tab.sent('rate')[-1]['azimuth_rad_s'] == 0, 'the zero')
    press(5, lambda: tab.sent('zoom'), 'the zoom')
    press(0, lambda: bodies(tab, '/api/target'), 'the nearest')
    assert bodies(tab, '/api/target')[-1]['nearest'] is True
    tab.page.evaluate('pad.axes = [1, 0, 0, 0]')
    tab.until(lambda: tab.sent('rate')[-1]['azimuth_rad_s'] < 0, 'turning again')
    tab.robot('robot.frozen = true')
    tab.page.locator('.picture.is-main.is-stale').wait_for()
    tab.until(lambda: tab.sent('rate')[-1]['azimuth_rad_s'] == 0, 'the end of it')
    press(1, lambda: tab.sent('stop'), 'the stop with an old picture')


def test_two_fingers_zoom_to_the_box_between_them(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED, viewport={'width': 820, 'height': 1180}, has_touch=True)
    tab.take()
    touch = tab.page.context.new_cdp_session(tab.page)

    def fingers(kind: str, *pixels: tuple[float, float]) -> None:
        points = [{'x': x, 'y': y, 'id': number} for number, (x, y) in enumerate(tab.at(*each) for each in pixels)]
        touch.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': points})

    fingers('touchStart', (500, 300))
    fingers('touchStart', (500, 300), (600, 400))
    fingers('touchMove', (480, 290), (800, 470))
    tab.page.wait_for_timeout(200)
    tab.shot('two_fingers_820x1180_light')
    fingers('touchEnd')
    (look,) = tab.until(lambda: bodies(tab, '/api/gimbal/look_at'), 'the look')
    # The middle of (480, 290) and (800, 470).
    assert look['pixel'] == pytest.approx([640, 380], abs=4)
    (zoom,) = tab.until(lambda: tab.sent('zoom'), 'the zoom')
    # It was at 2; a box of 320 x 180 fills 1280 x 720 but for a tenth at 3.6 times of that.
    assert zoom['factor'] == pytest.approx(7.2, rel=0.05)
    assert all(each['azimuth_rad_s'] == 0 for each in tab.sent('rate'))
    assert bodies(tab, '/api/target') == []


def test_what_is_filtered_out_is_neither_counted_nor_clicked(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    tab.take()
    tab.page.get_by_label('Show').select_option('cyclist')
    tab.page.get_by_text('1 object in view').wait_for()
    # Nobody walks on under the pointer.
    tab.robot('robot.frozen = true')
    tab.page.wait_for_timeout(500)
    tab.page.mouse.click(*tab.box(7))
    tab.until(lambda: bodies(tab, '/api/gimbal/look_at'), 'a look at the place')
    assert bodies(tab, '/api/target') == []
    tab.robot('robot.frozen = false')
    tab.page.get_by_label('Show').select_option('All classes')
    slider = tab.page.get_by_label('Minimum confidence')
    slider.fill('0.7')
    # 0.55 and a 25th of the last figure of the id: 0.83, 0.63, 0.59.
    tab.page.get_by_text('1 object in view').wait_for()
    tab.robot('robot.frozen = true')
    tab.page.wait_for_timeout(500)
    tab.page.mouse.click(*tab.box(7))
    tab.until(lambda: bodies(tab, '/api/target'), 'the target')
    assert bodies(tab, '/api/target')[0]['id'] == 7


def test_charts_and_instruments_move(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED)
    page = tab.page

    def drawing() -> list[str]:
        parts = ['.card-timing .chart-line', '.card-pointing .chart-line', '.dial-needle', '.map-here', '.map-trail']
        script = '(part) => part.getAttribute("points") ?? part.getAttribute("transform")'
        return [page.locator(part).evaluate(script) for part in parts]

    before = drawing()
    tab.until(lambda: all(a != b for a, b in zip(before, drawing(), strict=True)), 'all five')
    assert page.locator('.dial').get_attribute('aria-label').startswith('Camera direction: azimuth ')
    assert 'Pointing error, now' in page.locator('.card-pointing .chart').get_attribute('aria-label')


def test_boxes_between_detections_say_that_they_are(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED + 'robot.tracksEvery = 3; robot.panRadS = 0.26;')
    words = tab.page.locator('.is-main .estimate')
    words.get_by_text('Dashed: between detections').wait_for()
    tab.page.wait_for_timeout(1000)
    tab.shot('between_pan_1440x900_light')
    tab.robot('robot.tracksEvery = 1')
    end = time.monotonic() + 30
    while words.is_visible():
        assert time.monotonic() < end
        tab.page.wait_for_timeout(200)


def test_a_browser_without_h264_says_so_for_as_long_as_it_is_so(visit: Callable[..., Visit]) -> None:
    tab = visit(UNHURRIED + 'RTCRtpReceiver.getCapabilities = () => ({ codecs: [] });', expected='')
    tab.until(lambda: tab.counts().get('eo', {}).get('shown', 0) > 3, 'single pictures')
    assert tab.page.get_by_text('This browser has no H.264, so single pictures are shown').is_visible()
    tab.shot('no_h264_1440x900_light')
