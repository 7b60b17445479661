# SPDX-License-Identifier: Apache-2.0
"""A calibration is written whole, as the driver's own parameters, read back as it was, and refused if nonsense."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from gremsy_common.atomic_file import NotOurs
from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_gimbal_driver.calibration.calibration_file import (
    CalibratedParameters,
    CalibrationFileError,
    calibrated_parameters,
    plant_model,
    read_calibration,
    write_calibration,
)
from gremsy_gimbal_driver.calibration.calibration_fit import ResponseFit
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis
from gremsy_gimbal_driver.calibration.calibration_result import (
    AxisCalibration,
    CalibrationResult,
    DeadZone,
    GainPoint,
    confidence,
    contradiction,
    summary,
)
from gremsy_gimbal_driver.mavlink.mavlink_events import DeviceInformation, Sender

DEGREE = math.radians(1.0)
RESPONSE = ResponseFit(
    gain=1.0412,
    gain_error=0.001,
    delay_s=0.1512,
    delay_error_s=0.002,
    lag_s=0.0987,
    lag_error_s=0.002,
    residual_rad=0.02 * DEGREE,
    samples=500,
    steps=12,
    late_steps=1,
)
ZONE = DeadZone(2.0 * DEGREE, 2.125 * DEGREE)
AZIMUTH = AxisCalibration(Axis.AZIMUTH, 0.02 * DEGREE, replace(RESPONSE, gain=-1.0412), ZONE)
TILT = AxisCalibration(Axis.TILT, 0.02 * DEGREE, RESPONSE, DeadZone(1.88 * DEGREE, 2.0 * DEGREE))
GOOD = CalibrationResult(
    AZIMUTH, TILT, (GainPoint(1.0, 1.0412, 0.0007), GainPoint(3.12, 0.1483, 0.002), GainPoint(17.8, 0.03, 0.0004))
)
WRITTEN_AT = datetime(2026, 10, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))


INFORMATION = DeviceInformation(Sender(1, 154), 'Gremsy', '', (7, 9, 0), (-1.0, 1.0), (-1.0, 1.0))


def written(path: Path, result: CalibrationResult = GOOD, model: str = 'GREMSY VIO') -> CalibratedParameters:
    return write_calibration(path, result, replace(INFORMATION, model=model), WRITTEN_AT)[0]


def azimuth_with(**changes: float) -> CalibrationResult:
    return replace(GOOD, azimuth=replace(AZIMUTH, response=replace(AZIMUTH.response, **changes)))


def test_the_file_says_what_was_measured_and_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    written(path)
    assert path.read_text(encoding='utf-8') == (
        "# Measured by gremsy_gimbal_driver's calibration on 2026-10-01 12:30:00 UTC.\n"
        '# Gimbal: GREMSY VIO, firmware 7.9.0.\n'
        '# Confidence: high.\n'
        '# azimuth: delay 0.1512 +- 0.0020 s, lag 0.0987 +- 0.0020 s, gain -1.0412 +- 0.0010\n'
        '# azimuth: 500 attitudes of 12 steps (1 late), residual 0.020 deg, noise 0.020 deg\n'
        '# azimuth: 2.12 deg/s was obeyed, 2.00 deg/s was ignored\n'
        '# tilt: delay 0.1512 +- 0.0020 s, lag 0.0987 +- 0.0020 s, gain +1.0412 +- 0.0010\n'
        '# tilt: 500 attitudes of 12 steps (1 late), residual 0.020 deg, noise 0.020 deg\n'
        '# tilt: 2.00 deg/s was obeyed, 1.88 deg/s was ignored\n'
        '# gain at zoom 1: 1.0412 +- 0.0007\n'
        '# gain at zoom 3.12: 0.1483 +- 0.0020\n'
        '# gain at zoom 17.8: 0.0300 +- 0.0004\n'
        '/**/gimbal_driver:\n'
        '  ros__parameters:\n'
        '    azimuth_sign: -1\n'
        '    tilt_sign: 1\n'
        '    dead_zone_rad_s: 0.03709\n'
        '    rate_gain_zooms: [1.0, 3.12, 17.8]\n'
        '    rate_gains: [1.0412, 0.1483, 0.03]\n'
        '    plant_delay_s: 0.1512\n'
        '    plant_lag_s: 0.0987\n'
    )


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / 'not there yet' / 'gimbal.yaml'
    assert written(path) == read_calibration(path) == calibrated_parameters(GOOD)
    assert [each.name for each in path.parent.iterdir()] == ['gimbal.yaml']


def test_the_telemetrys_age_that_pictures_told_is_taken_off_the_delay_and_written(tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    result = GOOD.less_attitude_age(0.005, AttitudeAge(0.0214, 0.001, 40, 1))
    parameters = written(path, result)
    assert parameters.plant_delay_s == 0.1298
    assert parameters.least_attitude_delay_s == 0.0264
    text = path.read_text(encoding='utf-8')
    assert '    least_attitude_delay_s: 0.0264\n' in text
    assert (
        '# telemetry is 26 ms old on arrival: stamped 21.4 +- 1.0 ms late by 40 pairs of pictures, which was taken off '
        'the delays\n'
    ) in text
    assert read_calibration(path) == parameters


def test_how_the_imu_sits_is_written_where_gravity_told_it(tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    parameters = written(path, replace(GOOD, imu_axes=('forward', 'right', 'down')))
    assert '    imu_axes: [forward, right, down]\n' in path.read_text(encoding='utf-8')
    assert read_calibration(path) == parameters
    assert parameters.imu_axes == ('forward', 'right', 'down')


def test_pictures_that_are_stamped_late_make_no_age_below_0() -> None:
    result = GOOD.less_attitude_age(0.005, AttitudeAge(-0.03, 0.001, 40, 1))
    assert (result.attitude_delay_s, result.delay_s) == (0.0, pytest.approx(0.1562))


def test_every_number_of_a_list_is_a_float_for_ros(tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    written(path, replace(GOOD, gains=(GainPoint(1.0, 1.0, 0.001), GainPoint(4.0, 1.0, 0.001))))
    section = yaml.safe_load(path.read_text(encoding='utf-8'))['/**/gimbal_driver']['ros__parameters']
    assert section['rate_gain_zooms'] == [1.0, 4.0]
    assert {type(each) for name in ('rate_gain_zooms', 'rate_gains') for each in section[name]} == {float}


def test_a_dead_zone_that_was_not_found_is_none(tmp_path: Path) -> None:
    free = DeadZone(0.0, 0.125 * DEGREE)
    result = replace(GOOD, azimuth=replace(AZIMUTH, dead_zone=free), tilt=replace(TILT, dead_zone=free))
    path = tmp_path / 'gimbal.yaml'
    written(path, result)
    assert '    dead_zone_rad_s: 0.0\n' in path.read_text(encoding='utf-8')
    assert read_calibration(path).dead_zone_rad_s == 0.0


def test_the_dead_zone_is_never_rounded_to_a_rate_that_is_ignored(tmp_path: Path) -> None:
    zone = DeadZone(0.034899, 0.034901)
    result = replace(GOOD, azimuth=replace(AZIMUTH, dead_zone=zone), tilt=replace(TILT, dead_zone=zone))
    assert written(tmp_path / 'gimbal.yaml', result).dead_zone_rad_s == 0.03491


def test_a_device_cannot_write_into_the_file_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    written(path, model='VIO\n/**/gimbal_driver:\r\x85\u2028evil: 1\0')
    assert read_calibration(path) == calibrated_parameters(GOOD)
    assert '# Gimbal: VIO /**/gimbal_driver: evil: 1, firmware 7.9.0.\n' in path.read_text(encoding='utf-8')


CONTRADICTIONS = {
    'residual': (
        azimuth_with(residual_rad=0.5 * DEGREE),
        'delay, lag and gain leave 0.50 deg of the azimuth unexplained (allowed: 0.25); '
        'keep the vehicle still and calibrate again',
    ),
    'gain error': (
        azimuth_with(gain_error=0.2),
        'the azimuth turns at 1.04 +- 0.2 times the commanded rate, which is no usable gain; '
        'calibrate again, at the widest zoom',
    ),
    'time error': (
        azimuth_with(lag_error_s=0.05),
        'delay and lag of the azimuth are known to 0.050 s only (allowed: 0.030); '
        'calibrate again, at the widest zoom and with more attitudes a second',
    ),
    'negative delay': (
        azimuth_with(delay_s=-0.1),
        'the azimuth has a delay of -0.100 s and a lag of 0.099 s, which no gimbal has; '
        'check `least_attitude_delay_s`, close what keeps this machine busy, and calibrate again',
    ),
    'not a number': (azimuth_with(lag_s=math.nan), 'a value of the azimuth is not a number; calibrate again'),
    'axes differ in time': (
        azimuth_with(lag_s=0.25),
        'azimuth and tilt answer after 0.401 and 0.250 s, and the tracker has one time for both; '
        'check the link and calibrate again',
    ),
    'axes differ in gain': (
        azimuth_with(gain=-0.7),
        'azimuth and tilt turn at 0.7 and 1.04 times the commanded rate, and the driver has one gain for both; '
        'check that both axes move freely and calibrate again',
    ),
    'axes differ in dead zone': (
        replace(GOOD, tilt=replace(TILT, dead_zone=DeadZone(0.0, 0.1 * DEGREE))),
        'the dead zones of azimuth and tilt are 2.12 and 0.00 deg/s, and the driver has one for both; '
        'check that both axes move freely and calibrate again',
    ),
    'ignored more than obeyed': (
        replace(GOOD, tilt=replace(TILT, dead_zone=DeadZone(3.0 * DEGREE, 2.0 * DEGREE))),
        'the tilt ignored 3.00 deg/s and obeyed 2.00 deg/s; calibrate again',
    ),
    'no gain': (replace(GOOD, gains=()), 'it has no rate gain; calibrate again'),
    'uncertain gain': (
        replace(GOOD, gains=(GainPoint(1.0, 1.0, 0.01), GainPoint(17.8, 0.03, 0.01))),
        'the gain at zoom 17.8 is 0.03 +- 0.01, which is no usable value; calibrate again with smaller zooms',
    ),
    'zooms': (
        replace(GOOD, gains=(GainPoint(2.0, 1.0, 0.01), GainPoint(2.0, 0.9, 0.01))),
        'its zooms do not ascend; calibrate again',
    ),
    'rising gain': (
        replace(GOOD, gains=(GainPoint(1.0, 0.03, 0.001), GainPoint(17.8, 1.04, 0.01))),
        'the gain rises from 0.03 at zoom 1 to 1.04 at zoom 17.8; check that the reported zoom is the true one',
    ),
}


@pytest.mark.parametrize('name', list(CONTRADICTIONS))
def test_a_calibration_that_contradicts_itself_is_not_written(name: str, tmp_path: Path) -> None:
    result, why = CONTRADICTIONS[name]
    assert contradiction(GOOD) == ''
    path = tmp_path / 'gimbal.yaml'
    before = written(path)
    with pytest.raises(CalibrationFileError) as caught:
        written(path, result)
    assert str(caught.value) == f"The calibration is refused: {why}. '{path}' was not written."
    assert read_calibration(path) == before


def test_values_out_of_the_drivers_ranges_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    faint = replace(GOOD, gains=(*GOOD.gains, GainPoint(200.0, 0.0005, 0.00001)))
    with pytest.raises(CalibrationFileError) as caught:
        written(path, faint)
    assert str(caught.value) == (
        f"The calibration is out of the driver's ranges, and '{path}' was not written: "
        'Parameter `rate_gains` is 0.0005, out of its range: use 0.001 .. 10.'
    )
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'no folder' / 'calibration.yaml'
    path.parent.touch()
    with pytest.raises(CalibrationFileError) as caught:
        written(path)
    assert str(caught.value) == (
        f"The calibration could not be written to '{path}' (File exists): "
        'name a file in a folder that the driver may write to.'
    )
    assert [each.name for each in tmp_path.iterdir()] == ['no folder']


def file_with(path: Path, **changes: object) -> Path:
    values = {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(written(path)).items()}
    values.update(changes)
    kept = {name: each for name, each in values.items() if each is not None}
    path.write_text(yaml.safe_dump({'/**/gimbal_driver': {'ros__parameters': kept}}), encoding='utf-8')
    return path


@pytest.mark.parametrize(
    ('changes', 'why'),
    [
        ({'azimuth_sign': 0}, 'Parameter `azimuth_sign` is 0: use 1 or -1'),
        ({'tilt_sign': 1.0}, 'Parameter `tilt_sign` is 1.0: use a whole number'),
        ({'dead_zone_rad_s': 2.0}, 'Parameter `dead_zone_rad_s` is 2, out of its range: use 0 .. 0.5 rad/s'),
        ({'plant_delay_s': math.inf}, 'Parameter `plant_delay_s` is inf, out of its range: use 0 .. 2 s'),
        ({'plant_lag_s': 'slow'}, "Parameter `plant_lag_s` is 'slow': use a number"),
        (
            {'rate_gains': [1.0]},
            'Parameter `rate_gains` has 1 values and `rate_gain_zooms` 3: give one gain for each zoom',
        ),
        (
            {'rate_gain_zooms': [3.0, 2.0, 1.0]},
            'Parameter `rate_gain_zooms` does not ascend: sort it, with its `rate_gains`',
        ),
        ({'plant_lag_s': None}, '`plant_lag_s` is missing'),
        ({'link': 'udp://1.2.3.4:5'}, '`link` is not measured by a calibration'),
    ],
)
def test_a_file_with_nonsense_is_refused(changes: dict[str, object], why: str, tmp_path: Path) -> None:
    path = file_with(tmp_path / 'gimbal.yaml', **changes)
    with pytest.raises(CalibrationFileError) as caught:
        read_calibration(path)
    assert str(caught.value) == f"'{path}' is not a calibration file ({why}): calibrate again to write a new one."


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('a: [', 'it is not YAML'),
        ('', "it has no '/**/gimbal_driver:' or more than that"),
        ('[1]', "it has no '/**/gimbal_driver:' or more than that"),
        ('/**/tracker: {}', "it has no '/**/gimbal_driver:' or more than that"),
        ('/**/gimbal_driver: 3', "'/**/gimbal_driver:' has no 'ros__parameters:' or more than that"),
        ('/**/gimbal_driver: {ros__parameters: }', "'/**/gimbal_driver:' has no 'ros__parameters:' or more than that"),
    ],
)
def test_another_file_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / 'gimbal.yaml'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(CalibrationFileError) as caught:
        read_calibration(path)
    assert str(caught.value) == f"'{path}' is not a calibration file ({why}): calibrate again to write a new one."


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / 'none.yaml'
    with pytest.raises(CalibrationFileError) as caught:
        read_calibration(path)
    assert str(caught.value) == (
        f"The calibration file '{path}' cannot be read (No such file or directory): calibrate first, or name the file."
    )


def test_the_summary_is_one_sentence_with_every_value() -> None:
    assert summary(GOOD) == (
        'Calibrated: signs -1 (azimuth) and +1 (tilt), dead zone 2.12 deg/s, delay 0.151 s, lag 0.099 s, '
        'gain 1.04 at zoom 1, 0.148 at zoom 3.12, 0.03 at zoom 17.8.'
    )


def test_confidence_names_what_is_weak() -> None:
    weak = azimuth_with(lag_error_s=0.02, late_steps=6)
    weak = replace(weak, gains=(GainPoint(1.0, 1.0, 0.03),))
    assert confidence(weak) == (
        'fair (azimuth times are known to 20 ms only; the link lost commands in 6 of 12 azimuth steps; '
        'the gain at zoom 1 is known to 3 % only)'
    )


def test_both_axes_count_by_their_errors() -> None:
    result = azimuth_with(delay_s=0.17, delay_error_s=0.004)
    assert result.delay_s == pytest.approx((0.17 / 4 + 0.1512) / (1 / 4 + 1))


# The message to the tracker.


def test_the_source_of_the_plant_is_told() -> None:
    found = calibrated_parameters(GOOD)
    default = replace(found, plant_delay_s=0.02, plant_lag_s=0.06, dead_zone_rad_s=0.0)
    assert plant_model(found, default, found).source == 'calibrated'
    assert plant_model(found, default, None).source == 'parameters'
    assert plant_model(default, default, found).source == 'default'
    by_hand = replace(found, plant_lag_s=0.2)
    model = plant_model(by_hand, default, found)
    assert (model.delay_s, model.lag_s, model.dead_zone_rad_s) == (0.1512, 0.2, 0.03709)
    assert model.source == 'parameters'


def test_an_earlier_calibration_with_other_values_is_kept(tmp_path):
    path = tmp_path / 'calibration.yaml'
    written(path)
    earlier = path.read_text()
    others = replace(GOOD, gains=GOOD.gains[:1])
    _, kept = write_calibration(path, others, None, WRITTEN_AT)
    assert kept == tmp_path / 'calibration.1.yaml'
    assert kept.read_text() == earlier
    assert read_calibration(path) == calibrated_parameters(others)
    assert write_calibration(path, others, None, WRITTEN_AT)[1] is None
    assert sorted(each.name for each in tmp_path.iterdir()) == ['calibration.1.yaml', 'calibration.yaml']


def test_a_calibration_replaces_another_and_nothing_else(tmp_path):
    path = tmp_path / 'calibration.yaml'
    written(path)
    written(path)
    edited = path.read_text() + '    max_rate_rad_s: 0.5\n'
    path.write_text(edited)
    with pytest.raises(NotOurs) as refused:
        written(path)
    assert str(refused.value) == (
        f"'{path}' exists, and is not a calibration as it was written: move it away, or name another file."
    )
    assert path.read_text() == edited
    assert list(tmp_path.iterdir()) == [path]
