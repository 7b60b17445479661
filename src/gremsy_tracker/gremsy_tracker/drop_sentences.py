# SPDX-License-Identifier: Apache-2.0
"""What to say of the first input of each kind that was not used: what was wrong, and the way out.

Keys are the reasons of `Tracker.counts`; `{topic}` is where such input comes in, by its resolved name.
"""

from __future__ import annotations

from collections.abc import Mapping

_CLOCK = "see that every machine's clock is set (chrony), and that `use_sim_time` is the same everywhere"

_BY_TOPIC: Mapping[str, Mapping[str, str]] = {
    'detections': {
        'boxes_not_finite': 'A box on {topic} is not finite and is left out: check its publisher.',
        'boxes_without_area': 'A box on {topic} has no area and is left out: check its publisher.',
        'boxes_outside_image': (
            'A box on {topic} lies outside the image that camera_info describes and is left out: see that both are of '
            'the same camera and image size.'
        ),
        'boxes_beyond_limit': (
            'More boxes came on {topic} than `max_detections`, and the worst are left out: raise it, or the threshold.'
        ),
        'boxes_beyond_the_lens': (
            'A box on {topic} lies beyond what the lens of camera_info sees and is left out: calibrate the camera up '
            "to its picture's edge."
        ),
        'clock_jumps': f'The stamps on {{topic}} jumped back, and everything starts again: {_CLOCK}.',
    },
    'camera_info': {
        'camera_models_unusable': (
            'The messages on {topic} have no focal length, so nothing can be pointed at: calibrate the camera, or give '
            'its field of view (`calibration_file`, `horizontal_field_deg` of our camera node).'
        ),
    },
    'image_raw': {
        'images_of_another_size': (
            'Images on {topic} have another size than camera_info says, so bearings are wrong: see that both are of '
            'the same camera, and that camera_info states its binning and region.'
        ),
        'images_unusable': (
            'An image on {topic} is too small to tell how the camera moved: set `visual_ego_motion` to false.'
        ),
        'images_unsorted': (
            'Images on {topic} are older than those before and are not used: see that nobody else publishes there.'
        ),
    },
    'gimbal/attitude': {
        'attitudes_not_finite': (
            'An attitude on {topic} is not a unit quaternion, or turns too fast, and is not used: check its publisher.'
        ),
        'attitudes_unsorted': (
            'Attitudes on {topic} are older than those before and are not used: see that nobody else publishes there.'
        ),
        'attitude_jumps': (
            f'The attitudes on {{topic}} jumped further than a gimbal turns, and pointing waits: check it, and '
            f'{_CLOCK}.'
        ),
        'azimuths_counted_anew': (
            'The azimuth on {topic} counts from elsewhere than before, as after a change of mode: the target is kept.'
        ),
    },
    'gimbal/heading': {
        'headings_not_finite': 'A heading on {topic} is not an angle and is not used: check its publisher.',
        'headings_stale': (
            f'The headings on {{topic}} are half a second older than the attitudes, or more, and are not used: '
            f'{_CLOCK}.'
        ),
        'headings_unsorted': (
            'Headings on {topic} are older than those before and are not used: see that nobody else publishes there.'
        ),
        'heading_jumps': (
            'The heading on {topic} jumped further than a vehicle turns, and is counted on from there: check the '
            'compass.'
        ),
    },
    'gimbal/range': {
        'ranges_unusable': 'A range on {topic} is 0 or less and is not used: check its publisher.',
        'ranges_stale': (
            f'A range on {{topic}} is older than `range_max_age_s`, or ahead of the clock, and is not used: {_CLOCK}.'
        ),
        'ranges_unsorted': (
            'Ranges on {topic} are older than those before and are not used: see that nobody else publishes there.'
        ),
        'ranges_contradicted': (
            'A range on {topic} is far from what `object_heights_m` or `camera_height_m` tells, and is not used: check '
            'those two; or the beam went past the target.'
        ),
    },
}
SENTENCES = {reason: (topic, text) for topic, texts in _BY_TOPIC.items() for reason, text in texts.items()}
"""What a person can mend: by reason, the topic and the sentence."""

COUNTED_ONLY = frozenset(
    {
        # The core's second look at what was said above, or said elsewhere (`divergences`).
        'bearings_not_finite',
        'divergences',
        # Ordinary: a box that cannot be the target's, a picture without features, how often pictures had to tell.
        'bearings_rejected',
        'looks_without_picture',
        'camera_motions_from_images',
        'motion_images_missing',
        'motion_too_little_texture',
        'motion_not_agreed_on',
        'motion_from_one_side_only',
        'motion_implausible',
        # The beam was on something else, or there was nothing within its reach.
        'ranges_beside_the_target',
        'ranges_out_of_reach',
    }
)
"""What is ordinary, or said in another way."""

NO_RANGE = (
    'Nothing measures how far away the target is, so nothing comes on {topic}: let a range finder publish on {range}, '
    'or say how tall targets are (`object_heights_m`) or how high the camera is above their ground (`camera_height_m`).'
)
"""Where a position is waited for."""

NO_ATTITUDE = (
    'Nothing can be pointed at, since no current attitude comes on {topic}: see what the gimbal driver says; where '
    'there is no gimbal, set `enabled` to false.'
)
"""Where none came for a while, or those that come are of another time."""

NO_CAMERA = (
    'Nothing can be pointed at, since no camera_info came on {topic}: let the camera publish it beside its images, in '
    'the same namespace.'
)
"""Where none came at all; of one that came and is of no use, a sentence above or the conversion's own is said."""
