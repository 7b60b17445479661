# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_tracker'

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
    description='Tracks, target lock and bearing-space pointing from detections and gimbal attitude.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'tracker_node = gremsy_common.programs:node.gremsy_tracker.tracker_node.main',
        ],
        'gremsy.components': [
            'tracker = gremsy_tracker.tracker_node:TrackerNode',
        ],
    },
)
