# SPDX-License-Identifier: Apache-2.0
"""`docker/mediamtx.yml` against the names of the settings that MediaMTX 1.20.1 knows (its own reference file's)."""

import re
from pathlib import Path

import pytest
import yaml

FILE = Path(__file__).parents[3] / 'docker' / 'mediamtx.yml'
RELAY = FILE.with_name('mediamtx.base.yml')
if not FILE.is_file():
    pytest.skip('docker/mediamtx.yml is in a source checkout only', allow_module_level=True)

_GLOBAL = """
    logLevel logDestinations logStructured logFile sysLogPrefix dumpPackets readTimeout writeTimeout writeQueueSize
    udpMaxPayloadSize udpReadBufferSize runOnConnect runOnConnectRestart runOnDisconnect authMethod
    authInternalUsers authHTTPAddress authHTTPFingerprint authHTTPExclude authJWTJWKS authJWTJWKSFingerprint
    authJWTClaimKey authJWTExclude authJWTIssuer authJWTAudience api apiAddress apiEncryption apiServerKey
    apiServerCert apiAllowOrigins apiTrustedProxies metrics metricsAddress metricsEncryption metricsServerKey
    metricsServerCert metricsAllowOrigins metricsTrustedProxies pprof pprofAddress pprofEncryption pprofServerKey
    pprofServerCert pprofAllowOrigins pprofTrustedProxies playback playbackAddress playbackEncryption
    playbackServerKey playbackServerCert playbackAllowOrigins playbackTrustedProxies rtsp rtspTransports
    rtspEncryption rtspAddress rtspsAddress rtpAddress rtcpAddress multicastIPRange multicastRTPPort
    multicastRTCPPort srtpAddress srtcpAddress multicastSRTPPort multicastSRTCPPort rtspServerKey rtspServerCert
    rtspAuthMethods rtspTrustedProxies rtmp rtmpEncryption rtmpAddress rtmpsAddress rtmpServerKey rtmpServerCert
    rtmpTrustedProxies hls hlsAddress hlsEncryption hlsServerKey hlsServerCert hlsAllowOrigins hlsTrustedProxies
    hlsAlwaysRemux hlsVariant hlsSegmentCount hlsSegmentDuration hlsPartDuration hlsSegmentMaxSize hlsDirectory
    hlsMuxerCloseAfter hlsCDNSecret webrtc webrtcAddress webrtcEncryption webrtcServerKey webrtcServerCert
    webrtcAllowOrigins webrtcTrustedProxies webrtcLocalUDPAddress webrtcLocalTCPAddress webrtcIPsFromInterfaces
    webrtcIPsFromInterfacesList webrtcAdditionalHosts webrtcICEServers2 webrtcSTUNGatherTimeout
    webrtcHandshakeTimeout webrtcTrackGatherTimeout srt srtAddress moq moqHTTP2Address moqHTTP3Address
    moqQUICAddress moqServerKey moqServerCert moqAllowOrigins moqTrustedProxies pathDefaults paths
"""
_OF_A_PATH = """
    source sourceFingerprint sourceOnDemand sourceOnDemandStartTimeout sourceOnDemandCloseAfter maxReaders
    srtReadPassphrase useAbsoluteTimestamp alwaysAvailable alwaysAvailableTracks alwaysAvailableFile forward record
    recordPath recordFormat recordPartDuration recordMaxPartSize recordSegmentDuration recordDeleteAfter
    overridePublisher srtPublishPassphrase rtspDemuxMpegts rtspTransport rtspAnyPort rtspRangeType rtspRangeStart
    rtspScale rtspUDPSourcePortRange rtpSDP moqTransport whepBearerToken whepSTUNGatherTimeout whepHandshakeTimeout
    whepTrackGatherTimeout sourceRedirect runOnInit runOnInitRestart runOnDemand runOnDemandRestart
    runOnDemandStartTimeout runOnDemandCloseAfter runOnUnDemand runOnAvailable runOnAvailableRestart
    runOnUnavailable runOnOnline runOnOnlineRestart runOnOffline runOnRead runOnReadRestart runOnUnread
    runOnRecordSegmentCreate runOnRecordSegmentComplete
"""
GLOBAL, OF_A_PATH = frozenset(_GLOBAL.split()), frozenset(_OF_A_PATH.split())
INSIDE = {
    'authInternalUsers': {'user', 'pass', 'ips', 'permissions'},
    'permissions': {'action', 'path'},
    'authHTTPExclude': {'action', 'path'},
    'webrtcICEServers2': {'url', 'username', 'password', 'clientOnly'},
}
ACTIONS = {'publish', 'read', 'playback', 'api', 'metrics', 'pprof'}


