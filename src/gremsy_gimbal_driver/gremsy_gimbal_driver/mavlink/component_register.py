# SPDX-License-Identifier: Apache-2.0
"""Which parts of a Gremsy speak, and when last, on all links: their ids are learned, not assumed (gimbal.md 1.3)."""

from __future__ import annotations

import threading
from enum import Enum

from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

GIMBAL_COMPONENTS = frozenset({154, 171, 172, 173, 174, 175})
"""MAV_COMP_ID_GIMBAL and GIMBAL2..6: what the vendor's SDKs accept (gimbal.md 1.3)."""

CAMERA_COMPONENTS = frozenset(range(100, 106))
"""MAV_COMP_ID_CAMERA to CAMERA6; 100 and 101 have been observed, and the payload's web page sets it (gimbal.md 1.3)."""

PAYLOAD_COMPONENT = 26
"""The payload's main board, MAV_COMP_ID_USER2; the vendor says not to change it."""

SILENCE_NS = 6_000_000_000
"""Heartbeats come once a second; after six misses one counts as gone, as in the vendor's SDK (gimbal.md 1.3)."""


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


class ComponentRegister:
    """Who is there; the gimbal is the first one that spoke, until it is forgotten. For any thread.

    The camera is learned by a heartbeat, the gimbal by that or by an attitude as only a gimbal sends it, whichever is
    first: heartbeats are a second apart, in which a gimbal that nobody has found yet may turn. The board is learned by
    any message: nobody documents that it has a heartbeat.

    Args:
        pinned: the gimbal to listen to; None learns it.
    """

    def __init__(self, pinned: Sender | None = None) -> None:
        self._pinned = pinned
        self._last_ns: dict[Sender, int] = {}
        self._lock = threading.Lock()
        self.gimbal = pinned
        """The gimbal that is listened to; None before its first message."""
        self.gimbal_fills_delta_yaw = False
        """Whether it has ever sent a `delta_yaw` in 285; forgotten with it, and when a link is opened again."""

    @property
    def last_ns(self) -> dict[Sender, int]:
        """Every part of a Gremsy that is there, with the time of its last message."""
        return dict(self._last_ns)

    @property
    def camera(self) -> Sender | None:
        """Where camera commands and parameters go."""
        return self._preferred(ComponentKind.CAMERA)

    @property
    def payload(self) -> Sender | None:
        """Where vendor commands go, and whose telemetry is believed."""
        return self._preferred(ComponentKind.PAYLOAD)

    def on_message(self, sender: Sender, introduces: bool, now_ns: int) -> None:
        """A checked frame arrived; `introduces`: it is one by which such a part is learned."""
        with self._lock:
            if sender not in self._last_ns or self.gimbal is None:
                kind = kind_of(sender.component)
                if kind is None or not (introduces or kind is ComponentKind.PAYLOAD or sender in self._last_ns):
                    return
                if introduces and kind is ComponentKind.GIMBAL and self.gimbal is None:
                    self.gimbal = sender
            self._last_ns[sender] = now_ns

    def forget_silent(self, now_ns: int) -> list[Sender]:
        """Forget those that have been silent for `SILENCE_NS`, the learned gimbal too; who they were."""
        with self._lock:
            silent = [sender for sender, last_ns in self._last_ns.items() if now_ns - last_ns > SILENCE_NS]
            for sender in silent:
                del self._last_ns[sender]
            if self.gimbal in silent:
                self.gimbal, self.gimbal_fills_delta_yaw = self._pinned, False
        return silent

    def _preferred(self, kind: ComponentKind) -> Sender | None:
        """The one with the gimbal's system id, else the first: a router may bring other vehicles' cameras."""
        system = self.gimbal.system if self.gimbal is not None else None
        present = [sender for sender in self.last_ns if kind_of(sender.component) is kind]
        return next((sender for sender in present if sender.system == system), next(iter(present), None))
