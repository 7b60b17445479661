# SPDX-License-Identifier: Apache-2.0
"""Several images in one run of a back end, and whether that is right and worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_detector.backends.backend import Backend
from gremsy_detector.errors import InferenceError

Arrays = Sequence[NDArray[Any]]

# Two images that take as long as two runs gain nothing, and the first would only wait for the second.
_WORTH_IT = 1.8
_TRIALS = 3
# Another kernel may add up in another order: fp16 differs in the third digit. What mixes images is far beyond it.
_TOLERANCE = 0.01


class ImageBatch:
    """The input of one back end that holds a number of images; one run at a time."""

    def __init__(self, backend: Backend, shape: tuple[int, ...], dtype: str, images: int) -> None:
        """Allocate.

        Args:
            backend: open.
            shape: of the input for one image, (1, ...).
            dtype: NumPy's name of its numbers.
            images: how many it holds.
        """
        self._backend = backend
        self._input = backend.new_input((images, *shape[1:]), dtype)

    def run(self, tensors: Arrays, *, copy: bool) -> list[list[NDArray[Any]]]:
        """The answer to each image as if it had been alone: arrays (1, ...).

        Args:
            tensors: as many inputs (1, ...) as it holds.
            copy: whether the answers are to outlast the next run of this batch.

        Raises:
            InferenceError: when the run failed, or the model answers with another number of images.
        """
        for place, tensor in zip(self._input, tensors, strict=True):
            np.copyto(place, tensor[0])
        outputs = [np.asarray(each) for each in self._backend.infer(self._input)]
        if any(each.ndim == 0 or len(each) != len(tensors) for each in outputs):
            shapes = ', '.join(str(list(each.shape)) for each in outputs)
            raise InferenceError(
                f'The model answers to {len(tensors)} images with {shapes}, which is not one for each.'
            )
        answers = [[each[place : place + 1] for each in outputs] for place in range(len(tensors))]
        return [[np.array(each) for each in answer] for answer in answers] if copy else answers


@dataclass(frozen=True, slots=True)
class BatchTrial:
    """What came of running two images as one.

    Attributes:
        batch: to be used from now on; None where it is not to be.
        why: in words, the end of a sentence for the diagnostics.
        single_ns: what one image takes alone.
    """

    batch: ImageBatch | None
    why: str
    single_ns: int


def try_two(
    backend: Backend, tensor: NDArray[Any], *, always: bool, clock_ns: Callable[[], int] = time.perf_counter_ns
) -> BatchTrial:
    """Run two images of noise alone and together, and compare answers and times.

    Args:
        backend: open, and nobody else's in the meantime; its `most_images` is 2 at least.
        tensor: an input for one image, which is zeroed afterwards.
        always: use the batch even where it saves no time.
        clock_ns: monotonic.
    """
    random = np.random.default_rng(0)
    try:
        batch = ImageBatch(backend, tensor.shape, tensor.dtype.name, 2)
        images = [_noise(random, tensor) for _ in range(2)]
        alone: list[list[NDArray[Any]]] = []
        single_ns = pair_ns = 0
        for image in images:
            np.copyto(tensor, image)
            alone.append([np.array(each) for each in backend.infer(tensor)])
            single_ns = _least_ns(lambda: backend.infer(tensor), clock_ns)
        together = batch.run(images, copy=True)
        if not all(_alike(*pair) for pair in zip(alone, together, strict=True)):
            return BatchTrial(
                None, 'the model gives other results for two images together than for each alone', single_ns
            )
        pair_ns = _least_ns(lambda: batch.run(images, copy=False), clock_ns)
    except InferenceError as error:
        return BatchTrial(None, f'two together fail ({str(error).rstrip(". ")})', 0)
    finally:
        tensor[...] = 0
    times = f'two take {pair_ns / max(single_ns, 1):.2f} times as long as one'
    if always or pair_ns < _WORTH_IT * single_ns:
        return BatchTrial(batch, times, single_ns)
    return BatchTrial(None, times, single_ns)


def _noise(random: np.random.Generator, tensor: NDArray[Any]) -> NDArray[Any]:
    if np.issubdtype(tensor.dtype, np.integer):
        return random.integers(0, 256, tensor.shape).astype(tensor.dtype)
    return random.standard_normal(tensor.shape).astype(tensor.dtype)


def _alike(alone: Arrays, together: Arrays) -> bool:
    return all(_close(one, other) for one, other in zip(alone, together, strict=True))


def _close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    # What noise drives to infinity in half precision, it does either way.
    largest = float(np.abs(one[np.isfinite(one)].astype(np.float64)).max(initial=0.0))
    return np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * largest, equal_nan=True)


def _least_ns(run: Callable[[], object], clock_ns: Callable[[], int]) -> int:
    took: list[int] = []
    for _ in range(_TRIALS):
        began_ns = clock_ns()
        run()
        took.append(clock_ns() - began_ns)
    return min(took)