def with_what_is_off(text):
    """Every setting that is off switched on: those lines begin with # and no word behind a single space."""
    return re.sub(r'^(\s*)#(?=[^\s#]|\s{2,}\S)', r'\1', text, flags=re.MULTILINE)


@pytest.fixture(params=['as it is', 'with all that is off'])
def settings(request):
    text = FILE.read_text(encoding='utf-8')
    return yaml.safe_load(text if request.param == 'as it is' else with_what_is_off(text))


def test_every_setting_is_known_to_mediamtx(settings):
    assert set(settings) - GLOBAL == set()
    assert set(settings['pathDefaults']) - OF_A_PATH == set()
    for name, path in settings['paths'].items():
        assert set(path) - OF_A_PATH == set(), name
    for name, allowed in INSIDE.items():
        for each in settings.get(name, ()):
            assert set(each) - allowed == set(), name
            for permission in each.get('permissions', ()):
                assert set(permission) <= INSIDE['permissions'] and permission['action'] in ACTIONS


def test_what_can_be_changed_listens_on_loopback_only_and_what_is_not_needed_is_off(settings):
    for name in ('apiAddress', 'metricsAddress', 'rtspAddress', 'webrtcAddress'):
        assert settings[name].startswith('127.0.0.1:'), name
    for name in ('hls', 'rtmp', 'srt', 'moq', 'playback'):
        assert settings[name] is False, name
    assert settings['rtspTransports'] == ['tcp']


def test_nobody_gets_in_without_being_asked(settings):
    if settings['authMethod'] == 'http':
        assert settings['authHTTPAddress'] == 'http://127.0.0.1:6783/api/video/auth'
        assert {each['action'] for each in settings['authHTTPExclude']} == {'api', 'metrics'}
        return
    for user in settings['authInternalUsers']:
        actions = {each['action'] for each in user['permissions']}
        assert user['user'] != 'any' or (actions == {'api', 'metrics'} and user['ips'])
        assert user['user'] == 'any' or user['pass'].startswith('sha256:')


def test_the_paths_are_those_of_the_nodes(settings):
    ours = {'eo', 'eo_overlay', 'ir', 'ir_overlay', 'overlay'}
    assert ours <= set(settings['paths']) <= ours | {'front'}
    for name in ours:
        assert settings['paths'][name] == {
            'source': 'publisher',
            'useAbsoluteTimestamp': True,
            # Longer than the start of an encoder takes; shorter than a node goes on without readers.
            'runOnDemand': '/proc/self/exe --version',
            'runOnDemandStartTimeout': '5s',
            'runOnDemandCloseAfter': '1s',
        }
    assert settings['paths'].get('front', {'rtspTransport': 'tcp'})['rtspTransport'] == 'tcp'


def test_the_base_stations_relay_asks_each_robot_once_and_only_for_somebody():
    relay = yaml.safe_load(RELAY.read_text(encoding='utf-8'))
    assert set(relay) <= GLOBAL
    assert set(relay['pathDefaults']) <= OF_A_PATH
    assert relay['pathDefaults']['sourceOnDemand'] is True
    for name, path in relay['paths'].items():
        assert set(path) <= OF_A_PATH
        # A regular expression begins with ~, and its first group is the robot's own path ($G1), by MediaMTX's own file.
        robot = re.fullmatch(r'~\^(\w+)/\(\.\+\)\$', name)[1]
        assert re.fullmatch(name[1:], f'{robot}/eo')[1] == 'eo'
        assert re.fullmatch(r'rtsp://viewer:KEY@[\d.]+:8554/\$G1', path['source'])
    test_nobody_gets_in_without_being_asked(relay)
    assert relay['apiAddress'].startswith('127.0.0.1:') and relay['metricsAddress'].startswith('127.0.0.1:')
