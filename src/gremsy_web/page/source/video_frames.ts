// SPDX-License-Identifier: Apache-2.0
// The frames of a video one by one, to be drawn by the page itself together with what belongs over them.
//
// A video element shows its frames by itself, and what is drawn over it in answer comes to the screen one or two refreshes
// later: with the camera turning at 30 deg/s the boxes were those of the frame before for 40 % of the time.

/** A frame; times in ms of `performance.now()`. The image holds until the next frame is taken. */
export interface VideoPicture {
  readonly image: CanvasImageSource;
  readonly width: number;
  readonly height: number;
  readonly rtp: number | null;
  /** When its last packet came, or where that is not known, when it was decoded. */
  readonly receivedMs: number | null;
}

interface Processor {
  readonly readable: ReadableStream<VideoFrame>;
}

type ProcessorType = new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => Processor;

/** `metadata` of WebCodecs, which not every browser has, nor with the RTP time in it. */
type WithMetadata = VideoFrame & { metadata?: () => { rtpTimestamp?: number } };

export class VideoFrames {
  private ended = false;

  constructor(
    private readonly track: MediaStreamTrack,
    private readonly video: HTMLVideoElement,
    private readonly take: (picture: VideoPicture) => void,
  ) {}

  start(): void {
    const type = (window as { MediaStreamTrackProcessor?: ProcessorType }).MediaStreamTrackProcessor;
    if (type === undefined || !('metadata' in VideoFrame.prototype)) this.watch();
    else void this.read(type);
  }

  stop(): void {
    this.ended = true;
    // Ends the stream, which `read` empties: frames that a cancel leaves behind are not closed, and may stall the decoder.
    this.track.stop();
    this.video.srcObject = null;
  }

  /** As they are decoded: nothing waits for a video element's own timing, and none is composited. */
  private async read(type: ProcessorType): Promise<void> {
    const reader = new type({ track: this.track, maxBufferSize: 1 }).readable.getReader();
    for (;;) {
      const { done, value: frame } = await reader.read();
      if (done) return;
      if (this.ended) {
        frame.close();
        continue;
      }
      const rtp = (frame as WithMetadata).metadata?.().rtpTimestamp;
      if (rtp === undefined) {
        frame.close();
        void reader.cancel();
        this.watch();
        return;
      }
      const { displayWidth: width, displayHeight: height } = frame;
      try {
        this.take({ image: frame, width, height, rtp, receivedMs: performance.now() });
      } finally {
        frame.close();
      }
    }
  }

  /** By way of a video element that is not seen. */
  private watch(): void {
    const { video } = this;
    video.srcObject = new MediaStream([this.track]);
    void video.play().catch(() => {
      // A muted video may always start; where it may not, its frames are missed and the watch says so.
    });
    const next = (_now: number, metadata: VideoFrameCallbackMetadata): void => {
      if (this.ended) return;
      const { videoWidth: width, videoHeight: height } = video;
      this.take({ image: video, width, height, rtp: metadata.rtpTimestamp ?? null, receivedMs: metadata.receiveTime ?? null });
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  }
}
