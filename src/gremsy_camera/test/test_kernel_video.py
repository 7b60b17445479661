# SPDX-License-Identifier: Apache-2.0
"""Sizes, offsets and numbers against the kernel's own header, by the machine's compiler."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gremsy_camera.v4l2 import kernel_video as kernel

STRUCTURES = {
    'v4l2_capability': kernel.Capability,
    'v4l2_fmtdesc': kernel.FormatDescription,
    'v4l2_frmsize_discrete': kernel.DiscreteSize,
    'v4l2_frmsize_stepwise': kernel.StepwiseSize,
    'v4l2_frmsizeenum': kernel.FrameSize,
    'v4l2_fract': kernel.Fract,
    'v4l2_frmival_stepwise': kernel.StepwiseInterval,
    'v4l2_frmivalenum': kernel.FrameInterval,
    'v4l2_pix_format': kernel.PixelFormat,
    'v4l2_plane_pix_format': kernel.PlaneFormat,
    'v4l2_pix_format_mplane': kernel.MultiPlaneFormat,
    'v4l2_format': kernel.Format,
    'v4l2_captureparm': kernel.CaptureParm,
    'v4l2_streamparm': kernel.StreamParm,
    'v4l2_requestbuffers': kernel.RequestBuffers,
    'v4l2_timecode': kernel.TimeCode,
    'v4l2_plane': kernel.Plane,
    'v4l2_buffer': kernel.Buffer,
    'v4l2_query_ext_ctrl': kernel.QueryControl,
    'v4l2_querymenu': kernel.QueryMenu,
    'v4l2_ext_control': kernel.ExtControl,
    'v4l2_ext_controls': kernel.ExtControls,
}
# Unions without a name there, and fields that older headers lack (Linux before 6.3 has no `flags` here).
NAMELESS = {'size', 'interval', 'item', 'content', 'reserved', 'flags', 'mbus_code', 'request_fd', 'capabilities'}
NUMBERS = {
    name: value
    for name, value in vars(kernel).items()
    if name.isupper() and isinstance(value, int) and not name.startswith(('MAX_', 'FRM_', '_'))
}
FORMATS = {
    'NV12': 'NV12',
    'NV12M': 'NM12',
    'YUV420': 'YU12',
    'YUYV': 'YUYV',
    'UYVY': 'UYVY',
    'BGR24': 'BGR3',
    'RGB24': 'RGB3',
    'MJPEG': 'MJPG',
    'JPEG': 'JPEG',
    'GREY': 'GREY',
    'Y16': 'Y16',
    'Y16_BE': 'Y16-BE',
    'Y14': 'Y14',
    'Y12': 'Y12',
    'Y10': 'Y10',
}


@pytest.fixture(scope='module')
def header(tmp_path_factory):
    compiler = shutil.which('c++') or shutil.which('g++')
    if compiler is None or not Path('/usr/include/linux/videodev2.h').is_file():
        lacking = 'needs a C++ compiler and linux/videodev2.h: apt-get install g++ linux-libc-dev'
        (pytest.fail if os.environ.get('CI') else pytest.skip)(lacking)
    lines = []

    def show(key, what):
        lines.append(f'std::printf("{key} %llu\\n", (unsigned long long)({what}));')

    for name, structure in STRUCTURES.items():
        show(f'size {name}', f'sizeof(struct {name})')
        for field in structure._fields_:
            if field[0] not in NAMELESS:
                show(f'at {name}.{field[0]}', f'offsetof(struct {name}, {field[0]})')
    for name in NUMBERS:
        prefix = 'VIDIOC_' if name in REQUESTS else 'V4L2_'
        show(f'number {name}', f'(unsigned int){prefix}{name}')
    for name in FORMATS:
        show(f'format {name}', f'(unsigned int)V4L2_PIX_FMT_{name}')
    folder = tmp_path_factory.mktemp('header')
    source = '#include <cstddef>\n#include <cstdio>\n#include <sys/time.h>\n#include <linux/videodev2.h>\nint main() {'
    (folder / 'show.cpp').write_text(source + '\n'.join(lines) + '}\n', encoding='utf-8')
    subprocess.run([compiler, '-w', '-o', folder / 'show', folder / 'show.cpp'], check=True, timeout=60)
    shown = subprocess.run([folder / 'show'], check=True, capture_output=True, text=True, timeout=10).stdout
    return {line.rpartition(' ')[0]: int(line.rpartition(' ')[2]) for line in shown.splitlines()}


REQUESTS = {
    name
    for name in NUMBERS
    if name in ('QUERYCAP', 'REQBUFS', 'QUERYBUF', 'QBUF', 'DQBUF', 'STREAMON', 'STREAMOFF', 'QUERYMENU')
    or name.startswith(('ENUM_', 'G_', 'S_', 'QUERY_'))
}


def test_every_structure_has_the_kernels_size(header):
    ours = {name: ctypes.sizeof(structure) for name, structure in STRUCTURES.items()}
    assert ours == {name: header[f'size {name}'] for name in STRUCTURES}


@pytest.mark.parametrize('name', STRUCTURES)
def test_every_field_lies_where_the_kernels_does(header, name):
    named = [field[0] for field in STRUCTURES[name]._fields_ if field[0] not in NAMELESS]
    ours = {field: getattr(STRUCTURES[name], field).offset for field in named}
    assert ours == {field: header[f'at {name}.{field}'] for field in ours}


def test_every_number_is_the_kernels(header):
    assert {name: header[f'number {name}'] for name in NUMBERS} == NUMBERS


def test_every_format_has_the_kernels_number(header):
    assert {name: kernel.fourcc(letters) for name, letters in FORMATS.items()} == {
        name: header[f'format {name}'] for name in FORMATS
    }


@pytest.mark.parametrize('letters', FORMATS.values())
def test_a_formats_letters_and_number_go_both_ways(letters):
    assert kernel.fourcc_text(kernel.fourcc(letters)) == letters
