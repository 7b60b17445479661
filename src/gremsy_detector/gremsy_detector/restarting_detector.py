# SPDX-License-Identifier: Apache-2.0
"""A detector that outlives its back end: what keeps failing is closed and opened again, or another takes its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gremsy_common.errors import SuiteError
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.backend import say_nothing
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.detector import DetectionResult, Detector
from gremsy_detector.errors import BackendLostError, InferenceError
from gremsy_detector.model.model_description import ModelDescription
from gremsy_detector.selection import Selection

# A back end that answered this many images has recovered: its next failure is a new one.
_WELL_AFTER_IMAGES = 100
_LONGEST_WAIT_S = 10.0


class RestartingDetector:
    """Runs the first back end of a chain that opens.

    After some failed images in a row, or at once when the back end says that it is lost, it is closed. `recover` then
    opens it again: the same one when it had answered since it was opened, the next in order when it had not or does not
    open. When none opens, the whole order is tried again after 1, 2, 4 ... at most 10 s.

    `open`, `detect` and `recover` belong to one thread; `select`, `close` and the properties to any.
    """

    def __init__(
        self,
        chain: BackendChain,
        selection: Selection,
        *,
        failures_before_restart: int = 3,
        say: Callable[[str], None] = say_nothing,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember; nothing is opened.

        Args:
            chain: the back ends in order.
            selection: what to report.
            failures_before_restart: images in a row on which the network fails.
            say: takes a sentence when a failed back end cannot even be closed.
            clock_s: monotonic.
        """
        self._chain = chain
        self._say = say
        self._selection = selection
        self._failures_before_restart = failures_before_restart
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._closed = False
        self._detector: Detector | None = None
        self._model: ModelDescription | None = None
        self._description = ''
        self._failures_in_a_row = 0
        self._answered = 0
        self._attempts_failed = 0
        self._first = 0
        self._due_s = 0.0
        self._restarts = 0

    def open(self) -> ModelDescription:
        """Open the first back end that opens.

        Raises:
            ModelError: when none does.
            ParameterError: when a wanted class is not one of the model's.
        """
        self._install(self._chain.open(self._selection))
        assert self._model is not None
        return self._model

    def detect(self, frame: Frame) -> DetectionResult:
        """See `Detector.detect`.

        Raises:
            FrameError: for an image that cannot be fed to the network; it says nothing about the back end.
            InferenceError: when the network failed on it; `restarting` may be true from now on.
        """
        detector = self._detector
        if detector is None:
            raise InferenceError('The detector has no model open: call open() first.')
        try:
            result = detector.detect(frame)
        except InferenceError as error:
            self._failures_in_a_row += 1
            if isinstance(error, BackendLostError) or self._failures_in_a_row >= self._failures_before_restart:
                self._give_up(detector)
                raise InferenceError(f'{str(error).rstrip(". ")}; the back end is closed and opened again.') from error
            raise
        self._failures_in_a_row = 0
        self._answered += 1
        if self._answered == _WELL_AFTER_IMAGES:
            self._attempts_failed = 0
        return result

    def recover(self) -> bool:
        """Open a back end again if it is time to; to be called again and again while `restarting`.

        Returns:
            Whether images can be detected in again.

        Raises:
            SuiteError: when no back end opens; the sentence says when the next attempt is.
        """
        # A worker that was stopped while it opens (an engine may take a minute) is not to be overtaken by the next one.
        if not self._opening.acquire(blocking=False):
            return False
        try:
            return self._recover()
        finally:
            self._opening.release()

    def select(self, selection: Selection) -> None:
        """Ask for other detections from the next image on.

        Raises:
            ParameterError: when a wanted class is not one of the model's; the old selection stays.
        """
        with self._lock:
            if self._detector is not None:
                self._detector.select(selection)
            elif self._model is not None:
                selection.check(self._model.class_names, self._model.path.name)
            self._selection = selection

    def close(self) -> None:
        """Let go of the model for good; a back end that is just being opened is closed when it has opened."""
        with self._lock:
            self._closed = True
            detector, self._detector = self._detector, None
        if detector is not None:
            detector.close()

    def interrupt(self) -> None:
        """From another thread: let `detect` end with an InferenceError, where the back end can."""
        detector = self._detector
        if detector is not None:
            detector.interrupt()

    @property
    def restarting(self) -> bool:
        """Whether there is no back end just now."""
        return self._detector is None and not self._closed

    @property
    def model(self) -> ModelDescription | None:
        """What the model says about itself; while restarting, the last one."""
        return self._model

    @property
    def description(self) -> str:
        """What computes, or what last did."""
        detector = self._detector
        return detector.description if detector is not None else self._description

    @property
    def backend_name(self) -> str:
        """Of the back end that runs, or last did."""
        return self._chain.name

    @property
    def backends(self) -> str:
        """The order, and what became of each."""
        return self._chain.states

    @property
    def restarts(self) -> int:
        """How often a back end was opened again."""
        return self._restarts

    def _recover(self) -> bool:
        if self._detector is not None:
            return True
        if self._closed or self._clock_s() < self._due_s:
            return False
        try:
            return self._install(self._chain.open(self._selection, self._first), again=True)
        except SuiteError as error:
            self._first = 0
            wait_s = self._wait()
            raise SuiteError(f'No back end could be opened again; next attempt in {wait_s:g} s: {error}') from error

    def _install(self, detector: Detector, *, again: bool = False) -> bool:
        with self._lock:
            if self._closed:
                detector.close()
                return False
            # It may have changed in the seconds that opening takes, and the file with it.
            try:
                detector.select(self._selection)
            except SuiteError:
                detector.close()
                raise
            self._model, self._description = detector.model, detector.description
            self._failures_in_a_row = self._answered = 0
            self._restarts += again
            self._detector = detector
        return True

    def _give_up(self, detector: Detector) -> None:
        with self._lock:
            self._detector = None
        if self._answered > 0:
            self._first = self._chain.position
        else:
            # It opens and never answers: the next, or from the top when it was the last.
            self._first = (self._chain.position + 1) % len(self._chain)
        self._wait()
        try:
            detector.close()
        except Exception as error:  # noqa: BLE001 a library whose GPU is gone may raise anything; what matters is to go on
            self._say(
                f'Back end {self._chain.name} failed and could not be closed ({type(error).__name__}: {error}): '
                'what it held is lost until the detector is started again.'
            )

    def _wait(self) -> float:
        """Put off the next attempt: not at all the first time, then ever longer; for how long, s."""
        wait_s = min(_LONGEST_WAIT_S, 2.0 ** min(self._attempts_failed - 1, 9)) if self._attempts_failed else 0.0
        self._attempts_failed += 1
        self._due_s = self._clock_s() + wait_s
        return wait_s
