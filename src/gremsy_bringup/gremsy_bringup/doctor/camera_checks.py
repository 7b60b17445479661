# SPDX-License-Identifier: Apache-2.0
"""The questions of `./gremsy doctor` about cameras: which there are, what reads a network's, and what encodes video."""

from __future__ import annotations

from gremsy_bringup.doctor.doctor_checks import Question, probed
from gremsy_bringup.doctor.doctor_table import Check
from gremsy_bringup.robot_doctor.host_view import Host

_CAMERAS_PROBE = """
import dataclasses, json
from gremsy_camera.v4l2.camera_list import found_cameras
print(json.dumps({'cameras': [dataclasses.asdict(found) for found in found_cameras()]}))
"""


def cameras(machine: Host) -> Check:
    """The kernel's cameras: what each offers, and whether this user may open it."""
    answer, why_not = probed(machine, _CAMERAS_PROBE)
    if why_not:
        return Check('Cameras', False, why_not, 'Run `./gremsy setup`.')
    found = answer['cameras']
    if not found:
        hint = "Optional: the camera's `source` may be a stream (`rtsp://`), a video file, or `sim:`."
        return Check('Cameras', False, 'none', hint)
    rows = '; '.join(_row(camera) for camera in found)
    denied = next((camera for camera in found if camera['denied_to']), None)
    if denied is not None:
        remedy = f'Run `sudo usermod -aG {denied["denied_to"]} $USER` and log in again.'
        return Check('Cameras', False, rows, remedy, lack='denied')
    return Check('Cameras', True, rows)


def _row(camera: dict[str, object]) -> str:
    formats, name = camera['formats'], camera['name']
    assert isinstance(formats, list)
    what = ', '.join(formats) or 'no format that is decoded here'
    if camera['denied_to']:
        what = f'no permission (group {camera["denied_to"]})'
    elif camera['trouble']:
        what = str(camera['trouble'])
    return f'{camera["source"]} ({name}): {what}' if name else f'{camera["source"]}: {what}'


# The first usable one is taken; each reports what it lacks.
_READERS = ('pyav', 'gstreamer', 'opencv')
_READERS_PROBE = """
import importlib, json
from gremsy_camera.live.live_parameters import LiveParameters
answer = {{}}
for name in {names!r}:
    module = importlib.import_module(f'gremsy_camera.streams.{{name}}_reader')
    answer[name] = module.why_not(LiveParameters())
print(json.dumps(answer))
"""


def network_cameras(machine: Host) -> Check:
    """What reads `rtsp://`, and whether it knows when pictures were taken."""
    answer, why_not = probed(machine, _READERS_PROBE.format(names=_READERS))
    if why_not:
        return Check('Network cameras', False, why_not, 'Run `./gremsy setup`.')
    usable = [name for name in _READERS if answer[name] is None]
    lacking = ' '.join(f'{name}: {answer[name]}' for name in _READERS if answer[name] is not None)
    found = f'read by {", ".join(usable)}' if usable else 'nothing here reads them'
    if not usable or usable == ['opencv']:
        if usable:
            found += ', which has no capture time'
        return Check('Network cameras', False, found, f'Optional: {lacking}')
    return Check('Network cameras', True, f'{found}. Not by {lacking}' if lacking else found)


_ENCODER_PROBE = """
import json
from gremsy_camera.streaming.encoder_choice import choose_encoder, make_encoder
from gremsy_camera.streaming.video_encoder import EncoderError, VideoEncoderSettings
settings = VideoEncoderSettings(640, 480, 30.0, 1000, 30)
try:
    choice = choose_encoder('auto', settings)
    print(json.dumps({'encoder': make_encoder(choice.encoder, settings).name, 'others': choice.why_not_another}))
except EncoderError as error:
    print(json.dumps({'problem': str(error)}))
"""


def video_out(machine: Host) -> Check:
    """What encodes the video that an operator sees."""
    answer, why_not = probed(machine, _ENCODER_PROBE)
    if why_not:
        return Check('Video out', False, why_not, 'Run `./gremsy setup`.')
    if 'problem' in answer:
        return Check('Video out', False, 'nothing here encodes H.264', f'Optional: {answer["problem"]}')
    others = f'. Not by {answer["others"]}' if answer['others'] else ''
    return Check('Video out', True, f'encoded by {answer["encoder"]}{others}')


CAMERA_QUESTIONS: tuple[Question, ...] = (cameras, network_cameras, video_out)
