# SPDX-License-Identifier: Apache-2.0
"""The parameters of the payload: which product it is, and what its camera is set to."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.parameters.parameter_fields import Span, live_param, param
from gremsy_gimbal_driver.device.payload_readings import RANGE_NAME, ZOOM_NAME
from gremsy_gimbal_driver.payload.payload_requests import TrackingPath, ZoomPath
from gremsy_gimbal_driver.payload.payload_settings import ProductFamily

CAMERA_SETTINGS = ('view_source', 'record_source', 'osd', 'ir_palette', 'lrf_mode', 'zoom_mode', 'focus_mode')
"""Of the settings in `payload_settings`, those that are parameters of the node; the command-line tool has all."""


@dataclass(frozen=True)
class PayloadParameters:
    """What is known of the product."""

    product: str = param(
        'vio',
        'The product, which decides what settings its camera has; `none` for a bare gimbal.',
        choices=tuple(each.value for each in ProductFamily),
    )
    claim_control: bool = param(
        True,
        "Set a Gremsy payload's RC_MODE to standard when it is found: in any other mode it ignores MAVLink motion.",
    )
    zoom_path: str = param(
        'range',
        'Zoom command that this product obeys: a share of its range (`range`), or the magnification (`absolute`).',
        choices=tuple(each.value for each in ZoomPath),
    )
    zoom_range_inverted: bool = param(False, '0 % of the range command is the narrowest view (seen on a VIO).')
    zoom_largest: float = param(20.0, 'Magnification at the narrow end of the range.', Span(1.0, 1000.0))
    zoom_rate_hz: float = param(5.0, 'Rate of `gimbal/zoom`; 0 does not ask for it.', Span(0.0, 20.0, 'Hz'))
    range_rate_hz: float = param(0.0, 'Rate of `gimbal/range`; 0 does not ask for it.', Span(0.0, 20.0, 'Hz'))
    focus_inverted: bool = param(False, '-1 of the focus command focuses farther.')
    tracking_path: str = param(
        'vendor',
        "Command that starts the payload's own tracking: the vendor's, or the MAVLink standard's.",
        choices=tuple(each.value for each in TrackingPath),
    )
    vendor_still: bool = param(
        False,
        "Request a still as the vendor's SDK does, for firmware that takes none otherwise; other cameras then take "
        'pictures until stopped.',
    )
    view_source: str = live_param('', 'Picture that is streamed, such as `eo` or `ir`; empty: unchanged.')
    record_source: str = live_param('', 'Picture that is recorded, such as `both` or `eo`; empty: unchanged.')
    osd: str = live_param('', 'What is overlaid on the picture: `off`, `status`, `debug`; empty: unchanged.')
    ir_palette: str = live_param('', 'Colours of the thermal picture, `0` to `9`; empty: unchanged.')
    lrf_mode: str = live_param('', 'The laser: `off`, `1hz`, `4hz`, `10hz`; empty: unchanged.')
    zoom_mode: str = live_param('', '`combine` or `super_resolution`; empty: unchanged.')
    focus_mode: str = live_param('', 'When the lens focuses, such as `zoom_trigger`; empty: unchanged.')

    @property
    def family(self) -> ProductFamily:
        """Which parameters its camera has."""
        return ProductFamily(self.product)

    @property
    def claims_control(self) -> bool:
        """Whether a payload's RC_MODE is set to standard when it is found."""
        return self.claim_control and self.family is not ProductFamily.NONE

    @property
    def payload_rates_hz(self) -> dict[str, float]:
        """Of the payload board's own values, by name."""
        rates_hz = {ZOOM_NAME: self.zoom_rate_hz, RANGE_NAME: self.range_rate_hz}
        return {name: rate_hz for name, rate_hz in rates_hz.items() if rate_hz}

    @property
    def camera_settings(self) -> dict[str, str]:
        """To be made when its camera is found, by name."""
        return {name: word for name in CAMERA_SETTINGS if (word := getattr(self, name))}
