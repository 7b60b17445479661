// SPDX-License-Identifier: Apache-2.0
// The socket to the robot: one at a time, made anew when it ends, with an exchange of clocks once a second.

import { Backoff } from './logic/reconnect.ts';
import { RobotClock } from './logic/robot_clock.ts';
import { readMessage, type Message } from './protocol.ts';

export type LinkState = 'connecting' | 'open' | 'lost' | 'refused';

/** The server's close codes for a missing or a wrong key. */
const REFUSED = new Set([4401, 4403, 1008]);
/** The server sends its state twice a second; four missing make the link lost, though TCP has not noticed. */
const SILENT_MS = 2000;

export class Live {
  readonly clock = new RobotClock();
  unread = 0;
  private socket: WebSocket | null = null;
  private readonly backoff = new Backoff();
  private lastMessageMs = 0;
  private timer: number | undefined;
  private state: LinkState = 'connecting';

  constructor(
    private readonly url: string,
    private readonly onMessage: (message: Message) => void,
    private readonly onState: (state: LinkState) => void,
  ) {}

  start(): void {
    this.connect();
    window.setInterval(() => this.beat(), 1000);
  }

  /** Connects again after the key was given. */
  retry(): void {
    this.backoff.succeeded();
    this.connect();
  }

  get open(): boolean {
    return this.state === 'open';
  }

  send(message: object): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private connect(): void {
    window.clearTimeout(this.timer);
    this.drop();
    if (this.state !== 'lost') this.setState('connecting');
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.lastMessageMs = performance.now();
    socket.onopen = () => {
      this.clock.restart();
      this.backoff.succeeded();
      this.setState('open');
      // Four exchanges at once, so that the first picture's age is already known.
      for (let k = 0; k < 4; k += 1) window.setTimeout(() => this.askTime(), 60 * k);
    };
    socket.onmessage = (event) => this.onData(event.data);
    socket.onclose = (event) => this.closed(socket, event.code);
  }

  private onData(data: unknown): void {
    this.lastMessageMs = performance.now();
    const message = readMessage(data);
    if (message === null) this.unread += 1;
    else if (message.type === 'clock') this.clock.take(message.t0, message.t1Ns, message.t2Ns, performance.now());
    else this.onMessage(message);
  }

  private closed(socket: WebSocket, code: number): void {
    if (socket !== this.socket) return;
    this.socket = null;
    if (REFUSED.has(code)) {
      this.setState('refused');
      return;
    }
    this.setState('lost');
    this.timer = window.setTimeout(() => this.connect(), this.backoff.next());
  }

  private beat(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (performance.now() - this.lastMessageMs > SILENT_MS) {
      this.setState('lost');
      this.connect();
      return;
    }
    this.askTime();
  }

  private askTime(): void {
    this.send({ type: 'clock', t0: performance.now() });
  }

  private drop(): void {
    const old = this.socket;
    this.socket = null;
    old?.close();
  }

  private setState(state: LinkState): void {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }
}
