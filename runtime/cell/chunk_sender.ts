/**
 * ChunkSender: a call's output as frames, sent while the guest runs.
 *
 * Owns what may leave and when: the stream's limits, its window, and a bound on what of all streams waits in the
 * cell's socket, so that the answers of other calls are never behind more than that. It suspends nobody
 * (call_context.ts does). Invariant: chunks leave in the order of `trySend`, each whole, and copied.
 */
import type { Outcome } from "../model/outcome.ts";
import { INLINE_BLOB_BYTES_MAX } from "../wire/frame.ts";
import type { ChunkMeta, StreamLimits, StreamReport } from "../wire/messages.ts";
import { SendWindow } from "../model/stream_window.ts";

/** Most bytes that wait in the cell's socket when another chunk is put behind them. */
export const SOCKET_BACKLOG_BYTES_MAX = 256 * 1024;

/** The socket to the gateway, as far as chunks need it. */
export interface ChunkSocket {
  /** Bytes that the system has not taken yet. */
  readonly backlogBytes: number;
  /** Resolves when it has taken all of them. */
  flushed(): Promise<void>;
  sendChunk(call: number, meta: ChunkMeta | undefined, bytes: Uint8Array): void;
}

/** Sends the chunks of one call. */
export class ChunkSender {
  /** Largest piece that output without boundaries of its own is sent in. */
  readonly pieceBytesMax: number;
  readonly #callId: number;
  readonly #limits: StreamLimits;
  readonly #socket: ChunkSocket;
  readonly #window: SendWindow;
  #bytes = 0;
  #chunks = 0;
  #rejected = 0;

  constructor(callId: number, limits: StreamLimits, pieceBytesMax: number, socket: ChunkSocket) {
    this.#callId = callId;
    this.#limits = limits;
    this.pieceBytesMax = pieceBytesMax;
    this.#socket = socket;
    this.#window = new SendWindow(limits.windowBytes);
  }

  /** Whether a chunk has left: the answer's head is on its way. */
  get hasBegun(): boolean {
    return this.#chunks > 0;
  }

  /** How a call ends that goes on to write so much, if that is beyond its limits. */
  exceeds(bytes: number): Outcome | undefined {
    const { bytesMax, chunksMax } = this.#limits;
    const total = this.#bytes + bytes;
    if (total > bytesMax) return { type: "exhausted", limit: "stream_bytes", max: bytesMax, actual: total };
    const chunks = this.#chunks + Math.max(1, Math.ceil(bytes / this.pieceBytesMax));
    if (chunks <= chunksMax) return undefined;
    return { type: "exhausted", limit: "stream_chunks", max: chunksMax, actual: chunks };
  }

  /** Sends a chunk, or says that there is no room for it now. The first one takes the content type along. */
  trySend(bytes: Uint8Array, contentType: string | undefined): boolean {
    if (this.#socket.backlogBytes > SOCKET_BACKLOG_BYTES_MAX) return false;
    if (!this.#window.tryTake(bytes.length)) return false;
    const meta = this.hasBegun || contentType === undefined ? undefined : { contentType };
    this.#bytes += bytes.length;
    this.#chunks++;
    // A small one is copied into its frame; the guest may change its memory before a large one has left.
    this.#socket.sendChunk(
      this.#callId,
      meta,
      bytes.length <= INLINE_BLOB_BYTES_MAX ? bytes : bytes.slice(),
    );
    return true;
  }

  /** Resolves when it is worth another try. */
  async room(chunkBytes: number): Promise<void> {
    await this.#window.room(chunkBytes);
    if (this.#socket.backlogBytes > SOCKET_BACKLOG_BYTES_MAX) await this.#socket.flushed();
  }

  /** The gateway gives room back. */
  credit(bytes: number): void {
    this.#window.credit(bytes);
  }

  /** Counts a chunk that was refused to the guest. */
  reject(): void {
    this.#rejected++;
  }

  /** What has become of it, for the call's result. */
  report(): StreamReport {
    return { chunks: this.#chunks, bytes: this.#bytes, rejected: this.#rejected };
  }
}
