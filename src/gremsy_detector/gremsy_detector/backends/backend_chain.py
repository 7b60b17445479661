# SPDX-License-Identifier: Apache-2.0
"""The back ends that can run a model, tried in their order until one opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend import Backend
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.selection import Selection

MakeDetector = Callable[[type[Backend], Selection], Detector]
"""Makes a detector on a back end of that kind; it is not open yet."""


class BackendChain:
    """An order of back ends, and what became of each; one thread at a time opens."""

    def __init__(
        self, model: Path, order: Sequence[type[Backend]], make: MakeDetector, say: Callable[[str], None]
    ) -> None:
        """Remember; nothing is opened.

        Args:
            model: the file, for errors.
            order: at least one kind of back end, the preferred first.
            make: a detector on one of them.
            say: takes one sentence for each back end that fails while another one is left.
        """
        self._model = model
        self._order = tuple(order)
        self._make = make
        self._say = say
        self._position = 0
        self._failed: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def position(self) -> int:
        """Of the back end that was opened last, in the order."""
        return self._position

    @property
    def name(self) -> str:
        """Of the back end that was opened last."""
        return self._order[self._position].name

    @property
    def states(self) -> str:
        """`tensorrt failed, onnxruntime opened`: the order and what became of each."""
        words = []
        for position, kind in enumerate(self._order):
            if kind.name in self._failed:
                words.append(f'{kind.name} failed')
            else:
                words.append(f'{kind.name} {"opened" if position == self._position else "in reserve"}')
        return ', '.join(words)

    def open(self, selection: Selection, first: int = 0) -> Detector:
        """An open detector on the first back end, from `first` on, that opens.

        Raises:
            ModelError: when none does: the last one's reason, the others' having been reported.
            ParameterError: when the model has not a class that is asked for; no other back end would change that.
        """
        for position in range(first, len(self._order)):
            kind = self._order[position]
            try:
                detector = self._make(kind, selection)
                detector.open()
            except ParameterError:
                raise
            except Exception as error:  # a library's own failures share no base class but this
                failure = _as_model_error(error, kind.name, self._model)
                self._failed[kind.name] = str(failure)
                if position + 1 == len(self._order):
                    raise failure from error
                after = self._order[position + 1].name
                self._say(f'Back end {kind.name} did not open, so {after} is tried: {failure}')
            else:
                self._position = position
                self._failed.pop(kind.name, None)
                return detector
        raise ModelError(f'Model file {self._model} has no back end after number {first}: start the detector again.')


def _as_model_error(error: Exception, name: str, model: Path) -> ModelError:
    if isinstance(error, ModelError):
        return error
    text = str(error) if isinstance(error, SuiteError) else f'{type(error).__name__}: {error}'
    return ModelError(
        f'Back end {name} cannot open {model} ({text.rstrip(". ")}): choose another one with `backend`, or repair it.'
    )
