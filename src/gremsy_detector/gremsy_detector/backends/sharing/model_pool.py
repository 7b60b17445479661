# SPDX-License-Identifier: Apache-2.0
"""The models that the detectors of one process have open, each once for all who want the same."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from gremsy_detector.backends.backend import Backend, BackendOptions, say_nothing
from gremsy_detector.backends.sharing.shared_model import Member, SharedBackend, SharedModel, never_due


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
        # Its members hold a model: when the last one has left, it is gone from here too.
        self._models: weakref.WeakValueDictionary[ModelKey, SharedModel] = weakref.WeakValueDictionary()
        self._opening: dict[ModelKey, threading.Lock] = {}

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

        def join(member: Member) -> SharedModel:
            key = ModelKey.of(kind, path, options, batch)
            return self._join(key, member, lambda: SharedModel(kind(path, options), batch=batch, say=options.say))

        return SharedBackend(name, due, join, self._unlike)

    def _join(self, key: ModelKey, member: Member, make: Callable[[], SharedModel]) -> SharedModel:
        """The open model of that key, opened where nobody has it."""
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
            return model

    def _unlike(self, member: Member) -> dict[str, list[str]]:
        """Who else has a model open, but another: by name, the parameters that differ."""
        with self._mutex:
            models = dict(self._models)
        key = next((each for each, model in models.items() if member in model.members), None)
        if key is None:
            return {}
        return {
            other.name: key.differences(each)
            for each, model in models.items()
            if each != key
            for other in model.members
        }
