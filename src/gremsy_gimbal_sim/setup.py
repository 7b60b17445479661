# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_gimbal_sim'

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
    description='A simulated Gremsy payload on the real wire protocol, with its pytest fixture.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': ['sim_payload = gremsy_common.programs:node.gremsy_gimbal_sim.sim_payload.main'],
        'gremsy_gimbal.commands': ['sim = gremsy_gimbal_sim.sim_payload:main'],
    },
)
