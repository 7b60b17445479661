# SPDX-License-Identifier: Apache-2.0
"""What a back end may be told beside the model file; every back end takes what concerns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def say_nothing(_sentence: str) -> None:
    """Where nobody listens to progress."""


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """How a model is to be run.

    Attributes:
        threads: of the CPU; 0 lets the back end choose.
        device: number of the GPU.
        provider: of ONNX Runtime: `auto`, or one by its short name.
        precision: of an engine that is built from an ONNX file: `fp32`, `fp16`, `int8`, or `model` for the file's own.
        engine_dir: where built engines are kept; None for the user's cache folder.
        say: takes sentences on progress (a build takes minutes), on any thread.
    """

    threads: int = 0
    device: int = 0
    provider: str = 'auto'
    precision: str = 'model'
    engine_dir: Path | None = None
    say: Callable[[str], None] = say_nothing


DEFAULT_OPTIONS = BackendOptions()
