# SPDX-License-Identifier: Apache-2.0
"""The page before the real server: its key, its socket, its guard. The robot behind it only remembers what it was
asked, and sends single pictures."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_common.types.detections import Tracks
from src.gremsy_web.test.page_stands import FIELD, PERSON, WIDTH, PageStand, come_in
from src.gremsy_web.test.page_visits import Visit
from src.gremsy_web.test.web_stand_ins import CONTROL_KEY, KEYS, VIEW_KEY, newest_tracks_text

pytestmark = pytest.mark.integration

# Chromium itself names requests that were refused before the key was there, and those that a dead server left open.
CHROMIUMS_OWN = ('401', 'username', 'net::ERR_', 'WebSocket connection to')


def bearing(x_px: float) -> float:
    """To the left of the optical axis; the pinhole of `FIELD` rad over the width."""
    return math.atan((WIDTH / 2 - x_px) / (WIDTH / 2 / math.tan(FIELD / 2)))


def complaints(tab: Visit) -> list[str]:
    return [words for words in tab.complaints if not any(own in words for own in CHROMIUMS_OWN)]


def freeze(tab: Visit, stand: PageStand) -> None:
    """The last picture that was sent is on the screen, and stays there."""
    stand.still = True
    tab.until(lambda: tab.counts()['eo']['shown'] == len(stand.taken), 'the last picture')


def test_a_visitor_signs_in_takes_control_tracks_looks_steers_and_stops(browser: Any, page_stand: PageStand) -> None:
    stand = page_stand
    tab = come_in(browser, stand, CONTROL_KEY)
    page = tab.page
    tab.until(lambda: tab.counts()['eo']['matched'] > 3, 'boxes of the very picture')
    tab.take()

    page.mouse.click(*tab.at(350, 350))
    assert tab.until(lambda: stand.asked('select'), 'the choice') == [('select', 'eo', '7')]

    page.mouse.click(*tab.at(960, 360))
    ((_, azimuth, tilt),) = tab.until(lambda: stand.asked('look'), 'the look')
    # 320 px right of the middle: 0.2667 rad to the right.
    assert (azimuth, tilt) == (pytest.approx(bearing(960), abs=0.005), pytest.approx(0.0, abs=0.005))

    page.locator('#picture').focus()
    page.keyboard.down('ArrowLeft')
    tab.until(lambda: any(rate[1] > 0 for rate in stand.asked('rate')), 'turning to the left')
    page.keyboard.up('ArrowLeft')
    tab.until(lambda: stand.asked('rate')[-1][1:] == (0.0, 0.0), 'the zero')

    page.keyboard.press('Space')
    tab.until(lambda: stand.asked('STOP'), 'the stop')
    tab.said('Stopped and disarmed')
    tab.shot('api_1280x800_light')
    page.context.close()
    # The controls end with the socket.
    tab_end = time.monotonic() + 10
    while stand.web.desk.hold is not None:
        assert time.monotonic() < tab_end
        time.sleep(0.02)
    assert complaints(tab) == []


def test_a_key_for_looking_only_has_the_stop_and_nothing_else(browser: Any, page_stand: PageStand) -> None:
    tab = come_in(browser, page_stand, VIEW_KEY)
    tab.page.get_by_text('You may watch only').wait_for()
    assert tab.page.get_by_role('button', name='Take control').is_disabled()
    tab.page.get_by_role('button', name='STOP').click()
    tab.until(lambda: page_stand.asked('STOP'), 'the stop')
    tab.page.context.close()


def test_enter_tracks_what_is_marked_though_a_button_was_pressed_before(browser: Any, page_stand: PageStand) -> None:
    tab = come_in(browser, page_stand, CONTROL_KEY)
    tab.take()
    tab.until(lambda: tab.counts()['eo']['matched'] > 3, 'boxes of the very picture')
    tab.page.keyboard.press('n')
    tab.page.keyboard.press('Enter')
    assert tab.until(lambda: page_stand.asked('select'), 'the choice')[0] == ('select', 'eo', '7')
    assert tab.page.get_by_role('button', name='Give back').is_visible()
    tab.page.context.close()


def test_who_is_signed_in_to_watch_signs_out_and_in_to_control(browser: Any, page_stand: PageStand) -> None:
    tab = come_in(browser, page_stand, VIEW_KEY)
    page = tab.page
    page.get_by_text('You may watch only').wait_for()
    page.get_by_role('button', name='Settings').click()
    page.get_by_text('to watch', exact=True).wait_for()
    tab.shot('signed_in_to_watch')
    page.get_by_role('button', name='Sign out').click()
    page.get_by_role('dialog', name='Sign in').wait_for()
    page.get_by_label('Key', exact=True).fill(CONTROL_KEY)
    page.get_by_role('button', name='Sign in').click()
    tab.take()
    page.context.close()


def test_a_click_means_the_frame_on_the_screen_and_its_gimbal_pose(browser: Any) -> None:
    stand = PageStand(KEYS, stale_after_s=10.0)
    stand.azimuth_rad = 0.1
    with stand.serving() as stand.port:
        tab = come_in(browser, stand, CONTROL_KEY)
        tab.take()
        freeze(tab, stand)
        seen = stand.taken[-1]
        # The picture does not come, but the gimbal turns on, and in the next frame another one is at that place.
        stand.azimuth_rad = 0.5
        stand.turn(seen.stamp_ns + 300_000_000)
        eo = stand.picture.cameras['eo']
        there = np.array([[900.0, 200.0, 1000.0, 500.0], PERSON])
        people = np.array(['person', 'person'])
        eo.tracks.put(
            Tracks(seen.stamp_ns + 100_000_000, 'robot/eo', there, np.array([0.9, 0.9]), people, np.array([7, 9]))
        )
        stand.web.hub.publish('tracks eo', lambda: newest_tracks_text(stand))
        tab.until(lambda: '28.6° left' in tab.page.locator('.card-gimbal').inner_text(), 'the turn')
        tab.page.mouse.click(*tab.at(350, 350))
        assert tab.until(lambda: stand.asked('select'), 'the choice') == [('select', 'eo', '7')]
        tab.page.mouse.click(*tab.at(960, 360))
        ((_, azimuth, _),) = tab.until(lambda: stand.asked('look'), 'the look')
        assert azimuth == pytest.approx(0.1 + bearing(960), abs=0.005)
        tab.page.context.close()
    assert complaints(tab) == []


def test_the_stop_gets_through_when_the_picture_is_old(browser: Any) -> None:
    stand = PageStand(KEYS, stale_after_s=1.0)
    with stand.serving() as stand.port:
        _stop_while_stale(browser, stand)


def _stop_while_stale(browser: Any, stand: PageStand) -> None:
    tab = come_in(browser, stand, CONTROL_KEY)
    tab.take()
    tab.page.locator('#picture').focus()
    tab.page.keyboard.down('ArrowLeft')
    tab.until(lambda: any(rate[1] > 0 for rate in stand.asked('rate')), 'turning to the left')
    stand.still = True
    tab.page.locator('.picture.is-main.is-stale').wait_for()
    # The key is still down; what moves ends all the same.
    tab.until(lambda: stand.asked('rate')[-1][1:] == (0.0, 0.0), 'the zero')
    tab.page.keyboard.up('ArrowLeft')
    tab.page.mouse.click(*tab.at(960, 360))
    tab.page.get_by_role('button', name='STOP').click()
    tab.until(lambda: stand.asked('STOP'), 'the stop by the button')
    tab.said('Stopped and disarmed')
    before = len(stand.asked('STOP'))
    tab.page.keyboard.press('Space')
    tab.until(lambda: len(stand.asked('STOP')) > before, 'the stop by the space bar')
    assert stand.asked('look') == []
    stand.still = False
    tab.until(lambda: tab.page.locator('.is-stale').count() == 0, 'a fresh picture')
    tab.page.context.close()
    assert complaints(tab) == []


def test_two_tabs_take_the_controls_from_each_other(browser: Any, page_stand: PageStand) -> None:
    stand = page_stand
    ada = come_in(browser, stand, CONTROL_KEY, name='Ada')
    bob = come_in(browser, stand, CONTROL_KEY, name='Bob')
    ada.take()
    bob.page.get_by_text('Ada has control').first.wait_for()
    # She steers, and does not let go.
    ada.page.locator('#picture').focus()
    ada.page.keyboard.down('ArrowLeft')
    ada.until(lambda: any(rate[1] > 0 for rate in stand.asked('rate')), 'turning to the left')

    bob.page.get_by_role('button', name='Take over').click()
    bob.page.get_by_role('dialog').get_by_role('button', name='Take over').click()
    bob.page.get_by_role('button', name='Give back').wait_for()
    ada.said('You no longer have control')
    ada.page.get_by_text('Bob has control').first.wait_for()
    ada.until(lambda: stand.asked('rate')[-1][1:] == (0.0, 0.0), 'the zero')
    ada.page.keyboard.up('ArrowLeft')
    ada.page.mouse.click(*ada.at(960, 360))
    ada.said('Take control first.')
    assert stand.asked('look') == []
    bob.page.mouse.click(*bob.at(960, 360))
    bob.until(lambda: stand.asked('look'), 'the look of who has control')
    ada.shot('taken_over_1280x800_light')
    # And gives it back.
    bob.page.get_by_role('button', name='Give back').click()
    ada.page.get_by_role('button', name='Take control').wait_for()
    for tab in (ada, bob):
        tab.page.context.close()
        assert complaints(tab) == []


def test_the_page_comes_back_when_the_server_does(browser: Any) -> None:
    stand = PageStand(KEYS, stale_after_s=1.0)
    with stand.serving() as stand.port:
        tab = come_in(browser, stand, CONTROL_KEY)
        tab.take()
    tab.page.get_by_text('Connection lost, trying again').wait_for()
    # Not that somebody has it, who would be this very tab.
    assert tab.page.locator('.holder').inner_text() == 'No link to the robot'
    tab.page.locator('.picture.is-main.is-stale').wait_for()
    tab.page.get_by_role('button', name='STOP').click()
    tab.said('the robot has not responded')
    tab.shot('server_gone_1280x800_light')
    # As a robot that was switched off and on: its keys are the same, what it knew is gone.
    again = PageStand(KEYS)
    before = tab.counts()['eo']['shown']
    with again.serving(stand.port):
        tab.page.get_by_text('Connected', exact=True).wait_for()
        tab.until(lambda: tab.counts()['eo']['shown'] > before + 3, 'pictures')
        tab.take()
        tab.page.keyboard.press('Space')
        tab.until(lambda: again.asked('STOP'), 'the stop')
        tab.page.context.close()
    assert complaints(tab) == []
