# SPDX-License-Identifier: Apache-2.0
"""Where the graphs come from that do on a GPU what else the CPU would: a package that is installed beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from gremsy_detector.errors import ModelError
from gremsy_detector.image.picture_form import PictureForm
from gremsy_detector.model.model_description import InputDescription

GPU_GRAPHS = 'gremsy_detector.gpu_graphs'
"""Entry point of `GpuGraphs`."""
CHANNELS_LAST = 'gremsy_channels_last'
"""Metadata key of such a file: `True` where its convolutions may be computed with the channels last."""
FORM = 2
"""Another number where another graph is made of the same file: part of the key of whatever is kept of it."""


class GpuGraphs(Protocol):
    """Makes ONNX files; `gremsy_model_tools.gpu.gpu_graphs` does."""

    def gpu_model(self, model: Path, precision: str, folder: Path, say: Callable[[str], None]) -> Path:
        """The file that runs in a model's stead, its best boxes chosen in the graph; made once and kept.

        Raises:
            ModelError: when it cannot be made.
        """

    def engine_model(self, model: Path, folder: Path) -> Path:
        """The file that an engine is built from in a model's stead, its best boxes chosen in the graph and checked.

        The file itself where its answer has few boxes anyway.

        Raises:
            ModelError: when it cannot be made.
        """

    def picture_front(self, form: PictureForm, description: InputDescription) -> bytes:
        """A graph from pictures of that form to a network's input."""


def what_comes_down(metadata: Mapping[str, str]) -> str:
    """Of a model with that metadata, for diagnostics."""
    return 'best boxes chosen on it' if metadata.get('layout') == 'best_boxes' else 'all boxes down'


def installed_graphs() -> GpuGraphs:
    """Those of the package that is installed; looked for when used, since a robot may have none.

    Raises:
        ModelError: when there is none, or a package that it needs is missing.
    """
    found = entry_points(group=GPU_GRAPHS)
    if not found:
        raise ModelError('gremsy_model_tools is not installed')
    try:
        graphs: GpuGraphs = next(iter(found)).load()
    except ImportError as error:
        raise ModelError(f'Python package {error.name} is not installed') from error
    return graphs
