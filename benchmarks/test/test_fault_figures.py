# SPDX-License-Identifier: Apache-2.0
"""Figures of faults that are made up, whose times are known."""

import random

import pytest

from benchmarks.faults.fault_cases import FAULTS
from benchmarks.faults.fault_figures import (
    DiagnosticRecord,
    FaultRecord,
    ReadySample,
    disturbed,
    longest_rest_s,
    reason_in_diagnostics,
    reason_in_health,
    recover_s,
    stop_s,
    summary,
)
from benchmarks.faults.fault_pairs import PAIRS
from benchmarks.faults.fault_soak import Use, growth
from benchmarks.faults.faults_benchmark import chosen
from benchmarks.faults.fuzz_inputs import damaged
from gremsy_common.errors import SuiteError

LIMITS = {'stop_s': 0.5, 'recover_s': 5.0, 'after_boot_s': 1.0}


def moving(begin_s, end_s):
    """A command each 0.1 s."""
    return [(begin_s + 0.1 * number, 0.2, 0.0) for number in range(round((end_s - begin_s) / 0.1))]


def samples(*spans):
    """(begin, end, reasons) with a sample each 0.1 s."""
    return [
        ReadySample(begin + 0.1 * number, True, not reasons, reasons)
        for begin, end, reasons in spans
        for number in range(round((end - begin) / 0.1))
    ]


def seen(commands, ready=(), diagnostics=(), **changes):
    values = {'fault_s': 10.0, 'undone_s': 13.0, 'end_s': 20.0, 'pids_before': {}, 'pids_after': {}, **changes}
    return FaultRecord(commands=commands, samples=ready, diagnostics=diagnostics, **values)


def test_the_stop_is_the_first_zero_that_holds():
    ramp = [(10.05, 0.0, 0.0), (10.1, 0.1, 0.0), (10.3, 0.0, 0.0), (10.32, 0.0, 0.0)]
    assert stop_s(seen([*moving(9.0, 10.0), *ramp, *moving(14.0, 20.0)])) == pytest.approx(0.3)


def test_a_gimbal_that_is_never_told_to_rest_has_not_stopped():
    assert stop_s(seen(moving(9.0, 20.0))) is None
    assert stop_s(seen(moving(9.0, 10.0))) is None


def test_the_stop_counts_from_when_the_payload_hears_again_where_that_is_asked():
    assert stop_s(seen([*moving(9.0, 10.0), (13.2, 0.3, 0.0)]), since_s=13.0) == pytest.approx(0.2)
    assert stop_s(seen(moving(9.0, 10.0)), since_s=13.0) is None


def test_recovered_is_when_the_last_thing_that_was_wrong_is_well():
    commands = [*moving(9.0, 10.2), *moving(14.0, 20.0)]
    ready = samples((10.0, 15.0, {'camera eo': 'old'}), (15.0, 20.0, {}))
    assert recover_s(seen(commands, ready)) == pytest.approx(1.9)
    assert recover_s(seen(commands, samples((10.0, 20.0, {})))) == pytest.approx(0.9)
    assert longest_rest_s(seen(commands)) == pytest.approx(3.9, abs=0.11)


def test_what_is_still_wrong_at_the_end_has_not_recovered():
    assert recover_s(seen(moving(9.0, 20.0), samples((10.0, 20.0, {'camera eo': 'old'})))) is None
    assert recover_s(seen(moving(9.0, 12.0), samples((10.0, 20.0, {})))) is None
    assert recover_s(seen(moving(9.0, 20.0))) is None


def test_others_that_were_hit_are_named():
    ready = samples((10.0, 11.0, {'camera eo': 'old', 'node web': 'silent'}))
    before, after = {'loop': 1, 'web': 2, 'gimbal': 3}, {'loop': 4, 'web': 2, 'gimbal': 5}
    found = disturbed(seen([], ready, pids_before=before, pids_after=after), ('camera',), ('loop',))
    assert found == ['node web', 'process gimbal']


