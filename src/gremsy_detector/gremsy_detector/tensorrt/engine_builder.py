# SPDX-License-Identifier: Apache-2.0
"""The seam between the engine cache and whatever turns an ONNX file into an engine, or prepares the file for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gremsy_detector.model_facts import TensorFacts


@dataclass(frozen=True, slots=True)
class BuildRecipe:
    """How to build.

    Attributes:
        shape: of the input, which may be dynamic in the file.
        lean: make it run under later TensorRT versions too, without the lean runtime inside.
        workspace_bytes: most GPU memory for trying tactics; 0 for the library's own limit.
        timing_cache: of earlier builds on this GPU with this version; empty for none.
    """

    shape: tuple[int, ...]
    lean: bool = False
    workspace_bytes: int = 0
    timing_cache: bytes = b''


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """A plan, its tensors, and the timing cache for the next build."""

    plan: bytes
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    timing_cache: bytes = b''


class EngineBuilder(Protocol):
    """Builds engines for the GPU of this machine."""

    @property
    def version(self) -> str:
        """Of TensorRT; part of the key."""

    def build(self, onnx: Path, recipe: BuildRecipe, say: Callable[[str], None]) -> BuiltEngine:
        """Build; takes minutes.

        Raises:
            ModelError: when the file does not parse or does not build; with the library's reason.
        """


class PrecisionStep(Protocol):
    """Makes the ONNX file that is built, of the precision asked for; `gremsy_detector.precision` has the real one."""

    def __call__(
        self, model: Path, precision: str, out: Path, *, calibration: Path | None, say: Callable[[str], None]
    ) -> Path:
        """Write the prepared file to `out` and return where it is.

        Raises:
            ModelError: when the model cannot be prepared so.
        """


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a prepared model still answers like the user's.

    Attributes:
        passed: the agreement is above its limit.
        summary: the figures in one sentence, for people.
        figures: what is written beside the engine, as JSON.
    """

    passed: bool
    summary: str
    figures: Mapping[str, Any]


class AccuracyGate(Protocol):
    """Measures a prepared model against the user's; `gremsy_detector.precision` has the real one."""

    def __call__(self, model: Path, prepared: Path, frames: Path, *, say: Callable[[str], None]) -> GateVerdict:
        """Run both on the frames and compare.

        Raises:
            ModelError: when one cannot be run, or there are no frames.
        """
