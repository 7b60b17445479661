# SPDX-License-Identifier: Apache-2.0
"""Which parts of a Gremsy speak on a link: their ids are learned, not assumed (gimbal.md 1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

GIMBAL_COMPONENTS = frozenset({154, 171, 172, 173, 174, 175})
"""MAV_COMP_ID_GIMBAL and GIMBAL2..6: what the vendor's SDKs accept (gimbal.md 1.3)."""

CAMERA_COMPONENTS = frozenset(range(100, 106))
"""MAV_COMP_ID_CAMERA to CAMERA6; 100 and 101 have been seen, and the payload's web page sets it (gimbal.md 1.3)."""

PAYLOAD_COMPONENT = 26
"""The payload's main board, MAV_COMP_ID_USER2; the vendor says not to change it."""


class ComponentKind(Enum):
    """A part of a Gremsy with an id of its own."""

    GIMBAL = 'gimbal'
    CAMERA = 'camera'
    PAYLOAD = 'payload'


def kind_of(component: int) -> ComponentKind | None:
    """By the component id; None for whatever is not a part of a Gremsy."""
    if component in GIMBAL_COMPONENTS:
        return ComponentKind.GIMBAL
    if component in CAMERA_COMPONENTS:
        return ComponentKind.CAMERA
    return ComponentKind.PAYLOAD if component == PAYLOAD_COMPONENT else None


class HeardComponents:
    """Who was heard, and when last; the gimbal is the first one heard until it is forgotten.

    The camera is learned by a heartbeat, the gimbal by that or by an attitude as only a gimbal sends it, whichever is
    first: heartbeats are a second apart, in which a gimbal that nobody has found yet may turn. The board is learned by
    anything it says: nobody documents that it has a heartbeat.

    Args:
        pinned: the gimbal to listen to; None learns it.
    """

    def __init__(self, pinned: Sender | None = None) -> None:
        self._pinned = pinned
        self._heard_ns: dict[Sender, int] = {}
        self.gimbal = pinned
        """The gimbal that is listened to; None before it was heard."""

    @property
    def last_heard_ns(self) -> Mapping[Sender, int]:
        """Every part of a Gremsy on the link, with the time at which it was last heard."""
        return MappingProxyType(self._heard_ns)

    @property
    def camera(self) -> Sender | None:
        """Where camera commands and parameters go."""
        return self._preferred(ComponentKind.CAMERA)

    @property
    def payload(self) -> Sender | None:
        """Where vendor commands go, and whose telemetry is believed."""
        return self._preferred(ComponentKind.PAYLOAD)

    def heard(self, sender: Sender, introduces: bool, now_ns: int) -> None:
        """A checked frame arrived; `introduces`: it is one by which such a part is learned."""
        if sender in self._heard_ns:
            self._heard_ns[sender] = now_ns
            return
        kind = kind_of(sender.component)
        if kind is None or not (introduces or kind is ComponentKind.PAYLOAD):
            return
        self._heard_ns[sender] = now_ns
        if kind is ComponentKind.GIMBAL and self.gimbal is None:
            self.gimbal = sender

    def forget(self) -> None:
        """Learn all anew."""
        self._heard_ns.clear()
        self.gimbal = self._pinned

    def forget_silent(self, before_ns: int) -> list[Sender]:
        """Forget those last heard before that time, the learned gimbal too; who they were."""
        silent = [sender for sender, heard_ns in self._heard_ns.items() if heard_ns < before_ns]
        for sender in silent:
            del self._heard_ns[sender]
        if self.gimbal in silent:
            self.gimbal = self._pinned
        return silent

    def _preferred(self, kind: ComponentKind) -> Sender | None:
        """The one with the gimbal's system id, else the first heard: a router may bring other vehicles' cameras."""
        system = self.gimbal.system if self.gimbal is not None else None
        first = None
        for sender in self._heard_ns:
            if kind_of(sender.component) is kind:
                if sender.system == system:
                    return sender
                first = first or sender
        return first
