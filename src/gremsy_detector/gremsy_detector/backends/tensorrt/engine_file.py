# SPDX-License-Identifier: Apache-2.0
"""Engine files: our own, whose header states what they were built for, and Ultralytics', which carry its metadata.

Ours: 16 bytes of magic, the header's length (4 bytes, little-endian), the header (JSON), the plan. The header holds the
plan's length and SHA-256, so that a truncated or damaged file is found before TensorRT sees it.
Ultralytics': the metadata's length (4 bytes, little-endian), the metadata (JSON), the plan.
"""

from __future__ import annotations

import errno
import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gremsy_common.atomic_file import write_whole
from gremsy_detector.backends.tensorrt.engine_key import EngineKey
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_facts import TensorFacts

MAGIC = b'GREMSY-ENGINE-1\n'
_LENGTH_BYTES = 4
# Class names of the largest vocabularies take about 200 kB.
_LONGEST_HEADER_BYTES = 4 * 1024 * 1024
BUILD_AGAIN = 'build it again with `ros2 run gremsy_model_tools build_engine MODEL.onnx`'


class EngineDamaged(ModelError):
    """An engine file is not whole."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f'Engine {path} is damaged ({reason}): {BUILD_AGAIN}.')
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EngineHeader:
    """What stands before the plan.

    Attributes:
        key: what it was built from and for.
        precision: what it computes in, where the key's was asked for and lost too much.
        model: the ONNX file, as an absolute path on the machine that built it.
        inputs, outputs: of the network as built.
        metadata: of the ONNX file that was built (its preparation may have changed the user's).
        built_at: UTC, ISO 8601; for people.
        plan_bytes, plan_sha256: of what follows.
    """

    key: EngineKey
    precision: str
    model: str
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    metadata: Mapping[str, str]
    built_at: str
    plan_bytes: int = 0
    plan_sha256: str = ''


@dataclass(frozen=True, slots=True)
class EngineFile:
    """A file that was read whole; `header` is None for one of Ultralytics', whose plan alone says whether it fits.

    `fresh` ones were built by this process just now: to build one again would give the same. `as_it_is` says why the
    graph was not rewritten, where that was asked for.
    """

    path: Path
    header: EngineHeader | None
    metadata: Mapping[str, str]
    plan: bytes
    fresh: bool = False
    as_it_is: str = ''


def write_engine(path: Path, header: EngineHeader, plan: bytes, scratch: Path | None = None) -> None:
    """Write the whole file or nothing; see `write_whole`.

    Raises:
        OSError: when the disk refuses.
    """
    head = json.dumps(_to_json(header, plan), ensure_ascii=False).encode()
    write_whole(path, MAGIC + len(head).to_bytes(_LENGTH_BYTES, 'little') + head, plan, scratch=scratch)


def read_header(path: Path) -> EngineHeader | None:
    """The header alone, for searching a folder; None when the file is not ours or its header is damaged."""
    try:
        with _opened(path) as file:
            return _read_header(file) if file.read(len(MAGIC)) == MAGIC else None
    except (OSError, ValueError):
        return None


def read_engine(path: Path) -> EngineFile:
    """The whole file, its plan checked against the header.

    Raises:
        ModelError: when it is missing, unreadable, truncated, damaged, or no engine file of a known kind.
    """
    try:
        with _opened(path) as file:
            first = file.read(len(MAGIC))
            if first == MAGIC:
                return _read_ours(path, file)
            file.seek(0)
            return _read_ultralytics(path, file)
    except FileNotFoundError as error:
        raise ModelError(f'Engine {path} does not exist: set `model` to an existing file.') from error
    except IsADirectoryError as error:
        raise ModelError(f'Engine {path} is a folder: set `model` to a file in it.') from error
    except OSError as error:
        raise ModelError(
            f'Engine {path} cannot be read ({error.strerror}): check its permissions and its disk.'
        ) from error
    except ValueError as error:
        raise EngineDamaged(path, str(error)) from error


def _opened(path: Path) -> BinaryIO:
    # Asked before it is opened: a pipe waits for a writer.
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, 'it is no regular file')
    return path.open('rb')


def _read_ours(path: Path, file: BinaryIO) -> EngineFile:
    header = _read_header(file)
    plan = file.read()
    if len(plan) != header.plan_bytes:
        raise ValueError(f'it has {len(plan)} of {header.plan_bytes} bytes')
    if hashlib.sha256(plan).hexdigest() != header.plan_sha256:
        raise ValueError('its content does not match its checksum')
    return EngineFile(path, header, header.metadata, plan)


def _read_header(file: BinaryIO) -> EngineHeader:
    return _from_json(_read_json(file, 'header'))


def _read_json(file: BinaryIO, what: str) -> dict[str, Any]:
    length = int.from_bytes(file.read(_LENGTH_BYTES), 'little')
    if not 2 <= length <= _LONGEST_HEADER_BYTES:
        raise ValueError(f'its {what} would have {length} bytes')
    text = file.read(length)
    if len(text) != length:
        raise ValueError(f'it ends within its {what}')
    try:
        value = json.loads(text.decode())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'its {what} is not JSON') from error
    if not isinstance(value, dict):
        raise ValueError(f'its {what} is not a JSON object')  # noqa: TRY004 - one kind for all damage
    return value


def _read_ultralytics(path: Path, file: BinaryIO) -> EngineFile:
    try:
        metadata = _read_json(file, 'metadata')
    except ValueError as error:
        raise ModelError(
            f'Engine {path} is neither one of build_engine nor one of Ultralytics ({error}), so what it takes and what '
            f'its classes are is unknown: {BUILD_AGAIN}.'
        ) from error
    plan = file.read()
    if not plan:
        raise ValueError('it has no plan after its metadata')
    return EngineFile(path, None, {str(key): _ultralytics_text(value) for key, value in metadata.items()}, plan)


def _ultralytics_text(value: Any) -> str:
    """The form that the same value has in Ultralytics' ONNX files: Python literals, class numbers as numbers."""
    if isinstance(value, dict) and value and all(str(key).isdecimal() for key in value):
        return str({int(key): text for key, text in value.items()})
    return str(value)


def _to_json(header: EngineHeader, plan: bytes) -> dict[str, Any]:
    return {
        'key': header.key.as_json(),
        'precision': header.precision,
        'model': header.model,
        'inputs': [_tensor_to_json(tensor) for tensor in header.inputs],
        'outputs': [_tensor_to_json(tensor) for tensor in header.outputs],
        'metadata': dict(header.metadata),
        'built_at': header.built_at,
        'plan_bytes': len(plan),
        'plan_sha256': hashlib.sha256(plan).hexdigest(),
    }


def _from_json(value: Mapping[str, Any]) -> EngineHeader:
    metadata, key = value.get('metadata'), value.get('key')
    texts = [value.get(name) for name in ('precision', 'model', 'built_at', 'plan_sha256')]
    size = value.get('plan_bytes')
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in (*metadata.values(), *texts)):
        raise ValueError('its header lacks a part')
    if not isinstance(key, dict) or type(size) is not int:
        raise ValueError('its header lacks a part')
    return EngineHeader(
        key=EngineKey.from_json(key),
        precision=value['precision'],
        model=value['model'],
        inputs=_tensors_from_json(value.get('inputs')),
        outputs=_tensors_from_json(value.get('outputs')),
        metadata=metadata,
        built_at=value['built_at'],
        plan_bytes=size,
        plan_sha256=value['plan_sha256'],
    )


def _tensor_to_json(tensor: TensorFacts) -> dict[str, Any]:
    return {'name': tensor.name, 'shape': list(tensor.shape), 'dtype': tensor.dtype}


def _tensors_from_json(value: Any) -> tuple[TensorFacts, ...]:
    try:
        return tuple(TensorFacts(str(each['name']), tuple(each['shape']), str(each['dtype'])) for each in value)
    except (TypeError, KeyError) as error:
        raise ValueError('its header lacks the tensors') from error
