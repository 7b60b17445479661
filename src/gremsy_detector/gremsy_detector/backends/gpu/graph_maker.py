# SPDX-License-Identifier: Apache-2.0
"""The seam to the optional package that makes graphs for work that the CPU would otherwise do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Protocol

from gremsy_common.atomic_file import write_whole
from gremsy_detector.errors import ModelError
from gremsy_detector.image.picture_form import PictureForm
from gremsy_detector.model.model_description import InputDescription

GPU_GRAPHS = 'gremsy_detector.gpu_graphs'
"""Entry point of `GpuGraphs`."""
CHANNELS_LAST = 'gremsy_channels_last'
"""Metadata key of such a file: `True` where its convolutions may be computed with the channels last."""
FORM = 2
"""Version of the rewritten graphs; part of the key of every file that is kept of one."""

# Whose versions decide whether a graph can be made, and what it answers.
_MAKERS = ('onnx', 'onnxruntime', 'onnxruntime-gpu', 'gremsy_model_tools')


class GraphRefused(ModelError):
    """A graph was made and found wrong, or can never be made: with the same packages, another try ends alike."""


class GpuGraphs(Protocol):
    """Makes ONNX files; `gremsy_model_tools.gpu.gpu_graphs` does."""

    def gpu_model(self, model: Path, precision: str, folder: Path, say: Callable[[str], None]) -> Path:
        """The file that runs in place of a model, its best boxes chosen in the graph; made once and kept.

        Raises:
            GraphRefused: kept too, so that the next call raises it at once.
            ModelError: when it cannot be made.
        """

    def engine_model(self, model: Path, folder: Path) -> Path:
        """The file that an engine is built from in place of a model, its best boxes chosen in the graph and checked.

        The file itself where its answer has few boxes anyway.

        Raises:
            GraphRefused, ModelError: when it cannot be made.
        """

    def picture_front(self, form: PictureForm, description: InputDescription) -> bytes:
        """A graph from pictures of that form to a network's input."""


def refuse_again(kept: Path) -> None:
    """What an earlier start found.

    Args:
        kept: where `keep_refusal` may have written it; no file, or one of other packages, refuses nothing.

    Raises:
        GraphRefused: with its reason.
    """
    try:
        found = json.loads(kept.read_bytes())
        why, by = found['why'], found['by']
    except (OSError, ValueError, KeyError, TypeError):
        return
    if by == _makers():
        raise GraphRefused(f'{why} (found at an earlier start: remove {kept} to have it tried again).')


def keep_refusal(kept: Path, refusal: GraphRefused, say: Callable[[str], None]) -> None:
    """Spare later starts the attempt, as long as the packages that made the graph stay."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps({'why': str(refusal).rstrip('. '), 'by': _makers()}).encode())
    except OSError as error:
        say(f'{kept} cannot be written ({error.strerror}): every start tries to make it again.')


def _makers() -> dict[str, str]:
    versions = {}
    for name in _MAKERS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


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
