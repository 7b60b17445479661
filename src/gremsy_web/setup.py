# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'gremsy_web'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed'], 'gremsy_web': ['page/*', 'page/**/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='Gremsy vision suite maintainers',
    maintainer_email='maintainers@gremsy-vision.invalid',
    description='The operator page, its HTTP and WebSocket API, and a built-in video server.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'video_server = gremsy_common.programs:node.gremsy_web.video_server.video_server_command.main',
            'web_node = gremsy_common.programs:node.gremsy_web.web_node.main',
            'port_forward = gremsy_common.programs:node.gremsy_web.http.port_forward.main',
        ],
        'gremsy.components': [
            'web = gremsy_web.web_node:WebNode',
        ],
    },
)
