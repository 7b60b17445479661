# SPDX-License-Identifier: Apache-2.0
"""Damaged input of one kind for a while, in a process of its own, since what is feared is that it takes that along.

    python -m benchmarks.faults.fuzz_inputs models 1 10

prints one JSON object: cases, how many were refused in a sentence, and what was raised that is not ours.
"""

from __future__ import annotations

import faulthandler
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_Case = Callable[[], object]
_MOST_SENTENCES = 10
# A machine that is busy takes long over a model; nothing takes as long as this.
_CASE_S = 30.0


class Refused(Exception):
    """The input was refused as it should be."""


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One fault, or a few of one kind: bits, bytes, something lost, something added, the end cut off."""
    data = bytearray(content)
    if not data:
        return chance.randbytes(chance.randrange(64))
    kind = chance.randrange(6)
    if kind == 0:
        return bytes(data[: chance.randrange(len(data))])
    if kind == 1:
        return chance.randbytes(chance.choice((0, 1, 7, 64, len(data))))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        if kind == 2 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 3 and at < len(data):
            data[at] = chance.choice((0, 1, 10, 32, 127, 128, 255))
        elif kind == 4:
            del data[at : at + chance.randint(1, 20)]
        else:
            data[at:at] = chance.randbytes(chance.randint(1, 20))
    return bytes(data)


def mavlink(chance: random.Random, _folder: Path) -> Iterator[_Case]:
    """Bytes of every kind of damage, through framing and decoding.

    What passes its checksum of 16 bits although nobody sent it is no crash; `bench gimbal` counts it.
    """
    from benchmarks.gimbal.damaged_streams import feed_damaged

    def feed() -> None:
        result = feed_damaged(20_000, chance.randrange(2**31))
        if result.exceptions:
            raise RuntimeError('; '.join(result.sentences[:3]))

    while True:
        yield feed


def images(chance: random.Random, folder: Path) -> Iterator[_Case]:
    """Messages whose fields contradict each other through the detector and the display; damaged JPEG and PNG."""
    from array import array

    from sensor_msgs.msg import CompressedImage, Image

    from benchmarks.faults.target_model import write_target_model
    from gremsy_common.errors import SuiteError, Unusable
    from gremsy_common.picture.viewable_pictures import ViewablePictures
    from gremsy_common.ros.messages.image_messages import frame_as_sent, frame_from_compressed, frame_from_image
    from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
    from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
    from gremsy_detector.detector import Detector

    detector = Detector(OnnxRuntimeBackend(write_target_model(folder / 'target.onnx', fails=False)))
    detector.open()
    pictures = ViewablePictures()
    encodings = [*PIXEL_LAYOUTS, '', '8UC1', '32FC1', '8UC7', '64FC200', 'yuv422p', 'jpeg', 'ü' * 300]
    jpeg, png = (cv2.imencode(kind, _photo())[1].tobytes() for kind in ('.jpg', '.png'))

    def message() -> None:
        sizes = (0, 1, 2, 3, 16, 33, 64, 640, 2**16, 2**32 - 1)
        made = Image(encoding=chance.choice(encodings), is_bigendian=chance.choice((0, 1, 255)))
        made.width, made.height, made.step = (chance.choice(sizes) for _ in range(3))
        if chance.random() < 0.7:
            made.width, made.height = chance.choice((1, 2, 8, 33, 64)), chance.choice((1, 2, 8, 33, 64))
            made.step = made.width * chance.choice((1, 2, 3, 4, 6, 8))
        made.data = array('B', chance.randbytes(min(chance.choice((0, 1, made.step * made.height)), 1 << 16)))
        try:
            frame = chance.choice((frame_as_sent, frame_from_image))(made)
            pictures.of(frame)
            detector.detect(frame)
        except (SuiteError, Unusable) as error:
            raise Refused from error

    def compressed() -> None:
        made = CompressedImage(
            format=chance.choice(('jpeg', 'bgr8; jpeg compressed bgr8', 'png', '', ';;', 'mono16; png'))
        )
        made.data = array('B', damaged(chance.choice((jpeg, png)), chance))
        try:
            detector.detect(frame_from_compressed(made))
        except (SuiteError, Unusable) as error:
            raise Refused from error

    while True:
        yield chance.choice((message, message, compressed))


def videos(chance: random.Random, _folder: Path) -> Iterator[_Case]:
    """Damaged pictures of a network camera: pushed JPEG, and H.264 as the reader hands it to its decoder."""
    import av

    from gremsy_camera.errors import PictureDamaged
    from gremsy_camera.live.live_reader import decode_jpeg
    from gremsy_camera.streams.pyav_decoder import PyAvDecoder

    jpeg = cv2.imencode('.jpg', _photo())[1].tobytes()
    units = _video_units(_photo())

    def pushed() -> None:
        try:
            decode_jpeg(np.frombuffer(damaged(jpeg, chance), np.uint8))
        except PictureDamaged as error:
            raise Refused from error

    def streamed() -> None:
        """As the reader does: what the decoder cannot take is counted."""
        decoder = PyAvDecoder('h264', 'software')
        lost = 0
        for number, unit in enumerate(units):
            try:
                for frame in decoder.decode(damaged(unit, chance) if chance.random() < 0.5 else unit, number):
                    decoder.pixels(frame)()
            except av.error.FFmpegError:
                lost += 1
        if lost:
            raise Refused

    while True:
        yield chance.choice((pushed, streamed) if units else (pushed,))


def _photo() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def _video_units(photo: NDArray[np.uint8]) -> list[bytes]:
    """Twelve pictures of H.264; none where nothing encodes it."""
    import av

    try:
        encoder = av.CodecContext.create('libx264', 'w')
    except (av.error.FFmpegError, ValueError):
        return []
    encoder.width, encoder.height, encoder.pix_fmt = photo.shape[1], photo.shape[0], 'yuv420p'
    encoder.time_base = Fraction(1, 15)
    encoder.options = {'tune': 'zerolatency', 'preset': 'ultrafast'}
    units = []
    for number in range(12):
        frame = av.VideoFrame.from_ndarray(np.roll(photo, number, axis=1), format='bgr24')
        units += [bytes(packet) for packet in encoder.encode(frame)]
    return units


def models(chance: random.Random, folder: Path) -> Iterator[_Case]:
    """Damaged model files, opened as the node opens them."""
    from benchmarks.faults.target_model import write_target_model
    from gremsy_common.errors import SuiteError
    from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
    from gremsy_detector.detector import Detector
    from gremsy_detector.model.default_model import default_model_path

    good = [write_target_model(folder / 'target.onnx').read_bytes()] * 9 + [default_model_path().read_bytes()]
    path = folder / 'damaged.onnx'

    def load() -> None:
        path.write_bytes(damaged(chance.choice(good), chance))
        detector = Detector(OnnxRuntimeBackend(path))
        try:
            detector.open()
        except SuiteError as error:
            raise Refused from error
        finally:
            detector.close()

    while True:
        yield load


def parameters(chance: random.Random, folder: Path) -> Iterator[_Case]:
    """Damaged parameter files, read as a start reads them, and by ROS itself as a node is made."""
    import rclpy
    from rclpy.context import Context
    from rclpy.signals import SignalHandlerOptions

    from gremsy_bringup.describe.parameter_layers import given
    from gremsy_bringup.describe.suite_arguments import from_command_line
    from gremsy_bringup.describe.system_description import describe, share_folder
    from gremsy_common.errors import SuiteError

    good = [(share_folder() / 'config' / name).read_bytes() for name in ('my_robot.yaml', 'gremsy.yaml', 'sim.yaml')]
    path = folder / 'damaged.yaml'

    def start() -> None:
        path.write_bytes(damaged(chance.choice(good), chance))
        try:
            arguments = from_command_line([f'params_file:={path}', 'sim:=true'])
            arguments.check()
            describe(arguments)
            given([path], '/robot/eo/camera', 'source')
        except SuiteError as error:
            raise Refused from error
        context = Context()
        words = ['--ros-args', '--params-file', str(path)]
        try:
            rclpy.init(args=words, context=context, signal_handler_options=SignalHandlerOptions.NO)
        except Exception as error:  # rcl raises several unrelated types; `hosting` makes a sentence of each
            raise Refused from error
        rclpy.shutdown(context=context)

    while True:
        yield start


KINDS: dict[str, Callable[[random.Random, Path], Iterator[_Case]]] = {
    'mavlink': mavlink,
    'images': images,
    'videos': videos,
    'models': models,
    'parameters': parameters,
}


def run(kind: str, seed: int, seconds: float) -> dict[str, Any]:
    """Cases until the time is over."""
    chance = random.Random(f'{kind} {seed}')
    cases = refused = 0
    raised: list[str] = []
    with tempfile.TemporaryDirectory(prefix='gremsy_fuzz_') as folder:
        end_s = time.monotonic() + seconds
        for case in KINDS[kind](chance, Path(folder)):
            if time.monotonic() >= end_s:
                break
            cases += 1
            # One that does not come back ends the process, and says where it was.
            faulthandler.dump_traceback_later(_CASE_S, exit=True)
            try:
                case()
            except Refused:
                refused += 1
            except Exception as error:  # noqa: BLE001 that none comes is what is being measured
                raised.append(f'case {cases}: {type(error).__name__}: {error}'[:300])
    faulthandler.cancel_dump_traceback_later()
    return {'cases': cases, 'refused': refused, 'raised': len(raised), 'sentences': raised[:_MOST_SENTENCES]}


if __name__ == '__main__':
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
