# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from setuptools import find_packages, setup

package_name = 'gremsy_bringup'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
        *(
            ('share/' + package_name + '/' + folder, sorted(str(path) for path in Path(folder).glob('*.*')))
            for folder in ('config', 'launch', 'urdf')
        ),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='Gremsy vision suite maintainers',
    maintainer_email='maintainers@gremsy-vision.invalid',
    description='Launch files, configuration, the loop container, the demo and doctor of the Gremsy vision suite.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'check = gremsy_common.programs:tool.gremsy_bringup.describe.parameter_check.main',
            'container = gremsy_common.programs:node.gremsy_bringup.container.main',
            'run = gremsy_common.programs:node.gremsy_bringup.run.main',
            'init = gremsy_common.programs:tool.gremsy_bringup.init.init_command.main',
            'ask = gremsy_common.programs:tool.gremsy_bringup.ask.ask_node.main',
            'demo = gremsy_common.programs:tool.gremsy_bringup.demo.demo_command.main',
            'discovery_server = gremsy_common.programs:node.gremsy_bringup.deployment.discovery_server.main',
            'doctor = gremsy_common.programs:tool.gremsy_bringup.doctor.doctor_command.main',
            'foreign_logs_node = gremsy_common.programs:node.gremsy_bringup.logs.foreign_logs_node.main',
            'recorder_node = gremsy_common.programs:node.gremsy_bringup.film.recorder_node.main',
        ],
        'gremsy.components': [
            'foreign_logs = gremsy_bringup.logs.foreign_logs_node:ForeignLogsNode',
            'recorder = gremsy_bringup.film.recorder_node:RecorderNode',
        ],
    },
)
