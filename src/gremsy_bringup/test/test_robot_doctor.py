# SPDX-License-Identifier: Apache-2.0
"""`doctor --robot` on machines that are not there: each lack is named with the command that mends it."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gremsy_bringup.doctor.doctor_table import ask_all
from gremsy_bringup.robot_doctor import (
    container_checks,
    device_checks,
    machine_checks,
    network_checks,
    robot_doctor_command,
    secret_checks,
)
from gremsy_bringup.robot_doctor.host_view import Host, KernelClock, Owner, User, ask_page, kernel_clock
from gremsy_bringup.robot_doctor.installation import Installation, variables_of
from gremsy_bringup.robot_doctor.robot_doctor_command import questions_of
from gremsy_bringup.robot_doctor.robot_view import Robot
from src.gremsy_bringup.test.fake_machine import Machine, with_environment

PACKAGE = Path(__file__).resolve().parents[1]
REPOSITORY = PACKAGE.parents[1]

# /etc/nv_tegra_release of an Orin Nano with JetPack 6.2.1 and of an AGX Xavier with JetPack 5.1.2, as their owners
# published them.
ORIN = (
    '# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64, '
    'DATE: Thu Sep 18 22:54:44 UTC 2025\n'
    '# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n'
    'TARGET_USERSPACE_LIB_DIR_PATH=usr/lib/aarch64-linux-gnu/nvidia\n'
)
XAVIER = (
    '# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, '
    'DATE: Tue Aug  1 19:57:35 UTC 2023\n'
)
ORIN_MODEL = 'NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0'
# /etc/nvpmodel.conf of the same kit, and `nvpmodel -q` in its second mode.
ORIN_MODES = '< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n'
ORIN_MODE = 'NV Power Mode: 25W\n1\n'
# /proc/driver/nvidia/version with the proprietary module and with the open one.
DRIVER_515 = (
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  515.65.01  Wed Mar 16 11:24:05 UTC 2022\n'
    'GCC version:  gcc version 12.2.0 (GCC)\n'
)
DRIVER_580 = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.173.02  Release Build\n'
# `docker info --format '{{json .Runtimes}}'` with and without NVIDIA's.
WITH_NVIDIA = (
    '{"io.containerd.runc.v2":{"path":"runc"},"nvidia":{"path":"nvidia-container-runtime"},"runc":{"path":"runc"}}\n'
)
WITHOUT_NVIDIA = '{"io.containerd.runc.v2":{"path":"runc"},"runc":{"path":"runc"}}\n'
# What docker 24 says to a user who is not in its group.
DENIED = (
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get '
    '"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/version": dial unix /var/run/docker.sock: connect: permission denied\n'
)
FTDI = '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0'
TTY = Owner(0, 20, 0o660)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / 'root')


def in_group(machine, *numbers):
    machine.user = User('gremsy-user', 1000, frozenset({1000, *numbers}))


# --- The machine ------------------------------------------------------------------------------------------------------


def test_a_jetson_is_named_with_its_jetpack(machine):
    machine.file('/etc/nv_tegra_release', ORIN)
    machine.file('/proc/device-tree/model', ORIN_MODEL)
    machine.file('/etc/os-release', 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nID=ubuntu\n')
    check = machine_checks.system(machine.robot())
    assert (check.ok, check.found) == (
        True,
        'NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super, Jetson Linux 36.4.7 (JetPack 6), '
        'Ubuntu 22.04.5 LTS',
    )


def test_jetpack_5_is_refused_and_an_image_of_another_platform_is_named(machine):
    machine.file('/etc/nv_tegra_release', XAVIER)
    check = machine_checks.system(machine.robot())
    assert (check.ok, check.needed, check.lack) == (False, True, 'too old')
    assert check.remedy.startswith("Its TensorRT binds Python 3.8: flash JetPack 6 or 7 with NVIDIA's SDK Manager")
    machine.file('/etc/nv_tegra_release', ORIN)
    machine.containers('PLATFORM=pc\n')
    check = machine_checks.system(machine.robot())
    assert check.found.endswith('; the image is for pc')
    assert check.remedy == 'Write PLATFORM=jetpack6 into /src/docker/.env, and build or pull the image again.'


def test_the_fastest_power_mode_is_named_by_the_number_that_it_has_here(machine):
    machine.file('/usr/sbin/nvpmodel')
    machine.file('/etc/nvpmodel.conf', ORIN_MODES)
    machine.says('nvpmodel -q', ORIN_MODE)
    check = machine_checks.power_mode(machine.robot())
    assert (check.ok, check.needed) == (False, False)
    assert check.remedy == (
        'Run `sudo nvpmodel -m 2` for MAXN_SUPER, where power supply and cooling allow it '
        '(some modes ask for a restart).'
    )
    machine.says('nvpmodel -q', 'NV Power Mode: MAXN_SUPER\n2\n')
    assert machine_checks.power_mode(machine.robot()).ok


def test_a_pc_has_no_power_mode(machine):
    assert machine_checks.power_mode(machine.robot()) is None


@pytest.mark.parametrize(
    ('driver', 'settings', 'ok', 'found'),
    [
        (DRIVER_580, 'PLATFORM=pc\n', True, '580.173'),
        (DRIVER_515, 'PLATFORM=pc\n', False, '515.65, and CUDA 13 needs 580.65'),
        (DRIVER_515, None, True, '515.65'),
    ],
    ids=['new', 'too old for the image', 'no containers'],
)
def test_the_driver_must_be_as_new_as_the_images_cuda(machine, driver, settings, ok, found):
    machine.file('/proc/driver/nvidia/version', driver)
    if settings is not None:
        machine.containers(settings)
    check = machine_checks.gpu_driver(machine.robot())
    assert (check.ok, check.found) == (ok, found)
    assert ok or check.remedy == 'Run `sudo apt-get install nvidia-driver-580` (or newer) and restart the machine.'


def test_a_card_without_driver_and_a_machine_without_card_are_told_apart(machine):
    # Class and vendor as the kernel writes them (Documentation/ABI/testing/sysfs-bus-pci): a VGA controller of NVIDIA.
    assert machine_checks.gpu_driver(machine.robot()).found == 'no NVIDIA GPU'
    machine.file('/sys/bus/pci/devices/0000:01:00.0/class', '0x030000\n')
    machine.file('/sys/bus/pci/devices/0000:01:00.0/vendor', '0x10de\n')
    assert machine_checks.gpu_driver(machine.robot()).found == 'an NVIDIA GPU without its driver'


def test_more_processors_than_there_are_is_what_docker_refuses(machine):
    machine.cpus = 2
    machine.containers('GREMSY_CPUS=4\n')
    check = machine_checks.processors(machine.robot())
    assert (check.ok, check.needed, check.remedy) == (False, True, 'Write GREMSY_CPUS=2 into /src/docker/.env.')
    machine.containers('GREMSY_CPUS=1.5\n')
    assert machine_checks.processors(machine.robot()).ok


def test_a_clock_that_was_never_set_stops_the_robot(machine):
    machine.now_s = 86_400.0
    check = machine_checks.clock(machine.robot())
    assert (check.ok, check.needed, check.lack) == (False, True, 'unset')
    assert check.found == '1970-01-02 00:00:00 UTC: not set'
    assert '`sudo timedatectl set-ntp true`' in check.remedy and '`sudo date -u -s ' in check.remedy


@pytest.mark.parametrize(
    ('process', 'found', 'command'),
    [
        ('chronyd', 'chrony has not reached a server', 'sudo systemctl enable --now chrony'),
        # The kernel's 15 letters of systemd-timesyncd.
        ('systemd-timesyn', 'systemd-timesyncd has not reached a server', 'sudo timedatectl set-ntp true'),
        ('', 'nothing here does it', 'sudo apt-get install chrony'),
    ],
)
def test_a_clock_that_nobody_keeps_names_what_would(machine, process, found, command):
    machine.clock = KernelClock(False, 16.0)
    if process:
        machine.process(400, process)
    check = machine_checks.clock(machine.robot())
    assert (check.ok, check.needed, check.lack) == (False, False, 'adrift')
    assert check.found == f'2027-01-15 08:00:00 UTC, not synchronised: {found}'
    assert check.remedy.startswith(f'Run `{command}`, and let it reach an NTP server.')


def test_a_synchronised_clock_says_how_well(machine):
    machine.process(400, 'chronyd')
    check = machine_checks.clock(machine.robot())
    assert check.found == '2027-01-15 08:00:00 UTC, synchronised by chrony, off by 20 ms at most'


def test_the_kernels_own_clock_agrees_with_its_status_file_form():
    # adjtimex(2): maxerror is 0 .. 16 s, at which the kernel gives up and says "unsynchronised".
    seen = kernel_clock()
    assert seen is not None
    assert 0.0 <= seen.largest_error_s <= 2**31 / 1e6
    assert seen.largest_error_s < 16.1 or not seen.synchronised


def test_an_rtc_that_stands_in_1970_has_no_battery(machine):
    machine.file('/sys/class/rtc/rtc0/since_epoch', '3600\n')
    check = machine_checks.rtc(machine.robot())
    assert (check.ok, check.lack) == (False, 'adrift')
    assert check.remedy.startswith('Set it with `sudo hwclock --systohc --rtc=/dev/rtc0`; if it is wrong again')
    # Of two the one counts that the kernel takes the time from at boot (Documentation/ABI/testing/sysfs-class-rtc).
    machine.file('/sys/class/rtc/rtc1/since_epoch', f'{machine.now_s - 2:.0f}\n')
    machine.file('/sys/class/rtc/rtc1/hctosys', '1\n')
    assert machine_checks.rtc(machine.robot()).found == 'rtc1, within 2 s of the clock'


def test_a_full_disk_and_one_that_the_kernel_made_read_only_are_named(machine):
    machine.containers('IMAGE=gremsy-vision\n')
    machine.file('/proc/mounts', '/dev/mmcblk0p1 / ext4 rw,relatime 0 0\n')
    assert machine_checks.disks(machine.robot()).ok
    machine.free = 500 * 1024**2
    check = machine_checks.disks(machine.robot())
    assert (check.ok, check.needed, check.lack) == (False, True, 'full')
    assert '0.5 GiB free for logs in /src/docker/logs, 1 wanted' in check.found
    assert check.remedy == 'Free some: `docker system prune` removes unused images.'
    # As /proc/mounts has it (proc(5)) after an error of the card: ext4's errors=remount-ro.
    machine.file('/proc/mounts', '/dev/mmcblk0p1 / ext4 ro,relatime,errors=remount-ro 0 0\n')
    assert machine_checks.disks(machine.robot()).remedy.startswith('Run `sudo mount -o remount,rw /`')


def test_folders_of_another_user_than_the_containers_are_named(machine):
    machine.containers('UID=1000\n', logs=0)
    check = machine_checks.folder_owners(machine.robot())
    assert check.remedy == 'Run `sudo chown -R 1000:1000 /src/docker/logs`, or change UID in .env.'


# --- Devices ----------------------------------------------------------------------------------------------------------


def gimbal_at(machine, link, *, owner=TTY):
    machine.parameters(f'/**/gimbal_driver:\n  ros__parameters:\n    link: {link}   # the cable\n')
    machine.file('/dev/ttyUSB0')
    machine.owners['/dev/ttyUSB0'] = owner


def test_a_serial_port_that_is_not_there_names_those_that_are(machine):
    gimbal_at(machine, 'serial:///dev/ttyUSB7?baud=115200')
    machine.link(FTDI, '../../ttyUSB0')
    check = device_checks.serial_port(machine.robot())
    assert (check.ok, check.needed, check.found) == (False, True, '/dev/ttyUSB7 is not there')
    assert check.remedy == f'Plug the gimbal in, or correct `link`: here are {FTDI}.'


def test_what_takes_an_adapter_away_is_named(machine):
    gimbal_at(machine, 'serial:///dev/ttyUSB7')
    machine.process(611, 'brltty')
    remedy = device_checks.serial_port(machine.robot()).remedy
    assert remedy == (
        'brltty runs and may have taken it: run `sudo apt-get remove brltty` and plug the adapter in again.'
    )


def test_the_group_that_may_open_the_port_is_asked_for_and_logging_in_again_after_it(machine):
    gimbal_at(machine, 'serial:///dev/ttyUSB0')
    check = device_checks.serial_port(machine.robot())
    assert (check.lack, check.remedy) == (
        'denied',
        'Add this user to the group dialout (sudo usermod -aG dialout $USER) and log in again.',
    )
    machine.file('/etc/group', 'dialout:x:20:gremsy-user\n')
    assert device_checks.serial_port(machine.robot()).remedy == (
        'This user joined its group dialout after logging in: log in again.'
    )


def test_who_holds_the_port_is_named(machine):
    gimbal_at(machine, 'serial:///dev/ttyUSB0')
    in_group(machine, 20)
    machine.process(4711, 'gTune', '/dev/ttyUSB0')
    check = device_checks.serial_port(machine.robot())
    assert (check.lack, check.found) == ('in use', '/dev/ttyUSB0 is held by gTune (process 4711)')
    assert check.remedy == 'End it: `sudo kill 4711`.'


def test_modem_manager_is_named_until_the_port_is_marked(machine):
    gimbal_at(machine, f'serial://{FTDI}')
    machine.link(FTDI, '../../ttyUSB0')
    in_group(machine, 20)
    machine.process(700, 'ModemManager')
    # `udevadm info --query=property` of such an adapter, in part.
    machine.says('udevadm info', 'DEVNAME=/dev/ttyUSB0\nID_BUS=usb\nID_VENDOR_ID=0403\nID_MM_CANDIDATE=1\n')
    check = device_checks.serial_port(machine.robot())
    assert (check.lack, 'sudo cp docker/robot/udev/80-gremsy.rules' in check.remedy) == ('shared', True)
    machine.says('udevadm info', 'DEVNAME=/dev/ttyUSB0\nID_MM_DEVICE_IGNORE=1\nID_MM_CANDIDATE=1\n')
    assert device_checks.serial_port(machine.robot()).found == f'{FTDI} (/dev/ttyUSB0)'


def test_a_jetsons_uart_that_is_a_console_is_freed(machine):
    # NVIDIA's own images start nvgetty on the header's UART.
    gimbal_at(machine, 'serial:///dev/ttyTHS1')
    machine.file('/dev/ttyTHS1')
    machine.owners['/dev/ttyTHS1'] = TTY
    in_group(machine, 20)
    machine.says('systemctl is-active', 'inactive\n', status=3)
    machine.says('systemctl is-active nvgetty.service', 'active\n')
    assert device_checks.serial_port(machine.robot()).remedy == (
        'Run `sudo systemctl disable --now nvgetty.service` and restart the machine.'
    )


def test_a_number_that_changes_gives_way_to_a_name_that_stays(machine):
    gimbal_at(machine, 'serial:///dev/ttyUSB0')
    machine.link(FTDI, '../../ttyUSB0')
    in_group(machine, 20)
    check = device_checks.serial_port(machine.robot())
    assert (check.lack, check.remedy) == ('unstable', f'Name it {FTDI}, which stays.')


def test_in_containers_the_device_and_its_group_come_from_env(machine):
    machine.containers('GREMSY_LINK=serial:///dev/gimbal?baud=115200\n')
    machine.file('/dev/ttyUSB0')
    check = device_checks.serial_port(machine.robot())
    assert check.found == 'GREMSY_LINK is a serial port, and GIMBAL_DEVICE names none'
    machine.containers('GREMSY_LINK=serial:///dev/gimbal\nGIMBAL_DEVICE=/dev/ttyUSB0\nDIALOUT_GID=20\n')
    machine.owners['/dev/ttyUSB0'] = Owner(0, 986, 0o660)
    check = device_checks.serial_port(machine.robot())
    assert (check.lack, check.remedy) == ('denied', 'Write DIALOUT_GID=986 into /src/docker/.env.')


def test_a_camera_that_is_not_there_or_not_ours_is_named(machine):
    machine.parameters('/**/eo/camera:\n  ros__parameters:\n    source: /dev/video2\n')
    machine.file('/dev/video0')
    machine.file('/sys/class/video4linux/video0/name', 'HD Webcam\n')
    check = device_checks.camera_devices(machine.robot())
    assert check.remedy == 'Plug it in, or name another; there are: /dev/video0 (HD Webcam).'
    machine.parameters('/**/eo/camera:\n  ros__parameters:\n    source: /dev/video0\n')
    machine.owners['/dev/video0'] = Owner(0, 44, 0o660)
    check = device_checks.camera_devices(machine.robot())
    assert check.remedy == 'Run `sudo usermod -aG video $USER` and log in again.'


def test_a_payload_that_does_not_answer_says_by_which_way_it_was_asked(machine):
    machine.containers('GREMSY_IP=192.168.12.240\n')
    machine.says('ping', status=1)
    # `ip route get` of iproute2 6.1.
    machine.says('ip route get', '192.168.12.240 via 10.0.0.1 dev wlan0 src 10.0.0.7 uid 1000 \n    cache \n')
    check = device_checks.payload_address(machine.robot())
    assert check.found == '192.168.12.240 does not answer (by way of wlan0)'
    assert '`sudo ip address add 192.168.12.2/24 dev wlan0`' in check.remedy
    machine.says('ping')
    assert device_checks.payload_address(machine.robot()).found == '192.168.12.240 answers'


# --- Network ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('settings', 'ok', 'words'),
    [
        ({}, True, "ROS's default middleware, domain 0. ROS_NETWORK is local: heard on this machine only."),
        ({'ROS_NETWORK': 'lan'}, True, 'ROS_NETWORK is lan: whoever shares this network and ROS_DOMAIN_ID hears'),
        ({'ROS_NETWORK': 'wan'}, False, "ROS_NETWORK is 'wan': use local, lan or server."),
        (
            {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'},
            True,
            "ROS's default middleware, domain 0, heard by every machine of this network in domain 0",
        ),
        ({'ROS_DOMAIN_ID': '101', 'ROS_LOCALHOST_ONLY': '1'}, True, 'domain 101, heard on this machine only'),
        ({'ROS_DOMAIN_ID': '102'}, False, "ROS_DOMAIN_ID is '102'"),
        ({'ROS_DOMAIN_ID': 'seven'}, False, "ROS_DOMAIN_ID is 'seven'"),
        (
            {'ROS_LOCALHOST_ONLY': '1', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'},
            False,
            'ROS_LOCALHOST_ONLY=1 overrules ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET',
        ),
        ({'FASTRTPS_DEFAULT_PROFILES_FILE': '/gone.xml'}, False, 'names /gone.xml, which is not there'),
    ],
)
def test_settings_of_dds_that_do_not_do_what_they_say(machine, settings, ok, words):
    check = network_checks.dds_settings(with_environment(machine.robot(), **settings))
    assert (check.ok, words in check.found) == (ok, True)
    assert ok or check.remedy


def test_multicast_is_asked_of_each_interface(machine):
    # /sys/class/net/*/flags as this kernel writes them; the bits are those of <linux/if.h>.
    machine.file('/sys/class/net/lo/flags', '0x9\n')
    machine.file('/sys/class/net/eth0/flags', '0x1003\n')
    assert network_checks.multicast(machine.robot()).found == 'on eth0'
    machine.file('/sys/class/net/eth0/flags', '0x3\n')
    assert network_checks.multicast(machine.robot()).remedy.startswith('Run `sudo ip link set dev eth0 multicast on`')
    machine.file('/etc/ufw/ufw.conf', '# Set to yes to start on boot.\nENABLED=yes\nLOGLEVEL=low\n')
    machine.file('/sys/class/net/eth0/flags', '0x1003\n')
    assert 'sudo ufw allow 8189/udp' in network_checks.multicast(machine.robot()).remedy


def test_fast_dds_files_of_another_user_are_told(machine):
    machine.file('/dev/shm/fastrtps_3f1c0a5de7a1d0b2')
    machine.file('/dev/shm/sem.fastrtps_port7410_mutex')
    for name in ('fastrtps_3f1c0a5de7a1d0b2', 'sem.fastrtps_port7410_mutex'):
        machine.owners[f'/dev/shm/{name}'] = Owner(0, 0, 0o644)
    check = network_checks.shared_memory(machine.robot())
    assert (check.lack, check.found) == ('shared', "Fast DDS's files of other users: 2 of user 0")
    machine.free = 64 * 1024**2
    assert network_checks.shared_memory(machine.robot()).found == '64 MiB free in /dev/shm'


@pytest.mark.parametrize(('bytes_', 'ok'), [(212992, False), (2 * 1024**2 - 1, False), (2 * 1024**2, True)])
def test_linuxs_own_receive_buffer_is_too_small_for_video(machine, bytes_, ok):
    # 212992 is what Linux comes with (Documentation/admin-guide/sysctl/net.rst).
    machine.file('/proc/sys/net/core/rmem_max', f'{bytes_}\n')
    check = network_checks.socket_buffers(machine.robot())
    assert check.ok is ok
    assert ok or 'net.core.rmem_max=8388608 | sudo tee /etc/sysctl.d/60-gremsy.conf' in check.remedy


def test_a_port_that_is_taken_is_found_with_who_has_it_on_this_machine():
    """The real /proc, against a socket that this test has."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        settings = {'PORT': str(port)}
        real = Host()
        robot = Robot(real, Installation(settings=settings), Path('/nowhere'), {})
        assert ('tcp', port) in network_checks.listeners(real)
        check = network_checks.ports(robot)
    assert f'{port}/tcp (page and API) by ' in check.found
    assert f'(process {os.getpid()})' in check.found
    assert f'End `sudo kill {os.getpid()}`, or change `port` of node web.' in check.remedy


