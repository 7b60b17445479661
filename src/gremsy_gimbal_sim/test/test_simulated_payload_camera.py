# SPDX-License-Identifier: Apache-2.0
"""The simulated camera: its parameters, lens, focus, recorder and card (gimbal.md 2.1, 2.3)."""

from __future__ import annotations

import math

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.payload.camera_commands import still
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import InstantPayload

ACK, EXT_VALUE, EXT_ACK, STATUS_TEXT = 77, 322, 324, 253
INFORMATION, SETTINGS, STORAGE, CAPTURE_STATUS, STREAM, FIELD = 259, 260, 261, 262, 269, 271
ZOOM, FOCUS, CAMERA_MODE, USER_4 = 531, 532, 530, 31013
STILL, END_STILLS, RECORD, END_RECORD, FORMAT, REQUEST = 2000, 2001, 2500, 2501, 526, 512
ACCEPTED, DENIED, UNSUPPORTED, FAILED = 0, 2, 3, 4
IMAGE_CAPTURED = 263
UINT32 = dialect.MAV_PARAM_EXT_TYPE_UINT32
PARAM_FAILED, PARAM_UNSUPPORTED, PARAM_IN_PROGRESS = 2, 1, 3


def bench_of(**options) -> InstantPayload:
    bench = InstantPayload(PayloadOptions(**options), heartbeats=True)
    bench.run(0.1)
    return bench


def put(bench: InstantPayload, name: str, value: int, kind: int = UINT32) -> None:
    raw = value.to_bytes(4, 'little').ljust(128, b'\0')
    bench.send(dialect.MAVLink_param_ext_set_message(1, 101, name.encode(), raw, kind))


def ask(bench: InstantPayload, name: str = '', index: int = -1) -> None:
    bench.send(dialect.MAVLink_param_ext_request_read_message(1, 101, name.encode(), index))


def number(message) -> int:
    return int.from_bytes(bytes(message._param_value_raw)[:4].ljust(4, b'\0'), 'little')


def answers(bench: InstantPayload, message_id: int) -> list[tuple[str, int]]:
    return [(message.param_id, number(message)) for _, message in bench.messages(message_id)]


def acks(bench: InstantPayload) -> list[tuple[str, int, int]]:
    return [(message.param_id, number(message), message.param_result) for _, message in bench.messages(EXT_ACK)]


def results(bench: InstantPayload) -> list[int]:
    return [message.result for _, message in bench.messages(ACK)]


def zoom(bench: InstantPayload) -> float:
    return bench.payload.true_state(0).zoom


def shown(bench: InstantPayload, message_id: int):
    bench.command(101, REQUEST, message_id)
    bench.run(bench.now_s + 0.1)
    return bench.messages(message_id)[-1][1]


# Parameters.


def test_a_parameter_is_set_acknowledged_and_read_back():
    bench = bench_of()
    put(bench, 'C_V_FV', 256)  # as a text this would end at its first byte (gimbal.md 1.12)
    ask(bench, 'C_V_FV')
    bench.run(1.0)
    assert acks(bench) == [('C_V_FV', 256, ACCEPTED)]
    assert answers(bench, EXT_VALUE) == [('C_V_FV', 256)]


def test_the_list_has_every_parameter_once_and_each_can_be_asked_for_by_number():
    bench = bench_of()
    bench.send(dialect.MAVLink_param_ext_request_list_message(1, 101))
    bench.run(2.0)
    messages = [message for _, message in bench.messages(EXT_VALUE)]
    assert [message.param_index for message in messages] == list(range(messages[0].param_count))
    ask(bench, index=5)
    bench.run(3.0)
    assert bench.messages(EXT_VALUE)[-1][1].param_id == messages[5].param_id


