# SPDX-License-Identifier: Apache-2.0
"""The gimbal's parameters, PARAM_*: 16-bit whole numbers, cast to float on the wire (gimbal.md 1.4, 1.8, 1.11)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.wire.outbox import Component, Outbox

COMBINE_VEHICLE_ATTITUDE = 0x10
# Between the answers to a request for all: 100 parameters a second fill a third of a 115200 baud line.
_LIST_GAP_S = 0.010
_OLD_NAMES = {
    'STIFF_TILT': 'PITCH_P',
    'STIFF_ROLL': 'ROLL_P',
    'STIFF_PAN': 'YAW_P',
    'PWR_TILT': 'PITCH_POWER',
    'PWR_ROLL': 'ROLL_POWER',
    'PWR_PAN': 'YAW_POWER',
}


@dataclass(slots=True)
class _Parameter:
    value: int
    low: int
    high: int
    read_only: bool = False


def _table(options: PayloadOptions) -> dict[str, _Parameter]:
    """Values where nothing is known are those of a vendor's sample (gimbal.md 1.8)."""
    major, minor, patch = options.firmware
    tilt, pan = [
        [round(each) for each in limits] for limits in (options.soft_tilt_limits_deg, options.soft_pan_limits_deg)
    ]
    roll = round(options.roll_limit_deg)
    table = {
        'VERSION_X': _Parameter(major, 0, 255, True),
        'VERSION_Y': _Parameter(minor, 0, 255, True),
        'VERSION_Z': _Parameter(patch | options.firmware_type, 0, 255, True),
    }
    for prefix, values, high in (
        ('STIFF', (40, 40, 60), 100),
        ('PWR', (60, 60, 80), 100),
        ('FLW_SP', (30, 0, 30), 100),
        ('FLW_LPF', (80, 0, 80), 100),
        ('FLW_WD', (5, 0, round(math.degrees(options.follow_window_rad))), 180),
        ('RC_LPF', (80, 80, 80), 100),
        ('RC_SPD', (30, 30, 30), 180),
    ):
        for axis, value in zip(('TILT', 'ROLL', 'PAN'), values, strict=True):
            table[f'{prefix}_{axis}'] = _Parameter(value, 0, high)
    for axis, (low, high) in (('TILT', tilt), ('ROLL', (-roll, roll)), ('PAN', pan)):
        table[f'RC_LIM_MIN_{axis}'] = _Parameter(low, -360, 360)
        table[f'RC_LIM_MAX_{axis}'] = _Parameter(high, -360, 360)
    table |= {
        'GYRO_LPF': _Parameter(2, 0, 100),
        'FILTER_OUT': _Parameter(3, 0, 100),
        'MT_ELEC_PWR': _Parameter(80, 50, 100),
        'ENABLE_ADRC': _Parameter(0, 0, 1),
        'RC_TYPE': _Parameter(15, 0, 15),
        'RC_REVERSE_AXIS': _Parameter(COMBINE_VEHICLE_ATTITUDE if options.combines_vehicle_attitude else 0, 0, 31),
        'MAV_TS_ENCNT': _Parameter(int(options.encoder_counts), 0, 1),
        'CTRL_ANGLE_MODE': _Parameter(int(options.angle_path == 'direct'), 0, 1),
    }
    if options.parameter_names == 'old':
        return {_OLD_NAMES.get(name, name): each for name, each in table.items()}
    return table


class GimbalParameters:
    """Answers PARAM_REQUEST_READ, PARAM_REQUEST_LIST and PARAM_SET; a name that does not exist gets silence.

    Args:
        options: the commands'.
        gimbal, outbox: who answers, and where to.
        random: of lost answers.
        changed: told name and value of each parameter that was set.
    """

    def __init__(
        self,
        options: PayloadOptions,
        gimbal: Component,
        outbox: Outbox,
        random: np.random.Generator,
        changed: Callable[[str, int], None],
    ) -> None:
        self._options = options
        self._gimbal = gimbal
        self._outbox = outbox
        self._random = random
        self._changed = changed
        self._table = _table(options)
        self._names = list(self._table)

    def __getitem__(self, name: str) -> int:
        """Its value."""
        return self._table[name].value

    def read(self, index: int, raw_name: bytes, now_s: float) -> None:
        """PARAM_REQUEST_READ 20: by index, or by name where that is -1."""
        if index < 0:
            self.send(_text(raw_name), now_s)
        elif index < len(self._names):
            self.send(self._names[index], now_s)

    def send_all(self, now_s: float) -> None:
        """PARAM_REQUEST_LIST 21."""
        for number, name in enumerate(self._names):
            self.send(name, now_s + number * _LIST_GAP_S)

    def set(self, raw_name: bytes, value: float, now_s: float) -> None:
        """PARAM_SET 23: clamped and answered with what holds now, which for a read-only one is what held before."""
        name = _text(raw_name)
        parameter = self._table.get(name)
        if parameter is None:
            return
        if not parameter.read_only and math.isfinite(value):
            parameter.value = max(parameter.low, min(parameter.high, int(value)))
            self._changed(name, parameter.value)
        self.send(name, now_s)

    def send(self, name: str, at_s: float) -> None:
        """PARAM_VALUE 22; nothing for what does not exist."""
        options = self._options
        if name not in self._table or not options.parameters_answered:
            return
        if options.parameter_lost_share and self._random.random() < options.parameter_lost_share:
            return
        kind, count = dialect.MAV_PARAM_TYPE_INT16, len(self._names)
        message = dialect.MAVLink_param_value_message(
            name.encode(), float(self._table[name].value), kind, count, self._names.index(name)
        )
        self._outbox.send(self._gimbal, message, at_s + options.parameter_delay_s)


def _text(raw: bytes) -> str:
    return raw.split(b'\0')[0].decode('ascii', 'replace')
