# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_camera'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='Gremsy vision suite maintainers',
    maintainer_email='maintainers@gremsy-vision.invalid',
    description='Camera sources (files, simulation) to image_raw and camera_info.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'camera_check = gremsy_common.programs:tool.gremsy_camera.check.camera_check.main',
            'camera_node = gremsy_common.programs:node.gremsy_camera.camera_node.main',
            'recover_bag = gremsy_common.programs:tool.gremsy_camera.recording.recover_bag.main',
            'stream_node = gremsy_common.programs:node.gremsy_camera.stream_node.main',
        ],
        'gremsy.components': [
            'camera = gremsy_camera.camera_node:CameraNode',
            'stream = gremsy_camera.stream_node:StreamNode',
        ],
    },
)