def test_a_port_of_somebody_whom_this_user_cannot_see_names_the_command_that_can(machine):
    # Documentation/networking/proc_net_tcp.rst: a socket that listens at 127.0.0.1:8554, inode 1234.
    machine.file(
        '/proc/net/tcp',
        '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
        '   0: 0100007F:216A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 '
        '100 0 0 10 0\n',
    )
    check = network_checks.ports(machine.robot())
    assert (check.ok, check.needed, check.found) == (False, True, 'taken: 8554/tcp (video in) by another program')
    assert check.remedy == (
        "End the program that `sudo ss -ltnp 'sport = :8554'` names, or change rtspAddress in mediamtx.yml."
    )
    machine.process(9, 'mediamtx', 'socket:[1234]')
    assert network_checks.ports(machine.robot()).found == 'free: 6783, 8889, 9997; of the suite: 8554'


# --- Containers -------------------------------------------------------------------------------------------------------


def test_without_containers_nobody_asks_for_docker(machine):
    robot = machine.robot()
    assert not set(container_checks.CONTAINER_QUESTIONS) & set(questions_of(robot))


@pytest.mark.parametrize(
    ('status', 'errors', 'lack', 'command'),
    [
        (127, '', 'missing', 'sudo apt-get install docker.io docker-compose-v2'),
        (1, DENIED, 'denied', 'Log in again: this user joined the group docker'),
        (
            1,
            'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
            'stopped',
            'sudo systemctl enable --now docker',
        ),
        (None, 'no answer within 15 s', 'hangs', 'sudo systemctl restart docker'),
    ],
)
def test_each_way_in_which_docker_does_not_answer(machine, status, errors, lack, command):
    machine.containers()
    machine.says('docker version', status=status, errors=errors)
    check = container_checks.docker(machine.robot())
    assert (check.ok, check.needed, check.lack, command in check.remedy) == (False, True, lack, True)


