# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what there is: parameters, states of the lock, sources of a range, markers, limits."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from gremsy_common.parameters.parameter_docs import markdown_table, with_table
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.timing import stamp_check
from gremsy_tracker.lock.target_lock import LockState, TargetLock
from gremsy_tracker.lock.target_request import TargetRequest
from gremsy_tracker.place import box_ranges
from gremsy_tracker.place.target_range import RangeSource
from gremsy_tracker.tracker_parameters import TrackerParameters
from src.gremsy_tracker.test.test_markers import view
from src.gremsy_tracker.test.test_target_lock import sighting
from tools.test.document_tables import by_name, names, rows

DOCUMENT = 'src/gremsy_tracker/README.md'
PARAMETERS = {spec.name for spec in specs_of(TrackerParameters)}


def test_the_parameter_table_is_up_to_date() -> None:
    readme = (Path(__file__).parents[1] / 'README.md').read_text(encoding='utf-8')
    assert with_table(readme, 'tracker', markdown_table(TrackerParameters)) == readme


def test_the_states_are_those_of_the_lock() -> None:
    assert [*by_name(DOCUMENT, '## Lock')] == [state.value for state in LockState]


def wandering_lock(seed: int) -> set[tuple[str, str]]:
    """Changes of state of a lock that sees a few people come and go and is asked for one now and then."""
    chance = np.random.default_rng(seed)
    lock = TargetLock(TrackerParameters(auto_lock='nearest' if seed % 2 else 'none'))
    seen, at_s = set(), 1.0
    for _ in range(200):
        before = lock.status
        at_s += float(chance.choice([0.05, 0.3, 3.0], p=[0.6, 0.3, 0.1]))
        word = chance.integers(20)
        if word == 0:
            lock.select(TargetRequest(track_id=int(chance.integers(1, 4))), 'by id')
        elif word == 1:
            lock.release()
        elif word == 2:
            lock.search('the clock jumped back')
        else:
            ids = [number for number in (1, 2, 3) if chance.random() < 0.4]
            off = [float(chance.choice([0.01, 0.3])) for _ in ids]
            looks = [float(chance.choice([0.02, 0.4])) for _ in ids]
            lock.update(sighting(at_s, ids, off=off, looks=looks))
        after = lock.status
        if after.state is not before.state or after.target_id != before.target_id:
            seen.add((before.state.value, after.state.value))
    return seen


def test_the_changes_of_state_are_those_that_the_lock_makes() -> None:
    """No change but those of the table, and each of them; `any` counts for every state."""
    told: set[tuple[str, str]] = set()
    for before, after, _ in rows(DOCUMENT, '## Lock', 1):
        begun = [state.value for state in LockState] if before == 'any' else names(before)
        told |= {(each, *names(after)) for each in begun}
    made = set.union(*(wandering_lock(seed) for seed in range(20)))
    assert sorted(made - told) == []
    assert sorted(told - made) == [('idle', 'idle')], 'a release of nobody changes nothing'


def test_the_sources_of_a_range_are_those_of_the_source_with_their_parameters() -> None:
    told = rows(DOCUMENT, '## Where the target is')
    words = {'the range finder': RangeSource.FINDER, "its class's height": RangeSource.HEIGHT}
    told_sources = [words.get(source.partition(',')[0], source) for source, *_ in told]
    assert told_sources == [RangeSource.FINDER, RangeSource.HEIGHT, RangeSource.GROUND.value]
    named = {name for _, *cells in told for cell in cells for name in names(cell)}
    assert named == {'range_finder_std_m', 'object_heights_m', 'camera_height_m', 'attitude_std_rad'} <= PARAMETERS
    assert f'less than {math.degrees(box_ranges.STEEPEST_RAD):g} degrees up or down' in told[1][1]
    assert f'{100 * box_ranges._EDGE_SHARE:g} % of its height each' in told[1][2]


def test_the_markers_are_those_that_are_shown() -> None:
    module = pytest.importorskip('gremsy_tracker.display.marker_messages', reason='the message packages are not built')
    told = by_name(DOCUMENT, '## What is shown')
    markers = [each for each in module.markers_of(view(), 'level').markers if each.ns]
    assert set(told) == {each.ns for each in markers}
    assert {each.ns for each in markers if each.id} == {name for name, number in told.items() if number != '0'}
    what = by_name(DOCUMENT, '## What is shown', column=2)
    assert f'{module._FIELD_M:g} m out' in what['field_of_view'] and f'{module._RAY_M:g} m long' in what['tracks']
    assert module._SIGMAS == 3.0 and what['target_uncertainty'].startswith('three standard deviations')


def test_the_limits_of_what_it_says_when_something_is_wrong_are_those_of_the_source() -> None:
    told = ' '.join(' '.join(row) for row in rows(DOCUMENT, '## What it says when something is wrong'))
    node = (Path(__file__).parents[1] / 'gremsy_tracker' / 'tracker_node.py').read_text(encoding='utf-8')
    patience_s = float(re.findall(r'_PATIENCE_S = ([\d.]+)', node)[0])
    assert f'more than {stamp_check.BEHIND_NS / 1e9:g} s behind the clock' in told
    assert stamp_check.JUMP_NS == 500_000_000 and 'jumps back by more than half a second' in told
    assert f'nothing tells its range for {patience_s:g} s' in told
