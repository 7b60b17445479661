# SPDX-License-Identifier: Apache-2.0
"""Four sequences of 2DMOT2015 with a real detector's boxes, where they lie beside this checkout.

People boxes of a Faster R-CNN as published with the SORT paper (Bewley et al., ICIP 2016) and the ground truth of
MOTChallenge 2015 (Leal-Taixé et al., CC BY-NC-SA 3.0: read for measuring, never copied into the project). As TrackEval
does for MOT15, true boxes that are marked to be ignored (mark 0) are left out, and nothing else is.
"""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tracker.tracker_sequences import Sequence, SequencePicture

Array = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'mot15'
NAMES = ('Venice-2', 'ADL-Rundle-6', 'ETH-Bahnhof', 'KITTI-13')
# (width, height) by MOTChallenge's own pages; `seqinfo.ini` does not say it.
_SIZES_PX = {
    'Venice-2': (1920, 1080),
    'ADL-Rundle-6': (1920, 1080),
    'ETH-Bahnhof': (640, 480),
    'KITTI-13': (1242, 375),
}
# Column order of the MOT challenge's files.
_FRAME, _ID, _LEFT, _WIDTH, _MARK = 0, 1, 2, 4, 6


def why_missing(folder: Path = FOLDER) -> str | None:
    """The files that are not there, in a sentence; None where all are."""
    missing = [
        f'{name}/{file}'
        for name in NAMES
        for file in ('det.txt', 'gt.txt', 'seqinfo.ini')
        if not (folder / name / file).is_file()
    ]
    if not missing:
        return None
    return f'{folder} lacks {", ".join(missing)}: put the sequences of 2DMOT2015 with their boxes there.'


def mot15(name: str, folder: Path = FOLDER) -> Sequence:
    """One of the sequences, as `NAMES` has them."""
    info = ConfigParser()
    info.read(folder / name / 'seqinfo.ini')
    rate_hz, length = info.getfloat('Sequence', 'frameRate'), info.getint('Sequence', 'seqLength')
    found = np.loadtxt(folder / name / 'det.txt', delimiter=',', ndmin=2)
    truth = np.loadtxt(folder / name / 'gt.txt', delimiter=',', ndmin=2)
    truth = truth[truth[:, _MARK] != 0]
    pictures = []
    for frame in range(1, length + 1):
        seen, true = found[found[:, _FRAME] == frame], truth[truth[:, _FRAME] == frame]
        pictures.append(
            SequencePicture(
                10**18 + round(frame / rate_hz * 1e9),
                _corners(seen),
                seen[:, _MARK].copy(),
                None,
                _corners(true),
                true[:, _ID].astype(np.int64),
            )
        )
    return Sequence(name, _SIZES_PX[name], pictures)


def _corners(rows: Array) -> Array:
    low = rows[:, _LEFT:_WIDTH]
    return np.concatenate([low, low + rows[:, _WIDTH : _WIDTH + 2]], axis=1)
