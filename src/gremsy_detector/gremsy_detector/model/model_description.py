# SPDX-License-Identifier: Apache-2.0
"""What a model file says about itself: how to feed it, and how to read its answer.

Nothing here need be configured: layout, class names, stride, size and resize mode are read from the file (its tensors
and the metadata that Ultralytics writes), and a file that fits nothing known is refused with what was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.errors import ModelError
from gremsy_detector.model.known_layouts import DETR, YOLO, ResizeMode, Triple, UsualInput
from gremsy_detector.model.model_facts import ModelFacts, TensorFacts
from gremsy_detector.model.model_metadata import (
    class_names_of,
    image_size_px,
    one_of,
    says_detr,
    shortened,
    stride_px,
    three_numbers,
)
from gremsy_detector.model.output_layout import KNOWN_OUTPUTS, Layout, OutputDescription, describe_output, stated_layout

__all__ = [
    'KNOWN_OUTPUTS',
    'RESIZE_CHOICES',
    'InputDescription',
    'Layout',
    'ModelDescription',
    'OutputDescription',
    'ResizeMode',
    'describe',
    'describe_input',
]

# 4096: the network input alone would be 200 MB of float32; beyond it a file is hostile or a mistake.
_LARGEST_SIDE_PX = 4096
# 1 GiB of float32; a 4096x4096 input with COCO's classes answers with a tenth.
_MOST_OUTPUT_NUMBERS = 2**28
_KNOWN_INPUTS = '[1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8'
_AUTO = 'auto'
# On a line of its own, and in vision_info.
_LONGEST_TITLE = 200


RESIZE_CHOICES = (_AUTO, *(mode.value for mode in ResizeMode))
"""What parameter `resize` may be; `auto` is what the file says."""


@dataclass(frozen=True, slots=True)
class InputDescription:
    """The network's input tensor.

    Attributes:
        name: of the tensor.
        width_px, height_px: of the image that the network sees.
        dtype: `float32` or `float16`, or `uint8` (values 0..255, scaled inside the graph).
        channels_last: [1, H, W, 3] instead of [1, 3, H, W].
        bgr: the channels are blue, green, red instead of red, green, blue (metadata key `channel_order`).
        resize: parameter `resize`, else metadata key `resize`, else what is usual for the layout (`usual_input`).
        mean, std: of each channel in the tensor's order: a float tensor takes (pixel - mean) / std of pixels 0..255
            (metadata keys `mean` and `std`, else what is usual; Ultralytics' 0 and 255 make 0..1).
    """

    name: str
    width_px: int
    height_px: int
    dtype: str
    channels_last: bool
    bgr: bool
    resize: ResizeMode
    mean: Triple = YOLO.mean
    std: Triple = YOLO.std

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the tensor."""
        if self.channels_last:
            return (1, self.height_px, self.width_px, 3)
        return (1, 3, self.height_px, self.width_px)


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """Everything the detector needs to know about a model."""

    path: Path
    input: InputDescription
    output: OutputDescription
    class_names: tuple[str, ...]
    stride_px: int
    title: str
    """The file's own description, or its name."""
    inputs: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    """The tensors as the file declares them, where axes may be dynamic."""

    @property
    def layout(self) -> Layout:
        """Of the output."""
        return self.output.layout

    @property
    def box_count(self) -> int:
        """N: how many boxes the output has room for."""
        return self.output.box_count


def describe_input(facts: ModelFacts, resize: str = _AUTO) -> InputDescription:
    """How to feed the model; dynamic axes take `imgsz` of the metadata.

    Args:
        facts: what the back end read from the file.
        resize: parameter `resize`: `auto`, or the mode to use whatever the file says.

    Raises:
        ModelError: when the file does not take one image in a known form, or would answer with more than memory holds.
        ParameterError: when there is no such mode.
    """
    path = facts.path
    _refuse_other_tasks(facts)
    _refuse_huge_outputs(facts)
    if len(facts.inputs) != 1:
        raise _unlike_input(path, facts.inputs)
    tensor = facts.inputs[0]
    if len(tensor.shape) != 4 or tensor.dtype not in ('float32', 'float16', 'uint8'):
        raise _unlike_input(path, facts.inputs)
    channels_last = tensor.shape[1] != 3 and tensor.shape[3] == 3
    batch, channels, height, width = (tensor.shape[axis] for axis in ((0, 3, 1, 2) if channels_last else (0, 1, 2, 3)))
    if channels != 3 or (channels_last and tensor.dtype != 'uint8'):
        raise _unlike_input(path, facts.inputs)
    if isinstance(batch, int) and batch not in (1, -1):
        raise ModelError(f'Model file {path} takes {batch} images at a time: export it with batch=1.')
    stated_height, stated_width = image_size_px(facts)
    height_px = height if isinstance(height, int) and height > 0 else stated_height
    width_px = width if isinstance(width, int) and width > 0 else stated_width
    if not (1 <= height_px <= _LARGEST_SIDE_PX and 1 <= width_px <= _LARGEST_SIDE_PX):
        raise ModelError(
            f'Model file {path} asks for an input of {width_px}x{height_px} pixels: '
            f'export it with a side of at most {_LARGEST_SIDE_PX}.'
        )
    stated = stated_layout(facts)
    usual = DETR if says_detr(facts.metadata) else YOLO
    fed = InputDescription(tensor.name, width_px, height_px, tensor.dtype, channels_last, False, usual.resize)
    return _as_stated(fed, facts, resize, usual if stated is None else stated.usual_input)


def describe(facts: ModelFacts, outputs: Sequence[NDArray[Any]], resize: str = _AUTO) -> ModelDescription:
    """The whole description, from the file and one answer of it.

    Args:
        facts: what the back end read from the file, where axes may be dynamic.
        outputs: what one run on an input of `describe_input` gave: their true shapes, and values that tell pixels from
            fractions.
        resize: parameter `resize`, as for `describe_input`.

    Raises:
        ModelError: when the output fits no known layout; with what was found and what is known.
        ParameterError: when there is no such resize mode.
    """
    fed = describe_input(facts, resize)
    names = class_names_of(facts)
    output = describe_output(facts, outputs, names, (fed.width_px, fed.height_px))
    return ModelDescription(
        path=facts.path,
        # Of what family it is may show in its answer only.
        input=_as_stated(fed, facts, resize, output.layout.usual_input),
        output=output,
        # Ultralytics names classes `class0`, ... where nobody did.
        class_names=names if names is not None else tuple(f'class{index}' for index in range(output.class_count)),
        stride_px=stride_px(facts),
        title=shortened(facts.metadata.get('description', ''), _LONGEST_TITLE) or facts.path.name,
        inputs=facts.inputs,
        outputs=facts.outputs,
    )


def _as_stated(fed: InputDescription, facts: ModelFacts, wanted: str, usual: UsualInput) -> InputDescription:
    """Fed as the parameter says, else the file, else as is usual."""
    path, metadata = facts.path, facts.metadata
    if wanted not in RESIZE_CHOICES:
        raise ParameterError(f"Parameter `resize` is '{wanted}': use one of {', '.join(RESIZE_CHOICES)}.")
    # The file's word is read even where it is overruled: a spoiled one shows early.
    modes = tuple(mode.value for mode in ResizeMode)
    resize = one_of(path, metadata, 'resize', modes, usual.resize.value)
    return replace(
        fed,
        bgr=one_of(path, metadata, 'channel_order', ('rgb', 'bgr'), 'bgr' if usual.bgr else 'rgb') == 'bgr',
        resize=ResizeMode(resize if wanted == _AUTO else wanted),
        mean=three_numbers(path, metadata, 'mean', usual.mean, positive=False),
        std=three_numbers(path, metadata, 'std', usual.std, positive=True),
    )


def _refuse_other_tasks(facts: ModelFacts) -> None:
    task = facts.metadata.get('task', 'detect')
    if task != 'detect':
        raise ModelError(
            f"Model file {facts.path} is a '{shortened(task)}' model: the detector needs one whose task is 'detect', "
            'for example yolo11n.onnx instead of yolo11n-seg.onnx.'
        )


def _refuse_huge_outputs(facts: ModelFacts) -> None:
    for tensor in facts.outputs:
        if math.prod(size for size in tensor.shape if isinstance(size, int) and size > 0) > _MOST_OUTPUT_NUMBERS:
            raise ModelError(
                f'Model file {facts.path} answers with {tensor}, more than {_MOST_OUTPUT_NUMBERS} numbers: '
                'export it for a smaller image.'
            )


def _unlike_input(path: Path, inputs: Sequence[TensorFacts]) -> ModelError:
    found = '; '.join(map(str, inputs)) or 'none'
    return ModelError(f'Model file {path} has the inputs {found}: one input is supported, {_KNOWN_INPUTS}.')
