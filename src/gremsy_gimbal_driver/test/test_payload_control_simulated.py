# SPDX-License-Identifier: Apache-2.0
"""Payload control against the simulated payload in invented time, over the real wire protocol and its faults."""

from __future__ import annotations

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.payload import payload_requests as requests
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters
from gremsy_gimbal_driver.payload.payload_requests import FocusAction, TrackingPath, ZoomPath
from gremsy_gimbal_driver.payload.payload_settings import ProductFamily, find_setting
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

OWN = Sender(1, 191)


class Bench:
    """The two on one clock, stepped by 20 ms as the driver does."""

    def __init__(
        self, options: PayloadOptions | None = None, parameters: PayloadParameters | None = None, seed: int = 0
    ) -> None:
        encoder = MavlinkEncoder(OWN)
        self.device = InstantPayload(options, seed=seed, heartbeats=True)
        self._decoder = MavlinkDecoder(OWN)
        self.control = PayloadControl(encoder, self._decoder.components, parameters)
        self.run(1.5)

    @property
    def now_ns(self) -> int:
        return round(self.device.now_s * 1e9)

    def run(self, seconds: float) -> None:
        end_s = self.device.now_s + seconds
        while self.device.now_s < end_s - 1e-9:
            for message in self.control.due(self.now_ns):
                self.device.write(message)
            for _, data in self.device.run(self.device.now_s + 0.02):
                for event in self._decoder.feed(data, now_ns=self.now_ns):
                    self.control.on_event(event, self.now_ns)

    def ask(self, request: requests.Request, seconds: float = 10.0) -> PendingRequest:
        pending = self.control.request(request, self.now_ns)
        begun_s = self.device.now_s
        while not pending.over and self.device.now_s < begun_s + seconds:
            self.run(0.1)
        return pending


@pytest.mark.parametrize(
    ('name', 'choice'),
    [('view_source', 'ir'), ('record_source', 'both'), ('osd', 'status'), ('ir_palette', '7'), ('lrf_mode', '10hz')],
)
def test_settings_are_taken_and_read_back(name, choice):
    bench = Bench()
    assert bench.ask(requests.SetSetting(name, choice)).state is RequestState.ACCEPTED
    setting = find_setting(ProductFamily.VIO, name)
    read = bench.ask(requests.ReadParameter(setting.parameter))
    assert read.state is RequestState.ACCEPTED
    assert setting.word(read.result.value) == choice


def test_the_laser_is_switched_on_and_its_ranges_come_at_the_rate_asked_for():
    bench = Bench()
    assert bench.ask(requests.SetSetting('lrf_mode', '10hz')).state is RequestState.ACCEPTED
    assert bench.ask(requests.TelemetryRate('LRF_RANGE', 5.0)).state is RequestState.ACCEPTED
    bench.run(1.0)
    assert bench.control.telemetry['LRF_RANGE'] == pytest.approx(120.0)


def test_no_setting_moves_the_gimbal_or_changes_its_mode():
    bench = Bench()
    before = bench.device.payload.true_state(0)
    for name, choice in (('zoom_mode', 'combine'), ('view_source', 'eo_ir'), ('osd', 'off')):
        assert bench.ask(requests.SetSetting(name, choice)).state is RequestState.ACCEPTED
    bench.run(3.0)
    after = bench.device.payload.true_state(0)
    assert (after.azimuth_rad, after.tilt_rad) == (before.azimuth_rad, before.tilt_rad)


def test_a_setting_that_is_acknowledged_and_not_done_is_found_out():
    bench = Bench(PayloadOptions(ext_ignored_share=1.0))
    pending = bench.ask(requests.SetSetting('view_source', 'ir'))
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The camera 1/101 acknowledged the setting view_source = ir but C_SOURCE still reads 0 instead of 2 after 5 s: '
        'something else may set it, or this product ignores it.'
    )


def test_a_setting_that_fails_is_said():
    pending = Bench(PayloadOptions(ext_failed_share=1.0)).ask(requests.SetSetting('view_source', 'ir'))
    assert pending.state is RequestState.FAILED


def test_a_setting_that_takes_its_time_is_waited_for():
    bench = Bench(PayloadOptions(ext_in_progress_s=3.0))
    pending = bench.ask(requests.SetSetting('view_source', 'ir'), 1.0)
    assert pending.state is RequestState.IN_PROGRESS
    bench.run(4.0)
    assert pending.state is RequestState.ACCEPTED


@pytest.mark.parametrize('path', list(ZoomPath))
def test_zoom_reaches_what_was_asked_by_either_path(path):
    bench = Bench(parameters=PayloadParameters(zoom_path=path))
    pending = bench.ask(requests.ZoomTo(6.0))
    assert pending.state is RequestState.ACCEPTED
    bench.run(1.0)
    assert bench.device.payload.true_state(0).zoom == pytest.approx(6.0, rel=0.02)


