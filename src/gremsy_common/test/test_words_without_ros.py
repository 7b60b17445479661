# SPDX-License-Identifier: Apache-2.0
import pytest

from gremsy_common.parameters.words_without_ros import words_without_ros


@pytest.mark.parametrize(
    ('words', 'kept'),
    [
        ([], []),
        (['--a', '1'], ['--a', '1']),
        (['--a', '--ros-args', '-r', '__ns:=/x'], ['--a']),
        (['--ros-args', '-p', 'x:=1', '--', '--a'], ['--a']),
        (['--a', '--ros-args', '--', '--b', '--ros-args'], ['--a', '--b']),
        (['--', '--a'], ['--', '--a']),
    ],
)
def test_what_is_meant_for_ros_is_left_out(words, kept):
    assert words_without_ros(words) == kept
