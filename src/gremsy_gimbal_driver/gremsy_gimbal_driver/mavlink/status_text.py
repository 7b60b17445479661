# SPDX-License-Identifier: Apache-2.0
"""STATUSTEXT 253 in chunks of 50 characters, joined; a payload reports its recording state this way (gimbal.md 2.4)."""

from __future__ import annotations

from collections import Counter

from gremsy_gimbal_driver.mavlink.mavlink_events import Sender, StatusText

# 16 chunks are 800 characters; the state that a payload reports has some 200.
_MOST_CHUNKS = 16


class StatusTextChunks:
    """One unfinished text a sender; a text with a lost chunk is dropped, since half a JSON object is useless."""

    def __init__(self, rejects: Counter[str]) -> None:
        self._rejects = rejects
        self._unfinished: dict[Sender, tuple[int, list[bytes]]] = {}

    def take(self, sender: Sender, severity: int, text: bytes, text_id: int, number: int) -> StatusText | None:
        """The text that this chunk completes. Id 0 is a text of one chunk; a NUL ends a text of several."""
        if text_id == 0:
            return _joined(sender, severity, [text])
        begun_id, chunks = self._unfinished.get(sender, (0, []))
        if begun_id != text_id:
            if begun_id:
                self._rejects['text_incomplete'] += 1
            chunks = []
            self._unfinished[sender] = text_id, chunks
        if number < len(chunks) and chunks[number] == text:
            return None  # the link repeated a frame
        if number != len(chunks) or number >= _MOST_CHUNKS:
            self._rejects['text_incomplete'] += 1
            del self._unfinished[sender]
            return None
        chunks.append(text)
        if b'\0' not in text:
            return None
        del self._unfinished[sender]
        return _joined(sender, severity, chunks)

    def forget(self) -> None:
        """Drop unfinished texts: their chunks will not go on."""
        self._unfinished.clear()


def _joined(sender: Sender, severity: int, chunks: list[bytes]) -> StatusText:
    # Only the last chunk has a NUL. UTF-8 characters may lie across chunks, so it is decoded as a whole.
    return StatusText(sender, severity, b''.join(chunks).split(b'\0')[0].decode('utf-8', 'replace'))
