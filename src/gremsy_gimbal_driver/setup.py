# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_gimbal_driver'

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
    description='MAVLink driver for Gremsy gimbals and payloads.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'gimbal_driver_node = gremsy_common.programs:node.gremsy_gimbal_driver.gimbal_driver_node.main',
            'gremsy_gimbal = gremsy_common.programs:tool.gremsy_gimbal_driver.cli.gremsy_gimbal.main',
        ],
        'gremsy.components': [
            'gimbal_driver = gremsy_gimbal_driver.gimbal_driver_node:GimbalDriverNode',
        ],
    },
)
