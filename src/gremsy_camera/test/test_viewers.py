# SPDX-License-Identifier: Apache-2.0
"""Who watches: messages, a clock of the test's own, and answers of an API as MediaMTX 1.20.1 gave them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.stream_parameters import StreamParameters
from gremsy_camera.streaming.viewers import PathState, Viewers, parse_watch, path_state
from gremsy_common.parameters.parameter_fields import ParameterError

# As it answered to `/v3/paths/get/eo`, cut down to what matters.
PUBLISHED = b'{"name":"eo","ready":true,"source":{"type":"rtspSession","id":"77dacc1c"},"readers":[]}'
READ = (
    b'{"name":"eo","source":{"type":"rtspSession","id":"7"},'
    b'"readers":[{"type":"webRTCSession","id":"1"},{"type":"rtspSession","id":"2"}]}'
)
PULLED = (
    b'{"name":"cam","online":true,"source":{"type":"rtspSource","id":""},"readers":[{"type":"webRTCSession","id":"1"}]}'
)
EMPTY = b'{"name":"eo","source":null,"readers":[]}'


@pytest.mark.parametrize(
    ('text', 'watch'),
    [
        ('eo', ('eo', False)),
        ('  eo_overlay key ', ('eo_overlay', True)),
        ('front/left', ('front/left', False)),
        ('', None),
        ('   ', None),
        ('eo now', None),
        ('eo key key', None),
    ],
)
def test_a_message_names_a_path_and_says_whether_somebody_has_come(text, watch):
    assert parse_watch(text) == watch


@given(st.text())
def test_whatever_is_said_is_a_watch_or_none(text):
    parse_watch(text)


@pytest.mark.parametrize(
    ('body', 'state'),
    [
        (PUBLISHED, PathState(0, pulled=False)),
        (READ, PathState(2, pulled=False)),
        (PULLED, PathState(1, pulled=True)),
        (EMPTY, PathState(0, pulled=False)),
        (b'{"status":"error","error":"path not found"}', None),
        (b'[]', None),
        (b'"readers"', None),
        (b'<html>', None),
        (b'\xff', None),
        (b'', None),
    ],
)
def test_a_servers_answer_is_read_or_is_none(body, state):
    assert path_state(body) == state


@given(st.binary())
def test_whatever_a_server_answers_is_a_state_or_none(body):
    path_state(body)


def test_a_watch_holds_five_seconds():
    viewers = Viewers()
    assert not viewers.watched(100.0) and viewers.words(100.0) == 'nobody'
    assert viewers.asked(100.0) is True
    assert viewers.watched(104.9) and viewers.words(104.9) == 'an operator'
    assert viewers.asked(104.9) is False
    assert viewers.watched(109.8) and not viewers.watched(110.0)
    assert viewers.asked(111.0) is True


def test_readers_count_and_one_more_is_told():
    viewers = Viewers()
    assert viewers.polled(PathState(1)) is True
    assert viewers.watched(0.0) and viewers.words(0.0) == '1 reader of the server'
    assert viewers.polled(PathState(1)) is False
    assert viewers.polled(PathState(3)) is True
    viewers.asked(0.0)
    assert viewers.words(0.0) == 'an operator and 3 readers of the server'
    assert viewers.polled(PathState(2)) is False
    assert viewers.reachable
    # The API is away: those who read are not known, and the server is gone with them.
    assert viewers.polled(None) is False
    assert not viewers.reachable and not viewers.watched(10.0)


def test_what_the_server_has_from_the_camera_itself_is_watched_by_nobody_here():
    viewers = Viewers()
    viewers.polled(PathState(1, pulled=True))
    viewers.asked(0.0)
    assert not viewers.watched(0.0, always=True)
    assert viewers.words(0.0) == 'the server has it from the camera itself'


@pytest.mark.parametrize(
    ('values', 'paths'),
    [
        ({}, {'clean': 'eo', 'overlay': 'eo_overlay'}),
        ({'path': 'front/left'}, {'clean': 'front/left', 'overlay': 'front/left_overlay'}),
        ({'overlay_path': 'overlay'}, {'clean': 'eo', 'overlay': 'overlay'}),
        ({'picture': 'clean'}, {'clean': 'eo'}),
        ({'picture': 'overlay'}, {'overlay': 'eo_overlay'}),
        ({'server': ''}, {}),
    ],
)
def test_the_paths_follow_from_the_camera_and_the_parameters(values, paths):
    assert StreamParameters(**values).paths('eo') == paths


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        (
            {'path': 'eo/'},
            "Parameter `path` is 'eo/', which is not a path of a video server: use letters, digits and _.-~, with "
            'single / between its parts, as in eo.',
        ),
        (
            {'overlay_path': 'a b'},
            "Parameter `overlay_path` is 'a b', which is not a path of a video server: use letters, digits and _.-~, "
            'with single / between its parts, as in eo.',
        ),
        (
            {'path': 'x', 'overlay_path': 'x'},
            "Parameters `path` and `overlay_path` are both 'x': give each a name of its own.",
        ),
        (
            {'server_api': '127.0.0.1:9997'},
            "Parameter `server_api` is '127.0.0.1:9997', which is not an address: write it as http://127.0.0.1:9997, "
            'or leave it empty.',
        ),
        (
            {'server_api': 'http://[::1'},
            "Parameter `server_api` is 'http://[::1', which is not an address: write it as http://127.0.0.1:9997, "
            'or leave it empty.',
        ),
    ],
)
def test_what_cannot_be_is_named_with_the_way_out(values, sentence):
    with pytest.raises(ParameterError) as raised:
        StreamParameters(**values).check()
    assert str(raised.value) == sentence


def test_credentials_are_filled_in_and_not_shown():
    parameters = StreamParameters(server='rtsp://${U}:${P}@10.1.2.3:8554/robot')
    address = parameters.address('eo', {'U': 'robot', 'P': 'p@ss'})
    assert (address.user, address.password, address.location) == ('robot', 'p@ss', 'rtsp://10.1.2.3:8554/robot/eo')
    assert 'p@ss' not in repr(address)
