# SPDX-License-Identifier: Apache-2.0
"""What a model file says about itself: how to feed it, and how to read its answer.

Nothing here is configured: layout, class names, stride, size and resize mode are read from the file (its tensors and
the metadata that Ultralytics writes), and a file that fits nothing known is refused with what was found.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gremsy_detector.class_names import parse_class_names
from gremsy_detector.errors import ModelError
from gremsy_detector.model_facts import ModelFacts, TensorFacts

# A dynamic input without `imgsz` gets the size that Ultralytics exports by default.
_DEFAULT_SIDE_PX = 640
# 4096: the network input alone would be 200 MB of float32; beyond it a file is hostile or a mistake.
_LARGEST_SIDE_PX = 4096
_DEFAULT_STRIDE_PX = 32
_KNOWN_INPUTS = '[1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8'
_KNOWN_OUTPUTS = '[1, 4+classes, N] (YOLOv8, 11), [1, N, 4+classes] (transposed) and [1, N, 6] (end-to-end)'


class Layout(Enum):
    """How the output tensor lays its boxes out; nc is the number of classes, N that of boxes."""

    DENSE = '[1, 4+nc, N]'
    """cx, cy, w, h in input pixels, then a score per class; a column per anchor."""
    TRANSPOSED = '[1, N, 4+nc]'
    """The same, a row per anchor."""
    END_TO_END = '[1, N, 6]'
    """x_min, y_min, x_max, y_max in input pixels, score, class index; duplicates already suppressed."""


class ResizeMode(Enum):
    """How an image is brought to the network's size; what the network was trained with."""

    LETTERBOX = 'letterbox'
    STRETCH = 'stretch'


@dataclass(frozen=True, slots=True)
class InputDescription:
    """The network's input tensor.

    Attributes:
        name: of the tensor.
        width_px, height_px: of the image that the network sees.
        dtype: `float32` or `float16` (values 0..1), or `uint8` (values 0..255, scaled inside the graph).
        channels_last: [1, H, W, 3] instead of [1, 3, H, W].
        bgr: the channels are blue, green, red instead of red, green, blue (metadata key `channel_order`).
        resize: metadata key `resize`; letterbox where absent, which is what Ultralytics trains with.
    """

    name: str
    width_px: int
    height_px: int
    dtype: str
    channels_last: bool
    bgr: bool
    resize: ResizeMode

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
    layout: Layout
    class_names: tuple[str, ...]
    stride_px: int
    box_count: int
    """N: how many boxes the output has room for."""
    title: str
    """The file's own description, or its name."""


def describe_input(facts: ModelFacts, resize: str = 'auto') -> InputDescription:
    """How to feed the model; dynamic axes take `imgsz` of the metadata.

    Args:
        facts: what the back end read from the file.
        resize: `letterbox` or `stretch` whatever the file says, or `auto` for what it says.

    Raises:
        ModelError: when the file does not take one image in a known form.
    """
    path = facts.path
    _refuse_other_tasks(facts)
    if len(facts.inputs) != 1:
        raise _unlike_input(path, facts.inputs)
    tensor = facts.inputs[0]
    if len(tensor.shape) != 4 or tensor.dtype not in ('float32', 'float16', 'uint8'):
        raise _unlike_input(path, facts.inputs)
    channels_last = tensor.shape[1] != 3 and tensor.shape[3] == 3
    batch, channels, height, width = (tensor.shape[axis] for axis in ((0, 3, 1, 2) if channels_last else (0, 1, 2, 3)))
    if (isinstance(batch, int) and batch not in (1, -1)) or channels != 3:
        raise _unlike_input(path, facts.inputs)
    if channels_last and tensor.dtype != 'uint8':
        raise _unlike_input(path, facts.inputs)
    stated_height, stated_width = _image_size(path, facts.metadata)
    height_px = height if isinstance(height, int) and height > 0 else stated_height
    width_px = width if isinstance(width, int) and width > 0 else stated_width
    if not (1 <= height_px <= _LARGEST_SIDE_PX and 1 <= width_px <= _LARGEST_SIDE_PX):
        raise ModelError(
            f'Model file {path} asks for an input of {width_px}x{height_px} pixels: '
            f'export it with a side of at most {_LARGEST_SIDE_PX}.'
        )
    return InputDescription(
        name=tensor.name,
        width_px=width_px,
        height_px=height_px,
        dtype=tensor.dtype,
        channels_last=channels_last,
        bgr=_one_of(path, facts.metadata, 'channel_order', ('rgb', 'bgr')) == 'bgr',
        resize=ResizeMode(
            _one_of(path, facts.metadata, 'resize', ('letterbox', 'stretch')) if resize == 'auto' else resize
        ),
    )


def describe(facts: ModelFacts, output_shapes: Sequence[tuple[int, ...]], resize: str = 'auto') -> ModelDescription:
    """The whole description, from the file and the shapes that it really answers with.

    Args:
        facts: what the back end read from the file, where axes may be dynamic.
        output_shapes: of the tensors that one run on an input of `describe_input` gave, none dynamic.
        resize: see `describe_input`.

    Raises:
        ModelError: when the output fits no known layout; with what was found and what is known.
    """
    names = _names(facts)
    layout, box_count, class_count = _layout_of(facts, output_shapes, names)
    return ModelDescription(
        path=facts.path,
        input=describe_input(facts, resize),
        layout=layout,
        # Ultralytics names classes `class0`, ... where nobody did.
        class_names=names if names is not None else tuple(f'class{index}' for index in range(class_count)),
        stride_px=_stride(facts),
        box_count=box_count,
        title=facts.metadata.get('description') or facts.path.name,
    )