@pytest.mark.parametrize(('name', 'value', 'kind'), [('LRF_MODE', 4, UINT32), ('LRF_MODE', 1, 9)])
def test_a_value_or_a_type_that_it_does_not_have_is_unsupported_and_changes_nothing(name, value, kind):
    bench = bench_of()
    put(bench, name, value, kind)
    ask(bench, name)
    bench.run(1.0)
    assert acks(bench) == [(name, 3, PARAM_UNSUPPORTED)]
    assert answers(bench, EXT_VALUE) == [(name, 3)]


def test_a_name_that_does_not_exist_fails_to_be_set_and_is_silent_when_read():
    bench = bench_of()
    put(bench, 'C_NOTHING', 1)
    ask(bench, 'C_NOTHING')
    ask(bench, index=999)
    bench.run(1.0)
    assert acks(bench) == [('C_NOTHING', 1, PARAM_FAILED)]
    assert answers(bench, EXT_VALUE) == []


def test_an_acknowledgement_may_first_say_that_it_is_in_progress():
    bench = bench_of(ext_in_progress_s=0.8)
    put(bench, 'OSD_MODE', 2)
    bench.run(2.0)
    assert acks(bench) == [('OSD_MODE', 2, PARAM_IN_PROGRESS), ('OSD_MODE', 2, ACCEPTED)]
    first, second = (at_s for at_s, _ in bench.messages(EXT_ACK))
    assert second - first == pytest.approx(0.8, abs=0.01)


def test_a_parameter_may_fail_or_be_accepted_and_not_done():
    failing = bench_of(ext_failed_share=1.0)
    put(failing, 'OSD_MODE', 2)
    failing.run(1.0)
    assert acks(failing) == [('OSD_MODE', 2, PARAM_FAILED)]
    lying = bench_of(ext_ignored_share=1.0)
    put(lying, 'OSD_MODE', 2)
    ask(lying, 'OSD_MODE')
    lying.run(1.0)
    assert acks(lying) == [('OSD_MODE', 2, ACCEPTED)]
    assert answers(lying, EXT_VALUE) == [('OSD_MODE', 0)]


@pytest.mark.parametrize(('component', 'taken'), [(191, True), (193, False)])
def test_parameters_may_be_taken_from_one_component_only(component, taken):
    bench = bench_of(ext_component=component)
    put(bench, 'OSD_MODE', 2)  # from 191
    bench.run(1.0)
    assert bool(acks(bench)) == taken


# Lens.


def test_range_goes_to_a_share_of_the_zoom_or_the_other_way_round():
    for inverted, factor in ((False, 16.0**0.25), (True, 16.0**0.75)):
        bench = bench_of(zoom_max=16.0, zoom_range_inverted=inverted)
        bench.command(101, ZOOM, 2, 25.0)
        bench.run(8.0)
        assert zoom(bench) == pytest.approx(factor)


def test_continuous_drives_until_told_to_stop():
    bench = bench_of(zoom_max=16.0)
    bench.command(101, ZOOM, 1, 1)
    bench.run(1.1)
    bench.command(101, ZOOM, 1, 0)
    bench.run(3.0)
    assert zoom(bench) == pytest.approx(2.0, rel=0.01)
    bench.command(101, ZOOM, 1, -1)
    bench.run(6.0)
    assert zoom(bench) == 1.0


def test_steps_go_a_quarter_nearer_or_wider():
    bench = bench_of()
    bench.command(101, ZOOM, 0, 1)
    bench.command(101, ZOOM, 0, 1)
    bench.run(3.0)
    assert zoom(bench) == pytest.approx(1.25**2)
    bench.command(101, ZOOM, 0, -1)
    bench.run(5.0)
    assert zoom(bench) == pytest.approx(1.25)


def test_the_board_zooms_to_a_magnification_and_by_direction():
    bench = bench_of()
    bench.command(26, USER_4, 2, 0, 4, 7.5)
    bench.run(5.0)
    assert zoom(bench) == pytest.approx(7.5)
    bench.command(26, USER_4, 2, 0, 2)
    bench.run(6.0)
    bench.command(26, USER_4, 2, 0, 0)
    bench.run(7.0)
    held = zoom(bench)
    assert 1.0 < held < 7.5
    bench.command(26, USER_4, 2, 0, 3)
    bench.run(13.0)
    assert zoom(bench) == 20.0
    assert results(bench) == [ACCEPTED] * 4


