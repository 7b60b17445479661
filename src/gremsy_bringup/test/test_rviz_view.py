# SPDX-License-Identifier: Apache-2.0
"""The view that `rviz:=true` opens: of these cameras, under these names; held against the running suite elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from gremsy_bringup.describe.rviz_view import rviz_view, write_view
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import describe


def shown(**arguments: object) -> tuple[dict[str, tuple[str, str]], str]:
    """By display, its topic and reliability; and the fixed frame."""
    pushed = str(arguments.pop('pushed', ''))
    view = rviz_view(describe(SuiteArguments(**arguments), pushed_namespace=pushed))  # type: ignore[arg-type]
    manager = view['Visualization Manager']
    topics = {
        each['Name']: (each['Topic']['Value'], each['Topic']['Reliability Policy'])
        for each in manager['Displays']
        if 'Topic' in each
    }
    return topics, manager['Global Options']['Fixed Frame']


def test_of_the_default_robot_it_shows_the_overlay_and_the_bearings() -> None:
    assert shown() == (
        {
            'eo': ('/robot/eo/overlay', 'Best Effort'),
            'eo bearings': ('/robot/eo/markers', 'Reliable'),
            'eo target': ('/robot/eo/target/position', 'Reliable'),
        },
        'robot/gimbal_level',
    )


def test_a_camera_without_a_tracker_shows_its_own_picture() -> None:
    topics, _ = shown(cameras='eo ir:camera aux:camera+detector')
    assert topics == {
        'eo': ('/robot/eo/overlay', 'Best Effort'),
        'ir': ('/robot/ir/image_raw', 'Best Effort'),
        'aux': ('/robot/aux/image_raw', 'Best Effort'),
        'eo bearings': ('/robot/eo/markers', 'Reliable'),
        'eo target': ('/robot/eo/target/position', 'Reliable'),
    }


def test_names_and_frames_are_within_the_namespace() -> None:
    topics, frame = shown(namespace='one', pushed='/fleet')
    assert (topics['eo'][0], frame) == ('/fleet/one/eo/overlay', 'fleet/one/gimbal_level')
    topics, frame = shown(namespace='')
    assert (topics['eo'][0], frame) == ('/eo/overlay', 'gimbal_level')


def test_without_a_gimbal_the_first_camera_is_the_fixed_frame() -> None:
    assert shown(cameras='ir:camera', gimbal=False)[1] == 'robot/ir_optical_frame'


def test_the_file_is_what_rviz_reads(tmp_path: Path) -> None:
    description = describe(SuiteArguments(cameras='eo ir'))
    assert yaml.safe_load(write_view(description, tmp_path).read_text()) == rviz_view(description)


def test_run_says_where_there_is_no_rviz(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, '-m', 'gremsy_bringup.run', 'rviz:=true', 'cameras:='],
        env={**os.environ, 'PATH': str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        'Argument `rviz` is true, but there is no rviz2 on this machine: install it (on Ubuntu ros-$ROS_DISTRO-rviz2) '
        'or leave the argument out.'
    )


def test_run_starts_it_with_the_view_and_does_not_start_it_again(tmp_path: Path) -> None:
    """A program in RViz's place, which shows what it was given and ends."""
    stand_in = tmp_path / 'rviz2'
    stand_in.write_text('#!/bin/sh\ncat "$2"\n')
    stand_in.chmod(0o755)
    run = subprocess.Popen(
        [sys.executable, '-m', 'gremsy_bringup.run', 'rviz:=true', 'cameras:=', 'namespace:=viewed', 'sim:=true'],
        env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.stdout is not None
    said = []
    for line in run.stdout:
        said.append(line.rstrip())
        if line.startswith('[gremsy] rviz ended'):
            break
    run.terminate()
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert '[rviz]     Fixed Frame: viewed/gimbal_level' in said
    assert said[-1] == '[gremsy] rviz ended with status 0.'
