# SPDX-License-Identifier: Apache-2.0
"""Where ONNX Runtime is imported, and which of its execution providers runs a model: the best that really works.

Nothing else imports it, because what it reports home must be off before it is imported.

A provider may be listed and yet not load (a CUDA library of another version), and ONNX Runtime then goes on with the
CPU without a word: what a session really runs on is asked of the session.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.model.model_facts import TensorFacts

AUTO = 'auto'
ERRORS_ONLY = 3
"""Of ONNX Runtime's logging severities."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`short` is what parameter `provider` calls it, `name` what ONNX Runtime does, `title` what people do."""

    short: str
    name: str
    title: str


CUDA = Provider('cuda', 'CUDAExecutionProvider', 'CUDA')
TENSORRT = Provider('tensorrt', 'TensorrtExecutionProvider', 'TensorRT')
OPENVINO = Provider('openvino', 'OpenVINOExecutionProvider', 'OpenVINO')
CPU = Provider('cpu', 'CPUExecutionProvider', 'CPU')
PROVIDERS = (CUDA, TENSORRT, OPENVINO, CPU)
# Not TensorRT: it builds its engine at every start, minutes long, unless somebody asked for it.
_PREFERRED = (CUDA, OPENVINO, CPU)

_DTYPES = {
    'tensor(float)': 'float32',
    'tensor(float16)': 'float16',
    'tensor(uint8)': 'uint8',
    'tensor(double)': 'float64',
    'tensor(int32)': 'int32',
    'tensor(int64)': 'int64',
}

MakeSession = Callable[[list[str], list[dict[str, Any]]], Any]


def load_onnxruntime() -> Any:
    """The module `onnxruntime`, with its telemetry and its warnings off.

    By its mere import it otherwise writes an id of this device and a queue of events for its maker into
    ~/.cache/Microsoft (seen with 1.32). Who has set ORT_DISABLE_TELEMETRY, has decided.

    What is logged outside a session does not heed the session's severity: at every start on CUDA, 1.31 warns that it
    found "no registered plugin EP device", and uses CUDA all the same.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    runtime = importlib.import_module('onnxruntime')
    runtime.set_default_logger_severity(ERRORS_ONLY)
    return runtime


def providers_to_try(wanted: str, available: Sequence[str]) -> tuple[Provider, ...]:
    """Those to try, one after the other; the CPU is always the last.

    Args:
        wanted: parameter `provider`: `auto`, or one by its short name.
        available: what ONNX Runtime says it was built with.

    Raises:
        ParameterError: for a name that nobody knows or that this ONNX Runtime lacks, with those that it has.
    """
    there = [provider for provider in PROVIDERS if provider.name in available]
    if wanted == AUTO:
        return tuple(provider for provider in _PREFERRED if provider in there)
    choices = ', '.join([AUTO, *(provider.short for provider in there)])
    named = next((provider for provider in PROVIDERS if provider.short == wanted), None)
    if named is None:
        raise ParameterError(f"Parameter `provider` is '{wanted}': use one of {choices}.")
    if named not in there:
        raise ParameterError(
            f"Parameter `provider` is '{wanted}', which this ONNX Runtime was built without: use one of {choices}, or "
            f'install an ONNX Runtime with {named.title}.'
        )
    return (named, CPU) if named is not CPU and CPU in there else (named,)


def open_session(
    make: MakeSession,
    providers: Sequence[Provider],
    options: Mapping[Provider, dict[str, Any]],
    say: Callable[[str], None],
) -> tuple[Any, Provider]:
    """The first session that really runs on the provider that it was made for.

    Args:
        make: takes provider names and their options, gives a session or raises.
        providers: to try, in order.
        options: of those providers that have any.
        say: called for every provider that did not load.

    Returns:
        The session, and what it runs on.

    Raises:
        Exception: what `make` raised with the last provider: then it is the model's fault.
    """
    for provider, following in itertools.pairwise(providers):
        names = [provider.name, *([CUDA.name] if provider is TENSORRT else []), CPU.name]
        try:
            session = make(names, [options.get(provider, {}), *({} for _ in names[1:])])
        except Exception as error:  # noqa: BLE001 - its exceptions share no other base, and the last try has them all
            reason = in_short(error)
        else:
            actual = list(session.get_providers())
            if actual[:1] == [provider.name]:
                return session, provider
            reason = 'ONNX Runtime went on without it; its library or a driver is missing or of another version'
            del session
        say(f'ONNX Runtime cannot use {provider.title} ({reason}): trying {following.title}.')
    last = providers[-1]
    return make([last.name], [options.get(last, {})]), last


def facts_of(tensor: Any) -> TensorFacts:
    """A session's word for a tensor in ours."""
    return TensorFacts(tensor.name, tuple(tensor.shape), _DTYPES.get(tensor.type, tensor.type))


def in_short(error: Exception) -> str:
    """The first line of what ONNX Runtime says, without its code, its source's file names and the full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r'^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ', '', lines[0])
    text = re.sub(r'^Load model from .* failed: ?', '', text)
    text = re.sub(r'/\S+\.(cc|h):\d+ \S.*?\) ', '', text)
    return text[:200].rstrip('. ')
