# SPDX-License-Identifier: Apache-2.0
"""The models that the detectors of one process have open, each once for all who want the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gremsy_detector.backends.backend import Backend, BackendOptions, say_nothing
from gremsy_detector.backends.sharing.shared_model import Member, SharedModel, never_due
from gremsy_detector.errors import InferenceError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_description import InputDescription
from gremsy_detector.model.model_facts import ModelFacts

NOBODY = 'nobody'


@dataclass(frozen=True, slots=True)
class ModelKey:
    """What two detectors must have in common to share a model.

    Attributes:
        model, backend, batch: as the parameters of that name.
        options: for the back end, without whom it reports to.
        file: time and size of the file: one that was replaced is another model.
    """

    model: Path
    backend: str
    options: BackendOptions
    batch: str
    file: tuple[int, int] | None

    @classmethod
    def of(cls, kind: type[Backend], path: Path, options: BackendOptions, batch: str) -> ModelKey:
        """Of a model file as it lies there now."""
        try:
            status = path.stat()
            file = (status.st_mtime_ns, status.st_size)
        except OSError:
            file = None
        # How many images an engine is for follows from `batch`.
        return cls(path.absolute(), kind.name, replace(options, images=1, say=say_nothing), batch, file)

    def differences(self, other: ModelKey) -> list[str]:
        """The names of the parameters that differ."""
        own, others = (
            {each.name: getattr(part, each.name) for part in (key, key.options) for each in fields(part)}
            for key in (self, other)
        )
        found = [name for name in own if name not in ('options', 'file') and own[name] != others[name]]
        return found or (['model'] if self.file != other.file else [])


class ModelPool:
    """One for a process; every method may be called by any thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._models: dict[ModelKey, SharedModel] = {}
        self._opening: dict[ModelKey, threading.Lock] = {}
        self._members: dict[Member, ModelKey] = {}

    def backend(
        self,
        kind: type[Backend],
        path: Path,
        options: BackendOptions,
        *,
        name: str,
        due: Callable[[], bool] = never_due,
        batch: str = 'auto',
    ) -> SharedBackend:
        """A member's way to the model; nothing is opened yet.

        Args:
            kind: of back end.
            path: of the model file.
            options: for the back end; `say` is that of whoever opens the model first.
            name: of the member, for the others.
            due: whether an image of the member's is about to come; it must neither block nor call back.
            batch: one of `BATCH_CHOICES`.
        """
        return SharedBackend(self, kind, path, options, Member(name, due), batch)

    @property
    def open_models(self) -> int:
        """How many models are in memory."""
        with self._mutex:
            return sum(not each.ended for each in self._models.values())

    def join(self, key: ModelKey, member: Member, make: Callable[[], SharedModel]) -> SharedModel:
        """The open model of that key, opened by `make` where nobody has it.

        Raises:
            ModelError, ParameterError: when it cannot be opened; see `Backend.open`.
        """
        with self._mutex:
            opening = self._opening.setdefault(key, threading.Lock())
        # Building an engine takes minutes: who wants the same one waits for it, whoever wants another does not.
        with opening:
            with self._mutex:
                model = self._models.get(key)
            if model is None or not model.join(member):
                model = make()
                model.open()
                model.join(member)
            with self._mutex:
                self._models[key] = model
                self._members[member] = key
            return model

    def leave(self, key: ModelKey, member: Member, model: SharedModel) -> None:
        """Use it no more."""
        model.leave(member)
        with self._mutex:
            self._members.pop(member, None)
            if model.ended and self._models.get(key) is model:
                del self._models[key]

    def unlike(self, key: ModelKey, member: Member) -> dict[str, list[str]]:
        """Who else has a model open, but another: by name, the parameters that differ."""
        with self._mutex:
            others = [(each.name, own) for each, own in self._members.items() if each is not member and own != key]
        return {name: key.differences(own) for name, own in others}


class SharedBackend:
    """A back end to its detector; in truth a part of one. One thread at a time calls `open` and `infer`."""

    def __init__(
        self, pool: ModelPool, kind: type[Backend], path: Path, options: BackendOptions, member: Member, batch: str
    ) -> None:
        self._pool = pool
        self._kind = kind
        self._path = path
        self._options = options
        self._member = member
        self._batch = batch
        self._key: ModelKey | None = None
        self._model: SharedModel | None = None
        self._description = ''
        # How many images of all members had been answered when the failures in a row began; None while there are none.
        self._failing_since: int | None = None

    def open(self) -> ModelFacts:
        """Open the model, or take part in the one that is open; see `Backend.open`."""
        self.close()
        key = ModelKey.of(self._kind, self._path, self._options, self._batch)

        def make() -> SharedModel:
            return SharedModel(self._kind(self._path, self._options), batch=self._batch, say=self._options.say)

        self._model, self._key = self._pool.join(key, self._member, make), key
        return self._model.facts

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """See `Backend.new_input`."""
        return self._opened().new_input(self._member, shape, dtype)

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """See `TakesPictures`."""
        return self._opened().picture(tensor, form, description)

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `Backend.infer`."""
        model = self._opened()
        answered = model.answered
        try:
            outputs = model.infer(self._member, tensor)
        except InferenceError:
            if self._failing_since is None:
                self._failing_since = answered
            raise
        self._failing_since = None
        return outputs

    def interrupt(self) -> None:
        """See `Interruptible`; who shares the model may lose an image by it, too."""
        model = self._model
        if model is not None:
            model.interrupt()

    def close(self) -> None:
        """Leave the model; where it failed here and answered nobody since, it is at an end for the others too."""
        model, self._model = self._model, None
        if model is None:
            return
        self._description = model.description
        if self._failing_since is not None and model.answered == self._failing_since:
            model.give_up(self._member)
        self._failing_since = None
        assert self._key is not None
        self._pool.leave(self._key, self._member, model)

    @property
    def description(self) -> str:
        """For diagnostics, as the back end's own."""
        model = self._model
        return model.description if model is not None else self._description

    @property
    def shared_with(self) -> str:
        """The others who run this model, or why those who run one run another; for the diagnostics."""
        model, key = self._model, self._key
        if model is None or key is None:
            return ''
        others = model.others(self._member)
        if others:
            return ', '.join(sorted(others))
        unlike = self._pool.unlike(key, self._member)
        return NOBODY + ''.join(
            f'; {name} has another {", ".join(f"`{each}`" for each in differing)}'
            for name, differing in sorted(unlike.items())
        )

    @property
    def images_per_run(self) -> str:
        """How many images go in one run, and why; for the diagnostics."""
        return self._model.images_per_run if self._model is not None else ''

    @property
    def runs_of_several(self) -> int:
        """How many runs had images of several members."""
        return self._model.runs_of_several if self._model is not None else 0

    def _opened(self) -> SharedModel:
        if self._model is None:
            raise InferenceError(f'{self._kind.name} has no model open: call open() first.')
        return self._model
