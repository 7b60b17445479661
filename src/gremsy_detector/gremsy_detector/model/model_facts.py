# SPDX-License-Identifier: Apache-2.0
"""What a back end read out of a model file, before anybody judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One input or output: a name or None stands in `shape` where the size is left to run time.

    `dtype` is NumPy's name of the element type, or the file's own where NumPy has none.
    """

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str

    def __str__(self) -> str:
        sizes = ', '.join('?' if size is None else str(size) for size in self.shape)
        return f'{self.name} {self.dtype} [{sizes}]'


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model file as its back end sees it; `metadata` holds the file's own key-value texts."""

    path: Path
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    metadata: Mapping[str, str]