def _layout_of(
    facts: ModelFacts, shapes: Sequence[tuple[int, ...]], names: tuple[str, ...] | None
) -> tuple[Layout, int, int]:
    """Layout, N and the number of classes."""
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 1 or 0 in shapes[0][:2]:
        raise _unlike_output(facts, shapes, names)
    _, rows, columns = shapes[0]
    if names is None:
        if columns == 6 and _says_end_to_end(facts.metadata, default=rows <= 300):
            raise ModelError(
                f'Model file {facts.path} has an end-to-end output [1, {rows}, 6] but no `names` in its metadata, '
                'so its classes are unknown: export it again with Ultralytics, or add the names.'
            )
        # Boxes outnumber classes in every network this decoder knows (3549 or 8400 against 80).
        layout = Layout.DENSE if rows < columns else Layout.TRANSPOSED
        class_count = min(rows, columns) - 4
        if class_count < 1:
            raise _unlike_output(facts, shapes, names)
        return layout, max(rows, columns), class_count
    values = 4 + len(names)
    # 300: the most that any exporter keeps after suppression by default; dense networks have thousands of anchors.
    # Only a two-class network needs this guess, where 4+nc is 6 as well.
    if columns == 6 and _says_end_to_end(facts.metadata, default=values != 6 or rows <= 300):
        return Layout.END_TO_END, rows, len(names)
    if rows == values:
        return Layout.DENSE, columns, len(names)
    if columns == values:
        return Layout.TRANSPOSED, rows, len(names)
    raise _unlike_output(facts, shapes, names)


def _says_end_to_end(metadata: Mapping[str, str], *, default: bool) -> bool:
    """Ultralytics writes `end2end`, and its export arguments (with `nms`) under `args`."""
    if metadata.get('end2end', '').lower() == 'true':
        return True
    arguments = _literal(metadata.get('args', ''))
    if isinstance(arguments, dict) and arguments.get('nms') is True:
        return True
    return default


def _names(facts: ModelFacts) -> tuple[str, ...] | None:
    text = facts.metadata.get('names')
    if text is None:
        return None
    try:
        return parse_class_names(text)
    except ValueError as error:
        raise ModelError(
            f"Model file {facts.path} has metadata `names` that {error}: write it as {{0: 'person', 1: 'bicycle'}}."
        ) from error


def _refuse_other_tasks(facts: ModelFacts) -> None:
    task = facts.metadata.get('task', 'detect')
    if task != 'detect':
        raise ModelError(
            f"Model file {facts.path} is a '{task}' model: the detector needs one whose task is 'detect', "
            'for example yolo11n.onnx instead of yolo11n-seg.onnx.'
        )


def _image_size(path: Path, metadata: Mapping[str, str]) -> tuple[int, int]:
    """Height and width from `imgsz` (`[416, 416]` or `416`)."""
    if 'imgsz' not in metadata:
        return _DEFAULT_SIDE_PX, _DEFAULT_SIDE_PX
    value = _literal(metadata['imgsz'])
    sides = [value, value] if isinstance(value, int) else value
    if isinstance(sides, list | tuple) and len(sides) == 2 and all(type(side) is int for side in sides):
        return sides[0], sides[1]
    raise ModelError(f"Model file {path} has metadata `imgsz` = '{metadata['imgsz']}': write it as [height, width].")


def _stride(facts: ModelFacts) -> int:
    text = facts.metadata.get('stride', str(_DEFAULT_STRIDE_PX))
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 4 or int(text) < 1:
        raise ModelError(
            f"Model file {facts.path} has metadata `stride` = '{text}': write it as whole pixels, like 32."
        )
    return int(text)


def _one_of(path: Path, metadata: Mapping[str, str], key: str, choices: tuple[str, ...]) -> str:
    """A metadata value; the first choice where the key is absent."""
    value = metadata.get(key, choices[0])
    if value not in choices:
        raise ModelError(f"Model file {path} has metadata `{key}` = '{value}': use {' or '.join(choices)}.")
    return value


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text[:4096])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _unlike_input(path: Path, inputs: Sequence[TensorFacts]) -> ModelError:
    found = '; '.join(map(str, inputs)) or 'none'
    return ModelError(f'Model file {path} has the inputs {found}: known is one input, {_KNOWN_INPUTS}.')


def _unlike_output(facts: ModelFacts, shapes: Sequence[tuple[int, ...]], names: tuple[str, ...] | None) -> ModelError:
    found = '; '.join(str(list(shape)) for shape in shapes) or 'none'
    classes = 'no class names' if names is None else f'{len(names)} class names'
    return ModelError(
        f'Model file {facts.path} answers with the outputs {found} and has {classes}: '
        f'known is one output, {_KNOWN_OUTPUTS}.'
    )