def test_the_inverted_range_is_found_out_and_the_setting_puts_it_right():
    options = PayloadOptions(zoom_range_inverted=True)
    bench = Bench(options, PayloadParameters(zoom_range_inverted=True))
    assert bench.ask(requests.ZoomTo(6.0)).state is RequestState.ACCEPTED
    wrong = Bench(options)
    # From the widest view there is no wrong way: it passes 2x and ends at 10x.
    past = wrong.ask(requests.ZoomTo(2.0))
    assert past.state is RequestState.UNCONFIRMED
    assert past.result.sentence == (
        'The lens went past what was asked at zoom to 2x, to 10x: `zoom_range_inverted` or `zoom_largest` does not fit '
        'this product.'
    )
    pending = wrong.ask(requests.ZoomTo(19.0))
    assert pending.state is RequestState.FAILED
    assert pending.result.sentence.endswith('set `zoom_range_inverted` to true.')


def test_the_path_that_does_not_move_the_lens_is_found_out():
    bench = Bench(PayloadOptions(zoom_only_by_range=True), PayloadParameters(zoom_path=ZoomPath.ABSOLUTE))
    pending = bench.ask(requests.ZoomTo(6.0))
    assert pending.state in (RequestState.UNCONFIRMED, RequestState.FAILED)
    assert bench.device.payload.true_state(0).zoom == 1.0


@pytest.mark.parametrize('path', list(TrackingPath))
def test_on_board_tracking_starts_and_stops(path):
    bench = Bench(parameters=PayloadParameters(tracking_path=path))
    assert bench.ask(requests.TelemetryRate('TRK_STATUS', 10.0)).state is RequestState.ACCEPTED
    assert bench.ask(requests.TrackBox(0.5, 0.5, 0.1, 0.1)).state is RequestState.ACCEPTED
    bench.run(1.0)
    assert bench.control.tracking == 'tracked'
    assert bench.ask(requests.StopTracking()).state is RequestState.ACCEPTED
    bench.run(1.0)
    assert bench.control.tracking == 'idle'


def test_focus_recording_and_pictures():
    bench = Bench()
    for request in (
        requests.Focus(FocusAction.AUTO),
        requests.Focus(FocusAction.FAR),
        requests.Focus(FocusAction.STOP),
        requests.RecordVideo(True),
        requests.Still(),
        requests.RecordVideo(False),
    ):
        pending = bench.ask(request)
        assert pending.state is RequestState.ACCEPTED, pending.result.sentence


def test_a_full_card_is_said():
    bench = Bench(PayloadOptions(storage_used_mib=32000.0))
    pending = bench.ask(requests.RecordVideo(True))
    assert pending.state is RequestState.FAILED
    assert pending.result.sentence.startswith('The component 1/101 was asked for starting the recording and ')


def test_a_bare_gimbal_has_no_camera():
    bench = Bench(PayloadOptions(has_payload=False))
    assert bench.ask(requests.ZoomTo(2.0)).state is RequestState.FAILED


@pytest.mark.parametrize(
    'faults',
    [
        {'ack_lost_share': 0.5},
        {'ack_duplicated_share': 1.0},
        {'ack_foreign_share': 0.5},
        {'ack_delay_s': 1.5},
        {'duplicated_message_share': 0.5},
        {'latency_s': 0.3, 'jitter_s': 0.3},
        {'corrupted_byte_share': 0.002},
    ],
    ids=str,
)
def test_through_every_fault_of_acknowledgements_requests_end_and_none_is_called_done_that_is_not(faults):
    for seed in range(5):
        bench = Bench(PayloadOptions(**faults), seed=seed)
        bench.run(3.0)
        for value, choice in ((1, 'eo'), (2, 'ir'), (0, 'eo_ir')):
            pending = bench.ask(requests.SetSetting('view_source', choice))
            assert pending.over
            if pending.state is RequestState.ACCEPTED:
                assert bench.control.parameters.values['C_SOURCE'] == value
        zoom = bench.ask(requests.ZoomTo(4.0))
        assert zoom.over
        if zoom.state is RequestState.ACCEPTED:
            bench.run(1.0)
            assert bench.device.payload.true_state(0).zoom == pytest.approx(4.0, rel=0.02)


def test_under_the_realistic_preset_every_request_ends():
    bench = Bench(PRESETS['realistic'], seed=1)
    bench.run(10.0)
    for request in (requests.SetSetting('osd', 'status'), requests.ZoomTo(4.0), requests.RecordVideo(True)):
        assert bench.ask(request, 30.0).over
