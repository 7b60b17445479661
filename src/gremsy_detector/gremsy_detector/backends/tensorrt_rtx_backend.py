# SPDX-License-Identifier: Apache-2.0
"""TensorRT for RTX on a PC's or laptop's RTX card: engines take seconds to build and are portable."""

from __future__ import annotations

from typing import ClassVar

from gremsy_detector.backends.tensorrt.tensorrt_kinds import RTX, Kind
from gremsy_detector.backends.tensorrt.tensorrt_library import why_not
from gremsy_detector.backends.tensorrt_backend import TensorRtBackend


class TensorRtRtxBackend(TensorRtBackend):
    """The full TensorRT is preferred, where both are: it knows the one GPU that it builds for."""

    name: ClassVar[str] = RTX.name
    preference: ClassVar[int] = 20
    kind: ClassVar[Kind] = RTX

    @staticmethod
    def unavailable() -> str | None:
        """TensorRT for RTX, cuda-python and a GPU that it runs on, asked for in this order; nothing is loaded."""
        return why_not(RTX)


BACKEND = TensorRtRtxBackend