def test_zoom_levels_are_those_of_a_vio_and_speed_is_a_parameter():
    bench = bench_of(zoom_max=240.0, zoom_doublings_per_s=4.0)
    for level, factor in ((3, 6.0), (10, 20.0), (21, 240.0), (0, 1.0)):
        put(bench, 'C_V_ZM_CB_LV', level)
        bench.run(bench.now_s + 3.0)
        assert zoom(bench) == pytest.approx(factor)
    put(bench, 'C_V_ZM_SR_LV', 11)
    bench.run(bench.now_s + 3.0)
    assert zoom(bench) == pytest.approx(30.0)
    put(bench, 'C_V_Z_SPD', 0)
    bench.command(101, ZOOM, 2, 100.0)
    bench.run(bench.now_s + 2.0)
    assert zoom(bench) == pytest.approx(60.0, rel=0.02)


def test_one_payload_moves_its_lens_by_range_only():
    bench = bench_of(zoom_only_by_range=True)
    bench.command(101, ZOOM, 1, 1)
    bench.command(26, USER_4, 2, 0, 4, 7.5)
    put(bench, 'C_V_ZM_CB_LV', 5)
    bench.run(4.0)
    assert zoom(bench) == 1.0
    assert results(bench) == [ACCEPTED] * 2
    bench.command(101, ZOOM, 2, 100.0)
    bench.run(10.0)
    assert zoom(bench) == 20.0


def test_the_field_of_view_is_that_of_the_zoom():
    bench = bench_of()
    assert shown(bench, FIELD).hfov == pytest.approx(40.0)
    bench.command(101, ZOOM, 2, 100.0)
    bench.run(8.0)
    field = shown(bench, FIELD)
    tangent = math.tan(math.radians(20.0)) / 20.0
    assert field.hfov == pytest.approx(2 * math.degrees(math.atan(tangent)), rel=1e-5)
    assert field.vfov == pytest.approx(2 * math.degrees(math.atan(tangent * 9 / 16)), rel=1e-5)
    assert shown(bench, SETTINGS).zoomLevel == pytest.approx(100.0)


def test_focus_drives_stops_and_finds_itself():
    bench = bench_of()
    bench.command(101, FOCUS, 1, -1)
    bench.run(1.1)
    bench.command(101, FOCUS, 1, 0)
    bench.run(2.0)
    assert shown(bench, SETTINGS).focusLevel == pytest.approx(100 * (40960 - 20480) / 61440, abs=0.5)
    put(bench, 'C_V_FV', 61440)
    bench.run(6.0)
    assert shown(bench, SETTINGS).focusLevel == pytest.approx(100.0)
    bench.command(101, FOCUS, 4, 0)
    bench.run(9.0)
    assert shown(bench, SETTINGS).focusLevel == pytest.approx(100 * 40960 / 61440)
    bench.command(101, FOCUS, 2, 0)
    bench.run(9.2)
    assert results(bench)[-1] == UNSUPPORTED


# Recorder.


def test_a_recording_counts_its_time_and_fills_the_card():
    bench = bench_of(storage_mib=100.0, storage_used_mib=10.0, recording_mib_per_s=4.0)
    bench.command(101, RECORD)
    bench.run(5.1)
    status = shown(bench, CAPTURE_STATUS)
    assert (status.video_status, status.recording_time_ms) == (1, pytest.approx(5000, abs=10))
    assert status.available_capacity == pytest.approx(70.0, abs=0.1)
    bench.command(101, END_RECORD)
    bench.run(8.0)
    status = shown(bench, CAPTURE_STATUS)
    assert (status.video_status, status.recording_time_ms) == (0, 0)
    storage = shown(bench, STORAGE)
    assert storage.used_capacity == pytest.approx(30.4, abs=0.1)
    assert storage.used_capacity + storage.available_capacity == pytest.approx(storage.total_capacity)


