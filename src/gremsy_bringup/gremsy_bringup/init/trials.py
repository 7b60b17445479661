# SPDX-License-Identifier: Apache-2.0
"""Tries link, camera and model with the suite's own tools; nothing moves and nothing is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

# A camera that is away says so within 5 s; a model that nobody loaded yet may take some more.
_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """Whether it worked, in which words, and what the tool proposes to write."""

    works: bool
    said: str
    proposed: Mapping[str, object] = field(default_factory=dict)


def try_link(uri: str) -> Trial:
    """Look for a gimbal."""
    done = _run('gremsy_gimbal_driver.cli.gremsy_gimbal', 'info', '--link', uri, '--json')
    result = _object(done.stdout)
    if done.returncode != 0:
        return Trial(False, _last(done.stderr))
    return Trial(True, f'{result.get("model")}, firmware {result.get("firmware")}, health {result.get("health")}')


def try_camera(source: str, parameters: Mapping[str, object]) -> Trial:
    """Watch it for a moment."""
    given = [word for name, value in parameters.items() for word in ('-p', f'{name}={value}')]
    done = _run('gremsy_camera.check.camera_check', source, *given, '--seconds', '3', '--json')
    result = _object(done.stdout)
    if not result.get('works'):
        return Trial(False, str(result.get('problem') or '') or _last(done.stderr))
    proposed = result.get('parameters')
    sizes, rate = result.get('sizes'), result.get('rate_hz')
    words = [str(size) for size in sizes] if isinstance(sizes, list) else []
    words += [f'{rate:.0f} Hz'] if isinstance(rate, (int, float)) else []
    words.append(f'stamps: {result.get("stamp_is")}')
    return Trial(True, ', '.join(words), proposed if isinstance(proposed, dict) else {})


def try_model(path: str) -> Trial:
    """Load it, without building an engine."""
    names = [] if path == 'default' else [path]
    done = _run('gremsy_model_tools.model_info', *names, '--backend', 'onnxruntime')
    title = next((line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if line.startswith('title ')), path)
    return Trial(done.returncode == 0, title if done.returncode == 0 else _last(done.stderr))


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', module, *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, '', f'Nothing came for {_LONGEST_S:.0f} s.')


def _object(text: str) -> dict[str, object]:
    try:
        made = json.loads(text)
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix('gremsy_gimbal: ') if lines else 'It said nothing.'
