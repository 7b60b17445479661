# SPDX-License-Identifier: Apache-2.0
"""The root of the suite's own exceptions.

SuiteError
├── parameters.ParameterError      a parameter has a value that it may not have
├── atomic_file.NotOurs            something of the user lies where a file is to be written
├── atomic_file.NotWritable        its folder cannot be written to
├── truth_ring.TruthUnavailable    no simulated payload writes under that name
├── instance_lock.AlreadyRunning   a node of that full name runs on this machine
└── (packages)                     a model, a video source, a gimbal link that cannot be used
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# A letter too many or too few; `difflib`'s own 0.6 takes words that only share their ending.
_NEAR = 0.75


class Unusable(ValueError):
    """A message that cannot be used; the text is the end of the sentence `A message on /topic cannot be used: ...`.

    Attributes:
        reason: a few words by which such messages are counted.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class SuiteError(Exception):
    """One clear sentence for the user: it names the thing and the way out, so it is shown without a traceback."""


def near_to(name: str, known: Iterable[str]) -> str | None:
    """Which of the known names may have been meant."""
    return next(iter(get_close_matches(name, list(known), 1, _NEAR)), None)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """The way out for a name that is unknown: the nearest of those that are known, or what else can be done."""
    near = near_to(name, known)
    return f'did you mean `{near}`?' if near else otherwise


def one_line(error: BaseException) -> str:
    """What is known of an error that is none of ours, without the lines that only say where."""
    first = next(iter(str(error).strip().splitlines()), '').rstrip('.')
    return f'{type(error).__name__}: {first}' if first else type(error).__name__