def test_a_full_card_ends_a_recording_and_refuses_the_next():
    bench = bench_of(storage_mib=10.0, recording_mib_per_s=4.0)
    bench.command(101, RECORD)
    bench.run(5.0)
    assert shown(bench, CAPTURE_STATUS).video_status == 0
    bench.command(101, RECORD)
    bench.command(101, STILL, 0, 0, 1)
    bench.run(6.0)
    assert results(bench)[-2:] == [FAILED, FAILED]
    bench.command(101, FORMAT, 1, 1)
    bench.run(7.0)
    assert shown(bench, STORAGE).used_capacity == 0.0


def test_a_card_is_not_formatted_while_it_is_written_to():
    bench = bench_of()
    bench.command(101, RECORD)
    bench.command(101, FORMAT, 1, 1)
    bench.run(1.0)
    assert results(bench) == [ACCEPTED, FAILED]


def test_stills_are_counted_one_by_one_and_in_series():
    bench = bench_of()
    bench.command(101, CAMERA_MODE, 0, 0)
    bench.command(101, STILL, 0, 0, 1)
    bench.run(1.0)
    assert (shown(bench, CAPTURE_STATUS).image_count, shown(bench, SETTINGS).mode_id) == (1, 0)
    bench.command(101, STILL, 0, 0.5, 3)
    bench.run(5.0)
    assert shown(bench, CAPTURE_STATUS).image_count == 4
    bench.command(101, STILL, 0, 1.0, 0)
    bench.run(8.0)
    assert shown(bench, CAPTURE_STATUS).image_status == 2
    bench.command(101, END_STILLS)
    bench.run(12.0)
    status = shown(bench, CAPTURE_STATUS)
    assert (status.image_count, status.image_status) == (4 + 4, 0)  # at 5.1, 6.1, 7.1 and 8.1 s


def test_the_old_requests_ask_only_where_the_standard_says_that_they_do():
    bench = bench_of(vendor_requests=False)
    for command, parameters in ((521, (0,)), (525, (1, 0)), (522, (2,)), (FORMAT, (1, 0)), (FORMAT, (1, 3))):
        bench.command(101, command, *parameters)
    bench.run(0.5)
    assert results(bench) == [ACCEPTED, ACCEPTED, DENIED, ACCEPTED, DENIED]
    assert bench.messages(INFORMATION) + bench.messages(SETTINGS) + bench.messages(STORAGE) == []


def test_a_count_of_0_takes_pictures_until_told_to_stop():
    """common.xml, MAV_CMD_IMAGE_START_CAPTURE: '0 to capture forever/until MAV_CMD_IMAGE_STOP_CAPTURE'."""
    bench = bench_of(vendor_still=False)
    bench.command(101, STILL)
    bench.run(5.0)
    status = shown(bench, CAPTURE_STATUS)
    assert status.image_count >= 10
    assert (status.image_status, status.image_interval) == (2, pytest.approx(0.1))
    bench.command(101, END_STILLS)
    bench.run(6.0)
    count = shown(bench, CAPTURE_STATUS).image_count
    bench.run(9.0)
    status = shown(bench, CAPTURE_STATUS)
    assert (status.image_count, status.image_status) == (count, 0)


def test_a_picture_of_the_same_number_is_not_taken_twice():
    """common.xml: 'Increment the capture ID for each capture command to prevent double captures'."""
    bench = bench_of()
    for number_ in (5, 5, 6, 5, 5):
        bench.command(101, STILL, 0, 0, 1, number_)
        bench.run(bench.now_s + 0.2)
    assert results(bench) == [ACCEPTED] * 5
    assert shown(bench, CAPTURE_STATUS).image_count == 3


