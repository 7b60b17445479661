# SPDX-License-Identifier: Apache-2.0
"""The facade: when there is motion and when there is none."""

from __future__ import annotations

import math
import threading

import cv2
import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint, ZoomState
from gremsy_tracker.lock.target_lock import LockState
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

CAMERA = CameraModel.from_horizontal_field(640, 480, math.radians(40.0))
T0 = 10**18
MS = 1_000_000


class Bench:
    """A still gimbal, a person at a pixel, one image each 60 ms that arrives 100 ms later."""

    def __init__(self, **changes: object) -> None:
        self.tracker = Tracker(TrackerParameters(**{'auto_lock': 'nearest', 'level_frame': 'gimbal_level', **changes}))
        self.tracker.offer_camera_model(T0, CAMERA)
        self.ms = 0

    def attitude(self, at_ms: int, azimuth: float = 0.0) -> None:
        self.tracker.offer_attitude(
            GimbalAttitude(T0 + at_ms * MS, 'camera', quaternion_from_bearing(azimuth, 0.0), np.zeros(3))
        )

    def image(self, *centres: tuple[float, float], attitude: bool = True) -> RateSetpoint | None:
        self.ms += 60
        if attitude:
            self.attitude(self.ms + 80)
        boxes = np.array([[x - 30, y - 75, x + 30, y + 75] for x, y in centres], dtype=float).reshape(-1, 4)
        count = len(boxes)
        seen = Detections(T0 + self.ms * MS, 'optical', boxes, np.full(count, 0.8), np.array(['person'] * count))
        update = self.tracker.offer_detections(seen, self.now())
        return None if update is None else update.setpoint

    def now(self, later_ms: float = 0.0) -> int:
        return T0 + round((self.ms + 100 + later_ms) * MS)

    def tick(self, later_ms: float) -> RateSetpoint | None:
        return self.tracker.tick(self.now(later_ms))


def following(**changes: object) -> Bench:
    bench = Bench(**changes)
    for _ in range(5):
        setpoint = bench.image((200.0, 300.0))
    assert setpoint is not None
    return bench


def moving(setpoint: RateSetpoint | None) -> bool:
    return setpoint is not None and (setpoint.azimuth_rate_rad_s, setpoint.tilt_rate_rad_s) != (0.0, 0.0)


def test_a_fresh_image_yields_a_setpoint_at_once_towards_the_target_stamped_with_the_image() -> None:
    bench = following()
    setpoint = bench.image((200.0, 300.0))
    assert setpoint is not None
    assert setpoint.azimuth_rate_rad_s > 0.0  # left of the centre
    assert setpoint.tilt_rate_rad_s > 0.0  # below it
    assert (setpoint.stamp_ns, setpoint.frame_id) == (T0 + bench.ms * MS, 'gimbal_level')


def test_before_anything_came_there_is_no_setpoint() -> None:
    assert Tracker(TrackerParameters(auto_lock='nearest')).tick(T0) is None


@pytest.mark.parametrize(('later_ms', 'moves'), [(299, True), (301, False)])
def test_silence_of_the_detector_stops_motion(later_ms: int, moves: bool) -> None:
    bench = following(silence_s=0.3)
    for at in range(20, 300, 20):
        bench.attitude(bench.ms + 80 + at)
        bench.tick(at)
    assert moving(bench.tick(later_ms)) is moves


def test_after_motion_ends_zeros_are_sent_for_a_fifth_of_a_second_then_nothing() -> None:
    bench = following()
    bench.tracker.enable(False)
    sent = [bench.tick(20 * i) for i in range(1, 15)]
    zeros = [each for each in sent if each is not None]
    assert 8 <= len(zeros) <= 10
    assert not any(moving(each) for each in zeros)
    assert sent[-1] is None
    # Stamped with the last image they would soon be too old for the driver, which would refuse them.
    assert [each.stamp_ns for each in zeros] == sorted({each.stamp_ns for each in zeros})


@pytest.mark.parametrize(('later_ms', 'moves'), [(119, True), (121, False)])
def test_telemetry_that_stops_stops_motion(later_ms: int, moves: bool) -> None:
    bench = following(max_attitude_age_s=0.14)  # the newest sample is 20 ms old when the image arrives
    assert moving(bench.tick(later_ms)) is moves


def test_empty_images_let_it_coast_for_a_while_then_hold() -> None:
    bench = following(coast_s=0.5)
    moved = [moving(bench.image()) for _ in range(12)]
    assert moved == [True] * 8 + [False] * 4
    assert bench.tracker.status.state is LockState.COASTING


