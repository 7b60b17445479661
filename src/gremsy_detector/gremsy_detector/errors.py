# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a model or an image; every text is one sentence that names the thing and the way out."""

from __future__ import annotations

from gremsy_common.errors import SuiteError


class ModelError(SuiteError):
    """A model file cannot be used; the text names the file, what was found and what to do."""


class FrameError(SuiteError):
    """An image cannot be fed to the network; the text names what was found and what is known.

    Attributes:
        reason: a few words by which such images are counted.
    """

    def __init__(self, sentence: str, reason: str = 'not readable') -> None:
        super().__init__(sentence)
        self.reason = reason


class InferenceError(SuiteError):
    """One run of the network failed; the text names the back end and its reason."""


class BackendLostError(InferenceError):
    """The back end cannot go on (its GPU is gone, its context broken): it must be opened again before another run."""
