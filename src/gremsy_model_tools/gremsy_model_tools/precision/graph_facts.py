# SPDX-License-Identifier: Apache-2.0
"""The precision that a graph's layers compute in."""

from __future__ import annotations

from typing import Any

from gremsy_detector.backends.onnxruntime_providers import in_short
from gremsy_detector.errors import ModelError
from gremsy_model_tools.precision.decoding_tail import LAYERS
from gremsy_model_tools.precision.onnx_file import import_onnx, types_of


def precision_of(model: Any) -> str:
    """`int8` where anything is quantised, `fp16` where a learnt layer reads float16, else `fp32`.

    What counts is what is computed, not what is stored: the default model keeps float16 weights and casts them up.

    Raises:
        ModelError: when the types of its tensors contradict each other.
    """
    onnx = import_onnx()
    if any(node.op_type in ('QuantizeLinear', 'DequantizeLinear', 'QLinearConv') for node in model.graph.node):
        return 'int8'
    try:
        types = types_of(onnx.shape_inference.infer_shapes(model))
    except Exception as error:  # onnx's and protobuf's share no base class but this
        raise ModelError(f'The model contradicts itself ({in_short(error)}): export it again.') from error
    read = {types.get(node.input[0]) for node in model.graph.node if node.op_type in LAYERS and node.input}
    return 'fp16' if onnx.TensorProto.FLOAT16 in read else 'fp32'