def test_a_target_is_shown_coasting_where_it_is_predicted() -> None:
    bench = following()
    bench.ms += 60
    bench.attitude(bench.ms + 80)
    update = bench.tracker.offer_detections(Detections.empty(T0 + bench.ms * MS, 'optical'), bench.now())
    assert update is not None
    assert update.target is not None
    assert update.target.score == 0.0
    assert np.allclose(update.target.box_px, [170, 225, 230, 375], atol=3)


def test_without_a_camera_model_or_telemetry_there_is_a_lock_but_no_motion() -> None:
    blind = Bench()
    for _ in range(6):
        setpoint = blind.image((200.0, 300.0), attitude=False)
    assert setpoint is None
    assert blind.tracker.status.state is LockState.TRACKING
    assert blind.tracker.view(blind.now()).still_because == 'no gimbal attitude for 0.3 s'


def test_an_old_image_moves_nothing() -> None:
    bench = following()
    seen = Detections(
        T0 + (bench.ms + 60) * MS, 'optical', np.array([[170.0, 225, 230, 375]]), np.array([0.8]), np.array(['person'])
    )
    bench.attitude(bench.ms + 900)
    update = bench.tracker.offer_detections(seen, T0 + (bench.ms + 920) * MS)
    assert update is not None
    assert not moving(update.setpoint)


def test_an_image_from_the_future_is_refused_and_counted() -> None:
    bench = following(appearance_cue=False)
    assert bench.tracker.offer_detections(Detections.empty(bench.now(500), 'o'), bench.now()) is None
    assert bench.tracker.counts() == {'stamps_from_the_future': 1}


def test_repeated_and_late_images_are_refused_and_counted_and_move_nothing() -> None:
    bench = following()
    setpoint, before = bench.tick(20), bench.tracker.view(bench.now())
    for stamp_ns in (T0 + bench.ms * MS, T0 + bench.ms * MS - 100 * MS):
        assert bench.tracker.offer_detections(Detections.empty(stamp_ns, 'o'), bench.now()) is None
    counts = bench.tracker.counts()
    assert (counts['stamps_repeated'], counts['stamps_unsorted']) == (1, 1)
    after = bench.tracker.view(bench.now())
    assert np.array_equal(before.target_bearing_rad, after.target_bearing_rad)
    assert bench.tick(20) == setpoint


def test_a_clock_that_jumps_back_ends_the_motion_and_the_lock_begins_anew() -> None:
    bench = following()
    bench.ms = -100_000
    assert not moving(bench.image((200.0, 300.0)))
    assert bench.tracker.counts()['clock_jumps'] == 1
    assert bench.tracker.status.reason == 'the clock jumped back'
    for _ in range(4):
        setpoint = bench.image((200.0, 300.0))
    assert moving(setpoint)


def test_a_click_locks_the_box_under_it_and_a_miss_says_so() -> None:
    bench = Bench(auto_lock='none')
    for _ in range(4):
        bench.image((200.0, 300.0), (400.0, 200.0))
    assert bench.tracker.select_pixel(405, 210) == 'Track 2 (person) is chosen.'
    assert moving(bench.image((200.0, 300.0), (400.0, 200.0)))
    assert bench.tracker.status.target_id == 2
    assert bench.tracker.select_pixel(5, 5) == ('No track is at pixel (5, 5): click on a box, or within 40 px of one.')
    assert bench.tracker.status.target_id == 2


def test_a_click_on_an_older_picture_means_who_was_there_then() -> None:
    bench = Bench(auto_lock='none')
    for step in range(6):
        bench.image((200.0 + 8 * step, 300.0), (400.0 - 8 * step, 200.0))
    then = T0 + (bench.ms - 2 * 60) * MS
    assert bench.tracker.select_pixel(400 - 8 * 3, 200, then) == 'Track 2 (person) is chosen.'
    # Between two images it is the one before; before all there is nothing.
    assert bench.tracker.select_pixel(200 + 8 * 3, 300, then + 30 * MS) == 'Track 1 (person) is chosen.'
    assert bench.tracker.select_pixel(400, 200, T0 - 1).startswith('No track is at pixel (400, 200)')


def test_a_target_is_chosen_by_id_class_or_policy_and_anything_else_is_answered() -> None:
    tracker = Tracker(TrackerParameters())
    assert tracker.select('left one').startswith("'left one' names no target: give a track's id")
    assert tracker.status.state is LockState.IDLE
    assert tracker.select('2') == 'Track 2 is chosen.'
    assert tracker.select('class:person') == 'The person nearest to the centre is chosen.'
    assert tracker.select('largest') == 'The largest track is chosen.'
    assert tracker.status.reason == 'the largest track was chosen by request, waiting to see it'


def test_release_stops_the_motion() -> None:
    bench = following()
    bench.tracker.release()
    assert not moving(bench.image((200.0, 300.0)))
    assert bench.tracker.status.state is LockState.IDLE