def test_a_user_outside_of_dockers_group_is_put_into_it(machine):
    machine.containers()
    machine.user = User('another', 1001, frozenset({1001}))
    machine.says('docker version', status=1, errors=DENIED)
    assert container_checks.docker(machine.robot()).remedy == 'Run `sudo usermod -aG docker $USER` and log in again.'


@pytest.mark.parametrize(
    ('version', 'ok'), [('2.16.0', False), ('v2.17.2', True), ('2.40.3-desktop.1', True), ('', False)]
)
def test_compose_must_know_what_the_file_says(machine, version, ok):
    machine.containers()
    machine.says('docker compose version', version, status=0 if version else 1)
    assert container_checks.compose(machine.robot()).ok is ok


def test_the_nvidia_runtime_is_registered_where_it_is_installed(machine):
    machine.containers()
    machine.says('docker info', WITH_NVIDIA)
    assert container_checks.nvidia_runtime(machine.robot()).ok
    machine.says('docker info', WITHOUT_NVIDIA)
    assert 'apt-get install nvidia-container-toolkit' in container_checks.nvidia_runtime(machine.robot()).remedy
    machine.file('/usr/bin/nvidia-ctk')
    assert container_checks.nvidia_runtime(machine.robot()).remedy == (
        'Run `sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker`.'
    )


