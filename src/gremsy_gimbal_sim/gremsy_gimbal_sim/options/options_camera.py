# SPDX-License-Identifier: Apache-2.0
"""Options of the camera and of the payload's main board (gimbal.md 2)."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, param

_SHARE = Span(0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class PayloadCameraOptions:
    """Lens, recorder and the camera's parameters."""

    has_payload: bool = param(True, 'has a camera and a main board; a bare gimbal has neither')
    zoom_max: float = param(20.0, 'magnification at 100 %', Span(1.0, 1000.0))
    zoom_doublings_per_s: float = param(1.0, 'zoom speed of the lens', Span(0.01, 100.0, '1/s'))
    zoom_range_inverted: bool = param(False, '0 % of command 531 is the narrowest view, as on one VIO')
    zoom_only_by_range: bool = param(False, 'only 531 by range moves the lens, as on that VIO')
    hfov_deg: float = param(40.0, 'horizontal field of view at zoom 1', Span(1.0, 170.0, 'deg'))
    storage_mib: float = param(32_000.0, 'capacity of the card', Span(0.0, 1e7, 'MiB'))
    storage_used_mib: float = param(0.0, 'used on the card at the start', Span(0.0, 1e7, 'MiB'))
    recording_mib_per_s: float = param(2.0, 'space a recording takes', Span(0.0, 1e4, 'MiB/s'))
    still_mib: float = param(8.0, 'space a picture takes', Span(0.0, 1e4, 'MiB'))
    vendor_still: bool = param(
        True, "a count of 0 without an interval is one picture, as the vendor's SDK means it, not 'until stopped'"
    )
    vendor_requests: bool = param(
        True, "answers 521, 522, 525 and 527 with parameter 0 (no action) too, as the vendor's SDK sends them"
    )
    recording_status_text: bool = param(False, 'sends the recording state as JSON in chunked STATUSTEXT, 1 Hz')
    stream_uri: str = param('rtsp://192.168.55.1:8554/payload', 'URI in VIDEO_STREAM_INFORMATION')
    ext_in_progress_s: float = param(0.0, 'PARAM_EXT_ACK is IN_PROGRESS for this long first', Span(0.0, 60.0, 's'))
    ext_failed_share: float = param(0.0, 'share of PARAM_EXT_SET that fail', _SHARE)
    ext_ignored_share: float = param(0.0, 'share of PARAM_EXT_SET that are acknowledged but not applied', _SHARE)
    ext_component: int = param(
        0, 'accepts PARAM_EXT from this component only (191 in one report), 0 from any', Span(0, 255)
    )


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """Laser, on-board tracking, positions and their telemetry."""

    zoom_rate_hz: float = param(5.0, 'rate of EO_ZOOM', Span(0.0, 50.0, 'Hz'))
    telemetry_rate_hz: float = param(0.0, 'rate of all other values; 0 until requested', Span(0.0, 50.0, 'Hz'))
    telemetry_as_parameters: bool = param(False, 'sends values as PARAM_VALUE by name instead of DEBUG by number')
    laser_mode: int = param(3, 'LRF_MODE: 3 off, 0 1 Hz, 1 4 Hz, 2 10 Hz', Span(0, 3))
    laser_range_m: float = param(120.0, 'distance to what is straight ahead', Span(0.0, 1e4, 'm'))
    laser_height_m: float = param(30.0, 'height of the camera above the ground', Span(0.0, 1e4, 'm'))
    laser_noise_m: float = param(0.0, 'noise of the laser: standard deviation', Span(0.0, 100.0, 'm'))
    laser_says_zero: bool = param(False, 'the range is always 0, as in some firmware')
    track_lost_after_s: float = param(
        0.0, 'on-board tracking loses its target after this, 0 never', Span(0.0, unit='s')
    )
    track_turns_gimbal: bool = param(True, 'active tracking turns the camera')
    target_turn_rad_s: float = param(0.0, 'the target moves left at this rate', Span(-1.0, 1.0, 'rad/s'))
    latitude_deg: float = param(47.397742, 'latitude of the vehicle', Span(-90.0, 90.0, 'deg'))
    longitude_deg: float = param(8.545594, 'longitude of the vehicle', Span(-180.0, 180.0, 'deg'))
    altitude_m: float = param(488.0, 'altitude of the vehicle', Span(-500.0, 1e5, 'm'))
    position_fix: bool = param(True, 'has a GPS fix; without one latitude and longitude are 0')
    position_age_s: float = param(0.0, 'age of PAY_*; 0.7 was measured on a payload', Span(0.0, 10.0, 's'))
