# SPDX-License-Identifier: Apache-2.0
"""Engines that make a network's input of pictures, built while the CPU still resizes them.

The full TensorRT takes seconds to build one, which no image is to wait for when a source starts or changes its size.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gremsy_detector.backends.gpu.gpu_pictures import NotYet

_Key = TypeVar('_Key')
_Front = TypeVar('_Front')
# `close` waits at most this long for a build; the daemon thread then ends by itself.
_PATIENCE_S = 10.0


class PictureFronts(Generic[_Key, _Front]):
    """Builds one engine at a time on a background thread; `take` returns it when asked again."""

    def __init__(self, make: Callable[[_Key], _Front], let_go: Callable[[_Front], None]) -> None:
        """Nothing is made.

        Args:
            make: an engine, ready to run; takes long.
            let_go: releases an engine that was not taken.
        """
        self._make = make
        self._let_go = let_go
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._made: tuple[_Key, _Front | Exception] | None = None
        self._closed = False

    def take(self, key: _Key) -> _Front:
        """The engine, which is the caller's from now on.

        Raises:
            NotYet: while it, or another, is being made.
            Exception: why it cannot be made.
        """
        with self._lock:
            made, found = self._made, None
            if made is not None:
                self._made = None
                if made[0] == key:
                    found = made[1]
                elif not isinstance(made[1], Exception):
                    # The source has changed its size again: this engine may never be asked for.
                    self._let_go(made[1])
            if found is None:
                if self._thread is None and not self._closed:
                    self._thread = threading.Thread(target=self._work, args=(key,), name='picture engine', daemon=True)
                    self._thread.start()
                raise NotYet('until their engine is built')
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """Wait for the build in progress, and release its engine."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            thread.join(_PATIENCE_S)
        with self._lock:
            made, self._made = self._made, None
        if made is not None and not isinstance(made[1], Exception):
            self._let_go(made[1])

    def _work(self, key: _Key) -> None:
        made: _Front | Exception
        try:
            made = self._make(key)
        except Exception as error:  # noqa: BLE001 - TensorRT's, CUDA's and onnx's share no base class but this
            made = error
        with self._lock:
            self._thread = None
            self._made = key, made