def test_an_image_that_is_not_here_or_of_another_processor(machine):
    machine.containers('PLATFORM=jetpack6\n')
    machine.says('docker image inspect', status=1, errors='Error: No such image: gremsy-vision:local\n')
    assert '--build-arg PLATFORM=jetpack6 -t gremsy-vision:local .' in container_checks.image(machine.robot()).remedy
    machine.says('docker image inspect', 'amd64 sha256:0123456789abcdef\n')
    machine.says('uname -m', 'aarch64\n')
    assert container_checks.image(machine.robot()).found == 'gremsy-vision:local is for amd64, this is arm64'


def test_a_container_that_starts_again_and_again_names_its_log(machine):
    machine.containers()
    row = {'Names': 'gremsy-gremsy-1', 'State': 'restarting', 'Status': 'Restarting (2) 4 seconds ago'}
    labels = 'com.docker.compose.project=gremsy,com.docker.compose.service=gremsy'
    machine.says('docker ps', json.dumps({**row, 'Labels': labels}) + '\n')
    check = container_checks.containers(machine.robot())
    assert (check.needed, check.found) == (True, 'gremsy-gremsy-1: Restarting (2) 4 seconds ago')
    assert check.remedy == 'Run `docker logs --tail 50 gremsy-gremsy-1`: its last lines say why.'


