# SPDX-License-Identifier: Apache-2.0
"""Converting a float32 graph to int8: QuantizeLinear/DequantizeLinear pairs with scales found on real frames.

The pairs are where TensorRT looks for them: around what a learnt layer reads (symmetric, one scale) and its weights
(symmetric, one scale per output channel), never behind it, and no quantised bias. The same file runs in ONNX Runtime,
which is how it can be checked on a CPU. It is no gain there: 148 ms against 69 in float32 (one thread, AVX2, no VNNI).

Found by measurement, NanoDet-g, 24 frames of vtest.avi to calibrate and 40 later ones to check; agreement with the
float32 model (mAP .5:.95 / .5):

* also behind each convolution, as ONNX Runtime does by itself: .58 / .72; only in front: .90 / .96;
* and not in the last layers before the boxes (3 of 34): .92 / .96;
* ranges by entropy .92 / .96, percentile 99.99 .91 / .96 and 99.999 .93 / .96, extremes of all frames .92 / .96, mean
  of each frame's extremes .94 / .97: one outlier does not stretch the scale, and no histogram holds every tensor
  of every frame in memory. With 64 and 100 frames the last two are .87 / .92 and .90 / .93.
"""

from __future__ import annotations

import copy
import importlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.errors import SuiteError
from gremsy_detector.backends.onnxruntime_providers import in_short
from gremsy_detector.errors import ModelError
from gremsy_model_tools.precision.decoding_tail import LAYERS, decoding_tail
from gremsy_model_tools.precision.onnx_file import (
    image_inputs,
    import_onnx,
    import_onnxruntime,
    metadata_of,
    opset_of,
    read_model,
    set_metadata,
    write_model,
)

# Per-channel scales came with 13.
_LEAST_OPSET = 13
# The least number that float16 holds with all its digits: a smaller scale would be rounded, or become 0, where the
# layers around compute in float16.
_LEAST_SCALE = float(np.finfo(np.float16).tiny)
# What ONNX Runtime's own preparation leaves in the metadata; without it the tool advises to do what has been done.
_PREPARED = {'onnx.quant.pre_process': 'onnxruntime.quant'}


def quantize(model: Any, tensors: Iterable[NDArray[Any]], name: str) -> Any:
    """A copy whose learnt layers compute in int8.

    Args:
        model: an `onnx.ModelProto` that was `simplified`, float32.
        tensors: the model's input for each frame to calibrate on; each is used before the next is asked for.
        name: what to call the model in an error.

    Raises:
        ModelError: when the graph cannot be quantised.
    """
    onnx, runtime = import_onnx(), import_onnxruntime()
    tool = _quantization_tool()
    opset = opset_of(model)
    if opset < _LEAST_OPSET:
        raise ModelError(
            f'Model file {name} is of ONNX opset {opset}, which has no scales per channel: '
            f'export it with opset {_LEAST_OPSET} or later.'
        )
    layers = _layers_to_quantize(model)
    if not layers:
        raise ModelError(f'Model file {name} has no layers that int8 is for: use precision fp16.')
    metadata = metadata_of(model)
    (entry,) = image_inputs(model)
    with tempfile.TemporaryDirectory(prefix='gremsy_int8_') as scratch:
        source, target = Path(scratch) / 'float.onnx', Path(scratch) / 'int8.onnx'
        prepared = copy.deepcopy(model)
        set_metadata(prepared, {**metadata, **_PREPARED})
        write_model(prepared, source)
        try:
            tool.quantize_static(
                str(source),
                str(target),
                _Feed(entry.name, tensors),
                quant_format=tool.QuantFormat.QDQ,
                activation_type=tool.QuantType.QInt8,
                weight_type=tool.QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=list(LAYERS),
                nodes_to_quantize=layers,
                calibrate_method=tool.CalibrationMethod.MinMax,
                extra_options={
                    'ActivationSymmetric': True,
                    'WeightSymmetric': True,
                    'QuantizeBias': False,
                    # Of 255 symmetric steps.
                    'MinimumRealRange': 254 * _LEAST_SCALE,
                    'OpTypesToExcludeOutputQuantization': list(LAYERS),
                    # In one pass, as here, this is the plain mean of the frames' extremes.
                    'CalibMovingAverage': True,
                },
            )
        except SuiteError:
            raise  # of the frames, which are read from in there
        except Exception as error:  # the tool raises whatever its parts raise
            raise ModelError(
                f'Model file {name} cannot be quantised by ONNX Runtime {runtime.__version__} ({in_short(error)}): '
                'use precision fp16.'
            ) from error
        quantized = read_model(target)
    set_metadata(quantized, metadata)
    _refuse_broken_scales(onnx, quantized, name)
    return quantized


def _layers_to_quantize(model: Any) -> list[str]:
    """Names of the learnt layers but those whose result the boxes are made of."""
    tail = decoding_tail(model)
    read_by_tail = {name for node in model.graph.node if node.name in tail for name in node.input}
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in LAYERS
        and node.name not in tail
        and node.input[1] in constants
        and read_by_tail.isdisjoint(node.output)
    ]


def _refuse_broken_scales(onnx: Any, model: Any, name: str) -> None:
    """A network that answered NaN or infinity while it was calibrated has ranges that mean nothing."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != 'QuantizeLinear' or node.input[1] not in constants:
            continue
        scales = onnx.numpy_helper.to_array(constants[node.input[1]])
        if not np.isfinite(scales).all() or not (scales > 0).all():
            raise ModelError(
                f'Model file {name} computes NaN or infinity on the frames to calibrate on: '
                'check that it works in float32, and give it other frames.'
            )


class _Feed:
    """The frames as ONNX Runtime's calibrator asks for them; it is recognised by having `get_next`."""

    def __init__(self, name: str, tensors: Iterable[NDArray[Any]]) -> None:
        self._name = name
        self._tensors = iter(tensors)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        tensor = next(self._tensors, None)
        return None if tensor is None else {self._name: tensor}


def _quantization_tool() -> Any:
    """`onnxruntime.quantization`, which needs `onnx`."""
    import_onnxruntime()
    try:
        return importlib.import_module('onnxruntime.quantization')
    except ImportError as error:
        raise ModelError(
            f'The quantiser of ONNX Runtime cannot be imported ({in_short(error)}): '
            '`./gremsy setup --extra precision`, or pip install onnx.'
        ) from error
