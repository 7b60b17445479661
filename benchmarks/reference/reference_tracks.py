# SPDX-License-Identifier: Apache-2.0
"""The reference tracks that `python -m benchmarks.reference` made: who is where in every frame of the footage.

A CSV with `#` lines of provenance, then `frame,id,x0,y0,x1,y1,detected`, boxes in footage pixels with (0, 0) the
top-left corner, one line per person and frame, ordered by frame. Boxes are not interpolated between frames: the footage
is held between its frames too.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VTEST = Path(__file__).parents[1] / 'data' / 'vtest_reference.csv'
_COLUMNS = ['frame', 'id', 'x0', 'y0', 'x1', 'y1', 'detected']


@dataclass(frozen=True, slots=True, eq=False)
class PeopleInFrame:
    """Of one footage frame: `ids` (N,), `boxes_px` (N, 4), `detected` (N,) False where a gap was filled."""

    ids: NDArray[np.int64]
    boxes_px: Array
    detected: NDArray[np.bool_]

    @property
    def centres_px(self) -> Array:
        """(N, 2)."""
        return np.asarray((self.boxes_px[:, :2] + self.boxes_px[:, 2:]) / 2)


_NOBODY = PeopleInFrame(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0, dtype=bool))


class ReferenceTracks:
    """Everybody in the footage, by frame."""

    def __init__(self, provenance: Mapping[str, str], frames: Mapping[int, PeopleInFrame]) -> None:
        self.provenance = provenance
        self._frames = frames

    def at(self, frame: int) -> tuple[NDArray[np.int64], Array]:
        """Ids (N,) and boxes (N, 4) of everybody in that frame of the footage, counted from 0."""
        people = self.people(frame)
        return people.ids, people.boxes_px

    def people(self, frame: int) -> PeopleInFrame:
        """The same with what is known beside."""
        return self._frames.get(frame, _NOBODY)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Everybody, ascending."""
        return np.unique(np.concatenate([_NOBODY.ids, *(people.ids for people in self._frames.values())]))


def read_reference(path: Path = VTEST) -> ReferenceTracks:
    """Load the CSV.

    Raises:
        ValueError: when it is no reference file.
    """
    lines = path.read_text(encoding='utf-8').splitlines()
    comments = [line[1:].strip() for line in lines if line.startswith('#')]
    provenance = {key.strip(): value.strip() for key, _, value in (each.partition(':') for each in comments)}
    rows = list(csv.reader(line for line in lines if line and not line.startswith('#')))
    if not rows or rows[0] != _COLUMNS:
        raise ValueError(f'{path} is no reference file: its first line must be {",".join(_COLUMNS)}.')
    table = np.array(rows[1:], dtype=np.float64).reshape(-1, len(_COLUMNS))
    frames = {
        int(frame): PeopleInFrame(
            table[table[:, 0] == frame, 1].astype(np.int64),
            table[table[:, 0] == frame, 2:6],
            table[table[:, 0] == frame, 6] > 0,
        )
        for frame in np.unique(table[:, 0])
    }
    return ReferenceTracks(provenance, frames)


def write_reference(path: Path, provenance: Mapping[str, str], frames: Sequence[PeopleInFrame]) -> None:
    """Write the CSV; `frames` is indexed by the footage's frame."""
    with path.open('w', encoding='utf-8', newline='') as file:
        file.writelines(f'# {key}: {value}\n' for key, value in provenance.items())
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(_COLUMNS)
        for index, people in enumerate(frames):
            for person, box, detected in zip(people.ids, people.boxes_px, people.detected, strict=True):
                writer.writerow([index, int(person), *(f'{edge:.1f}' for edge in box), int(detected)])
