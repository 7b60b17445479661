# SPDX-License-Identifier: Apache-2.0
"""One open back end that the detectors of several cameras run, each on a thread of its own.

Where the back end takes several callers at once (ONNX Runtime on the CPU), they run side by side. Else one runs after
the other, the one that waits longest first: as each waits with one image at most, none is starved. Where two images
together take less time than one after the other, those that are due go together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gremsy_detector.backends.backend import Backend, Interruptible, TakesPictures, say_nothing
from gremsy_detector.backends.sharing.image_batch import BatchTrial, ImageBatch, try_two
from gremsy_detector.errors import BackendLostError, InferenceError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_description import InputDescription
from gremsy_detector.model.model_facts import ModelFacts

NOBODY = 'nobody'

BATCH_CHOICES = ('auto', 'always', 'never')
"""Whether images of several cameras go in one run: where it was found to save time, wherever it can be, or not."""

# Waiting longer for another camera's image than half of what one image takes would eat up what a batch can save.
_PATIENCE_OF_A_RUN = 0.5
_LONGEST_PATIENCE_S = 0.02
_LOOK_AGAIN_S = 0.001
_NS_PER_S = 1_000_000_000


def never_due() -> bool:
    """Of a member of which nobody knows whether it has an image due."""
    return False


class Member:
    """One of those that share a model, by name; `due` tells whether an image of its own is about to come."""

    def __init__(self, name: str, due: Callable[[], bool] = never_due) -> None:
        self.name = name
        self.due = due


@dataclass(slots=True, eq=False)
class _Request:
    """One image that waits for its answer."""

    member: Member
    tensor: NDArray[Any]
    outputs: Sequence[NDArray[Any]] | None = None
    error: InferenceError | None = None

    @property
    def answered(self) -> bool:
        return self.outputs is not None or self.error is not None

    def result(self) -> Sequence[NDArray[Any]]:
        if self.error is not None:
            raise self.error
        assert self.outputs is not None
        return self.outputs


class SharedModel:
    """Open from `open` until its last member left, or one found it broken; every method may be called by any thread.

    Attributes:
        answered: how many images were answered, of all members.
        runs_of_several: how many runs had more than one image.
    """

    def __init__(self, backend: Backend, *, batch: str = 'auto', say: Callable[[str], None] = say_nothing) -> None:
        """Remember; nothing is read.

        Args:
            backend: not open.
            batch: one of `BATCH_CHOICES`.
            say: takes a sentence when the back end cannot be closed.
        """
        self._backend = backend
        self._batch = batch
        self._say = say
        self._facts: ModelFacts | None = None
        self._turn = threading.Condition()
        self._members: list[Member] = []
        self._inputs: list[tuple[Member | None, NDArray[Any]]] = []
        self._waiting: list[_Request] = []
        self._busy = False
        self._side_by_side = 0
        self._wanted_alone = 0
        self._ended_because = ''
        self._closed = False
        self._tried: BatchTrial | None = None
        self._batches: dict[int, ImageBatch] = {}
        self.answered = 0
        self.runs_of_several = 0

    @property
    def facts(self) -> ModelFacts:
        """What the back end read from the file."""
        assert self._facts is not None
        return self._facts

    @property
    def description(self) -> str:
        """Of the back end."""
        return self._backend.description

    @property
    def ended(self) -> bool:
        """Whether nobody can use it any more."""
        return bool(self._ended_because)

    @property
    def images_per_run(self) -> str:
        """How many images go in one run, and why."""
        most = self._most_images
        if most < 2:
            return 'one: the model takes one image at a time'
        if self._batch == 'never':
            return 'one: `batch` is never'
        if self._tried is not None:
            return f'{f"up to {most}" if self._batches else "one"}: {self._tried.why}'
        return 'one, several at a time' if self._takes_turns_with_nobody else 'one: nobody shares the model'

    def open(self) -> ModelFacts:
        """Load the file; see `Backend.open`."""
        try:
            self._facts = self._backend.open()
        except BaseException:
            self._backend.close()
            raise
        return self._facts

    def join(self, member: Member) -> bool:
        """Be one of those who use it; False when it has ended in the meantime."""
        with self._turn:
            if self._ended_because:
                return False
            self._members.append(member)
            return True

    def leave(self, member: Member) -> None:
        """Use it no more; the last one closes it."""
        with self._turn:
            if member in self._members:
                self._members.remove(member)
            self._inputs = [(None if owner is member else owner, array) for owner, array in self._inputs]
            if not self._members and not self._ended_because:
                self._ended_because = 'The model was closed, since nobody uses it any more.'
            self._close_once_idle()

    def give_up(self, member: Member) -> None:
        """It fails: nobody is to use it further, and the next who opens it gets a fresh one."""
        with self._turn:
            self._end(f'{member.name}, which shares the model, found it failing')

    @property
    def members(self) -> tuple[Member, ...]:
        """Who uses it now."""
        with self._turn:
            return tuple(self._members)

    def new_input(self, member: Member, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """See `Backend.new_input`; it is the member's until that leaves, and goes to another then.

        Raises:
            BackendLostError: when the model has ended.
        """
        with self._alone():
            array = self._input_for(member, shape, dtype)
            if self._tried is None and len(self._members) > 1 and self._may_batch:
                self._tried = try_two(self._backend, array, always=self._batch == 'always')
                if self._tried.batch is not None:
                    self._batches[2] = self._tried.batch
            return array

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """See `TakesPictures`; images of several members go in one run as the network's input only."""
        if not isinstance(self._backend, TakesPictures) or self._may_batch:
            return None
        with self._alone():
            return self._backend.picture(tensor, form, description)

    def infer(self, member: Member, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `Backend.infer`: the outputs last until the member's next call.

        Raises:
            InferenceError: when this image failed.
            BackendLostError: when the model has ended, or ends with this.
        """
        request = _Request(member, tensor)
        if self._takes_turns_with_nobody:
            self._run_beside_others(request)
        else:
            self._run_in_turn(request)
        return request.result()

    def interrupt(self) -> None:
        """End the runs that go on, where the back end can; see `Interruptible`."""
        if isinstance(self._backend, Interruptible):
            self._backend.interrupt()

    # Inside.

    @property
    def _most_images(self) -> int:
        return self._backend.most_images

    @property
    def _may_batch(self) -> bool:
        if self._most_images < 2 or self._batch == 'never':
            return False
        # Side by side on several cores is faster than together on one.
        return self._batch == 'always' or not self._backend.concurrent

    @property
    def _takes_turns_with_nobody(self) -> bool:
        return self._backend.concurrent and not (self._may_batch and (self._tried is None or self._batches))

    def _run_beside_others(self, request: _Request) -> None:
        with self._turn:
            self._turn.wait_for(lambda: not self._busy and not self._wanted_alone)
            self._refuse_ended()
            self._side_by_side += 1
        try:
            self._run_each([request])
        finally:
            with self._turn:
                self._side_by_side -= 1
                self._turn.notify_all()
                self._close_once_idle()

    def _run_in_turn(self, request: _Request) -> None:
        with self._turn:
            self._refuse_ended()
            self._waiting.append(request)
            self._turn.notify_all()
            self._turn.wait_for(
                lambda: request.answered or (self._idle and not self._wanted_alone and self._waiting[0] is request)
            )
            if request.answered:
                return
            self._busy = True
            self._waiting.remove(request)
        group = [request]
        try:
            group += self._due_with(request)
            self._run(group)
        finally:
            # Nobody is to wait for ever, whatever the library raised here.
            for each in group:
                if not each.answered:
                    each.error = InferenceError(
                        f'The run that {request.member.name} started for all of them broke off.'
                    )
            self._done()

    def _due_with(self, first: _Request) -> list[_Request]:
        """The requests of others that are to go with this one, which is not among those that wait any more."""
        with self._turn:
            most = min(self._most_images, len(self._members)) - 1 if self._batches else 0
            single_ns = self._tried.single_ns if self._tried is not None else 0
            patience_s = min(_PATIENCE_OF_A_RUN * single_ns / _NS_PER_S, _LONGEST_PATIENCE_S)
            until_s = time.monotonic() + patience_s
            while len(self._waiting) < most and not self._ended_because:
                here = {first.member, *(each.member for each in self._waiting)}
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not any(each.due() for each in self._members if each not in here):
                    break
                # Nobody says that an image that was due is not any more.
                self._turn.wait(min(left_s, _LOOK_AGAIN_S))
            self._refuse_ended()
            group, self._waiting = self._waiting[:most], self._waiting[most:]
            return group

    def _run(self, group: list[_Request]) -> None:
        if len(group) > 1:
            try:
                self._run_together(group)
            except BackendLostError as error:
                self._lost(error, group)
                return
            except InferenceError as error:
                # Whose fault it is shows when each runs alone.
                self._run_each(group)
                if all(each.error is None for each in group):
                    self._batch_no_more(str(error))
                return
        self._run_each(group)

    def _batch_no_more(self, error: str) -> None:
        with self._turn:
            self._batches.clear()
            single_ns = self._tried.single_ns if self._tried is not None else 0
            self._tried = BatchTrial(None, f'several together fail ({error.rstrip(". ")})', single_ns)

    def _run_together(self, group: list[_Request]) -> None:
        count = len(group)
        batch = self._batches.get(count)
        if batch is None:
            tensor = group[0].tensor
            batch = self._batches[count] = ImageBatch(self._backend, tensor.shape, tensor.dtype.name, count)
        # Of two members none can be decoding the last batch's answer while the next one runs; of more, one can.
        answers = batch.run([each.tensor for each in group], copy=len(self._members) > 2)
        for request, outputs in zip(group, answers, strict=True):
            request.outputs = outputs
        self._count(count)
        self.runs_of_several += 1

    def _run_each(self, group: list[_Request]) -> None:
        for number, request in enumerate(group):
            if request.answered:
                continue
            try:
                request.outputs = self._backend.infer(request.tensor)
            except BackendLostError as error:
                self._lost(error, group[number:])
                return
            except InferenceError as error:
                request.error = error
            else:
                self._count(1)

    def _count(self, images: int) -> None:
        with self._turn:
            self.answered += images

    def _lost(self, error: BackendLostError, group: Sequence[_Request]) -> None:
        for request in group:
            request.error = error
        with self._turn:
            self._end(f'the model that {group[0].member.name} shares was lost ({str(error).rstrip(". ")})')

    @property
    def _idle(self) -> bool:
        return not self._busy and self._side_by_side == 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._turn:
            # Those that run now end; none begins in the meantime, or it would never be quiet.
            self._wanted_alone += 1
            try:
                self._turn.wait_for(lambda: self._idle)
                self._refuse_ended()
                self._busy = True
            finally:
                self._wanted_alone -= 1
                self._turn.notify_all()
        try:
            yield
        finally:
            self._done()

    def _done(self) -> None:
        with self._turn:
            self._busy = False
            self._turn.notify_all()
            self._close_once_idle()

    def _input_for(self, member: Member, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        for place, (owner, array) in enumerate(self._inputs):
            if owner is None and array.shape == shape and array.dtype == dtype:
                array[...] = 0
                self._inputs[place] = (member, array)
                return array
        array = self._backend.new_input(shape, dtype)
        self._inputs.append((member, array))
        return array

    def _refuse_ended(self) -> None:
        if self._ended_because:
            raise BackendLostError(self._ended_because)

    def _end(self, why: str) -> None:
        if self._ended_because:
            return
        self._ended_because = f'{why[0].upper()}{why[1:]}.'
        for request in self._waiting:
            request.error = BackendLostError(self._ended_because)
        self._waiting.clear()
        self._turn.notify_all()
        self._close_once_idle()

    def _close_once_idle(self) -> None:
        """At once where nothing runs, so that whoever opens it again finds the memory free; else when the run ends."""
        if not self._ended_because or self._closed or not self._idle:
            return
        self._closed = True
        self._batches.clear()
        self._inputs.clear()
        try:
            self._backend.close()
        except Exception as error:  # noqa: BLE001 a library whose GPU is gone may raise anything; what matters is to go on
            self._say(
                f'The shared model of {self._backend.name} could not be closed ({type(error).__name__}: {error}): what '
                'it held is lost until the process is started again.'
            )


class SharedBackend(Member):
    """A back end to its detector; in truth a part of one. One thread at a time calls `open` and `infer`."""

    def __init__(
        self,
        name: str,
        due: Callable[[], bool],
        join: Callable[[Member], SharedModel],
        unlike: Callable[[Member], dict[str, list[str]]],
    ) -> None:
        """Remember; nothing is opened.

        Args:
            name: see `Member`.
            due: see `Member`.
            join: makes it a member of the open model, or opens one; it raises what `Backend.open` does.
            unlike: who else has another model open: by name, the parameters that differ.
        """
        super().__init__(name, due)
        self._join = join
        self._unlike = unlike
        self._model: SharedModel | None = None
        self._description = ''
        # How many images of all members had been answered when the failures in a row began; None while there are none.
        self._failing_since: int | None = None

    def open(self) -> ModelFacts:
        """Open the model, or take part in the one that is open; see `Backend.open`."""
        self.close()
        self._model = self._join(self)
        return self._model.facts

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """See `Backend.new_input`."""
        return self._opened().new_input(self, shape, dtype)

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """See `TakesPictures`."""
        return self._opened().picture(tensor, form, description)

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `Backend.infer`."""
        model = self._opened()
        answered = model.answered
        try:
            outputs = model.infer(self, tensor)
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
            model.give_up(self)
        self._failing_since = None
        model.leave(self)

    @property
    def description(self) -> str:
        """For diagnostics, as the back end's own."""
        model = self._model
        return model.description if model is not None else self._description

    @property
    def shared_with(self) -> str:
        """The others who run this model, or why those who run one run another; for the diagnostics."""
        if self._model is None:
            return ''
        others = sorted(each.name for each in self._model.members if each is not self)
        return ', '.join(others) or NOBODY + ''.join(
            f'; {name} has another {", ".join(f"`{each}`" for each in differing)}'
            for name, differing in sorted(self._unlike(self).items())
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
            raise InferenceError('The detector has no model open: call open() first.')
        return self._model
