# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_detector'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed'], 'gremsy_detector.model': ['shipped/*.onnx', 'shipped/NOTICE']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='Gremsy vision suite maintainers',
    maintainer_email='maintainers@gremsy-vision.invalid',
    description='YOLO detections from image_raw; ONNX Runtime back end and the default model.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'detector_node = gremsy_common.programs:node.gremsy_detector.detector_node.main',
        ],
        'gremsy.components': [
            'detector = gremsy_detector.detector_node:DetectorNode',
        ],
    },
)
