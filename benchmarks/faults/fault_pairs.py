# SPDX-License-Identifier: Apache-2.0
"""Ten pairs of faults at once that share a path of the loop: what mends the one needs what the other broke."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.faults.fault_cases import FAULTS, Fault

# The first is undone after the second where it says so; which path they share.
_PAIRS: tuple[tuple[Fault, str, str], ...] = (
    # Whom nobody commands any more, as its link comes back, and who still turns.
    (replace(FAULTS['camera-lost'], lasts_s=6.0), 'gimbal-unplugged', 'nobody commands when the gimbal hears again'),
    (FAULTS['camera-stalled'], 'detector-raises', 'pictures, then detections'),
    (FAULTS['detector-hangs'], 'gimbal-garbage', 'detections and attitude, of which both make a bearing'),
    (FAULTS['loop-killed'], 'gimbal-killed', 'who commands and who stops'),
    (FAULTS['gimbal-killed'], 'gimbal-unplugged', "the deadman's last bytes do not arrive"),
    (FAULTS['gimbal-reboots'], 'loop-killed', 'setpoints, and the attitude that they rest on'),
    (FAULTS['web-killed'], 'video-killed', 'what an operator sees'),
    (FAULTS['camera-lost'], 'clock-back', 'the times of the pictures'),
    (FAULTS['disk-full'], 'loop-killed', 'a process that starts where nothing can be written'),
    (FAULTS['processors-full'], 'camera-stalled', 'who notices a stall has no time'),
)


def _pair(first: Fault, second: Fault, path: str) -> Fault:
    kind = second.kind if first.kind is FAULTS['camera-lost'].kind else first.kind
    return replace(
        first,
        name=f'{first.name}+{second.name}',
        does=f'{first.does}; {second.does} ({path})',
        hits=(*first.hits, *second.hits),
        ends=(*first.ends, *second.ends),
        words='|'.join(filter(None, (first.words, second.words))),
        diagnostics_words='|'.join(
            filter(None, (first.diagnostics_words or first.words, second.diagnostics_words or second.words))
        ),
        stops=first.stops or second.stops,
        boots=first.boots or second.boots,
        after_link=first.after_link or second.after_link,
        kind=kind,
        also=second,
    )


PAIRS: dict[str, Fault] = {
    pair.name: pair for pair in (_pair(first, FAULTS[second], path) for first, second, path in _PAIRS)
}
