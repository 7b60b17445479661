# SPDX-License-Identifier: Apache-2.0
"""`~/calibrate` of a running node: what it measures, writes, publishes and takes up at the next start."""

from __future__ import annotations

import math
import time

import pytest
import yaml

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from std_msgs.msg import String

from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_gimbal_sim.plant.plant import GREMSY
from src.gremsy_gimbal_driver.test.ros_bench import approx, scene

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def stage(tmp_path):
    with scene(tmp_path) as made:
        yield made


def test_a_calibration_does_not_begin_when_something_else_is_where_it_goes(stage, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('my own')
    stage.start(preset='gremsy', calibration_file=file)
    stage.user.arm()
    assert stage.user.trigger('calibrate') == (
        False,
        f"Not calibrating: '{file}' exists, and is not a calibration as it was written: move it away, or name "
        'another file.',
    )
    assert file.read_text() == 'my own'


def test_a_calibration_measures_the_gimbal_and_its_file_is_the_next_starts_parameters(stage, tmp_path):
    user, file = stage.user, tmp_path / 'gimbal_calibration.yaml'
    axes = ('forward', 'right', 'down')
    stage.start(
        preset='gremsy',
        calibration_file=file,
        calibration_travel_rad=0.12,
        options={'imu_axes': '_'.join(axes)},
        imu_rate_hz=20.0,
    )
    user.wait_until(lambda: user.plants)
    assert user.plants[-1]['source'] == 'default'
    user.arm()
    assert user.trigger('calibrate') == (True, 'The calibration is running: keep the vehicle still.')
    furthest = 0.0

    def done():
        nonlocal furthest
        furthest = max(furthest, *map(abs, stage.payload.angles))
        return user.plants[-1]['source'] == 'calibrated'

    user.wait_until(done, 120.0, lambda: stage.node.said[-2000:])
    plant = user.plants[-1]
    assert furthest < 0.125
    assert plant['delay_s'] == pytest.approx(GREMSY.delay_s, abs=0.03)
    assert plant['lag_s'] == pytest.approx(GREMSY.lag_s, abs=0.03)
    assert math.degrees(plant['dead_zone_rad_s']) == pytest.approx(2.0, abs=0.3)
    in_use = f'The calibration is in use and in {file}: give it as a parameters file at the next start.'
    user.wait_until(lambda: in_use in stage.node.said)
    assert 'not right, forward, up: `imu_axes` is corrected.' in stage.node.said
    assert yaml.safe_load(file.read_text())['/**/gimbal_driver']['ros__parameters']['imu_axes'] == list(axes)
    user.imu.clear()
    user.wait_until(lambda: user.imu)
    assert user.imu[-1].linear_acceleration.z == pytest.approx(9.8, abs=0.1)
    stage.rest()
    assert stage.payload.angles == approx((0.0, 0.0), 0.02)
    # In use at once: a rate in the dead zone turns the camera.
    begin = stage.payload.angles[0]
    user.send_for(2.0, lambda: user.rate(user.rates, math.radians(1.2), 0.0))
    stage.rest()
    assert math.degrees(stage.payload.angles[0] - begin) == pytest.approx(2.4, abs=0.7)
    stage.end()

    user.plants.clear()
    stage.add_node(stage.payload.uris['udp'], parameter_file=file)
    user.wait_until(lambda: user.plants, why=lambda: stage.node.said)
    assert {**user.plants[-1], 'source': ''} == {**plant, 'source': ''}
    assert user.plants[-1]['source'] in ('parameters', 'calibrated')
    user.wait_until(lambda: user.trigger('home')[1] == 'Not moving home: disarmed; call `arm` first.')
    stage.end()


def tell_age(stage, publisher, late_s, age_s=0.0):
    """As the tracker's pictures do."""
    since_ns = stage.user.node.get_clock().now().nanoseconds - round(age_s * 1e9)
    publisher.publish(String(data=AttitudeAge(late_s, 0.001, 20, since_ns).to_json()))


def test_an_age_that_the_pictures_tell_is_followed_within_bounds(stage):
    stage.start(preset='gremsy', attitude_delay_correction_s=0.05)
    ages = stage.user.node.create_publisher(String, 'gimbal/attitude_age', 10)
    stage.user.wait_until(ages.get_subscription_count)
    stage.user.wait_for_row('attitude age', 'taken to be 0 ms on arrival; no pictures have shown it yet')
    tell_age(stage, ages, 0.04)
    told = 'The attitudes are taken to be 40 ms old on arrival from now on, as the pictures say (40 +- 1 ms too late)'
    stage.user.wait_until(lambda: told in stage.node.said)
    # What was seen before is of the stamps before.
    tell_age(stage, ages, 0.04, age_s=5.0)
    tell_age(stage, ages, 0.001)
    stage.user.wait_for_row('attitude age', 'taken to be 40 ms on arrival; by the pictures stamped 1 +- 1 ms too late')
    before = len(stage.user.attitudes)
    stage.user.wait_until(lambda: len(stage.user.attitudes) > before + 10)
    stage.end()


def test_a_calibration_takes_the_telemetrys_age_off_the_delay(stage, tmp_path):
    user, file = stage.user, tmp_path / 'gimbal_calibration.yaml'
    stage.start(preset='gremsy', calibration_file=file, calibration_travel_rad=0.12, options={'attitude_age_s': 0.06})
    ages = user.node.create_publisher(String, 'gimbal/attitude_age', 10)
    user.wait_until(ages.get_subscription_count)
    user.arm()
    assert user.trigger('calibrate')[0]
    due_s = time.monotonic() + 1.0

    def done():
        nonlocal due_s
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + 1.0
            tell_age(stage, ages, 0.06)
        return user.plants[-1]['source'] == 'calibrated'

    user.wait_until(done, 120.0, lambda: stage.node.said[-2000:])
    assert user.plants[-1]['delay_s'] == pytest.approx(GREMSY.delay_s, abs=0.03)
    found = yaml.safe_load(file.read_text())['/**/gimbal_driver']['ros__parameters']
    assert found['least_attitude_delay_s'] == pytest.approx(0.06, abs=0.001)
    user.wait_for_row('attitude age', 'taken to be 60 ms on arrival; no pictures have shown it yet')
    stage.end()