def test_releases_are_found_in_their_folder_with_image_and_units(machine):
    home = '/home/gremsy-user/gremsy'
    machine.file(f'{home}/shared/.env', 'GREMSY_IP=10.0.0.2\n')
    machine.file(f'{home}/releases/1.4.0-abc/release.env', 'IMAGE=ghcr.io/me/gremsy\nTAG=1.4.0@sha256:11\n')
    machine.link(f'{home}/current', 'releases/1.4.0-abc')
    machine.file('/usr/bin/systemctl')
    machine.says('systemctl is-enabled', 'enabled\n')
    machine.says('systemctl is-enabled gremsy-recover.timer', '', status=1, errors='Failed to get unit file state')
    robot = machine.robot()
    assert robot.image == 'ghcr.io/me/gremsy:1.4.0@sha256:11'
    check = container_checks.boot(robot)
    assert check.found == 'gremsy-recover.timer not installed'
    assert check.remedy == (
        'Run in a checkout `sudo cp docker/robot/systemd/gremsy-recover.* /etc/systemd/system/`, then '
        '`sudo systemctl enable --now gremsy-recover.timer`.'
    )


# --- Secrets ----------------------------------------------------------------------------------------------------------

KEY = 'b1946ac92492d2347c6235b4d2611184'


@pytest.mark.parametrize(
    ('settings', 'file', 'mode', 'user', 'lack', 'needed'),
    [
        ('', None, 0, 0, 'missing', False),
        ('API_KEY=changeme\n', None, 0, 0, 'weak', True),
        ('API_KEY=short\n', None, 0, 0, 'weak', False),
        (f'API_KEY={KEY}\n', None, 0, 0, '', False),
        ('KEYS_FILE=./secrets/keys.yaml\n', None, 0, 0, 'missing', True),
        ('KEYS_FILE=./secrets/keys.yaml\n', f'control: {KEY}\n', 0o644, 1000, 'open', True),
        ('KEYS_FILE=./secrets/keys.yaml\n', f'control: {KEY}\n', 0o600, 0, 'denied', True),
        ('KEYS_FILE=./secrets/keys.yaml\n', 'nothing: here\n', 0o600, 1000, 'missing', True),
        ('KEYS_FILE=./secrets/keys.yaml\n', 'control: secret\n', 0o600, 1000, 'weak', True),
        ('KEYS_FILE=./secrets/keys.yaml\n', f'control: {KEY}\nview: "{KEY}"\n', 0o600, 1000, '', False),
    ],
)
def test_keys_are_there_strong_and_their_owners_alone(machine, settings, file, mode, user, lack, needed):
    machine.containers(settings)
    if file is not None:
        machine.file('/src/docker/secrets/keys.yaml', file, mode)
        machine.owners['/src/docker/secrets/keys.yaml'] = Owner(user, 1000, mode)
    check = secret_checks.keys(machine.robot())
    assert (check.ok, '' if check.ok else check.lack, check.needed) == (not lack, lack, needed)
    assert KEY not in check.found + check.remedy


