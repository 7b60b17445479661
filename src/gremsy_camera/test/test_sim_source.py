# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from gremsy_camera.scene.scene import SceneGeometry, View, simulated_camera
from gremsy_camera.sources import create_source


@pytest.fixture
def marked_still(tmp_path):
    """A dark footage with one spot of light at (500, 200) px."""
    image = np.zeros((576, 768, 3), dtype=np.uint8)
    cv2.circle(image, (500, 200), 6, (255, 255, 255), -1)
    path = tmp_path / 'marked.png'
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def open_sim(context, payload):
    opened = []

    def make(footage, **options):
        source = create_source(f'sim:{footage}?ring={payload.ring}', context(**options))
        opened.append(source)
        return source, source.open()

    yield make
    for source in opened:
        source.close()


def mark_of(image):
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    light = np.where(image[:, :, 0] > 100, image[:, :, 0], 0).astype(float)
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def test_it_is_the_payloads_camera(open_sim, marked_still):
    _, info = open_sim(marked_still)
    assert (info.width, info.height, info.rate_hz) == (640, 480, 30.0)
    assert info.camera == simulated_camera()
    assert info.stamp_source == 'shutter of the simulated camera'


@pytest.mark.parametrize('zoom', [1.0, 2.5])
def test_a_frame_shows_the_scene_from_the_attitude_and_zoom_at_its_stamp(open_sim, payload, marked_still, zoom):
    source, _ = open_sim(marked_still)
    payload.start()
    # 20 ms old and turning left at 0.5 rad/s: at the shutter the axis is 0.01 rad further.
    payload.write(azimuth_rad=-0.2, tilt_rad=-0.1, azimuth_rate_rad_s=0.5, zoom=zoom, age_ns=20_000_000)
    captured = source.read(0.1)
    view = View(-0.19, -0.1, zoom)
    expected = SceneGeometry.of(768, 576).camera_px_from_footage_px([[500.5, 200.5]], view)[0]
    np.testing.assert_allclose(mark_of(captured.frame.image), expected, atol=0.15)
    assert captured.camera == simulated_camera().zoomed(zoom)
    assert captured.true_view.azimuth_rad == pytest.approx(view.azimuth_rad, abs=1e-9)


def test_footage_runs_on_its_own_clock_and_is_held_between(open_sim, payload, make_video):
    source, _ = open_sim(make_video(20, rate_hz=10.0))
    payload.start()
    indices = []
    for _ in range(30):
        payload.write()
        indices.append(source.read(0.1).footage_index)
    assert indices == [tick // 3 for tick in range(30)]


def test_the_frame_shows_the_footage_index_that_it_is_said_to(open_sim, payload, make_video):
    source, _ = open_sim(make_video(20, rate_hz=10.0))
    payload.start()
    for _ in range(12):
        payload.write()
        captured = source.read(0.1)
        assert captured.frame.image[240, 320, 0] == pytest.approx(8 * captured.footage_index, abs=2)


def test_after_a_stall_the_footage_goes_on_where_it_was(open_sim, payload, make_video, clock):
    source, _ = open_sim(make_video(30, rate_hz=10.0))
    payload.start()
    payload.write()
    source.read(0.1)
    clock.sleep_s(60.0)
    payload.write()
    assert source.read(0.1).footage_index == 1


def test_a_payload_that_is_not_there_is_waited_for_and_said_every_five_seconds(open_sim, payload, marked_still, said):
    source, _ = open_sim(marked_still)
    for _ in range(110):
        assert source.read(0.1) is None
    absent = (
        f"No simulated payload writes its true attitude under '{payload.ring}': "
        f'start `sim_payload --truth-ring {payload.ring}`, or give the camera a video file (-p source:=FILE).'
    )
    assert said.sentences == [absent] * 3
    payload.start()
    payload.write()
    assert source.read(0.1) is not None
    assert said.sentences[-1] == f"The simulated camera sees through the payload '{payload.ring}'."


def test_a_payload_that_was_killed_gives_no_more_frames(open_sim, payload, marked_still, said):
    source, _ = open_sim(marked_still)
    payload.start()
    payload.write()
    given = [source.read(0.1) for _ in range(60)]
    assert given[0] is not None and given[-1] is None
    silent = (
        f"The simulated payload '{payload.ring}' has not written its attitude for 0.5 s: "
        'see whether `sim_payload` still runs.'
    )
    assert said.sentences == [silent]


def test_a_payload_that_was_restarted_is_seen_through_again(open_sim, payload, marked_still):
    source, _ = open_sim(marked_still)
    payload.start()
    payload.write(azimuth_rad=0.0)
    before = source.read(0.1)
    payload.stop()
    assert source.read(0.1) is None
    payload.start()
    payload.write(azimuth_rad=-0.2)
    after = source.read(0.1)
    assert mark_of(after.frame.image)[0] < mark_of(before.frame.image)[0]


def test_work_is_the_time_since_the_shutter(open_sim, payload, marked_still, clock):
    source, _ = open_sim(marked_still)
    payload.start()
    payload.write()
    captured = source.read(0.1)
    assert captured.work_ns == clock.ros_ns() - captured.frame.stamp_ns


def test_the_environment_names_the_payload_where_the_source_does_not(context, payload, marked_still, said, monkeypatch):
    """As the launch files do it, so that the cameras of a second simulated robot see through its own payload."""
    payload.start()
    payload.write()
    monkeypatch.setenv('GREMSY_TRUTH_RING', payload.ring)
    source = create_source(f'sim:{marked_still}', context())
    source.open()
    assert source.read(0.1) is not None
    source.close()
    other = create_source(f'sim:{marked_still}?ring=another-{payload.ring}', context())
    other.open()
    assert other.read(0.1) is None
    assert f"under 'another-{payload.ring}'" in said.sentences[-1]
    other.close()
