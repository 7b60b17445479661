# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_gimbal_facades'

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
    description="MAVROS's gimbal_control topics and Clearpath's PTZ actions on top of the Gremsy driver.",
    license='Apache-2.0',
    entry_points={
        'gremsy_gimbal_driver.facades': ['facades = gremsy_gimbal_facades.facade_set:FacadeSet'],
    },
)
