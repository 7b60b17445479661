# SPDX-License-Identifier: Apache-2.0
"""docker/deploy on several robots: whom it begins with, how many at once, and where it stops."""

import threading

import pytest

from gremsy_deploy.errors import DeployError
from gremsy_deploy.inventory import RobotEntry, chosen, read_inventory
from gremsy_deploy.remotes import RemoteResult
from gremsy_deploy.robots import DeployedRobot, End, Report
from gremsy_deploy.rollouts import canaries_of, on_all, roll_out

PLACES = tuple(RobotEntry(name, f'gremsy@{name}', canary=name == 'b') for name in 'abcdef')


class Acts:
    """Counts who is at it at once; those of `bad` fail."""

    def __init__(self, bad=()):
        self.bad, self.order, self.most, self._now = bad, [], 0, 0
        self._lock = threading.Lock()

    def __call__(self, place):
        with self._lock:
            self.order.append(place.name)
            self._now += 1
            self.most = max(self.most, self._now)
        threading.Event().wait(0.01)
        with self._lock:
            self._now -= 1
        return Report(place.name, End.FAILED if place.name in self.bad else End.DONE)


def ends(reports):
    return {report.robot: report.end for report in reports}


def test_the_canary_is_first_and_the_others_keep_the_limit():
    act = Acts()
    reports = roll_out(PLACES, act, limit=2, canaries=canaries_of(PLACES, []))
    assert act.order[0] == 'b' and sorted(act.order) == list('abcdef') and act.most <= 2
    assert set(ends(reports).values()) == {End.DONE}


def test_nobody_follows_a_canary_that_failed():
    act = Acts(bad=('b',))
    reports = ends(roll_out(PLACES, act, limit=4, canaries=canaries_of(PLACES, [])))
    assert act.order == ['b'] and reports.pop('b') is End.FAILED and set(reports.values()) == {End.SKIPPED}


def test_none_begins_after_one_failed():
    act = Acts(bad=('c',))
    reports = ends(roll_out(PLACES, act, limit=1, canaries=canaries_of(PLACES, ['a'])))
    assert act.order == ['a', 'b', 'c'] and reports['d'] is End.SKIPPED


def test_going_back_waits_for_nobody():
    act = Acts(bad=('a',))
    assert len(on_all(PLACES, act, limit=3)) == 6 and sorted(act.order) == list('abcdef')


def test_without_a_mark_the_first_is_the_canary():
    assert canaries_of([RobotEntry('x', 'x'), RobotEntry('y', 'y')], []) == (RobotEntry('x', 'x'),)


@pytest.mark.parametrize(
    ('text', 'word'),
    [
        ('[a]\nhost = -oProxyCommand=x', 'USER@HOST'),
        ('[a]\nhost = a b', 'USER@HOST'),
        ('[a]\nhots = a', 'hots'),
        ('[a]\nhost = a\nport = 99999', 'port'),
        ('[a]\nhost = a\nfolder = ~/x', 'home folder'),
        ('', 'no robot'),
        ('host = a', 'section'),
    ],
)
def test_an_inventory_with_a_mistake_says_which(tmp_path, text, word):
    path = tmp_path / 'robots.ini'
    path.write_text(text)
    with pytest.raises(DeployError, match=word):
        read_inventory(path)


def test_a_robot_that_is_not_there_is_not_chosen():
    with pytest.raises(DeployError, match='no robot z'):
        chosen(PLACES, ['z'])
    assert [place.name for place in chosen(PLACES, ['c', 'a'])] == ['a', 'c']


class Lost:
    def run(self, command, *, given, timeout_s, on_line):
        return RemoteResult(None, ('ssh: connect: no route',))


def test_a_connection_that_is_lost_is_said_and_not_taken_for_a_failure_of_the_release():
    report = DeployedRobot('a', 'gremsy', Lost(), lambda line: None).rollback(20, 'ready')
    assert report.end is End.LOST and 'goes on by itself' in report.words


@pytest.mark.parametrize('data', [b'[a\nhost = a\n', b'host = a\n', b'\xcd\xff\0'], ids=['open', 'bare', 'bytes'])
def test_a_file_that_is_no_inventory_is_one_sentence(tmp_path, data):
    path = tmp_path / 'robots.ini'
    path.write_bytes(data)
    with pytest.raises(DeployError) as error:
        read_inventory(path)
    assert (
        str(error.value) == f'{path} is not an inventory with a section for each robot: see docker/robots.example.ini'
    )
    with pytest.raises(DeployError) as error:
        read_inventory(tmp_path)
    assert str(error.value) == f'{tmp_path} cannot be read (Is a directory): name another with --inventory'
