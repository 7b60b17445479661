# SPDX-License-Identifier: Apache-2.0
"""Opens whatever lies where a model should be, without ever waiting for it, and says what it seems to be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gremsy_detector.errors import ModelError

LARGEST_BYTES = 2**31 - 1
"""Protocol buffers end at 2 GB; a larger model has its weights in files of their own."""

# First bytes, and what they begin. Not exhaustive: what a tired hand puts in place of a model.
_BEGINNINGS = (
    (b'version https://git-lfs', 'a Git LFS pointer, not the file it points to (run git lfs pull)'),
    (b'PK\x03\x04', 'a ZIP archive or a PyTorch .pt file (export it as ONNX)'),
    (b'\x80\x02', 'a pickle, perhaps an old PyTorch .pt file (export it as ONNX)'),
    (b'\x89PNG', 'a PNG image'),
    (b'\xff\xd8\xff', 'a JPEG image'),
    (b'GIF8', 'a GIF image'),
    (b'\x1f\x8b', 'a gzip archive (unpack it)'),
    (b'BZh', 'a bzip2 archive (unpack it)'),
    (b'\xfd7zXZ', 'an xz archive (unpack it)'),
    (b'\x28\xb5\x2f\xfd', 'a Zstandard archive (unpack it)'),
    (b'\x89HDF', 'an HDF5 file, perhaps a Keras model (export it as ONNX)'),
    (b'\x93NUMPY', 'a NumPy array'),
    (b'\x7fELF', 'a Linux program or library'),
    (b'%PDF', 'a PDF document'),
    (b'ftrt', 'a TensorRT engine (name it .engine)'),
    (b'ptrt', 'a TensorRT engine (name it .engine)'),
)
_WEB_PAGE = (b'<!doctype html', b'<html')


def read_model_file(model: Path) -> bytes:
    """The whole content of a regular file.

    Raises:
        ModelError: naming the file, when it is missing, no regular file, unreadable, empty or too large.
    """
    try:
        # Asked before it is opened: opening a pipe waits for a writer, opening a device may wind a tape.
        _refuse_unless_regular(model, model.stat().st_mode)
        # Not blocking, in case the path is exchanged for a pipe in between.
        descriptor = os.open(model, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, 'rb') as file:  # noqa: PTH123 - a descriptor, not a path
            found = os.fstat(file.fileno())
            _refuse_unless_regular(model, found.st_mode)
            if found.st_size > LARGEST_BYTES:
                raise ModelError(
                    f'Model file {model} has {found.st_size} bytes, more than the 2 GB that an ONNX file may have: '
                    'export it with external data, or take a smaller model.'
                )
            content = file.read(LARGEST_BYTES)
    except FileNotFoundError as error:
        if model.is_symlink():
            raise ModelError(
                f'Model file {model} is a link to {model.readlink()}, which does not exist: '
                'copy the file itself, or fix the link.'
            ) from error
        raise ModelError(
            f"Model file {model} does not exist: set `model` to an existing file, or to 'default' for the one shipped."
        ) from error
    except OSError as error:
        raise ModelError(
            f'Model file {model} cannot be read ({error.strerror}): check its permissions and its disk.'
        ) from error
    except ValueError as error:  # a NUL in the name
        raise ModelError(f'Model file {str(model)!r} has a name that no file can have ({error}).') from error
    if not content:
        raise ModelError(f'Model file {model} is empty: copy or export it again.')
    return content


def seems_to_be(content: bytes) -> str | None:
    """What a file is that is no ONNX model, from its beginning; None where nothing is recognised."""
    for beginning, what in _BEGINNINGS:
        if content.startswith(beginning):
            return what
    head = content[:1024]
    if head[4:8] == b'TFL3':
        return 'a TensorFlow Lite model (export it as ONNX)'
    if head[4:8] == b'ftyp':
        return 'an MP4 video'
    if head[:4] == b'RIFF':
        return 'an AVI video or WebP image'
    if head[4:5] == b'{' and 0 < int.from_bytes(head[:4], 'little') < 100_000:
        return 'a TensorRT engine with metadata, as Ultralytics writes it (name it .engine)'
    if not any(head):
        return 'nothing but zeros, as a copy leaves that was cut short'
    text = head.lstrip(b'\xef\xbb\xbf \t\r\n')
    if text.lower().startswith(_WEB_PAGE):
        return 'a web page, perhaps the error page of a failed download'
    if text.startswith(b'<?xml'):
        return 'an XML file, perhaps an OpenVINO model (export it as ONNX)'
    if text.startswith((b'{"', b'{\n', b'{ ', b'[{')):
        return 'a JSON text'
    printable = sum(byte in b'\t\n\r' or byte >= 32 for byte in head)
    return 'a text' if b'\n' in head and printable == len(head) else None


def _refuse_unless_regular(model: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise ModelError(f'Model file {model} is a folder: set `model` to a file in it.')
    kinds = {stat.S_IFIFO: 'a pipe', stat.S_IFSOCK: 'a socket', stat.S_IFCHR: 'a device', stat.S_IFBLK: 'a device'}
    kind = kinds.get(stat.S_IFMT(mode), 'no regular file')
    raise ModelError(f'Model file {model} is {kind}: set `model` to a regular file.')
