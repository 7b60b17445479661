# SPDX-License-Identifier: Apache-2.0
"""The form of a heavy topic's items on the wire, for when rclpy's own copies would be felt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar('T')


@dataclass(frozen=True, slots=True, eq=False)
class WireForm(Generic[T]):
    """Serialised CDR and back.

    Attributes:
        write: an item's first bytes and the rest, which is not copied.
        read: something with the message's fields, for `Topic.from_message`; may raise ValueError.
        example: a small item, to see that the middleware reads what `write` makes.
    """

    write: Callable[[T], tuple[bytes, NDArray[np.uint8]]]
    read: Callable[[bytes], Any]
    example: T
