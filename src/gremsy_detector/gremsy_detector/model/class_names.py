# SPDX-License-Identifier: Apache-2.0
"""The class names of a model: read from its metadata, and looked up by name."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gremsy_common.parameters.parameter_fields import ParameterError

# 64 kB: the 1203 names of LVIS take 20 kB; a longer literal is not a list of names but an attack on the parser.
_LONGEST_LITERAL = 65536


def parse_class_names(text: str) -> tuple[str, ...]:
    """Names in the order of their indices, from what Ultralytics writes: a Python dict (or list) literal.

    Args:
        text: `{0: 'person', 1: 'bicycle'}` or `['person', 'bicycle']`.

    Raises:
        ValueError: saying what is wrong, when it is no such literal, or its indices have gaps.
    """
    if len(text) > _LONGEST_LITERAL:
        raise ValueError(f'is {len(text)} characters long')
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError('is not a Python dict or list literal') from error
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        raise ValueError('is not a dict or list with at least one name')
    if any(isinstance(index, bool) or not isinstance(index, int) for index in value):
        raise ValueError('has an index that is not an integer')
    if set(value) != set(range(len(value))):
        raise ValueError(f'has {len(value)} names whose indices do not run from 0 to {len(value) - 1}')
    if any(not isinstance(name, str) or not name.strip() for name in value.values()):
        raise ValueError('has a name that is not a text')
    return tuple(value[index] for index in range(len(value)))


def class_mask(wanted: Sequence[str], names: Sequence[str], model: str) -> NDArray[np.bool_] | None:
    """Which class indices are asked for: (nc,) bool, None for all of them (an empty `wanted`).

    Args:
        wanted: class names, parameter `classes`.
        names: the model's class names by index.
        model: what to call the model in an error.

    Raises:
        ParameterError: for a name that the model does not know, with the nearest ones.
    """
    if not wanted:
        return None
    check_known('classes', wanted, names, model)
    return np.isin(np.asarray(names), np.asarray(wanted))


def check_known(parameter: str, wanted: Sequence[str], names: Sequence[str], model: str) -> None:
    """See that the model knows every wanted class.

    Args:
        parameter: that names them, for an error.
        wanted: class names.
        names: the model's class names by index.
        model: what to call the model in an error.

    Raises:
        ParameterError: for a name that the model does not know, with the nearest ones.
    """
    by_folded = {name.casefold(): name for name in names}
    for name in wanted:
        if name in names:
            continue
        near = [by_folded[each] for each in difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)]
        hint = f'did you mean {_or(near)}? ' if near else ''
        raise ParameterError(
            f"Parameter `{parameter}` has '{name}', which is not a class of {model}: {hint}"
            f'`ros2 run gremsy_model_tools model_info` lists its {len(names)} classes.'
        )


def _or(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else ', '.join(quoted[:-1]) + ' or ' + quoted[-1]
