# SPDX-License-Identifier: Apache-2.0
"""TUD-Campus and TUD-Stadtmitte as boxes without identity.

Read from the installed motmetrics wheel (CC BY-NC-SA: not copied). The wheel has no detections, only the ground truth
and *another tracker's output*; its boxes, stripped of their ids and in the order of the file, stand for detections. So
they are smooth, have no scores, and leave out whom that tracker had lost: easier than a detector's.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracker.tracker_sequences import Sequence, SequencePicture
from gremsy_common.errors import SuiteError

NAMES = ('TUD-Campus', 'TUD-Stadtmitte')
SIZE_PX = (640, 480)
RATE_HZ = 25.0
# Column order of the MOT challenge's files.
_FRAME, _ID, _LEFT = 0, 1, 2


def tud(name: str) -> Sequence:
    """One of the two sequences.

    Raises:
        SuiteError: where motmetrics is not installed.
    """
    spec = find_spec('motmetrics')
    if spec is None or not spec.submodule_search_locations:
        raise SuiteError('The sequences of TUD come with motmetrics: ./gremsy setup --extra peers installs it.')
    folder = Path(spec.submodule_search_locations[0]) / 'data' / name
    truth, found = (np.loadtxt(folder / file, delimiter=',', ndmin=2) for file in ('gt.txt', 'test.txt'))
    frames = range(int(truth[:, _FRAME].min()), int(truth[:, _FRAME].max()) + 1)
    pictures = [_picture(frame, truth[truth[:, _FRAME] == frame], found[found[:, _FRAME] == frame]) for frame in frames]
    return Sequence(name, SIZE_PX, pictures)


def _picture(frame: int, truth: NDArray[np.float64], found: NDArray[np.float64]) -> SequencePicture:
    # Sorted from left to right: the file's order is by that tracker's ids and would give them away.
    found = found[np.argsort(found[:, _LEFT], kind='stable')]
    return SequencePicture(
        10**18 + round(frame / RATE_HZ * 1e9),
        _corners(found),
        np.ones(len(found)),
        None,
        _corners(truth),
        truth[:, _ID].astype(np.int64),
    )


def _corners(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    low = rows[:, _LEFT : _LEFT + 2]
    return np.concatenate([low, low + rows[:, _LEFT + 2 : _LEFT + 4]], axis=1)
