# SPDX-License-Identifier: Apache-2.0
"""Where the container puts a component, from its own command line."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from gremsy_bringup.container import UnknownComponent, parsed, process_namespace


@pytest.mark.parametrize(
    ('arguments', 'namespace'),
    [
        ([], '/'),
        (['--ros-args', '-r', '__ns:=/robot'], '/robot'),
        (['--ros-args', '--remap', '__ns:=fleet/robot/'], '/fleet/robot'),
        (['--ros-args', '-r', '__ns:=/'], '/'),
        # rcl takes the first rule of several, and a parameter is none.
        (['--ros-args', '-p', '__ns:=/x', '-r', '__ns:=/a', '-r', '__ns:=/b'], '/a'),
    ],
)
def test_the_processs_namespace_is_that_of_its_rule(arguments: list[str], namespace: str) -> None:
    assert process_namespace(arguments) == namespace


@pytest.mark.parametrize(
    ('word', 'component'),
    [('camera', ('', 'camera')), ('eo/camera', ('eo', 'camera')), ('a/b/c', ('a/b', 'c'))],
)
def test_what_stands_before_a_component_is_its_namespace(word: str, component: tuple[str, str]) -> None:
    assert parsed(word) == component


@pytest.mark.parametrize('word', ['/camera', 'eo//camera', '2nd/camera', 'e o/camera'])
def test_what_is_no_namespace_is_refused(word: str) -> None:
    with pytest.raises(UnknownComponent):
        parsed(word)
