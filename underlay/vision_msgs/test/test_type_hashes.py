# SPDX-License-Identifier: Apache-2.0
"""Equal hashes are what lets our messages and those of an installed ROS meet on one topic."""

import json
from pathlib import Path

import pytest

ament_index = pytest.importorskip('ament_index_python', reason='needs the workspace environment (./gremsy test)')

UPSTREAM = {
    'vision_msgs/msg/Detection2DArray': 'RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968',
    'vision_msgs/msg/LabelInfo': 'RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783',
    'vision_msgs/msg/VisionInfo': 'RIHS01_95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284',
    'tf2_msgs/msg/TF2Error': 'RIHS01_db2485e7d6a0ec75bf087e058ee45df682acc3a621ca7780503d10aac141809a',
    'tf2_msgs/msg/TFMessage': 'RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087',
}
INTERFACES = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(('name', 'expected'), UPSTREAM.items())
def test_a_type_hash_is_upstreams(name, expected):
    package, folder, message = name.split('/')
    share = Path(ament_index.get_package_share_directory(package))
    described = json.loads((share / folder / f'{message}.json').read_text())
    hashes = {entry['type_name']: entry['hash_string'] for entry in described['type_hashes']}
    assert hashes[name] == expected


@pytest.mark.parametrize('package', ['vision_msgs', 'tf2_msgs'])
def test_every_message_can_be_made_in_python(package):
    module = pytest.importorskip(f'{package}.msg', exc_type=ModuleNotFoundError)
    names = sorted(path.stem for path in (INTERFACES / package / 'msg').glob('*.msg'))
    assert names
    for name in names:
        getattr(module, name)()


def test_the_service_and_the_action_of_transforms_can_be_made():
    from tf2_msgs.action import LookupTransform
    from tf2_msgs.msg import TF2Error
    from tf2_msgs.srv import FrameGraph

    assert LookupTransform.Goal(target_frame='a', advanced=True).advanced
    assert FrameGraph.Response(frame_yaml='{}').frame_yaml == '{}'
    assert (TF2Error.NO_ERROR, TF2Error.TRANSFORM_ERROR) == (0, 6)
