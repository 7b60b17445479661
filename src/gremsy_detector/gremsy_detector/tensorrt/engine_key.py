# SPDX-License-Identifier: Apache-2.0
"""What an engine was built from and for: two engines with one key can stand in for each other, others cannot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gremsy_detector.errors import ModelError
from gremsy_detector.tensorrt.cuda_probe import Gpu

PRECISIONS = ('model', 'fp32', 'fp16', 'int8')
"""`model` builds the file as it is; the others prepare it first (`gremsy_detector.precision`)."""

# Where exporters put weights that do not fit into the ONNX file: torch, onnx and onnxruntime, in this order.
_EXTERNAL_ENDINGS = ('.data', '_data', '.external')
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class EngineKey:
    """The key of an engine.

    Attributes:
        model_sha256: of the ONNX file that the user has, its external weights included.
        tensorrt_version: that built it.
        gpu: `Gpu.identity`.
        compute_capability: like `8.7`.
        precision: one of `PRECISIONS`.
        shape: of the model's input.
        lean: version-compatible: any TensorRT of the same major version that is not older runs it.
    """

    model_sha256: str
    tensorrt_version: str
    gpu: str
    compute_capability: str
    precision: str
    shape: tuple[int, ...]
    lean: bool = False

    def misfits(self, tensorrt_version: str, gpu: Gpu) -> list[str]:
        """What speaks against running the engine under that TensorRT on that GPU, as parts of a sentence."""
        found = []
        if not self._runs_under(tensorrt_version):
            found.append(f'it was built with TensorRT {self.tensorrt_version} and this machine has {tensorrt_version}')
        if (self.gpu, self.compute_capability) != (gpu.identity, gpu.compute_capability):
            found.append(
                f'it was built for {self.gpu} (compute capability {self.compute_capability}) and this machine has '
                f'{gpu.identity} ({gpu.compute_capability})'
            )
        return found

    def serves(self, wanted: EngineKey) -> bool:
        """Whether an engine of this key can stand in for one of the wanted."""
        like_wanted = replace(self, tensorrt_version=wanted.tensorrt_version, lean=wanted.lean)
        return like_wanted == wanted and self._runs_under(wanted.tensorrt_version) and self.lean >= wanted.lean

    def file_name(self, stem: str) -> str:
        """`yolo11n-fp16-640x640-trt10.3.0-sm87-0123456789ab.engine`: readable, and another name for another key."""
        text = repr([getattr(self, field.name) for field in fields(self)])
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        size = 'x'.join(str(size) for size in self.shape if size not in (1, 3)) or 'any'
        lean = '-lean' if self.lean else ''
        capability = self.compute_capability.replace('.', '')
        name = f'{stem[:80]}-{self.precision}-{size}-trt{self.tensorrt_version}-sm{capability}{lean}-{digest}'
        return re.sub(r'[^A-Za-z0-9._-]', '_', name) + '.engine'

    def as_json(self) -> dict[str, Any]:
        """For a header."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> EngineKey:
        """The inverse of `as_json`.

        Raises:
            ValueError: when a part is missing or of the wrong type.
        """
        texts = ('model_sha256', 'tensorrt_version', 'gpu', 'compute_capability', 'precision')
        shape, lean = value.get('shape'), value.get('lean')
        if not all(isinstance(value.get(name), str) for name in texts) or not isinstance(lean, bool):
            raise ValueError('its key lacks a part')
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise ValueError('its key has no shape')
        return EngineKey(**{name: value[name] for name in texts}, shape=tuple(shape), lean=lean)

    def _runs_under(self, tensorrt_version: str) -> bool:
        if not self.lean:
            return self.tensorrt_version == tensorrt_version
        built, here = _numbers(self.tensorrt_version), _numbers(tensorrt_version)
        return built[:1] == here[:1] and here >= built


def sha256_of_model(model: Path) -> str:
    """Of the file and of the external weights beside it.

    Raises:
        ModelError: when it cannot be read.
    """
    digest = hashlib.sha256()
    beside = [model.with_name(model.name + ending) for ending in _EXTERNAL_ENDINGS]
    try:
        for path in (model, *(path for path in beside if path.is_file())):
            with path.open('rb') as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
    except OSError as error:
        raise ModelError(
            f'Model file {model} cannot be read ({error.strerror}): check its permissions and its disk.'
        ) from error
    return digest.hexdigest()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version))
