# SPDX-License-Identifier: Apache-2.0
"""The two packages that recordings are written with: PyAV for films, mcap for bags."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from gremsy_camera.errors import RecordingError
from gremsy_common.installing import pip_install

# By format: module, what it is called, its package, the other format.
_WRITERS = {'mp4': ('av', 'PyAV', 'av', 'mcap'), 'mcap': ('mcap.writer', 'the package mcap', 'mcap', 'mp4')}


def import_writer(format_: str) -> Any:
    """PyAV for 'mp4', which encodes too; the module that writes MCAP for 'mcap'.

    Raises:
        RecordingError: where it is not installed.
    """
    module, name, package, other = _WRITERS[format_]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RecordingError(
            f'{format_.upper()} is written with {name}, which cannot be used here ({error}): run '
            f'`{pip_install(package, extra="record")}`, or set `record_format: {other}`.'
        ) from error


def formats_to_write(wanted: str) -> tuple[tuple[str, ...], str]:
    """Of 'mp4', 'mcap', 'both' or 'auto', the formats that are written, and what to say of it.

    Raises:
        RecordingError: where what is needed is not installed.
    """
    installed = tuple(each for each, (_, _, package, _) in _WRITERS.items() if _installed(package))
    if wanted != 'auto':
        formats = tuple(_WRITERS) if wanted == 'both' else (wanted,)
        for each in formats:
            if each not in installed:
                import_writer(each)
        return formats, ''
    if not installed:
        raise RecordingError(
            'MP4 is written with PyAV and MCAP with the package mcap, and neither is installed here: run '
            f'`{pip_install("av", "mcap", extra="record")}`.'
        )
    if 'mp4' not in installed:
        return installed, ' (no MP4: PyAV is not installed here)'
    return installed, '' if 'mcap' in installed else ' (no MCAP: the package mcap is not installed here)'


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
