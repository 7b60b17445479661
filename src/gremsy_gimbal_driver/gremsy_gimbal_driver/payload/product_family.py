# SPDX-License-Identifier: Apache-2.0
"""The families of payloads that differ in their camera's parameters (gimbal.md 1.1, 2.3)."""

from __future__ import annotations

from enum import Enum


class ProductFamily(str, Enum):
    """As the vendor's SDK is built for them; `NONE` is a bare gimbal."""

    VIO = 'vio'
    ZIO = 'zio'
    ORUS_L = 'orus_l'
    MB1 = 'mb1'  # Lynx, GHadron and other small payloads
    NONE = 'none'

    @property
    def word(self) -> str:
        """As the vendor writes it."""
        return {'vio': 'VIO', 'zio': 'ZIO', 'orus_l': 'ORUS-L', 'mb1': 'MB1', 'none': 'bare gimbal'}[self.value]


_BY_MODEL = (
    ('VIO', ProductFamily.VIO),
    ('ZIO', ProductFamily.ZIO),
    ('ORUS', ProductFamily.ORUS_L),
    ('MB1', ProductFamily.MB1),
    ('LYNX', ProductFamily.MB1),
    ('GHADRON', ProductFamily.MB1),
)


def family_of_model(model: str) -> ProductFamily | None:
    """By the model of GIMBAL_DEVICE_INFORMATION; None where the name tells nothing."""
    upper = model.upper()
    return next((family for part, family in _BY_MODEL if part in upper), None)
