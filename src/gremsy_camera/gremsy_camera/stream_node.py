# SPDX-License-Identifier: Apache-2.0
"""image_raw, overlay -> a video server, while somebody watches."""

from __future__ import annotations

import threading
import time

from gremsy_camera.stream_parameters import StreamParameters
from gremsy_camera.streaming.video_out import VideoOut
from gremsy_camera.streaming.viewers import PathState, ServerReaders, Viewers, parse_watch
from gremsy_camera.streams.credentials import known_secrets
from gremsy_camera.streams.stream_address import StreamAddress
from gremsy_common.ros import topics
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.hosting import run_node
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.suite_node import SuiteNode
from gremsy_common.ros.transport.endpoints import TopicSubscription
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.types.frame import Frame

_FOLLOW_EVERY_S = 0.2
_GOODBYE_S = 1.0
# A server that restarts is back before that.
_SAID_AFTER_S = 3.0
_TOPICS = {'clean': topics.IMAGE_RAW_AS_SENT, 'overlay': topics.OVERLAY}
_STAGES = {'clean': ('encode', 'sent'), 'overlay': ('encode overlay', 'sent overlay')}


class _Path:
    """One path: what it shows, who watches it, and how it goes out; it is what its `VideoOut` reports to."""

    def __init__(self, node: StreamNode, kind: str, name: str, address: StreamAddress) -> None:
        self._node = node
        self.name = name
        self.topic: Topic[Frame] = _TOPICS[kind]
        self._encode, self._sent = _STAGES[kind]
        self.viewers = Viewers()
        self.images: TopicSubscription[Frame] | None = None
        self.out = VideoOut(address, node.parameters, self)

    def stage(self, name: str, duration_ns: int) -> None:
        """See `VideoOutReport`."""
        self._node.diagnostics.stage(self._encode if name == 'encode' else name).record(duration_ns)

    def sent(self, stamp_ns: int, size_bytes: int) -> None:
        """See `VideoOutReport`."""
        self._node.diagnostics.stage(self._sent).record(self._node.now_ns() - stamp_ns)
        self._node.trace.event(self._sent, stamp_ns, bytes=size_bytes)

    def drop(self, reason: str, sentence: str) -> None:
        """See `VideoOutReport`."""
        self._node.report_drop(self.topic.name, reason, sentence)

    def info(self, sentence: str) -> None:
        """See `VideoOutReport`."""
        self._node.get_logger().info(sentence)


class StreamNode(SuiteNode[StreamParameters]):
    """Wires a `VideoOut` for each path to its topic and to those who watch."""

    node_name = 'stream'
    parameters_type = StreamParameters

    def __init__(self, host: NodeHost) -> None:
        super().__init__(host)
        self._lock = threading.Lock()
        self._paths: dict[str, _Path] = {}
        self._readers: ServerReaders | None = None

    def configure(self) -> None:
        """Take the addresses apart, so that one that cannot work ends the start with its sentence."""
        wanted = self.parameters
        secrets = known_secrets(wanted.secrets_file, self.get_logger().warning)
        camera = self.get_namespace().rpartition('/')[2] or 'camera'
        self._paths = {
            name: _Path(self, kind, name, wanted.address(name, secrets)) for kind, name in wanted.paths(camera).items()
        }

    def activate(self) -> None:
        """Listen for those who watch; images are taken once somebody does."""
        self.subscription(topics.STREAM_WATCH, self._on_watch)
        for each in self._paths.values():
            # Below the loop: a picture that is late is left out, a setpoint is not.
            self.worker(f'video {each.name}', each.out.step, niceness=5)
        self.every(_FOLLOW_EVERY_S, self._follow)
        if self._paths and self.parameters.server_api:
            self._readers = ServerReaders(
                self.parameters.server_api, tuple(self._paths), self._is_watched, self._on_readers
            )
            self._readers.start()
        self._follow()

    def deactivate(self) -> None:
        """Say goodbye to the server, so that its readers know that nothing more comes."""
        if self._readers is not None:
            self._readers.stop()
            self._readers = None
        for each in self._paths.values():
            each.images = None
            each.out.watch(False)
        until_s = time.monotonic() + _GOODBYE_S
        for each in self._paths.values():
            if not each.out.wait_until_idle(max(0.0, until_s - time.monotonic())):
                self.get_logger().info(f'The video server was not notified in time that {each.name} ends.')

    def cleanup(self) -> None:
        """Release the encoders."""
        for each in self._paths.values():
            each.out.close()
        self._paths = {}

    def parameters_changed(self) -> None:
        """The next picture is encoded so."""
        for each in self._paths.values():
            each.out.parameters = self.parameters

    def diagnostic_values(self) -> dict[str, str]:
        """By path: who watches, with what it is encoded and why not with another, what was sent."""
        rows: dict[str, str] = {'video server': 'none'}
        now_s = time.monotonic()
        for name, each in self._paths.items():
            rows['video server'] = each.out.address.shown.removesuffix(f'/{name}')
            with self._lock:
                watched_by = each.viewers.words(now_s)
                reachable = each.viewers.reachable
            if self.parameters.server_api:
                rows["the server's API answers"] = 'yes' if reachable else 'no'
            rows[f'{name}: watched by'] = watched_by
            rows |= {f'{name}: {key}': value for key, value in each.out.rows().items()}
            if each.out.problem:
                rows[f'{name}: problem'] = each.out.problem
        return rows

    def health(self) -> Health:
        """OK while everybody who watches sees something, and while nobody does."""
        for name, each in self._paths.items():
            if each.out.problem and each.out.waiting_s > _SAID_AFTER_S:
                return Health(Level.ERROR, each.out.problem)
            if each.out.starved_s > _SAID_AFTER_S:
                topic = self.resolve_topic_name(each.topic.name)
                return Health(
                    Level.STALE,
                    f'No image has come on {topic} for {each.out.starved_s:.0f} s, so whoever watches {name} sees '
                    'nothing: see what its publisher says.',
                )
        return Health()

    def _on_watch(self, text: str) -> None:
        watch = parse_watch(text)
        if watch is None:
            name = topics.STREAM_WATCH.name
            self.report_drop(
                name,
                'no path',
                f'A message on {self.resolve_topic_name(name)} is {text[:80]!r}, which is not a path: send PATH, or '
                'PATH key.',
            )
            return
        name, came = watch
        path = self._paths.get(name)
        if path is None:
            # Another camera's.
            return
        with self._lock:
            fresh = path.viewers.asked(time.monotonic())
        if came or fresh:
            path.out.want_key_frame(coming=True)
        if fresh:
            self.host.call_soon(self._follow)

    def _is_watched(self, name: str) -> bool:
        return self._paths[name].out.watched

    def _on_readers(self, name: str, state: PathState | None) -> None:
        path = self._paths[name]
        with self._lock:
            more = path.viewers.polled(state)
        if more:
            path.out.want_key_frame()

    def _follow(self) -> None:
        """Take images while somebody watches; on the executor's thread."""
        always = self.parameters.when == 'always'
        for each in self._paths.values():
            with self._lock:
                watched = each.viewers.watched(time.monotonic(), always=always)
            if watched and each.images is None:
                each.images = self.subscription(each.topic, each.out.put)
            elif not watched and each.images is not None:
                images, each.images = each.images, None
                self.close_subscription(images)
            each.out.watch(watched)


def main() -> None:
    """`stream_node`."""
    run_node(StreamNode)


if __name__ == '__main__':
    main()
