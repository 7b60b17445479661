# SPDX-License-Identifier: Apache-2.0
"""The key-value texts in a model file, read as Ultralytics writes them: Python literals, never evaluated as code."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from gremsy_detector.errors import ModelError
from gremsy_detector.model.class_names import parse_class_names
from gremsy_detector.model.known_layouts import Triple
from gremsy_detector.model.model_facts import ModelFacts

# A dynamic input without `imgsz` gets the size that Ultralytics exports by default.
_DEFAULT_SIDE_PX = 640
_DEFAULT_STRIDE_PX = 32


def class_names_of(facts: ModelFacts) -> tuple[str, ...] | None:
    """Key `names`, by index; None where the file has none.

    Raises:
        ModelError: when they cannot be read.
    """
    text = facts.metadata.get('names')
    if text is None:
        return None
    try:
        return parse_class_names(text)
    except ValueError as error:
        raise ModelError(
            f"Model file {facts.path} has metadata `names` that {error}: write it as {{0: 'person', 1: 'bicycle'}}."
        ) from error


def image_size_px(facts: ModelFacts) -> tuple[int, int]:
    """Height and width from `imgsz` (`[416, 416]` or `416`)."""
    if 'imgsz' not in facts.metadata:
        return _DEFAULT_SIDE_PX, _DEFAULT_SIDE_PX
    text = facts.metadata['imgsz']
    value = literal(text)
    sides = [value, value] if isinstance(value, int) else value
    if isinstance(sides, list | tuple) and len(sides) == 2 and all(type(side) is int for side in sides):
        return sides[0], sides[1]
    raise ModelError(
        f"Model file {facts.path} has metadata `imgsz` = '{shortened(text)}': write it as [height, width]."
    )


def stride_px(facts: ModelFacts) -> int:
    """Key `stride`."""
    text = facts.metadata.get('stride', str(_DEFAULT_STRIDE_PX))
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 4 or int(text) < 1:
        raise ModelError(
            f"Model file {facts.path} has metadata `stride` = '{shortened(text)}': write it as whole pixels, like 32."
        )
    return int(text)


def one_of(path: Path, metadata: Mapping[str, str], key: str, choices: tuple[str, ...], usual: str) -> str:
    """A metadata value; the usual one where the key is absent."""
    value = metadata.get(key, usual)
    if value not in choices:
        named = f'{", ".join(choices[:-1])} or {choices[-1]}'
        raise ModelError(f"Model file {path} has metadata `{key}` = '{shortened(value)}': use {named}.")
    return value


def three_numbers(path: Path, metadata: Mapping[str, str], key: str, usual: Triple, *, positive: bool) -> Triple:
    """A metadata value of a number for each channel; the usual ones where the key is absent."""
    if key not in metadata:
        return usual
    text = metadata[key]
    value = literal(text)
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(each) in (int, float) for each in value):
        first, second, third = (float(each) for each in value)
        least = 1e-6 if positive else -1e6
        if all(least <= each <= 1e6 for each in (first, second, third)):
            return (first, second, third)
    example = '[57.375, 57.12, 58.395]' if positive else '[103.53, 116.28, 123.675]'
    raise ModelError(
        f"Model file {path} has metadata `{key}` = '{shortened(text)}': write it as {example}, a number for each "
        f'channel in the order of `channel_order`{", above 0" if positive else ""}.'
    )


def says_end_to_end(metadata: Mapping[str, str], *, default: bool) -> bool:
    """Is the network's answer free of duplicates: key `end2end`, or export argument `nms` under `args`."""
    if metadata.get('end2end', '').lower() == 'true':
        return True
    arguments = literal(metadata.get('args', ''))
    if isinstance(arguments, dict) and arguments.get('nms') is True:
        return True
    return default


def says_detr(metadata: Mapping[str, str]) -> bool:
    """Does the file call itself a DETR: key `head` (Ultralytics from 8.4) or `description` (`Ultralytics rtdetr-l`)."""
    return any('detr' in metadata.get(key, '').lower().replace('-', '') for key in ('head', 'description'))


def literal(text: str) -> object:
    """A Python literal; None for anything else."""
    try:
        return ast.literal_eval(text[:4096])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def shortened(text: str, most: int = 60) -> str:
    """What a hostile file says may be a megabyte long, or hold line ends: a sentence takes 60 characters of it."""
    line = ' '.join(text.split())
    return line if len(line) <= most else f'{line[:most]}...'
