# SPDX-License-Identifier: Apache-2.0
"""The seam to the optional package that makes graphs for work that the CPU would otherwise do."""

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
"""Version of the rewritten graphs; part of the key of every file that is kept of one."""


class GpuGraphs(Protocol):
    """Makes ONNX files; `gremsy_model_tools.gpu.gpu_graphs` does."""

    def gpu_model(self, model: Path, precision: str, folder: Path, say: Callable[[str], None]) -> Path:
        """The file that runs in place of a model, its best boxes chosen in the graph; made once and kept.

        Raises:
            ModelError: when it cannot be made.
        """

    def engine_model(self, model: Path, folder: Path) -> Path:
        """The file that an engine is built from in place of a model, its best boxes chosen in the graph and checked.

        The file itself where its answer has few boxes anyway.

        Raises:
            ModelError: when it cannot be made.
        """

    def picture_front(self, form: PictureForm, description: InputDescription) -> bytes:
        """A graph from pictures of that form to a network's input."""


def what_comes_down(metadata: Mapping[str, str]) -> str:
    """Which boxes are copied to the host, for diagnostics, by the model's metadata."""
    return 'best boxes chosen on it' if metadata.get('layout') == 'best_boxes' else 'all boxes copied back'


def installed_graphs() -> GpuGraphs:
    """The installed package's; looked up on use, since a robot may not have it.

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