def test_a_reason_is_looked_for_after_the_fault_alone():
    ready = samples((9.0, 10.0, {'camera eo': 'before'}), (10.1, 11.0, {'camera eo': 'The newest image is 0.6 s old.'}))
    diagnostics = [
        DiagnosticRecord(9.5, '/robot/eo/camera', 1, 'before'),
        DiagnosticRecord(10.5, '/robot/eo/camera', 2, 'ended the connection'),
    ]
    what = seen([], ready, diagnostics)
    assert reason_in_health(what, 'camera') == 'camera eo: The newest image is 0.6 s old.'
    assert reason_in_diagnostics(what, 'camera') == '/robot/eo/camera: ended the connection'
    assert reason_in_health(what, 'gimbal') == reason_in_diagnostics(what, 'gimbal') == ''


def row(**changes):
    values = {'stops': True, 'stop_s': 0.3, 'recover_s': 1.0, 'disturbed': [], 'in_health': 'a', 'in_diagnostics': 'b'}
    return {**values, **changes}


def test_the_summary_names_what_missed_a_limit():
    rows = {
        'good': row(),
        'late': row(stop_s=0.6, recover_s=5.5),
        'never': row(stop_s=None, recover_s=None, in_health=''),
        'goes-on': row(stops=False, stop_s=3.0, in_health=None, in_diagnostics=None),
        'boots': row(boot_s=3.0, recover_s=3.9),
        'not-here': {'does': 'it', 'skipped': 'no such machine'},
    }
    found = summary(rows, LIMITS)
    assert found['stop_s_max'] == 0.6 and found['stopped_late'] == ['late', 'never']
    assert found['recover_s_max'] == 5.5 and found['recovered_late'] == ['late']
    assert found['unrecovered'] == 1 and found['unrecovered_faults'] == ['never']
    assert found['without_reason'] == ['never']
    assert found['faults_done'] == 5 and found['faults_skipped'] == ['not-here']
    assert summary({'boots': row(boot_s=3.0, recover_s=4.1)}, LIMITS)['recovered_late'] == ['boots']


def test_a_fault_that_there_is_none_of_is_named():
    with pytest.raises(SuiteError) as refused:
        chosen(['camera-lots'])
    assert str(refused.value).startswith("There is no fault 'camera-lots': there are camera-lost, ")
    assert [fault.name for fault in chosen([])] == [*FAULTS, *PAIRS]


def test_there_are_ten_pairs_each_of_two_known_faults_in_one_kind_of_suite():
    assert len(PAIRS) == 10
    for pair in PAIRS.values():
        first, second = pair.name.split('+')
        assert pair.also is FAULTS[second]
        assert pair.kind in (FAULTS[first].kind, FAULTS[second].kind)
        assert set(pair.ends) == {*FAULTS[first].ends, *FAULTS[second].ends}


def test_what_warms_up_and_stays_is_flat():
    steady = [Use(float(number), 100.0 + min(number, 20), 20, 50) for number in range(100)]
    assert growth(steady) == {
        'memory_mb': [120.0, 120.0],
        'threads': [20, 20],
        'descriptors': [50, 50],
        'flat': True,
    }


@pytest.mark.parametrize('what', ['memory_mb', 'threads', 'descriptors'])
def test_what_grows_is_not_flat(what):
    steady = {'memory_mb': 100.0, 'threads': 20, 'descriptors': 50}
    step = {'memory_mb': 0.2, 'threads': 1 / 60, 'descriptors': 1 / 60}[what]
    grown = [Use(float(number), **{**steady, what: steady[what] + int(step * number)}) for number in range(100)]
    assert not growth(grown)['flat']


def test_damage_is_the_same_for_the_same_seed_and_hardly_ever_none():
    content = bytes(range(200))
    first, second = ([damaged(content, random.Random(seed)) for seed in range(200)] for _ in range(2))
    assert first == second
    assert sum(each == content for each in first) < 5
