# SPDX-License-Identifier: Apache-2.0
"""Which back ends there are, and which of them run a given model file, in which order."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gremsy_detector.backends as backends_package
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend import Backend
from gremsy_detector.errors import ModelError

AUTO = 'auto'


def find_backends() -> tuple[type[Backend], ...]:
    """Every `*_backend.py` in `gremsy_detector/backends/`, the preferred first; available here or not."""
    found: list[type[Backend]] = []
    for module in pkgutil.iter_modules(backends_package.__path__):
        if module.name.endswith('_backend'):
            found.append(importlib.import_module(f'{backends_package.__name__}.{module.name}').BACKEND)
    return tuple(sorted(found, key=lambda backend: (-backend.preference, backend.name)))


@dataclass(frozen=True, slots=True)
class BackendOrder:
    """The back ends that can run a file on this machine.

    Attributes:
        candidates: at least one, in the order in which they are tried.
        passed_over: why those that read such files are not available here, name first.
    """

    candidates: tuple[type[Backend], ...]
    passed_over: tuple[str, ...] = ()


def backends_for(model: Path, wanted: str = AUTO, backends: Sequence[type[Backend]] | None = None) -> BackendOrder:
    """The back ends for a model file, by the file's suffix, the preferred first.

    Args:
        model: the file; only its name is looked at.
        wanted: parameter `backend`: a back end's name, which leaves that one alone, or `auto` for all.
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
    candidates: list[type[Backend]] = []
    passed_over: list[str] = []
    for backend in reading:
        reason = backend.unavailable()
        if reason is None:
            candidates.append(backend)
        else:
            passed_over.append(f'{backend.name} {reason}')
    if not candidates:
        raise ModelError(f'Model file {model} cannot be run on this machine: {"; ".join(passed_over)}.')
    return BackendOrder(tuple(candidates), tuple(passed_over))


def builders_of(order: BackendOrder, model: Path) -> BackendOrder:
    """The one back end that parameter `build_only` asks to build: the first that builds at all.

    Raises:
        ModelError: when none of them builds anything.
    """
    builders = tuple(backend for backend in order.candidates if backend.builds)
    if not builders:
        reasons = [*order.passed_over, *(f'{backend.name} runs the file as it is' for backend in order.candidates)]
        raise ModelError(
            f'Parameter `build_only` is true, but nothing here builds an engine from {model} ({"; ".join(reasons)}): '
            'run it where TensorRT is, or set `build_only` to false.'
        )
    return BackendOrder(builders[:1], order.passed_over)


def choose_backend(model: Path, wanted: str = AUTO, backends: Sequence[type[Backend]] | None = None) -> type[Backend]:
    """The first of `backends_for`, for who needs no other.

    Raises:
        ParameterError, ModelError: see `backends_for`.
    """
    return backends_for(model, wanted, backends).candidates[0]