def test_a_file_with_a_password_is_for_its_owner_alone(machine):
    machine.containers('CAMERA_PASSWORD=hunter22\n')
    check = secret_checks.secret_files(machine.robot())
    assert (check.lack, check.needed, check.remedy) == ('open', True, 'Run `chmod 600 /src/docker/.env`.')
    machine.file('/src/docker/.env', 'CAMERA_PASSWORD=hunter22\n', 0o600)
    assert secret_checks.secret_files(machine.robot()).ok


def test_a_password_in_the_parameter_file_is_said_and_a_variable_is_none(machine):
    machine.parameters('/**/eo/camera:\n  ros__parameters:\n    source: rtsp://admin:hunter22@10.0.0.2/eo\n')
    (machine.root / 'home/gremsy-user/my_robot.yaml').chmod(0o600)
    check = secret_checks.secret_files(machine.robot())
    assert (check.lack, check.found) == ('inline', 'a password stands in /home/gremsy-user/my_robot.yaml')
    machine.parameters('/**/eo/camera:\n  ros__parameters:\n    source: rtsp://${A}:${B}@10.0.0.2/eo\n')
    assert secret_checks.secret_files(machine.robot()) is None


# --- All of it --------------------------------------------------------------------------------------------------------


def test_a_bare_machine_gets_rows_and_no_exception_and_every_needed_lack_has_a_command(machine):
    machine.containers('GREMSY_LINK=serial:///dev/gimbal\nEO_SOURCE=/dev/camera\n')
    checks = ask_all(robot := machine.robot(), robot_doctor_command.questions_of(robot))
    assert [check.found for check in checks if 'could not look' in check.found] == []
    wrong = [check for check in checks if not check.ok]
    assert {'Serial port', 'Camera devices', 'Docker', 'Compose', 'GPU driver'} <= {check.name for check in wrong}
    assert [check.name for check in wrong if not check.remedy] == []


