# SPDX-License-Identifier: Apache-2.0
"""Frame after frame through an engine: upload, run, download, with every buffer made once and one CUDA graph.

The first run of a shape goes call by call, since TensorRT sets itself up in it; then the steps are captured, and every
later run is one launch. Where the capture is refused, every run goes call by call; ONNX Runtime captures its own part
itself.

What goes up is the network's input, or a picture of which a small engine in front makes it, on the GPU. A picture is
copied into page-locked memory first, unless the GPU can read it where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.backends.gpu.cuda_memory import CudaStream, DeviceMemory, Graph
from gremsy_detector.backends.gpu.lent_pictures import LentPictures
from gremsy_detector.errors import InferenceError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_facts import TensorFacts

# The usual number of tiles and the whole picture; each takes at most 6 MB of page-locked memory at 1080p.
_MOST_PICTURES = 20
_LITTLE_BYTES = 64 * 1024


class Engine(Protocol):
    """What the runner needs of an engine: TensorRT's (`LoadedEngine`) or ONNX Runtime's (`OnnxRuntimeEngine`).

    Attributes:
        title: of the library.
        recordable: whether a CUDA graph of ours may hold its work.
    """

    title: str
    recordable: bool
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool: ...

    def input_range(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def set_address(self, name: str, address: int) -> bool: ...

    def enqueue(self, stream: int) -> bool: ...

    def last_error(self) -> str: ...

    def another_context(self) -> Engine: ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Source:
    """What goes up: a page-locked array, and its place on the GPU."""

    array: NDArray[Any]
    on_device: DeviceMemory
    capture_wanted: bool
    graph: Graph | None = None

    def upload(self, stream: CudaStream) -> None:
        """Start it."""
        stream.upload(self.on_device, self.array)


@dataclass(slots=True, eq=False, kw_only=True)
class _PictureSource(_Source):
    """Pictures of one form, and what makes the network's input of them on the GPU; a `PictureSlot`."""

    form: PictureForm
    front: Engine
    pictures: LentPictures
    lent: NDArray[np.uint8] | None = None

    def lends(self, pixels: NDArray[np.uint8]) -> bool:
        """See `PictureSlot`."""
        return self.pictures.lends(pixels)

    def take(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `PictureSlot`."""
        rows = self.form.rows_in_place(pixels)
        self.lent = rows if rows is not None and self.pictures.lends(rows) else None
        if self.lent is None:
            self.form.copy(pixels, self.array)
        return self.array

    def upload(self, stream: CudaStream) -> None:
        """From where the picture lies."""
        lent, self.lent = self.lent, None
        if lent is None:
            super(_PictureSource, self).upload(stream)
        else:
            stream.upload_rows(self.on_device, lent)


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What one input shape needs."""

    input: _Source
    results: list[NDArray[Any]]
    results_on_device: list[DeviceMemory]


class EngineRunner:
    """Runs one engine with one input on one stream; all memory is `stream`'s, and goes when that closes."""

    def __init__(self, engine: Engine, stream: CudaStream, pictures: LentPictures | None = None) -> None:
        self._engine = engine
        self._stream = stream
        self._lent_pictures = LentPictures(stream) if pictures is None else pictures
        self._input: NDArray[Any] | None = None
        self._buffers: _Buffers | None = None
        self._pictures: dict[Hashable, _PictureSource] = {}

    @property
    def replays(self) -> bool:
        """Whether a run is one launch of a CUDA graph."""
        return self._buffers is not None and self._buffers.input.graph is not None

    def takes(self, tensor: NDArray[Any]) -> bool:
        """Whether the array came from this runner."""
        return tensor is self._input or any(each.array is tensor for each in self._pictures.values())

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """A page-locked array that `run` uploads from without a copy."""
        self._stream.use()
        self._input = self._stream.new_host_array(shape, dtype)
        # What was captured uploads from another array.
        self._release()
        return self._input

    def picture(self, form: PictureForm, fed: Hashable, make_front: Callable[[], Engine]) -> PictureSlot:
        """Where pictures of a form go, which `run` takes in place of the network's input.

        Args:
            form: of the pictures; those that were not asked for longest are forgotten.
            fed: what else tells one kind of picture from another.
            make_front: the engine from such pictures to the network's input.

        Raises:
            InferenceError: when there is no memory for it, or the engine in front does not fit.
        """
        source = self._pictures.pop((form, fed), None)
        if source is None:
            self._stream.use()
            source = self._new_picture(form, make_front())
            while len(self._pictures) >= _MOST_PICTURES:
                self._forget(self._pictures.pop(next(iter(self._pictures))))
        self._pictures[form, fed] = source
        return source

    def run(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run once.

        Returns:
            The outputs, in memory that the next run uses again.

        Raises:
            InferenceError: when the tensor does not fit the engine, or the GPU fails.
        """
        self._stream.use()
        picture = next((each for each in self._pictures.values() if each.array is tensor), None)
        source = picture or self._staged(tensor)
        assert self._buffers is not None
        if picture is not None:
            # Not part of the recording: the next picture may lie elsewhere.
            picture.upload(self._stream)
        if source.graph is not None:
            self._stream.launch(source.graph)
        else:
            self._start(source)
        self._stream.wait()
        if source.capture_wanted:
            source.graph = self._stream.capture(lambda: self._start(source))
            source.capture_wanted = False
        return self._buffers.results

    def close(self) -> None:
        """Free what was made for the engine."""
        self._release()

    def _staged(self, tensor: NDArray[Any]) -> _Source:
        """The network's input itself, where its upload finds it."""
        buffers = self._buffers
        if buffers is None or buffers.input.array.shape != tensor.shape:
            self._release()
            buffers = self._buffers = self._prepare(tensor)
        if tensor is not buffers.input.array:
            self._refuse_other_type(tensor)
            np.copyto(buffers.input.array, tensor)
        return buffers.input

    def _start(self, source: _Source) -> None:
        """All but the upload of a picture."""
        assert self._buffers is not None
        engines = [self._engine]
        if isinstance(source, _PictureSource):
            engines.insert(0, source.front)
        else:
            source.upload(self._stream)
        for engine in engines:
            if not engine.enqueue(self._stream.handle):
                raise InferenceError(f'{engine.title} did not start the run: {engine.last_error()}.')
        for array, memory in zip(self._buffers.results, self._buffers.results_on_device, strict=True):
            if memory.address != array.ctypes.data:
                self._stream.download(array, memory)

    def _new_picture(self, form: PictureForm, front: Engine) -> _PictureSource:
        if self._buffers is None:
            assert self._input is not None
            self._buffers = self._prepare(self._input)
        (taken,), (made,) = front.inputs, front.outputs
        network = self._buffers.input
        if (made.shape, made.dtype) != (network.array.shape, network.array.dtype.name):
            raise InferenceError(
                f"What makes {made} of pictures does not fit the engine's input {self._engine.inputs[0]}."
            )
        shape = tuple(size for size in taken.shape if isinstance(size, int))
        array = self._stream.new_host_array(shape, taken.dtype)
        memory = self._stream.new_device_memory(array.nbytes)
        try:
            self._bind(front, taken.name, memory)
            self._bind(front, made.name, network.on_device)
        except InferenceError:
            self._stream.free(memory)
            raise
        recordable = front.recordable and self._engine.recordable
        return _PictureSource(array, memory, recordable, form=form, front=front, pictures=self._lent_pictures)

    def _prepare(self, tensor: NDArray[Any]) -> _Buffers:
        """Buffers for the tensor's shape, known to the engine."""
        self._refuse_other_type(tensor)
        facts = self._engine.inputs[0]
        self._set_shape(facts, tensor.shape)
        shapes = [(output, self._engine.shape(output.name)) for output in self._engine.outputs]
        for output, shape in shapes:
            if any(size < 0 for size in shape):
                raise InferenceError(
                    f"The engine's output {output} is of a size that only the data decides: export the model without "
                    'its own suppression, or with a fixed number of boxes.'
                )
        given = self._input
        own = given is not None and given.shape == tensor.shape and given.dtype == tensor.dtype
        staging = given if own and given is not None else self._stream.new_host_array(tensor.shape, facts.dtype)
        held: list[DeviceMemory] = []
        try:
            held.append(self._stream.new_device_memory(staging.nbytes))
            self._bind(self._engine, facts.name, held[0])
            results: list[NDArray[Any]] = []
            for output, shape in shapes:
                results.append(self._stream.new_host_array(shape, output.dtype))
                # A little is written through the bus by the network itself, in less time than a copy takes to begin;
                # where the copy is recorded with the run, it costs nothing.
                little = results[-1].nbytes <= _LITTLE_BYTES and not self._engine.recordable
                held.append(
                    self._stream.map(results[-1]) if little else self._stream.new_device_memory(results[-1].nbytes)
                )
                self._bind(self._engine, output.name, held[-1])
        except InferenceError:
            for memory in held:
                self._stream.free(memory)
            raise
        return _Buffers(_Source(staging, held[0], self._engine.recordable), results, held[1:])

    def _set_shape(self, facts: TensorFacts, shape: tuple[int, ...]) -> None:
        fixed = tuple(size for size in facts.shape if isinstance(size, int))
        if len(fixed) == len(facts.shape):
            if fixed != shape:
                raise InferenceError(f"A tensor of {list(shape)} does not fit the engine's input {facts}.")
            return
        least, largest = self._engine.input_range(facts.name)
        fits = len(least) == len(shape) and all(
            low <= size <= high for low, size, high in zip(least, shape, largest, strict=True)
        )
        if not fits or not self._engine.set_input_shape(facts.name, shape):
            raise InferenceError(
                f'A tensor of {list(shape)} does not fit the engine, which was built for {facts.name} from '
                f'{list(least)} to {list(largest)}.'
            )

    def _bind(self, engine: Engine, name: str, memory: DeviceMemory) -> None:
        if not engine.set_address(name, memory.address):
            raise InferenceError(f'{engine.title} did not take the memory of {name}: {engine.last_error()}.')

    def _refuse_other_type(self, tensor: NDArray[Any]) -> None:
        facts = self._engine.inputs[0]
        if tensor.dtype.name != facts.dtype:
            raise InferenceError(f"A tensor of {tensor.dtype.name} does not fit the engine's input {facts}.")

    def _release(self) -> None:
        """Free what the present shape needs, pictures for it among that."""
        buffers, self._buffers = self._buffers, None
        pictures, self._pictures = self._pictures, {}
        for source in pictures.values():
            self._forget(source)
        if buffers is not None:
            self._forget(buffers.input)
            for memory in buffers.results_on_device:
                self._stream.free(memory)

    def _forget(self, source: _Source) -> None:
        if source.graph is not None:
            self._stream.discard(source.graph)
        self._stream.free(source.on_device)
        if isinstance(source, _PictureSource):
            source.front.close()


class EngineRuns:
    """The runs of one engine on one stream: every input array has outputs and CUDA graphs of its own."""

    def __init__(self, engine: Engine, stream: CudaStream) -> None:
        self._stream = stream
        self._engines = [engine]
        self.pictures = LentPictures(stream)
        self._runners = [EngineRunner(engine, stream, self.pictures)]
        self._gave_input = False

    @property
    def replays(self) -> bool:
        """Whether a run is one launch of a CUDA graph."""
        return self._runners[0].replays

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Page-locked memory that the GPU reads by itself; see `Backend.new_input`."""
        if self._gave_input:
            # A context of its own; the weights are the engine's.
            self._engines.append(self._engines[0].another_context())
            self._runners.append(EngineRunner(self._engines[-1], self._stream, self.pictures))
        self._gave_input = True
        return self._runners[-1].new_input(shape, dtype)

    def picture(
        self, tensor: NDArray[Any], form: PictureForm, fed: Hashable, make_front: Callable[[], Engine]
    ) -> PictureSlot:
        """See `EngineRunner.picture`; `tensor` is the input that it stands in for."""
        return self._runner_of(tensor).picture(form, fed, make_front)

    def run(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """See `EngineRunner.run`; an array of none of them is copied into the first one's."""
        return self._runner_of(tensor).run(tensor)

    def close(self) -> None:
        """Close all engines; the memory is the stream's."""
        for runner in self._runners:
            runner.close()
        for engine in reversed(self._engines):
            engine.close()

    def _runner_of(self, tensor: NDArray[Any]) -> EngineRunner:
        return next((each for each in self._runners if each.takes(tensor)), self._runners[0])
