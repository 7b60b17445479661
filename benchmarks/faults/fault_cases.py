# SPDX-License-Identifier: Apache-2.0
"""The faults: what each does, what may go down with it, and which words must stand where an operator looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from benchmarks.faults.fault_hands import FaultHands

Act = Callable[[FaultHands], object]


class FaultSetup(Enum):
    """How the suite is started for it."""

    COMPOSED = 'composed'
    APART = 'apart'
    CLOCK = 'clock'
    DISK = 'disk'


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: on the command line.
        does: in a few words.
        inject, undo: make it, and end it after `lasts_s`, or `until` that is so; one that is not undone is the suite's
            own to mend.
        stops: whether the gimbal must be at rest in time, as it has nothing to go by; else it goes on.
        hits: patterns of the parts of /health/ready that may be unready.
        ends: processes that may end.
        words: a pattern of what must be said of it in /health/ready; empty where nothing is wrong.
        diagnostics_words: the same of /diagnostics; as `words` where it is empty.
        boots: whether the payload starts again, which takes its own time.
        after_link: the payload receives nothing until then, so what counts is the first command when it does again.
        kind: of the suite.
        also: another one that is made at the same time, and undone in its own.
    """

    name: str
    does: str
    inject: Act
    hits: tuple[str, ...]
    words: str
    undo: Act | None = None
    lasts_s: float = 0.0
    until: Callable[[FaultHands], bool] | None = None
    stops: bool = True
    ends: tuple[str, ...] = ()
    boots: bool = False
    after_link: bool = False
    kind: FaultSetup = FaultSetup.COMPOSED
    also: Fault | None = None
    diagnostics_words: str = ''


_CAMERA = ('camera', 'detector', 'node eo/stream')
_DETECTOR = ('detector',)
_LOOP = ('camera', 'detector', 'node eo/')
_GIMBAL = ('gimbal',)
# A page that has just started knows of nothing yet.
_WEB = ('web', 'camera', 'detector', 'gimbal', 'video')


def _camera_faults() -> list[Fault]:
    return [
        Fault(
            'camera-lost',
            'the camera has no power for 3 s: connections end, nothing listens',
            lambda hands: hands.camera.stop(),
            _CAMERA,
            'camera|[Ii]mage',
            lambda hands: hands.camera.start(),
            3.0,
        ),
        Fault(
            'camera-stalled',
            'it sends nothing for 3 s, its connection lives',
            lambda hands: hands.camera.stall(),
            _CAMERA,
            'camera|[Ii]mage',
            lambda hands: hands.camera.go_on(),
            3.0,
        ),
        Fault(
            'camera-hangs',
            'its whole process is stopped for 3 s: nothing is answered',
            lambda hands: hands.camera.hang(),
            _CAMERA,
            'camera|[Ii]mage',
            lambda hands: hands.camera.wake(),
            3.0,
        ),
        Fault(
            'camera-frozen',
            'it sends one and the same picture for 4 s',
            lambda hands: hands.camera.freeze(),
            (*_CAMERA, 'node eo/tracker'),
            'camera|[Ii]mage|picture',
            lambda hands: hands.camera.thaw(),
            4.0,
        ),
        Fault(
            'camera-corrupt',
            'damage in 60 % of its pictures for 3 s',
            lambda hands: hands.corrupt_camera(),
            _CAMERA,
            '',
            lambda hands: hands.camera.corrupt(0.0),
            3.0,
            stops=False,
        ),
    ]


def _detector_faults() -> list[Fault]:
    return [
        Fault(
            'detector-raises',
            'every run of the network fails for 3 s',
            lambda hands: hands.let_detector_raise(),
            _DETECTOR,
            'detector|onnxruntime',
            lambda hands: hands.heal_detector(),
            3.0,
        ),
        Fault(
            'detector-hangs',
            'a run of the network does not end',
            lambda hands: hands.let_detector_hang(),
            _LOOP,
            'detector',
            # The light is out again by the time that the network is asked again.
            lambda hands: hands.heal_detector(),
            1.0,
            ends=('loop',),
        ),
        Fault(
            'model-missing',
            "the loop is killed, and the model's file is gone until it was missed",
            lambda hands: hands.lose_model(),
            _LOOP,
            'has reported nothing',
            lambda hands: hands.bring_model_back(),
            20.0,
            until=FaultHands.model_was_missed,
            diagnostics_words='The process loop could not start',
            ends=('loop',),
        ),
    ]


