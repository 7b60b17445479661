# SPDX-License-Identifier: Apache-2.0
"""The tree of the newest transforms, held against scipy, and its refusals sentence by sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.goals.frame_tree import FrameTransform, FrameTree, Pose
from gremsy_gimbal_driver.motion.notices import Refusal

NS = 1_000_000_000
NOW = 1_700_000_000 * NS
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def transform(parent, child, translation=(0.0, 0.0, 0.0), q=IDENTITY, age_s=0.0, is_static=False):
    return FrameTransform(parent, child, np.array(translation), np.asarray(q), NOW - round(age_s * NS), is_static)


def tree(*transforms, own=()):
    made = FrameTree(own)
    for each in transforms:
        made.take(each)
    return made


def refused(made, a, b, age_limit_s=1.0):
    with pytest.raises(Refusal) as error:
        made.lookup(a, b, NOW, age_limit_s)
    return error.value.kind, str(error.value)


def matrix(pose: Pose) -> np.ndarray:
    """4x4, by scipy."""
    from scipy.spatial.transform import Rotation

    out = np.eye(4)
    out[:3, :3] = Rotation.from_quat(np.roll(pose.rotation_wxyz, -1)).as_matrix()
    out[:3, 3] = pose.translation_m
    return out


def test_any_two_frames_of_a_random_tree_are_related_as_matrices_say():
    random = np.random.default_rng(3)
    names = [f'f{n}' for n in range(30)]
    made, world = FrameTree(), {names[0]: np.eye(4)}
    for n, name in enumerate(names[1:], start=1):
        parent = names[random.integers(n)]
        q = random.normal(size=4)
        pose = Pose(q / np.linalg.norm(q), random.normal(size=3))
        made.take(transform(parent, name, pose.translation_m, pose.rotation_wxyz))
        world[name] = world[parent] @ matrix(pose)
    for a in names:
        for b in names:
            expected = np.linalg.inv(world[a]) @ world[b]
            np.testing.assert_allclose(matrix(made.lookup(a, b, NOW, 1.0)), expected, atol=1e-9)


def test_a_point_in_the_child_is_turned_and_moved_into_the_parent():
    quarter_left = [math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]
    made = tree(transform('map', 'base_link', (10.0, 0.0, 1.0), quarter_left))
    assert made.lookup('map', 'base_link', NOW, 1.0).point(np.array([2.0, 0.0, 0.0])) == pytest.approx([10.0, 2.0, 1.0])
    assert made.lookup('base_link', 'map', NOW, 1.0).point(np.array([10.0, 2.0, 1.0])) == pytest.approx([2.0, 0.0, 0.0])


def test_the_newest_counts_and_one_out_of_order_does_not():
    made = tree(transform('a', 'b', (1.0, 0.0, 0.0), age_s=0.2))
    made.take(transform('a', 'b', (2.0, 0.0, 0.0), age_s=0.1))
    made.take(transform('a', 'b', (3.0, 0.0, 0.0), age_s=0.3))
    assert made.lookup('a', 'b', NOW, 1.0).translation_m[0] == 2.0


def test_a_clock_that_began_anew_is_followed():
    made = tree(transform('a', 'b', (1.0, 0.0, 0.0), age_s=-3600.0))
    made.take(transform('a', 'b', (2.0, 0.0, 0.0)))
    assert made.lookup('a', 'b', NOW, 1.0).translation_m[0] == 2.0


def test_a_frame_may_be_hung_elsewhere():
    made = tree(transform('a', 'b'), transform('c', 'b', (1.0, 0.0, 0.0)))
    assert made.lookup('c', 'b', NOW, 1.0).translation_m[0] == 1.0
    assert refused(made, 'a', 'b')[0] == 'unknown_frame'


def test_a_leading_slash_is_the_same_frame_and_a_frame_is_itself():
    made = tree(transform('/map', '/base_link'))
    assert made.frames == ('base_link', 'map')
    assert made.lookup('map', '/base_link', NOW, 1.0).translation_m.tolist() == [0.0, 0.0, 0.0]
    assert FrameTree().lookup('anything', 'anything', NOW, 1.0).rotation_wxyz.tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(('age_s', 'good'), [(0.99, True), (1.01, False)])
def test_a_transform_that_is_too_old_is_refused_on_the_way_only(age_s, good):
    made = tree(
        transform('map', 'odom', age_s=age_s),
        transform('odom', 'base_link'),
        transform('base_link', 'lidar', age_s=1e6, is_static=True),
    )
    assert made.lookup('odom', 'lidar', NOW, 1.0) is not None
    if good:
        made.lookup('map', 'lidar', NOW, 1.0)
    else:
        assert refused(made, 'map', 'lidar') == (
            'stale_transform',
            "The transform from 'map' to 'odom' is 1.0 s old, the limit is 1 s: see whether its publisher still runs.",
        )


def test_an_unknown_frame_is_named_with_those_that_are_known():
    assert refused(FrameTree(), 'a', 'map') == (
        'unknown_frame',
        "The frame 'map' is not known; no frame is: nothing came on /tf or /tf_static.",
    )
    made = tree(transform('odom', 'base_link'))
    assert refused(made, 'odom', 'map') == (
        'unknown_frame',
        "The frame 'map' is not known; known are base_link, odom.",
    )
    many = tree(*(transform('root', f'leaf{n:02}') for n in range(20)))
    assert refused(many, 'root', 'map')[1].endswith('leaf10, leaf11 and 9 more.')


def test_frames_of_two_trees_are_not_related():
    made = tree(transform('map', 'base_link'), transform('level', 'camera'))
    assert refused(made, 'camera', 'base_link') == (
        'frames_not_connected',
        "The frames 'camera' and 'base_link' are not connected: 'camera' hangs from 'level', 'base_link' from 'map'; "
        'publish the transform between them.',
    )


def test_a_circle_is_refused_and_does_not_hang():
    made = tree(transform('a', 'b'), transform('b', 'c'), transform('c', 'a'))
    assert refused(made, 'a', 'c') == (
        'frames_in_a_circle',
        "The frames hang in a circle: 'a' from 'c' from 'b' from 'a'; one parent is wrong.",
    )


@pytest.mark.parametrize(
    ('bad', 'kind', 'sentence'),
    [
        (
            transform('a', 'a'),
            'transform_of_itself',
            "The transform from 'a' to 'a' was ignored: its two frames must have different names.",
        ),
        (
            transform('a', ''),
            'transform_of_itself',
            "The transform from 'a' to '' was ignored: its two frames must have different names.",
        ),
        *(
            (
                each,
                'transform_not_rigid',
                "The transform from 'a' to 'b' was ignored: its rotation is not a unit quaternion or its numbers are "
                'not finite.',
            )
            for each in (
                transform('a', 'b', q=np.zeros(4)),
                transform('a', 'b', q=[np.nan, 0.0, 0.0, 1.0]),
                transform('a', 'b', (np.inf, 0.0, 0.0)),
            )
        ),
    ],
)
def test_what_is_no_transform_is_ignored_and_what_was_known_stays(bad, kind, sentence):
    made = tree(transform('a', 'b', (1.0, 0.0, 0.0)))
    with pytest.raises(Refusal) as error:
        made.take(bad)
    assert (error.value.kind, str(error.value)) == (kind, sentence)
    assert made.lookup('a', 'b', NOW, 1.0).translation_m[0] == 1.0


def test_what_others_say_of_the_drivers_own_frame_is_ignored():
    made = tree(transform('base_link', 'level', is_static=True), own=('/level',))
    assert made.frames == ()
    made.take_own(transform('base_link', 'level', (0.0, 0.0, 1.0)))
    made.take(transform('elsewhere', 'level'))
    assert made.frames == ('base_link', 'level')


def test_ever_new_names_do_not_fill_the_memory():
    made = FrameTree()
    for n in range(4096):
        made.take(transform('root', f'leaf{n}'))
    with pytest.raises(Refusal) as error:
        made.take(transform('root', 'one more'))
    assert error.value.kind == 'too_many_frames'
    assert len(made.frames) == 4097
