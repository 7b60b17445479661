# SPDX-License-Identifier: Apache-2.0
"""Spoiled models, made from good ones by chance: each is refused in a sentence or works, and nothing crashes.

The loading happens in a child process, since what is feared is that the library takes the process with it.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from gremsy_detector.model.default_model import default_model_path

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

OUTCOMES = ('works', 'refused')
# Opens every file named on stdin, line by line, and answers each with one line of JSON.
CHILD = """
import json, sys
from pathlib import Path
from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
for line in sys.stdin:
    detector = Detector(BACKEND(Path(line.strip())))
    try:
        detector.open()
        answer = ['works', '']
    except ModelError as error:
        answer = ['refused', str(error)]
    except Exception as error:
        answer = [type(error).__name__, str(error)]
    detector.close()
    print(json.dumps(answer), flush=True)
"""


def spoil(content, rng, *, within):
    """One seeded fault in the first `within` bytes (and the last), where a model's structure is."""
    content = bytearray(content)
    places = rng.integers(0, within, rng.integers(1, 6))
    places = np.where(rng.random(len(places)) < 0.5, places, len(content) - 1 - places)
    fault = rng.integers(0, 5)
    if fault == 0:
        return bytes(content[: places[0]])
    for place in places.tolist():
        if fault == 1:
            content[place] ^= 1 << int(rng.integers(0, 8))
        elif fault == 2:
            content[place] = int(rng.choice([0, 1, 127, 128, 255]))
        elif fault == 3:
            content[place:place] = rng.bytes(int(rng.integers(1, 20)))
        else:
            del content[place : place + int(rng.integers(1, 20))]
    return bytes(content)


def outcomes(files):
    """What the child answered to each file; fails with the file's name when the child did not survive it."""
    done = subprocess.run(
        [sys.executable, '-c', CHILD], input='\n'.join(map(str, files)), capture_output=True, text=True, timeout=110
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
    if len(answers) < len(files):
        pytest.fail(f'{files[len(answers)]} ended the process with status {done.returncode}: {done.stderr[-1000:]}')
    return answers


def assert_refused_or_working(files):
    answers = outcomes(files)
    others = [f'{file}: {answer}' for file, answer in zip(files, answers, strict=True) if answer[0] not in OUTCOMES]
    assert not others, '\n'.join(others)
    for file, (outcome, sentence) in zip(files, answers, strict=True):
        if outcome == 'refused':
            assert str(file) in sentence
            assert '\n' not in sentence
            assert sentence.endswith('.')
    return [outcome for outcome, _ in answers]


def test_spoiled_small_models_are_refused_or_work(write_model, tmp_path):
    whole = write_model(np.zeros((1, 7, 20)), name='whole.onnx').read_bytes()
    rng = np.random.default_rng(11)
    files = []
    for number in range(600):
        files.append(tmp_path / f'{number}.onnx')
        files[-1].write_bytes(spoil(whole, rng, within=len(whole)))
    found = assert_refused_or_working(files)
    assert found.count('refused') > 100
    assert found.count('works') > 20


def test_spoiled_copies_of_the_shipped_model_are_refused_or_work(tmp_path):
    whole = default_model_path().read_bytes()
    rng = np.random.default_rng(12)
    files = []
    for number in range(40):
        files.append(tmp_path / f'{number}.onnx')
        files[-1].write_bytes(spoil(whole, rng, within=60_000))
    found = assert_refused_or_working(files)
    assert found.count('refused') >= 5