def _gimbal_faults() -> list[Fault]:
    return [
        Fault(
            'gimbal-unplugged',
            'its link is cut for 3 s',
            lambda hands: hands.suite.gimbal.control('unplug udp'),
            _GIMBAL,
            'gimbal',
            lambda hands: hands.suite.gimbal.control('replug udp'),
            3.0,
            after_link=True,
        ),
        Fault(
            'gimbal-reboots',
            'it starts again',
            lambda hands: hands.suite.gimbal.control('reboot'),
            _GIMBAL,
            'gimbal',
            boots=True,
        ),
        Fault(
            'gimbal-garbage',
            'all that it sends is garbage for 3 s',
            lambda hands: hands.suite.gimbal.garble(1.0),
            _GIMBAL,
            'gimbal',
            lambda hands: hands.suite.gimbal.garble(0.0),
            3.0,
        ),
        Fault(
            'gimbal-noisy',
            'half of what it sends is garbage for 3 s',
            lambda hands: hands.suite.gimbal.garble(0.5),
            _GIMBAL,
            '',
            lambda hands: hands.suite.gimbal.garble(0.0),
            3.0,
            stops=False,
        ),
    ]


def _machine_faults() -> list[Fault]:
    clocks = [
        Fault(
            f'clock-{word}',
            f'the system time jumps by {ahead_s:+g} s',
            lambda hands, ahead_s=ahead_s: hands.set_clock(ahead_s),  # type: ignore[misc]
            ('',),
            '',
            lambda hands: hands.set_clock(0.0),
            6.0,
            stops=False,
            kind=FaultSetup.CLOCK,
        )
        for word, ahead_s in (('ahead', 3600.0), ('back', -3600.0))
    ]
    return [
        *clocks,
        Fault(
            'disk-full',
            'where logs and traces are, no byte more can be written for 4 s',
            lambda hands: hands.fill_disk(),
            (),
            'trace',
            lambda hands: hands.empty_disk(),
            4.0,
            stops=False,
            kind=FaultSetup.DISK,
        ),
        Fault(
            'processors-full',
            'twice as many processes as cores compute for 5 s',
            lambda hands: hands.load_processors(),
            ('',),
            '',
            lambda hands: hands.unload_processors(),
            5.0,
            stops=False,
        ),
        Fault(
            'memory-short',
            'the kernel gives the loop no more memory than it has, for 5 s',
            lambda hands: hands.shorten_memory('loop'),
            _LOOP,
            '',
            lambda hands: hands.give_memory_back(),
            5.0,
            stops=False,
            ends=('loop',),
        ),
    ]


_PROCESSES = {
    'loop': (_LOOP, True, FaultSetup.COMPOSED),
    'gimbal': (_GIMBAL, True, FaultSetup.COMPOSED),
    'web': (_WEB, False, FaultSetup.COMPOSED),
    'video': (('video', 'node eo/stream'), False, FaultSetup.COMPOSED),
    'camera': (_CAMERA, True, FaultSetup.APART),
    'detector': (_DETECTOR, True, FaultSetup.APART),
    'tracker': (('tracker', 'detector eo'), True, FaultSetup.APART),
    'stream': (('stream',), False, FaultSetup.APART),
}


def _process_faults() -> list[Fault]:
    faults = []
    for process, (hits, stops, kind) in _PROCESSES.items():
        for word, act in (('terminated', FaultHands.terminate), ('killed', FaultHands.kill)):
            faults.append(
                Fault(
                    f'{process}-{word}',
                    f'the process {process} gets {"SIGTERM" if word == "terminated" else "SIGKILL"}',
                    lambda hands, act=act, process=process: act(hands, process),  # type: ignore[misc]
                    hits,
                    f'The process {process} |{"|".join(hits)}',
                    diagnostics_words=f'The process {process} |The video server'
                    if process == 'video'
                    else f'The process {process} ',
                    stops=stops,
                    ends=(process,),
                    kind=kind,
                )
            )
    return faults


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (*_camera_faults(), *_detector_faults(), *_gimbal_faults(), *_machine_faults(), *_process_faults())
}