def test_a_suite_that_runs_speaks_for_itself(machine):
    machine.pages['http://127.0.0.1:6783/health'] = (200, '{"status":"alive"}')
    parts = [{'name': 'camera eo', 'ready': False, 'reason': 'No picture for 3.0 s.', 'warning': ''}]
    machine.pages['http://127.0.0.1:6783/health/ready'] = (503, json.dumps({'ready': False, 'parts': parts}))
    check = robot_doctor_command.running(machine.robot())
    assert (check.ok, check.needed, check.found) == (False, True, 'camera eo: No picture for 3.0 s.')
    machine.pages['http://127.0.0.1:6783/health/ready'] = (503, '{"ready":false}')
    assert robot_doctor_command.running(machine.robot()).found == (
        'runs at http://127.0.0.1:6783, and reports no more without its key'
    )


def test_env_is_read_as_compose_reads_it():
    # https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
    text = 'VAR=VAL\nA="VAL"\nB=\'VAL\'\nC=VAL # comment\nD=VAL#no comment\nE="VAL # no comment"\nF="VAL" # comment\n'
    assert variables_of(text + "export G=1\n# H=2\nI=\nJ='${NOT}'\n") == {
        'VAR': 'VAL',
        'A': 'VAL',
        'B': 'VAL',
        'C': 'VAL',
        'D': 'VAL#no comment',
        'E': 'VAL # no comment',
        'F': 'VAL',
        'G': '1',
        'I': '',
        'J': '${NOT}',
    }


def test_a_value_of_several_lines_is_read_as_one():
    # docs.docker.com, "Set environment variables", syntax of .env: quoted values may have several lines.
    assert variables_of("A='one\ntwo'\nB=3\nC=\"open\nD=4\n") == {'A': 'one\ntwo', 'B': '3', 'C': '"open', 'D': '4'}


def test_bytes_that_no_path_may_have_are_no_end_of_it(machine):
    machine.containers('IMAGE=a\0b\nKEYS_FILE=./x\0y\nPORT=\u00b2\n')
    machine.parameters('link: serial:///dev/tty\0X\nsource: /dev/vid\0eo\nkeys_file: /x\0y\n')
    rows = ask_all(robot := machine.robot(), questions_of(robot))
    assert [row.found for row in rows if 'could not look' in row.found] == []
    assert machine.robot().installation.page_port == 6783
    assert not any('\0' in word for words in machine.asked for word in words)


