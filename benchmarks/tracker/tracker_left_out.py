# SPDX-License-Identifier: Apache-2.0
"""Real detections, each sequence judged with constants that were fitted without it.

Of the tracker, the box noise (`box_noise_fit`, greatest likelihood) and the evidence that a new track needs are fitted
to the other three sequences; the peers are at their defaults. The rest of the tracker has one set of constants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmarks.tracker.box_noise_fit import Residuals, fit, residuals
from benchmarks.tracker.tracker_contestants import OURS, Answer, Contestant, Ours
from benchmarks.tracker.tracker_mot15 import NAMES, mot15, why_missing
from benchmarks.tracker.tracker_scores import Scores, follow, score
from benchmarks.tracker.tracker_sequences import Sequence
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.box_filter import BoxNoise

# Of which the one with the highest sum of HOTA, IDF1 and MOTA on the three others is taken.
EVIDENCE_S = (0.017, 0.033, 0.05)


def mot15_left_out(makers: dict[str, Callable[[], Contestant]]) -> dict[str, Any]:
    """`mot15_left_out`: tracker -> scores over the four, or why there are none; and what was fitted in each turn."""
    reason = why_missing()
    if reason is not None:
        return {'mot15_left_out': reason}
    sequences = [mot15(name) for name in NAMES]
    known = {each.name: residuals(each) for each in sequences}
    fitted: dict[str, Any] = {}
    runs: dict[str, list[tuple[Sequence, list[Answer]]]] = {name: [] for name in makers}
    for sequence in sequences:
        others = [each for each in sequences if each is not sequence]
        noise, evidence_s = fitted_to(others, known)
        fitted[sequence.name] = _constants(noise, evidence_s)
        for name, maker in makers.items():
            contestant = Ours(TrackerParameters(confirm_evidence_s=evidence_s), noise) if name == OURS else maker()
            runs[name].append((sequence, follow(contestant, sequence)))
    shipped = [(each, follow(Ours(), each)) for each in sequences]
    return {
        'mot15_left_out': {name: score(each) for name, each in runs.items()},
        'mot15_left_out_by_sequence': {
            sequence.name: {name: score(runs[name][turn : turn + 1]) for name in runs}
            for turn, sequence in enumerate(sequences)
        },
        'mot15_fitted_without': fitted,
        'mot15_shipped': _constants(BoxNoise(), TrackerParameters().confirm_evidence_s),
        'mot15_as_shipped': score(shipped),
    }


def fitted_to(sequences: list[Sequence], known: dict[str, Residuals]) -> tuple[BoxNoise, float]:
    """Box noise, and evidence in s that a new track needs, of these sequences; `known` are residuals by name."""
    noise = fit([known[each.name] for each in sequences])

    def worth(evidence_s: float) -> float:
        parameters = TrackerParameters(confirm_evidence_s=evidence_s)
        scores: Scores = score([(each, follow(Ours(parameters, noise), each)) for each in sequences])
        return scores['HOTA'] + scores['IDF1'] + scores['MOTA']

    return noise, max(EVIDENCE_S, key=worth)


def _constants(noise: BoxNoise, evidence_s: float) -> dict[str, Any]:
    rounded = {name: _rounded(value) for name, value in asdict(noise).items()}
    return rounded | {'confirm_evidence_s': evidence_s}


def _rounded(value: Any) -> Any:
    return [round(each, 3) for each in value] if isinstance(value, tuple) else round(value, 3)


def printed_fit() -> str:
    """The constants fitted to all four sequences, and without each, one line each; or why not."""
    reason = why_missing()
    if reason is not None:
        return reason
    known = {name: residuals(mot15(name)) for name in NAMES}
    lines = [f'all: {fit(list(known.values()))}']
    lines += [f'without {name}: {fit([each for other, each in known.items() if other != name])}' for name in NAMES]
    return '\n'.join(lines)


if __name__ == '__main__':
    print(printed_fit())
