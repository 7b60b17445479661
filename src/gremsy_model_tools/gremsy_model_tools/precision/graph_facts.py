# SPDX-License-Identifier: Apache-2.0
"""What a graph says about itself: its tensors, and the precision that its layers compute in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gremsy_detector.backends.onnxruntime_providers import in_short
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts
from gremsy_model_tools.precision.onnx_file import image_inputs, import_onnx, metadata_of, types_of

_LAYERS = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul')


def facts_of(model: Any, path: Path) -> ModelFacts:
    """The same that a back end reads from the file, without one.

    Args:
        model: an `onnx.ModelProto`.
        path: where it is from.
    """
    return ModelFacts(
        path=path,
        inputs=_tensors(image_inputs(model)),
        outputs=_tensors(model.graph.output),
        metadata=metadata_of(model),
    )


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
    read = {types.get(node.input[0]) for node in model.graph.node if node.op_type in _LAYERS and node.input}
    return 'fp16' if onnx.TensorProto.FLOAT16 in read else 'fp32'


def _tensors(entries: Iterable[Any]) -> tuple[TensorFacts, ...]:
    return tuple(TensorFacts(entry.name, _shape(entry), _dtype(entry)) for entry in entries)


def _shape(entry: Any) -> tuple[int | str | None, ...]:
    return tuple(
        dimension.dim_value if dimension.HasField('dim_value') else dimension.dim_param or None
        for dimension in entry.type.tensor_type.shape.dim
    )


def _dtype(entry: Any) -> str:
    onnx = import_onnx()
    kind = entry.type.tensor_type.elem_type
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(kind))
    except KeyError:
        return f'type {kind}'
