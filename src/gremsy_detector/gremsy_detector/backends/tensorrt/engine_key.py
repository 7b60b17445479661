# SPDX-License-Identifier: Apache-2.0
"""What an engine was built from and for: two engines with one key can stand in for each other, others cannot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gremsy_common.machine.cuda_probe import Gpu
from gremsy_detector.backends.tensorrt.tensorrt_kinds import FULL, KINDS, Kind, title_of
from gremsy_detector.errors import ModelError
from gremsy_detector.model.onnx_file_check import files_of_weights

PRECISIONS = ('model', 'fp32', 'fp16', 'int8')
"""`model` builds the file as it is; the others prepare it first (`PrecisionStep`)."""

# Where exporters put weights that do not fit into the ONNX file: torch, onnx and onnxruntime, in this order.
_EXTERNAL_ENDINGS = ('.data', '_data', '.external')
_CHUNK_BYTES = 1 << 20
_ABBREVIATIONS = {kind.name: kind.abbreviation for kind in KINDS}


@dataclass(frozen=True, slots=True)
class EngineTarget:
    """What engines are built with and for: the part of a key that is the machine's.

    Attributes:
        kind, version: of TensorRT.
        hardware: the GPU; None where there is none, and the kind's engines are portable.
    """

    kind: Kind
    version: str
    hardware: Gpu | None

    @property
    def title(self) -> str:
        """Of TensorRT, for people."""
        return f'{self.kind.title} {self.version}'

    @property
    def gpu(self) -> str:
        """See `EngineKey.gpu`."""
        return self.kind.aims_at(self.hardware)[0]

    @property
    def compute_capability(self) -> str:
        """See `EngineKey.compute_capability`."""
        return self.kind.aims_at(self.hardware)[1]


@dataclass(frozen=True, slots=True)
class EngineKey:
    """The key of an engine.

    Attributes:
        model_sha256: of the ONNX file that the user has, its external weights included.
        tensorrt_version: that built it.
        gpu: `Gpu.identity`; empty for every GPU of the compute capability.
        compute_capability: like `8.7`; `8.0+` is what TensorRT for RTX builds for by default.
        precision: one of `PRECISIONS`.
        shape: of the model's input, the largest where the number of images is left open.
        lean: version-compatible: any TensorRT of the same major version that is not older runs it.
        kind: `Kind.name` of the TensorRT that built it.
        graph: what was put into the graph, and in which form; empty for the file as it is.
    """

    model_sha256: str
    tensorrt_version: str
    gpu: str
    compute_capability: str
    precision: str
    shape: tuple[int, ...]
    lean: bool = False
    kind: str = FULL.name
    graph: str = ''

    def misfits(self, target: EngineTarget) -> list[str]:
        """What speaks against running the engine with that TensorRT on that GPU, as parts of a sentence."""
        built_with = f'it was built with {title_of(self.kind)} {self.tensorrt_version}'
        if self.kind != target.kind.name:
            # Versions and GPUs of two kinds cannot be compared.
            return [f'{built_with} and this is {target.title}']
        found = []
        if not self._runs_under(target.version):
            found.append(f'{built_with} and this machine has {target.version}')
        gpu = target.hardware
        if gpu is not None and (self.gpu, self.compute_capability) != (target.gpu, target.compute_capability):
            capability = f'compute capability {self.compute_capability}'
            found.append(
                f'it was built for {f"{self.gpu} ({capability})" if self.gpu else capability} and this machine has '
                f'{gpu.identity} ({gpu.compute_capability})'
            )
        return found

    def serves(self, wanted: EngineKey) -> bool:
        """Whether an engine of this key can stand in for one of the wanted."""
        like_wanted = replace(self, tensorrt_version=wanted.tensorrt_version, lean=wanted.lean)
        return like_wanted == wanted and self._runs_under(wanted.tensorrt_version) and self.lean >= wanted.lean

    def file_name(self, stem: str) -> str:
        """`yolo11n-fp16-640x640-trt10.3.0-sm87-0123456789ab.engine`: readable, and another name for another key."""
        # Engines from before there were two kinds, or another graph, keep their names.
        before = {'kind': FULL.name, 'graph': ''}
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        text = repr([value for name, value in values.items() if name not in before or value != before[name]])
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        size = 'x'.join(str(size) for size in self.shape if size not in (1, 3)) or 'any'
        lean = '-lean' if self.lean else ''
        capability = self.compute_capability.replace('.', '').replace('+', 'up')
        by = f'{_ABBREVIATIONS.get(self.kind, self.kind)}{self.tensorrt_version}'
        graph = f'-{self.graph}' if self.graph else ''
        name = f'{stem[:80]}-{self.precision}-{size}{graph}-{by}-sm{capability}{lean}-{digest}'
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
        # Headers from before there were two kinds, or another graph, name none.
        shape, lean = value.get('shape'), value.get('lean')
        kind, graph = value.get('kind', FULL.name), value.get('graph', '')
        if not all(isinstance(value.get(name), str) for name in texts) or not isinstance(lean, bool):
            raise ValueError('its key lacks a part')
        if not isinstance(kind, str) or not isinstance(graph, str):
            raise ValueError('its key lacks a part')  # noqa: TRY004 - one kind for all damage
        if not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise ValueError('its key has no shape')
        return EngineKey(**{name: value[name] for name in texts}, shape=tuple(shape), lean=lean, kind=kind, graph=graph)

    def _runs_under(self, tensorrt_version: str) -> bool:
        if not self.lean:
            return self.tensorrt_version == tensorrt_version
        built, here = _numbers(self.tensorrt_version), _numbers(tensorrt_version)
        return built[:1] == here[:1] and here >= built


def sha256_of_model(model: Path) -> str:
    """Of the file and of its weights in other files: those that it names, and those that have a usual name beside it.

    Raises:
        ModelError: when it cannot be read.
    """
    digest = hashlib.sha256()
    beside = (model.with_name(model.name + ending) for ending in _EXTERNAL_ENDINGS)
    usual = [path.resolve() for path in beside if path.is_file()]
    try:
        _add(digest, model)
        for path in dict.fromkeys((*usual, *files_of_weights(model))):
            _add(digest, path)
    except OSError as error:
        raise ModelError(
            f'Model file {model} cannot be read ({error.strerror}): check its permissions and its disk.'
        ) from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, path: Path) -> None:
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version))
