# SPDX-License-Identifier: Apache-2.0
"""The seam between the detector and whatever runs the network, and what a back end takes beside the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from numpy.typing import NDArray

from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.model.model_description import InputDescription
from gremsy_detector.model.model_facts import ModelFacts


def say_nothing(_sentence: str) -> None:
    """Where nobody listens to progress."""


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """How a model is to be run; every back end takes what concerns it.

    Attributes:
        threads: of the CPU; 0 lets the back end choose.
        device: number of the GPU.
        provider: of ONNX Runtime: `auto`, or one by its short name.
        precision: of an engine that is built from an ONNX file: `fp32`, `fp16`, `int8`, or `model` for the file's own.
        images: how many images in one run an engine is built for, where the model leaves the number open.
        engine_dir: where built engines are kept; None for the user's cache folder.
        say: takes sentences on progress (a build takes minutes), on any thread.
    """

    threads: int = 0
    device: int = 0
    provider: str = 'auto'
    precision: str = 'model'
    images: int = 1
    engine_dir: Path | None = None
    say: Callable[[str], None] = say_nothing


DEFAULT_OPTIONS = BackendOptions()


class ModelRunner(Protocol):
    """Runs one model file: what the detector needs of a back end, its own or one that it shares."""

    def open(self) -> ModelFacts:
        """Load the file.

        Raises:
            ModelError: when it is missing, unreadable, or no model.
        """

    def new_input(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """A zeroed input array that `infer` takes without a copy of its own (page-locked where there is a GPU).

        Call it after `open`; it is of no use after `close`. Each such array has outputs of its own.
        """

    def infer(self, tensor: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Run the network on one input tensor.

        Returns:
            The outputs in the file's order. Their memory may be used again by the next call with the same array: copy
            what is to last.

        Raises:
            InferenceError: when this run failed; the next may not.
            BackendLostError: when no run can succeed until it is opened again.
        """

    def close(self) -> None:
        """Let go of the model; harmless when not open."""

    @property
    def description(self) -> str:
        """What computes, for diagnostics: library, version and device."""


@runtime_checkable
class Interruptible(Protocol):
    """A back end whose library can end a run that goes on; one without this can only be ended with its process."""

    def interrupt(self) -> None:
        """From another thread: let `infer` end soon with an InferenceError, where it is at work."""


@runtime_checkable
class TakesPictures(Protocol):
    """A runner that may bring pictures to the network's input by itself, on its GPU."""

    def picture(self, tensor: NDArray[Any], form: PictureForm, description: InputDescription) -> PictureSlot | None:
        """The slot for pictures of a form, which `infer` takes in place of `tensor`.

        Asked for before every picture, since those of other forms may be forgotten.

        Args:
            tensor: from `new_input`.
            form: of the pictures.
            description: how the network is fed.

        Returns:
            None where pictures of that form are to be brought into `tensor` itself.
        """


class Backend(ModelRunner, Protocol):
    """A kind of back end.

    A back end is one file dropped into `gremsy_detector/backends/` whose module attribute `BACKEND` is a class of this
    form. Importing that file must not import the library it is made for: only `unavailable` and `open` touch it.
    One thread at a time calls `infer`, unless it is `concurrent`.
    """

    name: ClassVar[str]
    """What parameter `backend` calls it."""
    suffixes: ClassVar[tuple[str, ...]]
    """File name endings that it reads, lower case with the dot."""
    preference: ClassVar[int]
    """Of the back ends that read a file and are available, the one with the highest is taken."""

    builds: ClassVar[bool]
    """Whether `open` builds something from the file that is kept for the next start: what `build_only` asks for."""

    def __init__(self, model: Path, options: BackendOptions = ...) -> None:
        """Remember the file and how to run it; nothing is read before `open`."""

    @staticmethod
    def unavailable() -> str | None:
        """Why it cannot run on this machine, as the end of a sentence with the way out; None when it can."""

    @property
    def most_images(self) -> int:
        """How many images an input array may hold, known once open; 1 where the file fixes it to that."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may call `infer` at once, each with an array of its own; known once open."""
