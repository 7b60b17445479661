# SPDX-License-Identifier: Apache-2.0
"""Whether the GPU resizes a model's pictures to its input, and how diagnostics describe that."""

from __future__ import annotations

from collections.abc import Callable

from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.gpu.engine_runner import EngineRuns
from gremsy_detector.backends.onnxruntime_providers import in_short
from gremsy_detector.image.picture_form import PictureSlot

_ON_CPU = 'pictures resized on the CPU'


class NotYet(Exception):
    """The engine for these pictures is still being built; the CPU resizes them until it is ready."""


class GpuPictures:
    """Of one model that runs on a GPU."""

    def __init__(self, model: str, options: BackendOptions) -> None:
        """`model` is its file's name."""
        self._model = model
        self._say = options.say
        self._remark = _ON_CPU
        self._refused = False
        self._runs: EngineRuns | None = None

    def slot(self, runs: EngineRuns, ask: Callable[[], PictureSlot]) -> PictureSlot | None:
        """The slot for a picture, from `runs`; None where the CPU resizes it, permanently after an error."""
        if self._refused:
            return None
        try:
            found = ask()
        except NotYet as pending:
            self._remark = f'{_ON_CPU} ({pending})'
            return None
        except Exception as error:  # noqa: BLE001 - TensorRT's, ONNX Runtime's and onnx's share no base class but this
            self.refuse(in_short(error))
            self._say(f'Pictures for {self._model} are resized on the CPU: {in_short(error)}.')
            return None
        self._runs, self._remark = runs, 'pictures resized'
        return found

    def refuse(self, reason: str) -> None:
        """Have the CPU resize all further pictures."""
        self._refused, self._remark = True, f'{_ON_CPU} ({reason.rstrip(". ")})'

    @property
    def remark(self) -> str:
        """For diagnostics: where pictures are resized, and whether they are copied first."""
        if self._runs is None or self._refused:
            return self._remark
        copied = self._runs.pictures.reason
        return f'{self._remark} ({f"copied, {copied}" if copied else "read in place"})'
