# SPDX-License-Identifier: Apache-2.0
"""The camera's settings by name, and which parameter and value each is on which product family.

From the vendor's headers `vio_sdk.h`, `zio_sdk.h`, `orusl_sdk.h`, `mb1_sdk.h` (gimbal.md 2.3). The gimbal's mode is in
none of them on purpose: the vendor's SDK derives it from camera parameters, and a zoom mode of 0 stows its gimbal
(gimbal.md 1.12 bug 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gremsy_common.errors import SuiteError


class ProductFamily(str, Enum):
    """As the vendor's SDK is built for them; `NONE` is a bare gimbal."""

    VIO = 'vio'
    ZIO = 'zio'
    ORUS_L = 'orus_l'
    MB1 = 'mb1'  # Lynx, GHadron and other small payloads
    NONE = 'none'

    @property
    def word(self) -> str:
        """As the vendor writes it."""
        return {'vio': 'VIO', 'zio': 'ZIO', 'orus_l': 'ORUS-L', 'mb1': 'MB1', 'none': 'bare gimbal'}[self.value]


class SettingError(SuiteError):
    """There is no such setting, or not that choice of it; the sentence lists what there is."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of one family.

    Attributes:
        name: ours.
        parameter: the camera's, of PARAM_EXT.
        choices: word to value; empty for a number.
        low, high, step: of a number, in the parameter's own units.
    """

    name: str
    parameter: str
    choices: Mapping[str, int] = field(default_factory=dict)
    low: int = 0
    high: int = 0
    step: int = 1

    @property
    def allowed(self) -> str:
        """What may be chosen, as it stands in sentences."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
        return f'{self.low} .. {self.high}' + (f' in steps of {self.step}' if self.step != 1 else '')

    def value(self, choice: str) -> int:
        """The parameter's value.

        Raises:
            SettingError: with what is allowed.
        """
        text = choice.strip().lower()
        if self.choices:
            if text in self.choices:
                return self.choices[text]
        elif text.isdecimal() and self.low <= int(text) <= self.high and (int(text) - self.low) % self.step == 0:
            return int(text)
        raise SettingError(f"The setting '{self.name}' cannot be '{choice}': use {self.allowed}.")

    def word(self, value: float) -> str:
        """The choice that has that value; the number itself where none has."""
        return next((word for word, each in self.choices.items() if each == value), f'{value:g}')


def find_setting(family: ProductFamily, name: str) -> Setting:
    """One of a family's.

    Raises:
        SettingError: with the names there are.
    """
    known = SETTINGS[family]
    if name not in known:
        there = 'use one of ' + ', '.join(sorted(known)) if known else 'a bare gimbal has no camera'
        raise SettingError(f"The {family.word} has no setting '{name}': {there}.")
    return known[name]


def _times(factors: tuple[int, ...]) -> dict[str, int]:
    """Zoom steps: `20x` is the index of 20."""
    return {f'{factor}x': index for index, factor in enumerate(factors)}


_OFF_ON_01 = {'off': 0, 'on': 1}
_OFF_ON_32 = {'off': 3, 'on': 2}  # Sony's own values, passed on by most products
_VIEWS = {'eo_ir': 0, 'eo': 1, 'ir': 2, 'ir_eo': 3, 'sync': 4}
_EVEN_TO_20 = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
_COMBINED_VIO = _times((*_EVEN_TO_20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240))
_COMBINED_7 = _times((1, 10, 20, 40, 80, 120, 240))
_SUPER_RESOLUTION_VIO = _times((*_EVEN_TO_20, 30))
_SUPER_RESOLUTION_16 = _times((*_EVEN_TO_20, 22, 24, 26, 28, 30))
_EXPOSURES = {'auto': 0, 'manual': 3, 'shutter': 10, 'iris': 11, 'bright': 13}

# What is written into the picture.
_OSD = Setting('osd', 'OSD_MODE', {'off': 0, 'debug': 1, 'status': 2})
# Who moves the gimbal: it obeys MAVLink in `standard` only (gimbal.md 1.11).
_RC_MODE = Setting('rc_mode', 'RC_MODE', {'gremsy': 0, 'standard': 1})
# Which picture is streamed.
_VIEW = Setting('view_source', 'C_SOURCE', {**_VIEWS, 'side_by_side': 6})
# Which picture is streamed.
_VIEW_MB1 = Setting('view_source', 'C_SOURCE', _VIEWS)
# Which picture is recorded.
_RECORD = Setting('record_source', 'C_V_REC', {'both': 0, 'eo': 1, 'ir': 2, 'osd': 5})
# Colours of the thermal picture; what a number looks like depends on its sensor (0 is white hot on both).
_PALETTE = Setting('ir_palette', 'C_T_PALETTE', low=0, high=9)
# Digital zoom of the thermal camera.
_IR_ZOOM = Setting('ir_zoom', 'C_T_ZOOM', _times((1, 2, 3, 4, 5, 6, 7, 8)))
# How often the laser measures.
_LRF = Setting('lrf_mode', 'LRF_MODE', {'off': 3, '1hz': 0, '4hz': 1, '10hz': 2})
# What the board computer does with the picture.
_TRACK_MODE = Setting('track_mode', 'TRACK_MODE', {'tracking': 0, 'detection': 1})
# Optical with digital zoom, or super resolution.
_ZOOM_MODE = Setting('zoom_mode', 'C_V_ZM_MODE', {'combine': 0, 'super_resolution': 2})
# When the lens focuses.
_FOCUS_MODE = Setting('focus_mode', 'C_V_FM', {'manual': 0, 'zoom_trigger': 1, 'auto_near': 2, 'auto_far': 3})
# Focus of the manual mode, lens units.
_FOCUS_VALUE = Setting('focus_value', 'C_V_FV', low=0, high=61440, step=10)
_WHITE_BALANCE = Setting(
    'white_balance', 'C_V_WB', {'auto': 0, 'indoor': 1, 'outdoor': 2, 'one_push': 3, 'atw': 4, 'manual': 5}
)
_DEFOG_LEVEL = Setting('defog_level', 'C_V_DEFOG_LV', {'lowest': 0, 'low': 1, 'mid': 2, 'high': 3})
# VIO's and ORUS-L's: two cameras and a laser.
_OF_TWO_CAMERAS = (_VIEW, _RECORD, _OSD, _PALETTE, _IR_ZOOM, _LRF, _TRACK_MODE, _RC_MODE)


def _visible_camera(
    combined: Mapping[str, int], super_resolution: Mapping[str, int], defog: Mapping[str, int]
) -> tuple[Setting, ...]:
    """The visible camera of VIO, ZIO and ORUS-L."""
    return (
        _ZOOM_MODE,
        # Zoom step in the zoom mode `combine`.
        Setting('combined_zoom', 'C_V_ZM_CB_LV', combined),
        # The same in `super_resolution`.
        Setting('super_resolution_zoom', 'C_V_ZM_SR_LV', super_resolution),
        _FOCUS_MODE,
        _FOCUS_VALUE,
        _WHITE_BALANCE,
        # Contrast in haze.
        Setting('defog', 'C_V_DEFOG', defog),
        _DEFOG_LEVEL,
        # The picture upside down.
        Setting('flip', 'C_V_FLIP', _OFF_ON_32),
        # The picture stands still.
        Setting('freeze', 'C_V_FREEZE', _OFF_ON_32),
    )


def _by_name(*settings: Setting) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


SETTINGS: Mapping[ProductFamily, Mapping[str, Setting]] = {
    ProductFamily.VIO: _by_name(
        *_OF_TWO_CAMERAS,
        *_visible_camera(_COMBINED_VIO, _SUPER_RESOLUTION_VIO, _OFF_ON_32),
        Setting('exposure', 'C_V_AE', {**_EXPOSURES, 'gain': 14}),
        # Of the lens, slow to fast.
        Setting('zoom_speed', 'C_V_Z_SPD', low=0, high=7),
        # Of the lens, slow to fast.
        Setting('focus_speed', 'C_V_F_SPD', low=0, high=7),
    ),
    ProductFamily.ZIO: _by_name(
        # One camera, no laser.
        _OSD,
        # Detection of objects on board.
        Setting('detection', 'TRACK_MODE', _OFF_ON_01),
        _RC_MODE,
        *_visible_camera(_COMBINED_7, _SUPER_RESOLUTION_16, _OFF_ON_01),
        Setting('exposure', 'C_V_AE', _EXPOSURES),
    ),
    ProductFamily.ORUS_L: _by_name(
        *_OF_TWO_CAMERAS,
        *_visible_camera(_COMBINED_7, _SUPER_RESOLUTION_16, _OFF_ON_32),
        Setting('exposure', 'C_V_AE', _EXPOSURES),
        # Electronic stabilisation.
        Setting('stabilisation', 'C_V_EIS', {'hold': 0, 'on': 2, 'off': 3}),
        # Stabilisation while zooming.
        Setting('stable_zoom', 'C_V_STZOOM', _OFF_ON_01),
        # The fan that clears the window.
        Setting('fan_defog', 'C_F_DEFOG', _OFF_ON_01),
    ),
    ProductFamily.MB1: _by_name(
        _VIEW_MB1,
        _RECORD,
        _OSD,
        _PALETTE,
        _IR_ZOOM,
        _RC_MODE,
        Setting('zoom', 'C_V_ZOOM', _times(tuple(range(1, 13)))),
        # Detection of objects on board.
        Setting('detection', 'DETECTION_EN', _OFF_ON_01),
        # Colours by temperature.
        Setting('isotherms', 'ISOTHERMS_EN', _OFF_ON_01),
        # Where recordings go.
        Setting('storage', 'STORAGE', {'internal': 0, 'sd_card': 1}),
        # Whether the main board passes our gimbal flags on; off, it overwrites the mode we set (gimbal.md 1.11).
        Setting('flag_forwarding', 'GB_FW_FLAG', _OFF_ON_01),
    ),
    ProductFamily.NONE: {},
}