@pytest.mark.parametrize(
    'answer', [b'SSH-2.0-OpenSSH_9.6\r\n', b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort'], ids=['ssh', 'cut']
)
def test_who_answers_at_the_pages_port_and_is_no_page_does_not_run(answer):
    with socket.create_server(('127.0.0.1', 0)) as server:

        def once():
            with server.accept()[0] as client:
                client.recv(4096)
                client.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        status, _ = ask_page(f'http://127.0.0.1:{server.getsockname()[1]}/health', '')
        thread.join()
    assert status == 0


def test_the_doctor_takes_the_variables_that_the_example_explains():
    """Every setting that is asked for is one of docker/.env.example, and its default is the one that stands there."""
    example = variables_of((REPOSITORY / 'docker' / '.env.example').read_text())
    code = ''.join(path.read_text() for path in (PACKAGE / 'gremsy_bringup' / 'robot_doctor').glob('*.py'))
    asked = re.findall(r"setting\(\s*'([A-Z_]+)'(?:, '([^']*)')?\)", code)
    assert {'PORT', 'UID', 'API_KEY', 'GREMSY_IP'} <= {name for name, _ in asked}
    assert {name for name, _ in asked} <= example.keys()
    wrong = {name for name, default in asked if default and default not in (example[name], 'REPOSITORY')}
    assert wrong == set()


def test_a_workspace_does_not_speak_for_a_robot_in_containers(machine):
    machine.containers('GREMSY_IP=10.0.0.2\n')
    machine.says('docker image inspect', status=1, errors='Error: No such image: gremsy-vision:local\n')
    assert robot_doctor_command.way_inside(machine.robot(), ['python3'])(['-c', 'pass']) is None
    (check,) = robot_doctor_command.ask_suite(machine.robot(), None)
    assert check.remedy.startswith('Run this again when the image is here')


def test_the_containers_are_asked_from_inside_and_a_release_by_its_own_files(machine):
    machine.containers('GREMSY_IP=10.0.0.2\n')
    machine.says('docker image inspect', 'sha256:1\n')
    machine.says('docker ps', '')
    robot = machine.robot()
    command = robot_doctor_command.way_inside(robot, ['python3'])(robot_doctor_command.suite_words(robot))
    assert command[:6] == [
        *('docker', 'compose', '--env-file=/src/docker/.env', '-f', '/src/docker/compose.yaml', 'run'),
    ]
    assert command[-3:] == ['-m', 'gremsy_bringup.robot_doctor.suite_checks', '/tmp/doctor.yaml']
    machine.says('docker ps', 'gremsy-gremsy-1\n')
    command = robot_doctor_command.way_inside(robot, None)(['-c', 'pass'])
    assert command[:4] == ['docker', 'exec', 'gremsy-gremsy-1', '/entrypoint']


@pytest.mark.parametrize(
    ('output', 'found'),
    [
        ('a library warns\n{"checks": [{"name": "Gimbal", "ok": true, "found": "answers"}]}\n', 'answers'),
        ('', 'could not be asked (status 1)'),
        ('Killed\n', 'could not be asked (Killed)'),
    ],
)
def test_what_the_suite_says_inside_becomes_rows(machine, output, found):
    machine.says('python3', output, status=1)
    (check,) = robot_doctor_command.ask_suite(machine.robot(), ['python3', '-m', 'x'])
    assert check.found == found


def test_it_runs_with_the_standard_library_alone(tmp_path):
    """As on a robot that has Docker and nothing else: no site-packages, no ROS, nothing written."""
    folders = [str(REPOSITORY / 'src' / f'gremsy_{name}') for name in ('bringup', 'common', 'camera', 'gimbal_driver')]
    code = (
        f'import sys; sys.path[:0] = {folders!r}\n'
        'from gremsy_bringup.robot_doctor.robot_doctor_command import main\n'
        "sys.exit(main(['--robot', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, '-I', '-S', '-B', '-c', code],
        cwd=tmp_path,
        env={'PATH': os.environ['PATH'], 'HOME': str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    rows = {check['name']: check for check in told['checks']}
    assert (told['robot_is_ready'], rows['Configuration']['ok']) == (False, False)
    assert {'System', 'Clock', 'Disk', 'DDS', 'Ports', 'Shared memory'} <= rows.keys()
    assert [row['found'] for row in rows.values() if 'could not look' in row['found']] == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert robot_doctor_command.main(['--robot', '--params-file', 'my_robt.yaml']) == 2
    assert capsys.readouterr().err == 'doctor: There is no file my_robt.yaml: correct --params-file.\n'
