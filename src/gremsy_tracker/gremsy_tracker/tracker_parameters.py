# SPDX-License-Identifier: Apache-2.0
"""Every number a user may set on the tracker, with unit, range and reason; the cores read this same object."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, Span, live_param, param, specs_of
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_common.types.plant_model import PlantModel

# A setpoint holds for 20 ms; feedback faster than 1.5 times that takes back more than it gave.
_LARGEST_FEEDBACK_PER_S = 75.0
# The tallest thing that stands anywhere is 828 m; more is a height in another unit.
_TALLEST_M = 1000.0

# Of each pair the first may not be above the second.
_ORDERED = {
    'low_score': 'high_score',
    'alike_distance': 'unlike_distance',
    'coast_s': 'lost_after_s',
    'calm_acceleration_rad_s2': 'target_acceleration_rad_s2',
    'search_rate_rad_s': 'max_rate_rad_s',
    'home_rate_rad_s': 'max_rate_rad_s',
    'zoom_min': 'zoom_max',
}


@dataclass(frozen=True)
class TrackerParameters(NodeParameters):
    """Parameters of `tracker_node`; angles in rad, times in s, box shares relative to the box's own size."""

    # Association: which detection is which track.
    detections_topic: str = param(
        'detections/candidates',
        'Where the boxes come from: `detections/candidates` has the doubtful ones too, which keep a half-hidden '
        'target; `detections` is for a detector that publishes only that.',
        choices=('detections/candidates', 'detections'),
    )
    high_score: float = live_param(0.45, 'Detections at or above this score are matched first.', Span(0.0, 1.0))
    low_score: float = live_param(
        0.15, 'Detections below this score are ignored; those between keep a known track.', Span(0.0, 1.0)
    )
    new_track_score: float = live_param(0.5, 'A detection must have this score to begin a track.', Span(0.0, 1.0))
    confirm_evidence_s: float = live_param(
        0.05,
        'Evidence that a new track needs before it is published: each detection adds the time since the previous '
        'image, less where it scores low for its class, and each miss takes some away.',
        Span(0.0, 5.0, 's'),
    )
    smooth_boxes: bool = live_param(
        True,
        "Publish each track's box smoothed over time; otherwise as detected. The gimbal follows the boxes as "
        'detected either way.',
    )
    track_lost_after_s: float = live_param(
        1.5, 'A confirmed track not seen for this long is forgotten.', Span(0.05, 30.0, 's')
    )
    max_detections: int = live_param(300, 'Only this many of the best detections of an image are used.', Span(1, 2000))
    ego_motion: bool = live_param(
        True, "Move the tracks with the camera's own rotation, known from the gimbal's telemetry."
    )
    visual_ego_motion: bool = live_param(
        False, "While telemetry is stale, estimate the camera's motion from the images; takes 10 ms an image."
    )
    heading_from_pictures: bool = live_param(
        True,
        'While there is a target and nothing comes on `gimbal/heading`, estimate how the vehicle turns from the '
        'images; takes 8 ms an image and subscribes to `image_raw`.',
    )
    learn_attitude_age: bool = live_param(
        True,
        "Estimate from the images how late the gimbal's attitudes are stamped (`gimbal/attitude_age`). Subscribes "
        'to `image_raw` for some seconds each minute while the gimbal moves, and while it is calibrated.',
    )

    # Lock: which track is the target.
    auto_lock: str = live_param(
        'none',
        'How a target is chosen when nobody chose one: never, nearest to the image centre, or largest box.',
        choices=('none', 'nearest', 'largest'),
    )
    lock_classes: tuple[str, ...] = live_param((), 'Classes that `auto_lock` may take; empty means all.')
    lost_after_s: float = live_param(1.5, 'A target not seen for this long is lost.', Span(0.1, 30.0, 's'))
    lost_policy: str = live_param(
        'hold',
        'What the gimbal does when the target is lost: stay, return slowly to bearing (0, 0), or search for it on '
        'a spiral around its expected direction and then return.',
        choices=('hold', 'home', 'search'),
    )
    search_rate_rad_s: float = live_param(0.25, 'Speed along the spiral while searching.', Span(0.01, 2.0, 'rad/s'))
    search_radius_rad: float = live_param(
        0.6, 'How far from its expected direction a lost target is searched for.', Span(0.05, 3.0, 'rad')
    )
    home_rate_rad_s: float = live_param(0.2, 'Fastest slew of the return to (0, 0).', Span(0.01, 2.0, 'rad/s'))
    coast_s: float = live_param(
        0.7, 'How long the gimbal follows a prediction while the target is not seen.', Span(0.0, 5.0, 's')
    )
    coast_angle_rad: float = live_param(
        0.14, 'How far the gimbal follows a prediction while the target is not seen.', Span(0.0, 1.5, 'rad')
    )
    handover_angle_rad: float = live_param(
        0.035,
        "A new track this close to the predicted bearing takes over the lock when the target's own track is gone.",
        Span(0.001, 0.5, 'rad'),
    )

    appearance_cue: bool = live_param(
        True,
        'Recognize the target by the colours of its clothes. Takes `image_raw` while there is a target: free in one '
        'process with the camera, one more copy of the stream without (`composed:=false`).',
    )
    alike_distance: float = live_param(
        0.1, 'Colours no further apart than this are the same person (0: equal, 1: nothing in common).', Span(0.0, 1.0)
    )
    unlike_distance: float = live_param(0.2, 'Colours further apart than this are another person.', Span(0.0, 1.0))

    # Bearing filter: where the target is and how it moves.
    bearing_noise_rad: float = live_param(
        0.0005, 'Noise of a bearing that does not grow with the box.', Span(1e-5, 0.1, 'rad')
    )
    box_noise_share: float = live_param(
        0.1,
        'Noise of the centre of a box of high score, as a share of its width; of its height, a third of that.',
        Span(0.0, 0.5),
    )
    calm_acceleration_rad_s2: float = live_param(
        0.0015,
        'Acceleration of a target in steady motion (standard deviation): low is smooth.',
        Span(0.0001, 10.0, 'rad/s^2'),
    )
    target_acceleration_rad_s2: float = live_param(
        0.13,
        'Acceleration of a target that manoeuvres (standard deviation): high is nimble.',
        Span(0.001, 10.0, 'rad/s^2'),
    )
    manoeuvre_time_s: float = live_param(
        0.5, 'How long an acceleration lasts, and is extrapolated.', Span(0.1, 20.0, 's')
    )
    calm_stay_s: float = live_param(
        12.0, 'How long a target stays in steady motion, on average.', Span(0.1, 100.0, 's')
    )
    manoeuvre_stay_s: float = live_param(4.0, 'How long a target manoeuvres, on average.', Span(0.1, 100.0, 's'))
    jump_sightings: int = live_param(
        3,
        'After this many sightings in a row where the target cannot have got to, the filter restarts there.',
        Span(1, 30),
    )
    max_target_rate_rad_s: float = live_param(
        0.7, 'A target is taken to move no faster than this.', Span(0.01, 6.0, 'rad/s')
    )

    # Pointing law.
    enabled: bool = param(True, 'Whether a lock produces setpoints from the start; `~/enable` changes it.')
    gain_per_s: float = live_param(
        40.0,
        'Setpoint rate per rad of predicted pointing error; held to 4 / (delay + lag) of the plant.',
        Span(0.1, 60.0, '1/s'),
    )
    lag_lead: float = live_param(
        1.4, 'How many times faster than its own lag the gimbal is driven to a new rate.', Span(1.0, 4.0)
    )
    deadband_field_share: float = live_param(
        0.0,
        'Predicted pointing error that is left uncorrected, as a share of the field of view: less when zoomed in.',
        Span(0.0, 0.2),
    )
    max_rate_rad_s: float = live_param(
        1.04, 'Fastest slew that the tracker requests, each axis.', Span(0.01, 6.0, 'rad/s')
    )
    max_field_rate_per_s: float = live_param(
        2.0,
        'Fastest slew in fields of view per second: zoomed in, a faster one leaves nothing to see.',
        Span(0.05, 100.0, '1/s'),
    )
    max_acceleration_rad_s2: float = live_param(
        6.98, 'Fastest change of the setpoint, each axis.', Span(0.05, 100.0, 'rad/s^2')
    )
    plant_delay_s: float = live_param(0.02, "From a setpoint to the gimbal's first motion.", Span(0.0, 1.0, 's'))
    plant_lag_s: float = live_param(0.06, 'Time constant with which the gimbal reaches a rate.', Span(0.0, 1.0, 's'))
    plant_dead_zone_rad_s: float = live_param(
        0.0,
        'Below this rate the gimbal does not move; the driver makes slower rates out of pulses.',
        Span(0.0, 0.5, 'rad/s'),
    )
    plant_from_driver: bool = param(
        True,
        'Take `plant_delay_s`, `plant_lag_s` and `plant_dead_zone_rad_s` from `gimbal/plant` once they have been set '
        'or measured at the driver.',
    )

    # Divergence: when the loop drives the wrong way.
    divergence_field_share: float = live_param(
        0.2,
        'Pointing is disabled when its error grows by this share of the field of view although it is corrected: '
        'a sign is wrong then. A wrong sign of the gimbal shows in telemetry after a quarter of it.',
        Span(0.02, 1.0),
    )

    # Position: how far away the target is.
    object_heights_m: tuple[str, ...] = live_param(
        (),
        'How tall objects are: class, height and its standard deviation in m, as `person 1.7 0.1`. A target of such a '
        'class gets a range from its size in the image.',
        example="['person 1.7 0.1', 'car 1.5 0.15']",
    )
    camera_height_m: float = live_param(
        0.0,
        'Height of the camera above the level ground that targets stand on; they get a range from where their feet '
        'are. 0 if unknown.',
        Span(0.0, 10_000.0, 'm'),
    )
    camera_height_std_m: float = live_param(
        0.1, 'Standard deviation of `camera_height_m`, uneven ground included.', Span(0.0, 1000.0, 'm')
    )
    range_finder_std_m: float = live_param(1.0, 'Standard deviation of `gimbal/range`.', Span(0.001, 100.0, 'm'))
    range_speed_m_s: float = live_param(
        2.0,
        'How fast target and camera may approach or separate: a range becomes that much more uncertain each second.',
        Span(0.0, 100.0, 'm/s'),
    )
    range_max_age_s: float = live_param(
        1.0, 'A range older than this is not used, and gives no position.', Span(0.05, 10.0, 's')
    )
    attitude_std_rad: float = live_param(
        0.003, "Standard deviation of the gimbal's telemetry and of the horizon, each axis.", Span(0.0, 0.5, 'rad')
    )

    # Zoom: how much of the frame the target fills.
    zoom_control: bool = live_param(False, 'Zoom so that the target fills `zoom_target_share` of the frame.')
    zoom_target_share: float = live_param(
        0.35, "Wanted share of the frame's width or height, whichever is fuller.", Span(0.02, 0.9)
    )
    zoom_hysteresis: float = live_param(
        1.4, 'The share may be off by this factor before the zoom changes.', Span(1.05, 4.0)
    )
    zoom_rate_per_s: float = live_param(
        0.5, 'Fastest zoom: 0.5 is a factor of 1.65 in a second.', Span(0.01, 5.0, '1/s')
    )
    zoom_min: float = live_param(1.0, 'Widest zoom that is requested.', Span(0.1, 100.0))
    zoom_max: float = live_param(6.0, 'Narrowest zoom that is requested.', Span(0.1, 100.0))

    # Staleness: when not to move.
    silence_s: float = live_param(0.3, 'Motion stops when no detections have come for this long.', Span(0.05, 2.0, 's'))
    # Less than the driver's 0.8 s by the way there, so that it is the tracker that stops, and says why.
    max_image_age_s: float = live_param(
        0.75, 'Motion stops when the newest image is older than this.', Span(0.05, 2.0, 's')
    )
    max_attitude_age_s: float = live_param(
        0.3, "Motion stops when the gimbal's telemetry is older than this.", Span(0.02, 2.0, 's')
    )
    level_frame: str = param(
        '',
        "frame_id of `gimbal/setpoint`, the gimbal's level frame; empty takes the robot's, as `robot/gimbal_level` "
        'in `/robot/eo`.',
        form=TextForm.FRAME,
    )
    still_frame: str = param(
        '',
        'frame_id of `target/bearing` and `target/position`, a level frame that does not turn with the vehicle; '
        "empty takes the camera's, as `robot/eo_still` in `/robot/eo`.",
        form=TextForm.FRAME,
    )

    def in_namespace(self, namespace: str) -> TrackerParameters:
        """The same with the frames filled in: the driver's level frame is of the namespace without its last part.

        Raises:
            ParameterError: where both are the same then.
        """
        own = namespace.strip('/')
        robot = '/'.join(own.split('/')[:-1])
        level_frame = self.level_frame or (f'{robot}/gimbal_level' if robot else 'gimbal_level')
        still_frame = self.still_frame or (f'{own}_still' if own else 'still')
        if still_frame == level_frame:
            raise ParameterError(
                f"Parameters `still_frame` and `level_frame` are both '{still_frame}': give one of them another name, "
                'since the level frame turns with the vehicle.'
            )
        return replace(self, level_frame=level_frame, still_frame=still_frame)

    def heights_m(self) -> dict[str, tuple[float, float]]:
        """Height and its standard deviation by class.

        Raises:
            ParameterError: naming the entry of `object_heights_m` that is none.
        """
        found = {}
        for entry in self.object_heights_m:
            # A class's name may have spaces in it.
            words = entry.strip().rsplit(maxsplit=2)
            try:
                name, height_m, std_m = words[0], float(words[1]), float(words[2])
            except (IndexError, ValueError):
                name, height_m, std_m = '', 0.0, 0.0
            if not 0.0 < std_m < height_m <= _TALLEST_M:
                raise ParameterError(
                    f"Parameter `object_heights_m` has '{entry}': give a class, its height and a smaller standard "
                    "deviation in m, as 'person 1.7 0.1'."
                )
            if name in found:
                raise ParameterError(f"Parameter `object_heights_m` has '{name}' twice: leave one out.")
            found[name] = height_m, std_m
        return found

    def with_plant(self, plant: PlantModel | None) -> TrackerParameters:
        """The same for the plant that the driver has published, unless nobody ever set it there."""
        if plant is None or not self.plant_from_driver or plant.source == 'default':
            return self
        return replace(
            self,
            plant_delay_s=min(plant.delay_s, 1.0),
            plant_lag_s=min(plant.lag_s, 1.0),
            plant_dead_zone_rad_s=plant.dead_zone_rad_s,
        )

    def check(self) -> None:
        """Combinations.

        Raises:
            ParameterError: naming the two parameters that contradict each other.
        """
        self.heights_m()
        for name, other in _ORDERED.items():
            low, high = getattr(self, name), getattr(self, other)
            if low > high:
                unit = next(
                    f' {each.meta.unit}' if each.meta.unit else '' for each in specs_of(type(self)) if each.name == name
                )
                raise ParameterError(
                    f'Parameter `{name}` is {low:g}{unit}, above `{other}` {high:g}{unit}: lower it or raise the other.'
                )
        if self.lag_lead > 1.0 and self.gain_per_s * self.lag_lead > _LARGEST_FEEDBACK_PER_S:
            raise ParameterError(
                f'Parameters `gain_per_s` {self.gain_per_s:g} 1/s and `lag_lead` {self.lag_lead:g} together exceed '
                f'{_LARGEST_FEEDBACK_PER_S:g} 1/s, more than setpoints at 50 Hz can carry: lower one.'
            )
        if self.zoom_target_share * self.zoom_hysteresis >= 1.0:
            raise ParameterError(
                f'Parameters `zoom_target_share` {self.zoom_target_share:g} and `zoom_hysteresis` '
                f'{self.zoom_hysteresis:g} let a target fill the whole frame before it is zoomed out: lower one.'
            )
