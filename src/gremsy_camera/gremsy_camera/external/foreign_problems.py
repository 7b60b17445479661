# SPDX-License-Identifier: Apache-2.0
"""What is wrong with another driver's camera, in one sentence with the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gremsy_camera.external.foreign_watch import SILENT_AFTER_S, ForeignWatch, Transport, names_of
from gremsy_camera.lens.camera_lens import same_aspect

# From so many on losses are reported; a share that a busy machine loses is normal.
_LEAST_PAIRS, _LOST_SHARE = 10, 0.2
_TYPES = {Transport.RAW: 'sensor_msgs/msg/Image', Transport.COMPRESSED: 'sensor_msgs/msg/CompressedImage'}
_SET_ONE = 'set `calibration_file` or `horizontal_field_deg`'
_OF_A_SUITE_CAMERA = '/image_mono8'
_EXAMPLE = '/usb_cam/image_raw'
_LET_SHARE = (
    "give the driver enough of Fast DDS's shared memory (gremsy_bringup's config/fastdds_shm.xml as its "
    'FASTRTPS_DEFAULT_PROFILES_FILE)'
)
_WAYS_OUT = {Transport.RAW: f'{_LET_SHARE}, or take its compressed images', Transport.COMPRESSED: _LET_SHARE}


@dataclass(frozen=True, slots=True)
class ForeignProblem:
    """Something that is wrong now.

    Attributes:
        kind: the same for as long as it lasts, while numbers in the text go on.
        text: one sentence, with the way out.
        no_image: none comes at all.
    """

    kind: str
    text: str
    no_image: bool = False


def worst_problem(watch: ForeignWatch, now_ns: int) -> ForeignProblem | None:
    """The worst of what is wrong now; None while images come, one after the other, of a camera that is known.

    What any subscription says of itself, as two publishers of one name, is not said here again.
    """
    return _absence(watch, now_ns) or _two_lenses(watch) or _losses(watch, now_ns) or _lens(watch, now_ns)


def image_topics(types: Mapping[str, Sequence[str]]) -> list[str]:
    """Those that another driver's raw images may be on, of all topics with their types, in order.

    Not a suite camera's own, which has an `image_mono8` beside it.
    """
    images = sorted(name for name, kinds in types.items() if _TYPES[Transport.RAW] in kinds)
    own = [name.removesuffix(_OF_A_SUITE_CAMERA) for name in images if name.endswith(_OF_A_SUITE_CAMERA)]
    ours = {parent + name for parent in own for name in (_OF_A_SUITE_CAMERA, '/image_raw')}
    return [name for name in images if name not in ours and not name.endswith('/overlay')]


def _absence(watch: ForeignWatch, now_ns: int) -> ForeignProblem | None:
    senders, topic = watch.image_senders, watch.topic
    if not senders:
        return (
            ForeignProblem('nobody', _nobody(watch), no_image=True) if watch.quiet_s(now_ns) > SILENT_AFTER_S else None
        )
    needed = _TYPES[watch.transport]
    wrong = [each for each in senders if each.type_name != needed]
    if len(wrong) == len(senders):
        return ForeignProblem(
            'type',
            f'{wrong[0].node} publishes {topic} as {wrong[0].type_name}, and {needed} is needed: name another topic in '
            '`source`.',
            no_image=True,
        )
    silent_s = watch.silent_s(now_ns)
    if not watch.taking or silent_s <= SILENT_AFTER_S:
        return None
    who = names_of(senders, with_quality=False)
    if watch.infos(now_ns) > 1:
        return ForeignProblem(
            'lost',
            f'{who} publishes {topic}, and none of its images has come for {silent_s:.0f} s while its camera_info has, '
            f'so they are lost on the way: {_WAYS_OUT[watch.transport]}.',
            no_image=True,
        )
    return ForeignProblem(
        'silent',
        f'{who} publishes {topic}, and nothing has come for {silent_s:.0f} s: see what its own log says, and whether '
        f'`ros2 topic hz {topic}` shows any.',
        no_image=True,
    )


def _nobody(watch: ForeignWatch) -> str:
    names = watch.names
    published = {
        Transport.AUTO: f'{names.image} or {names.compressed}',
        Transport.RAW: names.image,
        Transport.COMPRESSED: names.compressed,
    }[names.transport]
    way_out = f'start the driver of the camera with this topic, or name its own in `source`: external:{_EXAMPLE}'
    if watch.elsewhere:
        others = ', '.join(watch.elsewhere)
        way_out = f'name the topic in `source`, as external:{watch.elsewhere[0]}, of those with images now: {others}'
    return f'Nobody publishes {published}: {way_out}.'


def _two_lenses(watch: ForeignWatch) -> ForeignProblem | None:
    """Reported before losses, which cannot be counted where the camera_info of another camera comes in between."""
    nodes = sorted({each.node for each in watch.senders.info})
    if len(nodes) < 2:
        return None
    return ForeignProblem(
        'two lenses',
        f'{nodes[0]} and {nodes[1]} both publish {watch.names.info}, so intrinsics of another camera may be used: '
        'put each into a namespace of its own, or name the right one in `source` as external:TOPIC?info=TOPIC.',
    )


def _losses(watch: ForeignWatch, now_ns: int) -> ForeignProblem | None:
    pairs, lost = watch.infos(now_ns), watch.lost(now_ns)
    if watch.loss_is_reported or pairs < _LEAST_PAIRS or lost < _LOST_SHARE * pairs:
        return None
    return ForeignProblem(
        'lost',
        f'{lost} of the last {pairs} images on {watch.topic} did not come, as {watch.names.info} tells, so they are '
        f'lost on the way: {_WAYS_OUT[watch.transport]}.',
    )


def _lens(watch: ForeignWatch, now_ns: int) -> ForeignProblem | None:
    if not (watch.taking and watch.came):
        return None
    model, name = watch.frames.newest_model, watch.names.info
    if model is None:
        if watch.configured or not watch.info_missing(now_ns):
            return None
        return ForeignProblem(
            'no lens',
            f'Nobody publishes {name}, so no gimbal can be pointed by these images: {_SET_ONE}, or have the '
            'driver publish it.',
        )
    if not model.usable:
        if watch.configured:
            return None
        return ForeignProblem(
            'uncalibrated',
            f'The camera_info on {name} is of an uncalibrated camera (its K is 0), so no gimbal can be pointed by '
            f'these images: calibrate the camera in its driver, or {_SET_ONE}.',
        )
    width, height = watch.size
    if width and height and not same_aspect(model.width, model.height, width, height):
        return ForeignProblem(
            'another aspect',
            f'The camera_info on {name} is of a picture of {model.width}x{model.height} px and the images are '
            f'{width}x{height}, which is another aspect, so it is not used: calibrate the camera in its driver at the '
            f'size that it sends, or {_SET_ONE}.',
        )
    return None
