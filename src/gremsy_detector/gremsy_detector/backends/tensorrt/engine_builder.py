# SPDX-License-Identifier: Apache-2.0
"""The seam between the engine cache and whatever turns an ONNX file into an engine, or prepares the file for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gremsy_detector.model.model_facts import TensorFacts


@dataclass(frozen=True, slots=True)
class BuildRecipe:
    """How to build.

    Attributes:
        shape: of the input, which may be dynamic in the file; the largest, where its number of images is.
        lean: make it run under later TensorRT versions too, without the lean runtime inside.
        compute_capability: `EngineKey.compute_capability`.
        workspace_bytes: most GPU memory for trying tactics; 0 for the library's own limit.
        timing_cache: of earlier builds on this GPU with this version; empty for none.
    """

    shape: tuple[int, ...]
    lean: bool = False
    compute_capability: str = ''
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
    """Builds engines for the GPU of this machine, or, where they are portable, for all that its kind runs on."""

    def build(self, onnx: Path, recipe: BuildRecipe, say: Callable[[str], None]) -> BuiltEngine:
        """Build; takes seconds or minutes.

        Raises:
            ModelError: when the file does not parse or does not build; with the library's reason.
        """


class Prepared(Protocol):
    """The ONNX file that is built in place of the user's."""

    @property
    def path(self) -> Path:
        """Of the file; the user's own where nothing had to be changed."""

    @property
    def precision(self) -> str:
        """What it computes in, which need not be what was asked for: int8 that loses too much stays fp16."""

    @property
    def sentence(self) -> str:
        """What was done and why, for a person."""


class PrecisionStep(Protocol):
    """Brings a model to a precision; who has one offers it by entry point (`engine_machine.PRECISION_STEP`)."""

    def __call__(
        self,
        model: Path,
        precision: str,
        out_dir: Path,
        *,
        calibration: Path | None,
        check: Path | None,
        say: Callable[[str], None],
    ) -> Prepared:
        """Write the file, and the verdict of a check beside it as JSON.

        Raises:
            ModelError: when the model cannot be prepared so.
        """
