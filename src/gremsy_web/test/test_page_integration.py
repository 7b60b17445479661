# SPDX-License-Identifier: Apache-2.0
"""The page in a real Chromium, before a robot that is made inside it (`page_robot/fake_robot.js`): real WebRTC and
frames, its socket and HTTP answers made there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from src.gremsy_web.test.page_visits import Visit

pytestmark = pytest.mark.integration


def test_boxes_are_those_of_the_frame_on_the_screen(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.until(lambda: tab.counts()['eo']['shown'] > 40, 'forty frames')
    counts = tab.counts()['eo']
    assert counts['matched'] + counts['unmatched'] == counts['shown']
    assert counts['unmatched'] <= 2
    assert counts['unread'] == 0
    # Its clock is an hour ahead; the age is taken after an exchange of clocks.
    assert 0 < counts['receive_ms'] < 2000


BRIGHTNESS = """() => {
  const canvas = document.querySelector('.picture.is-main canvas.still');
  const pen = new OffscreenCanvas(16, 9).getContext('2d');
  pen.drawImage(canvas, 0, 0, 16, 9);
  return [canvas.width, canvas.height, Math.max(...pen.getImageData(0, 0, 16, 9).data.filter((_, at) => at % 4 < 3))];
}"""


@pytest.mark.parametrize('lacking', ['', 'delete window.MediaStreamTrackProcessor;'])
def test_frames_are_drawn_by_the_page_itself_so_that_no_box_is_behind_them(
    visit: Callable[..., Visit], lacking: str
) -> None:
    tab = visit(lacking)
    assert tab.page.evaluate('"MediaStreamTrackProcessor" in window') == (lacking == '')
    tab.until(lambda: tab.counts()['eo']['shown'] > 20, 'twenty frames')
    # The robot's scene is 1280x720, which its encoder may make smaller; its sky is brighter than 150 of 255.
    width, height, brightest = tab.page.evaluate(BRIGHTNESS)
    assert width / height == pytest.approx(16 / 9, abs=0.02)
    assert brightest > 150
    assert tab.counts()['eo']['unmatched'] <= 2
    # A video element is in use only where frames cannot be had without one.
    assert tab.page.evaluate("document.querySelector('.picture video').srcObject !== null") == (lacking != '')


def test_a_click_on_a_person_tracks_that_person(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.take()
    tab.page.mouse.click(*tab.box(7))
    asked = tab.until(lambda: tab.asked('/api/target'), 'the request')
    body = tab.page.evaluate('(text) => JSON.parse(text)', asked[0]['body'])
    assert body['id'] == 7 and body['camera'] == 'eo' and body['lease'] == 'lease-1'
    # The stamp of the frame on the screen, in the robot's time: not in its future, and seconds at most in its past.
    now_ns = int(tab.page.evaluate('fakeNowNs()'))
    assert 0 < now_ns - int(body['stamp_ns']) < 10_000_000_000
    assert asked[0]['headers']['X-Gremsy'] == '1'


def test_a_click_beside_looks_there(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.take()
    area = tab.page.locator('.picture.is-main').bounding_box()
    tab.page.mouse.click(area['x'] + area['width'] / 2, area['y'] + area['height'] / 2 - 60)
    asked = tab.until(lambda: tab.asked('/api/gimbal/look_at'), 'the request')
    body = tab.page.evaluate('(text) => JSON.parse(text)', asked[0]['body'])
    scale = min(area['width'] / 1280, area['height'] / 720)
    assert body['pixel'] == pytest.approx([640, 360 - 60 / scale], abs=2)
    assert int(body['stamp_ns']) > 0
    tab.said('Looking there')


def test_a_click_beside_while_following_releases_the_target_and_says_so(visit: Callable[..., Visit]) -> None:
    tab = visit("robot.released = 'person 12';")
    tab.take()
    area = tab.page.locator('.picture.is-main').bounding_box()
    tab.page.mouse.click(area['x'] + area['width'] / 2, area['y'] + area['height'] / 2 - 60)
    (asked,) = tab.until(lambda: tab.asked('/api/gimbal/look_at'), 'the request')
    assert tab.page.evaluate('(text) => JSON.parse(text)', asked['body'])['release'] is True
    tab.said('person 12 released, looking there')


def test_pointing_that_was_switched_off_is_said_and_enabled_by_a_button(visit: Callable[..., Visit]) -> None:
    tab = visit()
    off, button = tab.page.locator('.pointing-off'), tab.page.get_by_role('button', name='Enable pointing')
    assert off.is_hidden()
    why = 'the azimuth error grew from 1.2 to 4.5 deg while the camera turned towards the target: is the image mirrored'
    tab.robot(f"robot.pointingOff = '{why} or upside down? Mend that, then enable pointing again'")
    off.wait_for()
    assert f'The gimbal does not follow: {why}' in ' '.join(off.inner_text().split())
    assert button.is_disabled()
    tab.take()
    tab.shot('pointing_off_1440x900')
    assert tab.faults() == []
    tab.page.set_viewport_size({'width': 390, 'height': 844})
    tab.shot('pointing_off_390x844')
    button.click()
    (asked,) = tab.until(lambda: tab.asked('/api/target/pointing'), 'the request')
    body = tab.page.evaluate('(text) => JSON.parse(text)', asked['body'])
    assert body == {'camera': 'eo', 'on': True, 'lease': 'lease-1'}
    tab.said('Pointing is enabled')
    off.wait_for(state='hidden')


def test_a_drag_steers_and_ends_with_a_zero(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.take()
    area = tab.page.locator('.picture.is-main').bounding_box()
    x, y = area['x'] + area['width'] / 2, area['y'] + 150
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 200, y + 20, steps=4)
    tab.until(lambda: len(tab.sent('rate')) >= 4, 'several rates')
    tab.page.mouse.up()
    rates = tab.until(lambda: (found := tab.sent('rate')) and found[-1]['azimuth_rad_s'] == 0 and found, 'the zero')
    # To the right is negative, downwards positive.
    assert min(rate['azimuth_rad_s'] for rate in rates) < -0.05
    assert max(rate['tilt_rad_s'] for rate in rates) > 0
    assert rates[-1]['tilt_rad_s'] == 0
    assert tab.asked('/api/gimbal/look_at') == []


def test_space_stops_from_anywhere_and_presses_nothing(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.page.get_by_role('switch', name='Armed').focus()
    tab.page.keyboard.press('Space')
    tab.until(lambda: tab.sent('stop') and tab.asked('/api/gimbal/stop'), 'the stop')
    assert tab.asked('/api/arm') == []
    tab.page.keyboard.press('Enter')
    tab.until(lambda: tab.asked('/api/arm'), 'the switch')
    assert len(tab.sent('stop')) == 1


def test_stop_is_sent_on_the_way_down_and_once(visit: Callable[..., Visit]) -> None:
    tab = visit()
    area = tab.page.locator('#stop').bounding_box()
    tab.page.mouse.move(area['x'] + 20, area['y'] + 20)
    tab.page.mouse.down()
    tab.until(lambda: tab.sent('stop'), 'the stop')
    tab.page.mouse.up()
    tab.said('Stopped')
    assert len(tab.sent('stop')) == len(tab.asked('/api/gimbal/stop')) == 1


def test_an_old_picture_is_greyed_and_locks_all_but_the_stop(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.staleAfterS = 0.5;')
    tab.take()
    area = tab.page.locator('.picture.is-main').bounding_box()
    x, y = area['x'] + area['width'] / 2, area['y'] + 150
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 200, y, steps=4)
    tab.until(lambda: tab.sent('rate'), 'steering')
    tab.robot('robot.frozen = true')
    tab.page.locator('.picture.is-main.is-stale').wait_for()
    # What was in motion ended by itself.
    tab.until(lambda: tab.sent('rate')[-1]['azimuth_rad_s'] == 0, 'the zero')
    tab.page.mouse.up()
    assert 'old. Controls are locked, STOP works.' in tab.page.locator('.stale').inner_text()
    assert 'grayscale' in tab.page.locator('.is-main video').evaluate('(video) => getComputedStyle(video).filter')
    tab.shot('stale_1440x900_light')
    rates, looks = len(tab.sent('rate')), len(tab.asked('/api/gimbal/look_at'))
    tab.page.mouse.click(x, y)
    tab.page.keyboard.press('ArrowLeft')
    assert tab.page.get_by_role('button', name='Zoom in').is_disabled()
    tab.page.keyboard.press('Space')
    tab.until(lambda: tab.sent('stop'), 'the stop')
    assert (len(tab.sent('rate')), len(tab.asked('/api/gimbal/look_at'))) == (rates, looks)
    tab.robot('robot.frozen = false')
    tab.until(lambda: tab.page.locator('.is-stale').count() == 0, 'a fresh picture')
    tab.until(lambda: tab.page.get_by_role('button', name='Zoom in').is_enabled(), 'the controls')


def test_without_control_nothing_moves_and_the_page_says_why(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.page.mouse.click(*tab.box(7))
    tab.said('Take control first.')
    assert tab.asked('/api/target') == []


def test_control_of_another_is_taken_over_only_when_confirmed(visit: Callable[..., Visit]) -> None:
    tab = visit("robot.holder = 'Ada';")
    tab.page.get_by_text('Ada has control').first.wait_for()
    tab.page.get_by_role('button', name='Take over').click()
    dialog = tab.page.get_by_role('dialog')
    assert 'Ada has control. Take over? They see it at once.' in dialog.inner_text()
    dialog.get_by_role('button', name='Cancel').click()
    assert tab.sent('take') == []
    tab.page.get_by_role('button', name='Take over').click()
    tab.page.get_by_role('dialog').get_by_role('button', name='Take over').click()
    tab.page.get_by_role('button', name='Give back').wait_for()
    assert tab.sent('take')[0]['take_over'] is True
    # And the other way round: somebody takes it from here.
    tab.robot("robot.holder = 'Ada'; robot.you = false;")
    tab.said('You no longer have control')


def test_all_by_keyboard(visit: Callable[..., Visit]) -> None:
    tab = visit()
    page = tab.page
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.className') == 'skip'
    page.locator('#picture').focus()
    page.keyboard.press('c')
    page.get_by_role('button', name='Give back').wait_for()
    page.keyboard.press('n')
    tab.until(lambda: 'person 7' in page.locator('.unseen[aria-live]').inner_text(), 'the marked object said')
    page.keyboard.press('Enter')
    tab.until(lambda: tab.asked('/api/target'), 'the request')
    page.keyboard.down('ArrowUp')
    tab.until(lambda: any(rate['tilt_rad_s'] < 0 for rate in tab.sent('rate')), 'steering upwards')
    page.keyboard.up('ArrowUp')
    tab.until(lambda: tab.sent('rate')[-1]['tilt_rad_s'] == 0, 'the zero')
    page.keyboard.press('+')
    tab.until(lambda: tab.sent('zoom'), 'the zoom')
    assert tab.sent('zoom')[0]['factor'] == pytest.approx(2.4)
    page.keyboard.press('r')
    tab.until(lambda: tab.asked('/api/target/release'), 'the release')


def test_the_page_comes_back_after_the_robot_was_away(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.staleAfterS = 0.5;')
    tab.take()
    tab.robot('robot.down = true; robot.you = false; robot.holder = null; robot.peer.close(); robot.endSockets();')
    tab.page.get_by_text('Connection lost, trying again').wait_for()
    tab.page.locator('.picture.is-stale').wait_for()
    # What was so before may not be so any more.
    tab.page.get_by_text('No link: not known whether armed').wait_for()
    before = tab.counts()['eo']['matched']
    tab.robot('robot.down = false')
    tab.page.get_by_text('Connected', exact=True).wait_for()
    tab.until(lambda: tab.counts()['eo']['matched'] > before + 3, 'the video')
    # It does not hold the controls any more and says so.
    tab.page.get_by_role('button', name='Take control').wait_for()


def test_a_camera_that_is_not_there_is_waited_for_in_words(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.videoStatus = 404;', expected='')
    tab.page.locator('.video-words').filter(has_text='Waiting for the camera').wait_for()
    tab.robot('robot.videoStatus = 201')
    tab.plays()


def test_no_access_to_the_video_ends_the_trying(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.videoStatus = 403;', expected='')
    tab.page.locator('.video-words').filter(has_text='No access to the video').wait_for()
    tab.page.wait_for_timeout(1200)
    assert len(tab.asked('/video/eo/whep')) == 1


def test_the_key_is_asked_for_until_it_is_right(visit: Callable[..., Visit]) -> None:
    tab = visit("robot.key = 'open sesame';", expected='')
    field = tab.page.get_by_label('Key', exact=True)
    field.fill('wrong')
    field.press('Enter')
    tab.page.get_by_text('This key is not accepted.').wait_for()
    field.press_sequentially('open sesame')
    field.press('Enter')
    tab.plays()
    assert all('sesame' not in str(tab.page.evaluate(f'{place}')) for place in ('location.href', 'document.cookie'))


def test_a_browser_without_h264_gets_single_pictures(visit: Callable[..., Visit]) -> None:
    tab = visit('RTCRtpReceiver.getCapabilities = () => ({ codecs: [] });', expected='')
    tab.until(lambda: tab.counts().get('eo', {}).get('shown', 0) > 5, 'single pictures')
    assert tab.asked('/video/eo/whep') == []
    assert tab.page.locator('.is-main .still').is_visible()


def test_sessions_that_bring_no_picture_end_in_single_pictures(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.udpClosed = true;', expected='')
    tab.until(lambda: tab.counts().get('eo', {}).get('shown', 0) > 5, 'single pictures', 40)
    assert len(tab.asked('/video/eo/whep')) == 2
    assert tab.page.locator('.is-main .still').is_visible()


def test_tracks_that_come_late_are_never_drawn_on_another_frame(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.detectorDelayMs = 1500;', expected='')
    tab.until(lambda: tab.counts().get('eo', {}).get('late', 0) > 10, 'late tracks')
    counts = tab.counts()['eo']
    assert counts['matched'] <= counts['shown'] * 0.1
    assert counts['matched'] + counts['unmatched'] == counts['shown']


def test_who_comes_back_to_the_tab_sees_no_old_picture_under_new_boxes(visit: Callable[..., Visit]) -> None:
    tab = visit(
        "let away = false; Object.defineProperty(document, 'hidden', { get: () => away, set: (to) => away = to });"
    )
    tab.take()
    tab.page.evaluate('document.hidden = true')
    before = tab.counts()['eo']['shown']
    tab.until(lambda: tab.counts()['eo']['shown'] > before + 5, 'frames that nobody sees')
    tab.robot('robot.frozen = true')
    shown = -1
    while shown != (shown := tab.counts()['eo']['shown']):
        tab.page.wait_for_timeout(1000)
    tab.page.evaluate('document.hidden = false')
    tab.page.wait_for_timeout(200)
    assert tab.page.evaluate(BRIGHTNESS)[2] == 0
    # What is not seen cannot be clicked on.
    tab.page.mouse.click(*tab.box(7))
    tab.page.mouse.click(*tab.at(640, 200))
    tab.said('The picture is old')
    assert tab.asked('/api/target') == tab.asked('/api/gimbal/look_at') == []
    tab.robot('robot.frozen = false')
    tab.until(lambda: tab.page.evaluate(BRIGHTNESS)[2] > 150, 'the picture')
    tab.page.mouse.click(*tab.box(7))
    tab.until(lambda: tab.asked('/api/target'), 'the request')


def test_a_click_counts_in_the_pixels_of_a_camera_that_was_set_to_another_size(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.take()
    tab.robot('robot.tracks = false')
    # Longer than boxes are estimated for.
    tab.page.wait_for_timeout(1000)
    tab.robot("""for (const socket of robot.sockets) socket.hear({
      type: 'state', nodes: [], latency_ms: {}, pointing_error_rad: null, control: { holder: 'Ann', you: true },
      cameras: { eo: { width: 640, height: 480, recording: null } },
    })""")
    area = tab.page.locator('.picture.is-main').bounding_box()
    tab.page.mouse.click(area['x'] + area['width'] / 2, area['y'] + area['height'] / 2 - 60)
    asked = tab.until(lambda: tab.asked('/api/gimbal/look_at'), 'the request')
    body = tab.page.evaluate('(text) => JSON.parse(text)', asked[0]['body'])
    scale = min(area['width'] / 640, area['height'] / 480)
    assert body['pixel'] == pytest.approx([320, 240 - 60 / scale], abs=2)
    assert body['size'] == [640, 480]


def test_a_person_can_be_clicked_between_detections(visit: Callable[..., Visit]) -> None:
    tab = visit('robot.tracksEvery = 3;')
    tab.take()
    tab.until(lambda: tab.counts()['eo']['unmatched'] > 20, 'frames without tracks')
    assert tab.counts()['eo']['matched'] < tab.counts()['eo']['unmatched']
    tab.shot('between_1440x900_light')
    tab.page.mouse.click(*tab.box(7))
    asked = tab.until(lambda: tab.asked('/api/target'), 'the request')
    assert tab.page.evaluate('(text) => JSON.parse(text).id', asked[0]['body']) == 7


def test_a_picture_that_is_not_shown_is_not_asked_for(visit: Callable[..., Visit]) -> None:
    tab = visit()
    assert tab.asked('/video/ir/whep') == []
    tab.page.get_by_role('button', name='Split').click()
    tab.until(lambda: tab.counts()['ir']['matched'] > 3, 'the second video')
    tab.shot('split_1440x900_light')
    tab.page.get_by_role('button', name='EO', exact=True).click()
    tab.until(lambda: tab.robot('return robot.deleted') >= 1, 'the end of the session')


def test_full_screen_keeps_the_stop(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.page.get_by_role('button', name='Full screen').click()
    tab.until(lambda: tab.page.evaluate('document.fullscreenElement !== null'), 'full screen')
    tab.page.locator('.side').wait_for(state='hidden')
    tab.page.get_by_role('button', name='STOP').click()
    tab.until(lambda: tab.asked('/api/gimbal/stop'), 'the stop')


def test_a_mode_is_chosen_by_its_name(visit: Callable[..., Visit]) -> None:
    tab = visit()
    tab.take()
    tab.page.get_by_label('Mode').select_option('Hold')
    asked = tab.until(lambda: tab.asked('/api/gimbal/mode'), 'the request')
    assert tab.page.evaluate('(text) => JSON.parse(text)', asked[0]['body']) == {'mode': 'lock', 'lease': 'lease-1'}


def test_a_page_older_than_the_server_says_so(visit: Callable[..., Visit]) -> None:
    tab = visit("robot.page = '0123456789ab';")
    assert tab.page.get_by_text('The robot has a newer page. Reload to use it.').is_visible()


def test_who_may_only_watch_has_the_stop(visit: Callable[..., Visit]) -> None:
    tab = visit("robot.role = 'view';")
    tab.page.get_by_text('You may watch only').wait_for()
    assert tab.page.get_by_role('button', name='Take control').is_disabled()
    tab.page.keyboard.press('Space')
    tab.until(lambda: tab.sent('stop'), 'the stop')


SCREENS = {'1440x900': (1440, 900), '820x1180': (820, 1180), '390x844': (390, 844), '844x390': (844, 390)}


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('screen', SCREENS)
def test_every_screen_has_the_stop_and_nothing_sticks_out(
    visit: Callable[..., Visit], screen: str, scheme: str
) -> None:
    width, height = SCREENS[screen]
    touch = width < 1000
    tab = visit(viewport={'width': width, 'height': height}, color_scheme=scheme, has_touch=touch)
    tab.take()
    tab.robot("robot.event('info', 'tracker', 'person 12 is followed')")
    tab.page.get_by_text('person 12 is followed').wait_for(state='attached')
    tab.shot(f'page_{screen}_{scheme}')
    assert tab.page.evaluate('document.documentElement.scrollWidth') <= width
    stop = tab.page.locator('#stop').bounding_box()
    assert stop['y'] + stop['height'] <= height and stop['height'] >= 44 and stop['width'] >= 120
    assert tab.faults() == []


def test_what_opens_over_the_page_is_as_easy_to_use(visit: Callable[..., Visit]) -> None:
    tab = visit("robot.holder = 'Ada'; robot.staleAfterS = 0.5;")
    tab.page.get_by_role('button', name='Layers').click()
    tab.page.get_by_role('button', name='Keys').click()
    tab.page.get_by_role('dialog').wait_for()
    tab.shot('help_1440x900_light')
    assert tab.faults() == []
    tab.page.keyboard.press('Escape')
    tab.page.get_by_role('button', name='Take over').click()
    tab.page.get_by_role('dialog').wait_for()
    assert tab.faults() == []
    # Nothing that is open keeps the stop away.
    tab.page.get_by_role('button', name='STOP').click()
    tab.until(lambda: tab.asked('/api/gimbal/stop'), 'the stop')
    tab.robot('robot.frozen = true')
    tab.page.locator('.picture.is-stale').wait_for()
    assert tab.faults() == []


def test_a_tap_tracks_on_a_phone(visit: Callable[..., Visit]) -> None:
    tab = visit(viewport={'width': 390, 'height': 844}, has_touch=True)
    tab.take()
    tab.page.touchscreen.tap(*tab.box(31))
    asked = tab.until(lambda: tab.asked('/api/target'), 'the request')
    assert tab.page.evaluate('(text) => JSON.parse(text).id', asked[0]['body']) == 31
