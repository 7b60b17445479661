# SPDX-License-Identifier: Apache-2.0
"""The state of one link: facts for diagnostics, and the sentence that they add up to."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_gimbal_driver.links.link_keeper import LinkTraffic
from gremsy_gimbal_driver.mavlink.component_register import kind_of
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_PATIENCE_S = 3.0
"""A gimbal sends a heartbeat a second once it receives ours; three in a row are not missed by chance."""


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """A snapshot.

    Attributes:
        fault: why it is closed, or what is wrong although it is open; empty when neither.
        open_s: for how long it has been open; None while it is not.
        silent_s: since the last byte of this opening; None before the first.
        frameless_s: since the last frame of this opening; None before the first.
        frameless_bytes: bytes of this opening that came since then.
        senders: components that sent a message in the last few seconds.
        clogged: nothing written to it has gone out for a while.
        carries_motion: the gimbal is moved over this link.
    """

    name: str
    is_open: bool
    fault: str
    open_s: float | None
    silent_s: float | None
    frameless_s: float | None
    frameless_bytes: int
    senders: tuple[Sender, ...]
    clogged: bool
    carries_motion: bool
    traffic: LinkTraffic


def link_fault(health: LinkHealth, gimbal_elsewhere: bool = False) -> str:
    """One sentence, empty when nothing is wrong or it is too early to know.

    Args:
        health: of the link.
        gimbal_elsewhere: another link has the gimbal, so that this one need not.
    """
    if not health.is_open or health.open_s is None or health.fault:
        return health.fault
    if health.clogged:
        return (
            f'The gimbal link {health.name} accepts no more data: check its cable, and the flow control of its adapter.'
        )
    if health.open_s < _PATIENCE_S:
        return ''
    if health.silent_s is None or health.silent_s >= _PATIENCE_S:
        is_network = health.name.startswith('udp:')
        wire = 'its network cable and its address' if is_network else 'its cable, and that RX and TX are crossed'
        return f"Nothing is received on the gimbal link {health.name}: check the gimbal's power, {wire}."
    if health.frameless_s is None or health.frameless_s >= _PATIENCE_S:
        baud = ' and its baud (`?baud=115200`)' if health.name.startswith('serial:') else ''
        return (
            f'Something else is sending on {health.name}: {health.frameless_bytes} bytes, no MAVLink frame: '
            f"check that this is the gimbal's port{baud}."
        )
    if gimbal_elsewhere or any(kind_of(sender.component) is not None for sender in health.senders):
        return ''
    names = ', '.join(map(str, health.senders)) or 'without a heartbeat'
    return (
        f'A MAVLink device that is not a gimbal is sending on {health.name} ({names}): '
        "check that this is the gimbal's port and that nothing sits in between."
    )
