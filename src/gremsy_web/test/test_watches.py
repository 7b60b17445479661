# SPDX-License-Identifier: Apache-2.0
"""Which paths are watched, by what the sessions did and what the video server says of its readers."""

import pytest

from gremsy_web.video.watches import Watches


@pytest.fixture
def watches() -> Watches:
    made = Watches()
    made.began('first', 'eo', 100.0)
    return made


def test_a_session_is_watched_until_it_is_given_back(watches):
    for now_s in range(100, 200):
        watches.update('eo', now_s, is_read=True)
        assert watches.paths(now_s) == {'eo'}
    watches.ended('first')
    assert watches.paths(200) == set()


def test_one_that_connects_may_have_no_reader_yet_for_15_s(watches):
    for now_s in range(100, 115):
        watches.update('eo', now_s, is_read=False)
        assert watches.paths(now_s) == {'eo'}
    assert watches.paths(115) == set()


def test_without_a_reader_it_has_ended_after_3_s(watches):
    for now_s in range(100, 131):
        watches.update('eo', now_s, is_read=True)
    watches.update('eo', 131, is_read=False)
    assert watches.paths(133.9) == {'eo'}
    assert watches.paths(134) == set()


def test_a_reader_that_was_missed_for_a_moment_is_no_end(watches):
    for now_s in range(100, 160):
        watches.update('eo', now_s, is_read=bool(now_s % 4))
        assert watches.paths(now_s) == {'eo'}


def test_a_server_that_does_not_answer_is_waited_for_for_15_s(watches):
    watches.update('eo', 120, is_read=True)
    assert watches.paths(134.9) == {'eo'}
    assert watches.paths(135) == set()


def test_a_reader_of_another_path_keeps_none(watches):
    for now_s in range(100, 116):
        watches.update('eo', now_s, is_read=False)
        watches.update('ir', now_s, is_read=True)
    assert watches.paths(116) == set()


def test_who_asks_is_held_for_5_s_alone():
    watches = Watches()
    watches.asked('ir', 100.0)
    assert watches.paths(104.9) == {'ir'}
    assert watches.paths(105) == set()
