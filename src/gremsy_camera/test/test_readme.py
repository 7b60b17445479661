# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what there is: sources, files of a recording, times."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np

from gremsy_camera import camera_node, source_feed
from gremsy_camera.errors import SourceRefused
from gremsy_camera.http_stream import http_reader
from gremsy_camera.recording import bag_file, snapshot, video_files
from gremsy_camera.scene import scene
from gremsy_camera.sources import available_sources, file, parse_uri, sim
from gremsy_camera.streaming import video_out
from gremsy_common.types.frame import Frame, lock_read_only
from tools.test.document_tables import names, rows

DOCUMENT = 'src/gremsy_camera/README.md'


def test_the_sources_are_those_that_there_are():
    told = rows(DOCUMENT, '## Sources')
    schemes = [
        [parse_uri(name.replace('…', '10.1.2.3/x' if '//' in name else 'x')).scheme for name in names(row[0])]
        for row in told
    ]
    assert [set(each) for each in schemes] == [
        {'file'}, {'file'}, {'sim'}, {'rtsp', 'rtsps'}, {'v4l2'}, {'sim'}, {'gst'}, {'http', 'https'}, {'external'},
        {'external'},
    ]  # fmt: skip
    assert set().union(*schemes) == set(available_sources())


def test_the_numbers_of_the_sources_are_those_of_the_source():
    what = {names(row[0])[0]: row[1] for row in rows(DOCUMENT, '## Sources')}
    seen = f'{scene.CAMERA_WIDTH}x{scene.CAMERA_HEIGHT}, {math.degrees(scene.CAMERA_FIELD_RAD):g}° wide at zoom 1'
    assert what['sim:'].endswith(f'{seen}, {sim._RATE_HZ:g} Hz')
    assert f'at `rate_hz`, else {file._RATE_WHEN_UNKNOWN_HZ:g};' in what['/path/to/folder']
    assert what['http://10.1.2.3/video.mjpg'].endswith(f'times a second, else {http_reader._SNAPSHOTS_HZ:g}')


def test_the_times_of_what_happens_when_something_is_wrong_are_those_of_the_source():
    told = dict(rows(DOCUMENT, '## When something is wrong'))
    pauses = f'after {source_feed._FIRST_PAUSE_S:g} to {source_feed._LONGEST_PAUSE_S:g} s'
    wanted = f'or {SourceRefused.least_pause_s:g} s if it requires other credentials'
    assert f'{pauses}, {wanted}' in told['a source that breaks while running']
    after_s, periods = camera_node._SILENT_AFTER_S, camera_node._SILENT_PERIODS
    assert f'no frame for {after_s:g} s (of a slow source: {periods:g} of its periods)' in told
    assert f'looked for again after {video_out._NO_ENCODER_PAUSE_S:g} s' in told['no encoder works here, or one fails']


def test_the_files_of_a_recording_are_those_that_are_made(tmp_path):
    told = {name for row in rows(DOCUMENT, '## Recording') for name in names(row[0])}
    made = {
        f'NAME_001{suffix}'
        for module in (bag_file, video_files)
        for call in re.findall(r'_folder\.create\((.*)\)', inspect.getsource(module))
        for suffix in re.findall(r"'(\.[^']+)'", call)
    }
    frames = [Frame(lock_read_only(np.zeros((2, 2), kind)), 0, 'optical') for kind in (np.uint8, np.uint16)]
    suffixes = {
        snapshot.snapshot_path(tmp_path, 'x', '/robot/eo', frame, kind).suffix
        for frame in frames
        for kind in ('png', 'jpeg')
    }
    assert suffixes == {'.png', '.jpg'}
    assert told == made | {'NAME_TIME.png', '.jpg', '.json'}
