# SPDX-License-Identifier: Apache-2.0
"""A change of the driver's live parameters that is refused changes nothing, whichever of several is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.gimbal_driver_node import GimbalDriverNode
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult

CAMERA, TAKEN = Sender(1, 100), CommandResult(True, '')
ALL = {'mode': 'lock', 'setpoint_source': 'ir', 'view_source': 'ir'}


class Node(SimpleNamespace):
    """What `parameters_changed` uses of the node; `done` is what it did to others."""

    def __init__(self, camera: Sender | None = CAMERA, answer: CommandResult = TAKEN, **changes: str) -> None:
        done: list[str] = []
        driver = SimpleNamespace(
            status=lambda: SimpleNamespace(device=SimpleNamespace(camera=camera)),
            prefer_mode=lambda wanted: (done.append(f'mode {wanted.value}') if answer.done else None) or answer,
        )
        super().__init__(
            done=done,
            parameters=replace(GimbalDriverParameters(), **changes),
            _used=GimbalDriverParameters(),
            _driver=driver,
            resolve_topic_name=self._resolve,
            _subscribe_source=lambda source: done.append(f'hear {source}'),
            _hand_over=lambda _driver, source: done.append(f'hand over to {source}'),
            _request=lambda request: done.append(f'{request}'),
        )

    def _resolve(self, name: str) -> str:
        if ' ' in name:
            raise ValueError('topic name is invalid')
        return name


def test_what_is_not_refused_is_done():
    node = Node(**ALL)
    GimbalDriverNode.parameters_changed(node)
    assert node.done == ['mode lock', 'hear ir', 'hand over to ir', 'the setting view_source = ir']
    assert node._used is node.parameters


@pytest.mark.parametrize(
    ('refused_by', 'sentence'),
    [
        (
            {'camera': None},
            'There is no payload camera to set `view_source` on: see that it is switched on, and set it again.',
        ),
        ({'answer': CommandResult(False, 'Not changing to mode lock: no.')}, 'Not changing to mode lock: no.'),
        (
            {'view_source': 'loud'},
            "The setting 'view_source' cannot be 'loud': use one of eo_ir, eo, ir, ir_eo, sync, side_by_side.",
        ),
        ({'setpoint_source': 'i r'}, 'topic name is invalid'),
    ],
    ids=['no camera', 'the mode', 'a word', 'a name'],
)
def test_what_is_refused_in_part_is_not_done_at_all(refused_by, sentence):
    node = Node(**{**ALL, **refused_by})
    with pytest.raises((SuiteError, ValueError)) as refusal:
        GimbalDriverNode.parameters_changed(node)
    assert str(refusal.value) == sentence
    assert (node.done, node._used) == ([], GimbalDriverParameters())
