# SPDX-License-Identifier: Apache-2.0
"""The graphs that the detector runs on a GPU, made and checked, and kept where there are weights in them.

The detector finds this module by its entry point, `gremsy_detector.gpu_graphs`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.gpu.graph_maker import (
    CHANNELS_LAST,
    FORM,
    GraphRefused,
    keep_refusal,
    refuse_again,
)
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.tensorrt.engine_key import sha256_of_model
from gremsy_detector.decode.decoder import DecodedBoxes, DecodeSettings, decode
from gremsy_detector.errors import ModelError
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.known_layouts import MANY_BOXES
from gremsy_detector.model.model_description import ModelDescription, describe, describe_input
from gremsy_detector.model.onnx_facts import read_onnx_facts
from gremsy_model_tools.gpu.best_boxes import MOST_BOXES, with_best_boxes
from gremsy_model_tools.gpu.picture_front import picture_front
from gremsy_model_tools.precision.onnx_file import (
    metadata_of,
    read_model,
    set_metadata,
    signed,
    simplified,
    with_types,
    write_model,
)
from gremsy_model_tools.precision.prepare import noise, prepare_model

__all__ = ['engine_model', 'gpu_model', 'picture_front']

_KEY = 'gremsy_gpu_graph'
_ON_THE_CPU = BackendOptions(provider='cpu')
# Both are computed by the same operators up to the choice.
_TOLERANCE = 1e-3
_BOXES_TO_CHECK = 300


def gpu_model(model: Path, precision: str, folder: Path, say: Callable[[str], None]) -> Path:
    """The file that runs in place of the user's: of fixed size, in a precision, with the best boxes chosen in it.

    It is made once, checked against the user's on the CPU, and kept; so is, beside it, that it was refused.

    Args:
        model: the user's ONNX file.
        precision: `fp16`, or another for the file's own.
        folder: where to keep it.
        say: takes sentences on progress.

    Raises:
        GraphRefused: when it gives other results, now or at an earlier start.
        ModelError: when it cannot be made or written.
    """
    half = precision == 'fp16'
    key = hashlib.sha256(repr((sha256_of_model(model), half, FORM)).encode()).hexdigest()[:12]
    path = folder / f'{model.stem[:80]}-{"fp16" if half else "model"}-{key}.gpu.onnx'
    if _is_whole(path, key):
        return path
    refusal = path.with_name(f'{path.name}.refused.json')
    refuse_again(refusal)
    say(f'Making the graph of {model.name} for the GPU: this takes seconds, and is kept as {path}.')
    with tempfile.TemporaryDirectory(prefix='gremsy_gpu_') as scratch:
        source = model
        if half:
            prepared = prepare_model(model, 'fp16', Path(scratch), fold_input=False, say=say)
            source = prepared.path
        try:
            described, wanted = _tried(source, None)
            changed = simplified(read_model(source), described.input)
            metadata = {_KEY: key, CHANNELS_LAST: str(_may_be_channels_last(changed))}
            _write_checked(changed, described, wanted, path, metadata)
        except GraphRefused as error:
            keep_refusal(refusal, error, say)
            raise
    return path


def _is_whole(path: Path, key: str) -> bool:
    """Whether a file was written to its end under that key: the metadata is the last thing in it."""
    try:
        return read_onnx_facts(path).metadata.get(_KEY) == key
    except ModelError:
        return False


def engine_model(model: Path, folder: Path) -> Path:
    """See `GpuGraphs`: the same for an engine's builder, which has brought the file to its precision before."""
    described, wanted = _tried(model, None)
    if described.layout not in MANY_BOXES:
        return model
    path = folder / f'{model.stem[:80]}.best.onnx'
    # What was prepared is of fixed size, and its int8 is not to be optimised for a CPU.
    plain = with_types(read_model(model))
    fixed = all(isinstance(size, int) for size in read_onnx_facts(model).inputs[0].shape)
    _write_checked(plain if fixed else simplified(plain, described.input), described, wanted, path, {})
    return path


def _write_checked(
    changed: Any, described: ModelDescription, wanted: DecodedBoxes, path: Path, metadata: dict[str, str]
) -> None:
    """With the best boxes chosen, where there are many, and held to what the file answers."""
    fed = described.input
    metadata = {
        **metadata_of(changed),
        # What was inferred from the layout that is replaced.
        'names': repr(dict(enumerate(described.class_names))),
        'resize': fed.resize.value,
        'channel_order': 'bgr' if fed.bgr else 'rgb',
        'mean': repr(list(fed.mean)),
        'std': repr(list(fed.std)),
        **metadata,
    }
    if described.layout in MANY_BOXES:
        changed = with_best_boxes(changed, described.output)
        metadata['layout'] = 'best_boxes'
    set_metadata(changed, metadata)
    with tempfile.TemporaryDirectory(prefix='gremsy_gpu_') as scratch:
        candidate = Path(scratch) / path.name
        write_model(signed(changed), candidate)
        _, found = _tried(candidate, described)
        if not _alike(wanted, found):
            raise GraphRefused(
                f'The graph made of {described.path.name} for the GPU gives other results than the file.'
            )
    write_model(changed, path)


def _may_be_channels_last(model: Any) -> bool:
    """ONNX Runtime 1.31 lays out a convolution's weights anew only where they are constants: not those of int8."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return all(node.input[1] in constants for node in model.graph.node if node.op_type == 'Conv')


def _tried(path: Path, known: ModelDescription | None) -> tuple[ModelDescription, DecodedBoxes]:
    """How a file is fed and read, and its best boxes on an image of noise, which excites every layer."""
    missing = OnnxRuntimeBackend.unavailable()
    if missing is not None:
        raise ModelError(f'ONNX Runtime {missing}')
    with closing(OnnxRuntimeBackend(path, _ON_THE_CPU)) as backend:
        facts = backend.open()
        fed = known.input if known is not None else describe_input(facts)
        network_input = NetworkInput(fed)
        model = describe(facts, backend.infer(network_input.tensor))
        if model.input != fed:
            network_input = NetworkInput(model.input)
        network_input.fill(noise())
        outputs = backend.infer(network_input.tensor)
        # With nothing suppressed, the best come first; rows with score 0 are padding.
        everything = DecodeSettings(confidence=1e-6, iou=1.0, max_detections=min(_BOXES_TO_CHECK, MOST_BOXES))
        return model, decode(outputs, model.output, everything)


def _alike(wanted: DecodedBoxes, found: DecodedBoxes) -> bool:
    if len(wanted.scores) != len(found.scores) or not np.allclose(wanted.scores, found.scores, atol=_TOLERANCE):
        return False
    # Boxes of one score may have changed places.
    for box, label in zip(wanted.boxes_network_px, wanted.classes, strict=True):
        near = np.abs(found.boxes_network_px - box).max(axis=1) <= _TOLERANCE * max(1.0, float(np.abs(box).max()))
        if not (near & (found.classes == label)).any():
            return False
    return True