def test_every_picture_is_reported_with_its_index():
    """common.xml, CAMERA_IMAGE_CAPTURED: counted from 0, the newest is CAMERA_CAPTURE_STATUS.image_count - 1."""
    bench = bench_of()
    bench.command(101, STILL, 0, 0, 1, 1)
    bench.command(101, STILL, 0, 0.5, 3)
    bench.run(4.0)
    reports = [message for _, message in bench.messages(IMAGE_CAPTURED)]
    assert [(each.image_index, each.capture_result) for each in reports] == [(index, 1) for index in range(4)]
    assert shown(bench, CAPTURE_STATUS).image_count == 4


@pytest.mark.parametrize('parameters', [(0, -1.0, 1), (0, math.nan, 1), (0, 0, -1), (0, 0, math.nan), (0, 0, 1, -2)])
def test_a_capture_that_means_nothing_is_denied(parameters):
    bench = bench_of()
    bench.command(101, STILL, *parameters)
    bench.run(1.0)
    assert results(bench) == [DENIED]
    assert shown(bench, CAPTURE_STATUS).image_count == 0


@pytest.mark.parametrize('obeys', [True, False])
@pytest.mark.parametrize(('request_id', 'message_id'), [(521, 259), (522, 260), (525, 261), (527, 262)])
def test_the_vendors_way_of_asking_for_a_message_is_answered(obeys, request_id, message_id):
    """All zeros, of which one is common.xml's 'no action' (github.com/Gremsy/PayloadSdk, payloadSdkInterface.cpp)."""
    bench = bench_of(vendor_requests=obeys)
    bench.command(101, request_id)
    bench.run(1.0)
    assert results(bench) == [ACCEPTED]
    assert bool(bench.messages(message_id)) == obeys


@pytest.mark.parametrize(('vendor', 'pictures'), [(False, 29), (True, 1)])
def test_the_vendors_way_of_asking_for_a_picture_is_one_only_for_its_own_firmware(vendor, pictures):
    bench = bench_of(vendor_still=vendor)
    bench.write(still(Sender(1, 101), None, recording=True)[0].pack(MavlinkEncoder(Sender(1, 191))))
    bench.run(3.0)
    assert shown(bench, CAPTURE_STATUS).image_count == pytest.approx(pictures, abs=1 if not vendor else 0)


def test_the_recording_state_comes_as_text_in_chunks_where_told():
    bench = bench_of(recording_status_text=True)
    bench.command(101, RECORD)
    bench.run(3.5)
    chunks = [message for _, message in bench.messages(STATUS_TEXT)]
    newest = [chunk for chunk in chunks if chunk.id == chunks[-1].id]
    assert [chunk.chunk_seq for chunk in newest] == list(range(len(newest)))
    assert len(newest) > 1
    text = ''.join(chunk.text for chunk in newest)
    assert text.startswith('{"recording": true, "time_s": 2.9')
    assert text.endswith('}')


# Who it is.


@pytest.mark.parametrize(
    ('command', 'message_id'),
    [(521, INFORMATION), (522, SETTINGS), (525, STORAGE), (527, CAPTURE_STATUS), (2504, STREAM)],
)
def test_old_requests_bring_their_messages(command, message_id):
    bench = bench_of()
    bench.command(101, command, 1, *[1] * (command == 525))  # of the storage the first says which
    bench.run(0.5)
    assert len(bench.messages(message_id)) == 1
    assert results(bench) == [ACCEPTED]


def test_the_stream_says_where_it_is():
    bench = bench_of(stream_uri='rtsp://10.0.0.7:8554/payload')
    stream = shown(bench, STREAM)
    assert (stream.uri, stream.resolution_h, stream.resolution_v) == ('rtsp://10.0.0.7:8554/payload', 1920, 1080)


@pytest.mark.parametrize(
    ('command', 'parameters'), [(REQUEST, (33,)), (ZOOM, (3, 5)), (CAMERA_MODE, (0, 7)), (31099, ())]
)
def test_what_it_cannot_do_is_unsupported(command, parameters):
    bench = bench_of()
    bench.command(101, command, *parameters)
    bench.run(0.5)
    assert results(bench) == [UNSUPPORTED]