def test_the_view_shows_boxes_moved_with_the_camera_and_the_prediction() -> None:
    bench = following()
    bench.attitude(bench.ms + 130, azimuth=0.02)
    view = bench.tracker.view(T0 + (bench.ms + 130) * MS)
    shift = CAMERA.focal_x_px * math.tan(0.02)
    assert view.tracks.boxes_px[0, 0] == pytest.approx(170 + shift, abs=1.0)
    assert view.predicted_px is not None
    assert view.predicted_px[0] == pytest.approx(200 + shift, abs=2.0)
    assert view.error_rad is not None


@pytest.mark.parametrize(('visual', 'same'), [(False, False), (True, True)])
def test_with_stale_telemetry_the_images_tell_the_cameras_motion_if_asked(visual: bool, same: bool) -> None:
    bench = Bench(auto_lock='none', visual_ego_motion=visual, confirm_evidence_s=0.0)
    random = np.random.default_rng(1)
    coarse, fine = random.integers(0, 200, (12, 24)), random.integers(0, 56, (120, 240))
    ground = (np.kron(coarse, np.ones((80, 80))) + np.kron(fine, np.ones((8, 8)))).astype(np.uint8)
    ids = []
    for step in range(8):
        x = 400.0 - 70.0 * (step // 2)  # the camera turns by more than the person's width
        bench.ms += 60
        stamp_ns = T0 + bench.ms * MS
        left = 70 * (step // 2)
        bench.tracker.offer_frame(Frame(np.ascontiguousarray(ground[:480, left : left + 640]), stamp_ns, 'o', 'mono8'))
        seen = Detections(
            stamp_ns, 'o', np.array([[x - 20, 200.0, x + 20, 320.0]]), np.array([0.9]), np.array(['person'])
        )
        update = bench.tracker.offer_detections(seen, bench.now())
        assert update is not None
        ids += update.tracks.ids.tolist()
    assert (set(ids) == {1}) is same
    assert ('camera_motions_from_images' in bench.tracker.counts()) is visual


@pytest.mark.parametrize('telemetry', [True, False], ids=['a gimbal', 'no gimbal'])
def test_a_stream_that_changes_its_size_keeps_its_tracks_and_its_target(telemetry: bool) -> None:
    bench = Bench()
    for _ in range(5):
        bench.image((200.0, 300.0), attitude=telemetry)
    followed = bench.tracker.status.target_id
    assert bench.tracker.status.state is LockState.TRACKING
    for scale in (0.5, 2.0, 1.0):
        width, height = round(640 * scale), round(480 * scale)
        bench.ms += 60
        if telemetry:
            bench.attitude(bench.ms + 80)
        stamp_ns = T0 + bench.ms * MS
        bench.tracker.offer_camera_model(stamp_ns, CAMERA.cut(0.0, 0.0, 640.0, 480.0, width, height))
        box = scale * np.array([[170.0, 225.0, 230.0, 375.0]])
        update = bench.tracker.offer_detections(
            Detections(stamp_ns, 'optical', box, np.array([0.8]), np.array(['person'])), bench.now()
        )
        assert update is not None
        assert update.tracks.ids.tolist() == [followed]
        np.testing.assert_allclose(update.tracks.boxes_px, box, atol=2.0 * scale)
        assert bench.tracker.status.state is LockState.TRACKING
        assert (update.setpoint is not None) is telemetry


def test_a_zoom_that_is_not_a_number_is_not_shown() -> None:
    tracker = Tracker(TrackerParameters())
    tracker.offer_zoom(ZoomState(T0, math.nan))
    assert tracker.view(T0).zoom == 1.0


@pytest.mark.parametrize(
    ('source', 'enabled'), [('/robot/eo/gimbal/setpoint', False), ('/robot/ir/gimbal/setpoint', True)]
)
def test_a_tracker_that_is_not_the_source_draws_no_conclusion_from_what_the_gimbal_does(
    source: str, enabled: bool
) -> None:
    """The camera turns to a target that runs from it, as in a mirrored image, or for another camera's tracker."""
    bench = following()
    bench.tracker.offer_control(ControlState(True, 'tracker', setpoint_topic=source), '/robot/eo/gimbal/setpoint')
    for count in range(40):
        # By 4 px an image, as far as its box stays in the picture.
        bench.attitude(bench.ms + 140, azimuth=min(4.0 * count, 160.0) / CAMERA.focal_x_px)
        bench.image((max(200.0 - 4.0 * count, 40.0), 300.0), attitude=False)
        for later_ms in (20, 40):
            bench.tick(later_ms)
    assert bench.tracker.state()[1] is enabled


def test_nothing_is_followed_in_a_picture_that_does_not_change_while_the_camera_turns() -> None:
    bench = Bench()
    # 0.2 rad/s to the left are 11 px a picture of 60 ms; a panorama that goes by from left to right.
    noise = np.random.default_rng(1).normal(0.0, 1.0, (480, 640 + 400))
    panorama = (128 + 400 * cv2.GaussianBlur(noise, (0, 0), 6.0)).clip(0, 255).astype(np.uint8)

    def image(number: int) -> bool:
        # Telemetry of a camera that turns, whatever becomes of it.
        for step in range(3):
            at_ms = bench.ms + 40 + 20 * step
            bench.attitude(at_ms, azimuth=0.0002 * at_ms)
        left = 400 - round(0.0002 * 60 * number * CAMERA.focal_x_px)
        frame = Frame(
            lock_read_only(panorama[:, left : left + 640].copy()), T0 + (bench.ms + 60) * MS, 'optical', 'mono8'
        )
        bench.tracker.offer_frame(frame)
        return moving(bench.image((200.0 + 4.0 * number, 300.0), attitude=False))

    living = [image(number) for number in range(14)]
    assert living[5:] == [True] * 9
    frozen = [image(13) for _ in range(8)]
    assert frozen[:2] == [True] * 2 and frozen[-2:] == [False] * 2
    assert bench.tracker.pictures_frozen
    assert bench.tracker.state()[2] == 'the picture does not change while the camera turns: it is frozen'
    image(22)
    assert not bench.tracker.pictures_frozen
    assert moving(bench.tick(20)), 'it is judged when the setpoint has left, so from the next one on'


def test_a_gimbal_that_began_to_turn_while_telemetry_was_silent_has_no_frozen_picture() -> None:
    # A machine under load: nothing came for 0.45 s, and the gimbal stood still for all but the last of it. Between the
    # two samples it is taken to have turned throughout, and the pictures of that time do not show it.
    bench = Bench()
    noise = np.random.default_rng(1).normal(0.0, 1.0, (480, 640))
    panorama = (128 + 400 * cv2.GaussianBlur(noise, (0, 0), 6.0)).clip(0, 255).astype(np.uint8)

    def offer_picture(at_ms: int) -> None:
        bench.tracker.offer_frame(Frame(lock_read_only(panorama.copy()), T0 + at_ms * MS, 'optical', 'mono8'))

    for _ in range(10):
        offer_picture(bench.ms + 60)
        bench.image((200.0, 300.0))
    silent_ms = bench.ms + 80
    for step in range(1, 5):
        bench.attitude(silent_ms + 400 + 20 * step, azimuth=0.03 * step)
    found = []
    for _ in range(7):
        offer_picture(bench.ms + 60)
        bench.image((200.0, 300.0), attitude=False)
        found.append(bench.tracker.pictures_frozen)
    assert found == [False] * 7


def test_a_still_picture_of_a_camera_at_rest_is_followed_in() -> None:
    bench = Bench()
    picture = lock_read_only(np.full((480, 640, 3), 90, np.uint8))
    for _ in range(20):
        bench.tracker.offer_frame(Frame(picture, T0 + (bench.ms + 60) * MS, 'optical'))
        setpoint = bench.image((200.0, 300.0))
    assert moving(setpoint)
    assert not bench.tracker.pictures_frozen


def test_the_setpoint_leaves_before_what_it_does_not_need_and_holds_nobody_up() -> None:
    bench = following(zoom_control=True)
    bench.ms += 60
    bench.attitude(bench.ms + 80)
    box = np.array([[170.0, 225.0, 230.0, 375.0]])
    seen = Detections(T0 + bench.ms * MS, 'optical', box, np.array([0.8]), np.array(['person']))
    sent: list[tuple[RateSetpoint | None, int]] = []

    def send(setpoint: RateSetpoint | None) -> None:
        # Somebody else asks meanwhile, as a driver does that publishes its telemetry in the same process.
        others = threading.Thread(target=bench.attitude, args=(bench.ms + 90,))
        others.start()
        others.join(5.0)
        assert not others.is_alive()
        sent.append((setpoint, bench.tracker.counts()['looks_without_picture']))

    looked = bench.tracker.counts()['looks_without_picture']
    update = bench.tracker.offer_detections(seen, bench.now(), send)
    assert update is not None and moving(update.setpoint)
    assert sent == [(update.setpoint, looked)]
    assert bench.tracker.counts()['looks_without_picture'] == looked + 1


def test_a_refused_image_sends_nothing() -> None:
    bench = following()
    sent: list[object] = []
    assert bench.tracker.offer_detections(Detections.empty(bench.now(500), 'o'), bench.now(), sent.append) is None
    assert not sent
