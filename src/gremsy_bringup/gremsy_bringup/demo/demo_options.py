# SPDX-License-Identifier: Apache-2.0
"""What one demo run is to do, and the checks that need nothing running."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gremsy_bringup.describe.system_description import PayloadStart
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_camera.footage.footage_reader import FootageReader
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.parameters.parameter_forms import path_complaint
from gremsy_tracker.lock.target_request import TargetRequest, parse_request

_DEFAULT_CLASS = 'person'


class DemoError(SuiteError):
    """The demo cannot run as asked, or not any more."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """One run.

    Attributes:
        report: folder for everything that the run leaves.
        video: the footage; None is the default one, fetched once.
        target: who is followed: the best by its policy, and the next when that one is lost; or that one track alone.
        headless: no page, no overlay and no film, so that the bare loop is measured.
        preset: of the simulated payload.
        parameters: by node name, on top of everything else (benchmarks).
        payload: the simulated one instead of a new one at a free port; its preset is then its own (benchmarks).
    """

    report: Path
    video: Path | None = None
    target: TargetRequest = TargetRequest(label=_DEFAULT_CLASS)
    headless: bool = False
    preset: str = 'ideal'
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    payload: PayloadStart | None = None


def asked_target(word: str | None, target_class: str | None) -> TargetRequest:
    """What `--target` and `--class` ask for together.

    Raises:
        DemoError: for a word that names no target, and for two that exclude each other.
    """
    try:
        request = TargetRequest() if word is None else parse_request(word)
    except ValueError as error:
        raise DemoError(f'`--target`: {error}') from error
    if request.track_id is not None:
        if target_class is not None:
            raise DemoError(f'`--target {word}` is one track, whatever its class: leave `--class` out.')
        return request
    if request.label and target_class not in (None, request.label):
        raise DemoError(f'`--target {word}` and `--class {target_class}` name two classes: leave one of them out.')
    return replace(request, label=request.label or target_class or _DEFAULT_CLASS)


def video_path(text: str) -> Path:
    """The file that `--video` means: a path, or `file:///path`.

    Raises:
        DemoError: for another scheme, or a name that the `sim:` source cannot carry.
    """
    scheme, colon, rest = text.partition('://')
    if colon and scheme.lower() != 'file':
        raise DemoError(
            f"`--video` is '{text}', which the demo cannot play as a scene: give a video file or file:///PATH."
        )
    named = rest if colon else text
    wrong = path_complaint(named)
    if wrong:
        raise DemoError(f"`--video` '{named[:100]}' {wrong}.")
    path = Path(named).expanduser().absolute()
    if '?' in str(path):
        raise DemoError(f"`--video` is '{text}': rename the file, a `?` in its path begins the options of a source.")
    return path


def checked_video(video: Path | None, say: Callable[[str], None]) -> Path:
    """The footage, there and decodable; the default one is fetched if need be.

    Raises:
        SuiteError: with one sentence that names the file.
    """
    if video is None:
        return default_footage(cache_directory(os.environ), say)
    if not video.is_file():
        raise DemoError(f'There is no video file {video}: check the path given to `--video`.')
    reader = FootageReader(video)
    try:
        reader.open()
    finally:
        reader.close()
    return video


def check_target(target: TargetRequest, parameters: Mapping[str, Any]) -> None:
    """Ask the detector itself whether it works, and whether its model knows the target's class.

    Raises:
        SuiteError: with the nearest names, or with what is wrong with the model.
    """
    # Here, not above: it loads ONNX Runtime, which `--help` and a wrong `--video` need not wait for.
    from gremsy_detector.backends.backend_registry import choose_backend
    from gremsy_detector.detector import Detector
    from gremsy_detector.detector_parameters import DetectorParameters
    from gremsy_detector.model.default_model import model_path

    wanted = DetectorParameters(
        model=str(parameters.get('model', DetectorParameters.model)),
        backend=str(parameters.get('backend', DetectorParameters.backend)),
        classes=(target.label,) if target.label else (),
    )
    path = model_path(wanted.model)
    detector = Detector(choose_backend(path, wanted.backend)(path), wanted.selection)
    try:
        detector.open()
    except ParameterError as error:
        # The detector speaks of its parameter, to somebody with a ROS.
        parameter = f"Parameter `classes` has '{target.label}', which is not a class of {path.name}:"
        said = str(error).replace(parameter, f"{path.name} has no class '{target.label}':")
        raise DemoError(said.replace('`ros2 run', '`./gremsy exec ros2 run')) from error
    finally:
        detector.close()
