# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from benchmarks.reference.reference_tracks import PeopleInFrame, read_reference, write_reference


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / 'reference.csv'
    people = PeopleInFrame(np.array([3, 7]), np.array([[1.0, 2, 3, 4], [5, 6, 7, 8.5]]), np.array([True, False]))
    nobody = PeopleInFrame(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0, dtype=bool))
    write_reference(path, {'footage': 'made up sha256 0'}, [people, nobody, people])
    reference = read_reference(path)
    assert reference.provenance == {'footage': 'made up sha256 0'}
    ids, boxes = reference.at(2)
    assert ids.tolist() == [3, 7] and boxes.tolist() == people.boxes_px.tolist()
    assert reference.people(2).detected.tolist() == [True, False]
    assert reference.people(0).centres_px.tolist() == [[2.0, 3.0], [6.0, 7.25]]
    assert reference.at(1)[0].tolist() == [] and reference.at(99)[1].shape == (0, 4)
    assert reference.ids.tolist() == [3, 7]


def test_another_file_is_refused(tmp_path):
    path = tmp_path / 'other.csv'
    path.write_text('a,b\n1,2\n')
    with pytest.raises(ValueError, match='is no reference file: its first line must be frame,id,x0,y0,x1,y1,detected'):
        read_reference(path)


def test_the_reference_of_the_footage_is_whole():
    reference = read_reference()
    assert '45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf' in reference.provenance['footage']
    in_frame = [reference.people(frame) for frame in range(795)]
    assert sum(len(people.ids) > 0 for people in in_frame) == 795
    assert all(len(set(people.ids.tolist())) == len(people.ids) for people in in_frame)
    assert len(reference.ids) == int(reference.provenance['people'])


def test_nobody_in_the_reference_jumps():
    reference = read_reference()
    for before, after in zip(range(794), range(1, 795), strict=True):
        first, second = reference.people(before), reference.people(after)
        _, mine, theirs = np.intersect1d(first.ids, second.ids, return_indices=True)
        moved = np.linalg.norm(second.centres_px[theirs] - first.centres_px[mine], axis=1)
        tall = first.boxes_px[mine, 3] - first.boxes_px[mine, 1]
        # 2 m a second are 0.12 of a person's height in a tenth of a second.
        assert (moved < 0.25 * tall).all()
