# SPDX-License-Identifier: Apache-2.0
"""Which back ends there are, and which one runs a given model file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

import gremsy_detector.backends as backends_package
from gremsy_common.parameters import ParameterError
from gremsy_detector.backend import Backend
from gremsy_detector.errors import ModelError

AUTO = 'auto'


def find_backends() -> tuple[type[Backend], ...]:
    """Every back end in `gremsy_detector/backends/`, the preferred first; available here or not."""
    found: list[type[Backend]] = []
    for module in pkgutil.iter_modules(backends_package.__path__):
        found.append(importlib.import_module(f'{backends_package.__name__}.{module.name}').BACKEND)
    return tuple(sorted(found, key=lambda backend: (-backend.preference, backend.name)))


def choose_backend(model: Path, wanted: str = AUTO, backends: Sequence[type[Backend]] | None = None) -> type[Backend]:
    """The back end for a model file, by the file's suffix.

    Args:
        model: the file; only its name is looked at.
        wanted: parameter `backend`: a back end's name, or `auto` for the preferred one that is available.
        backends: to choose from; None for all that are found.

    Raises:
        ParameterError: when no back end is called `wanted`.
        ModelError: when none reads such a file, or those that do are not available here.
    """
    known = find_backends() if backends is None else tuple(backends)
    named = [backend for backend in known if wanted in (AUTO, backend.name)]
    if not named:
        names = ', '.join([AUTO, *(backend.name for backend in known)])
        raise ParameterError(f"Parameter `backend` is '{wanted}': use one of {names}.")
    reading = [backend for backend in named if model.suffix.lower() in backend.suffixes]
    if not reading:
        readable = '; '.join(f'{backend.name} reads {", ".join(backend.suffixes)}' for backend in named)
        raise ModelError(f"Model file {model} has an unknown ending '{model.suffix}': {readable}.")
    reasons: list[str] = []
    for backend in reading:
        reason = backend.unavailable()
        if reason is None:
            return backend
        reasons.append(f'{backend.name} {reason}')
    raise ModelError(f'Model file {model} cannot be run on this machine: {"; ".join(reasons)}.')
