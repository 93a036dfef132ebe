/**
 * Frames: the unit in which a gateway and a cell speak over their socket.
 *
 * Owns the byte layout, the encoder and the bounded reader. It does not know what frames mean
 * (messages.ts does). Layout, little endian:
 *
 *     u32 body bytes │ u8 type │ u32 id │ u32 meta bytes │ meta: JSON in UTF-8 │ blob: the rest
 *
 * Invariant: a peer can never make the reader hold more than one frame of `FRAME_BYTES_MAX`, and a frame
 * that breaks the layout ends the connection: there is no resynchronisation.
 */
import { invariant } from "../model/invariant.ts";

/** Bytes before the meta: body length, type, id, meta length. */
const FRAME_HEAD_BYTES = 13;
/** Bytes of the length prefix, which does not count itself. */
const PREFIX_BYTES = 4;
/** Largest body: a 64 MiB blob with its JSON and room to spare. */
export const FRAME_BYTES_MAX = 160 * 1024 * 1024;
/** A blob up to this size is copied behind its meta, so that a frame is one write. */
export const INLINE_BLOB_BYTES_MAX = 64 * 1024;

/** One frame as it came from the peer. `blob` is a view that stays valid: nothing writes to it again. */
export interface Frame {
  readonly type: number;
  readonly id: number;
  readonly meta: unknown;
  readonly blob: Uint8Array<ArrayBuffer>;
}

/** The peer broke the frame layout. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const EMPTY: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** The chunks to write for one frame, in order: one chunk, or two when the blob is large. */
export function encodeFrame(
  type: number,
  id: number,
  meta: unknown,
  blob: Uint8Array = EMPTY,
): readonly Uint8Array[] {
  const text = meta === undefined ? "" : JSON.stringify(meta);
  const inline = blob.length <= INLINE_BLOB_BYTES_MAX;
  // A UTF-16 unit needs at most three bytes of UTF-8.
  const buffer = new Uint8Array(FRAME_HEAD_BYTES + text.length * 3 + (inline ? blob.length : 0));
  const metaBytes = text === "" ? 0 : encoder.encodeInto(text, buffer.subarray(FRAME_HEAD_BYTES)).written;
  const bodyBytes = FRAME_HEAD_BYTES - PREFIX_BYTES + metaBytes + blob.length;
  invariant(bodyBytes <= FRAME_BYTES_MAX, `Frame body of ${bodyBytes} bytes exceeds ${FRAME_BYTES_MAX}`);
  const view = new DataView(buffer.buffer);
  view.setUint32(0, bodyBytes, true);
  view.setUint8(4, type);
  view.setUint32(5, id, true);
  view.setUint32(9, metaBytes, true);
  const metaEnd = FRAME_HEAD_BYTES + metaBytes;
  if (!inline) return [buffer.subarray(0, metaEnd), blob];
  buffer.set(blob, metaEnd);
  return [buffer.subarray(0, metaEnd + blob.length)];
}

/** Something bytes can be read from: a connection, or a test's array of chunks. */
export interface ByteSource {
  read(target: Uint8Array): Promise<number | null>;
}

/** Reads frames from a byte source, one after the other. */
export class FrameReader {
  readonly #source: ByteSource;
  #buffer = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * The next frame, or undefined at a clean end of the stream.
   *
   * @throws FrameError on an impossible length, truncated frame or malformed meta
   */
  async next(): Promise<Frame | undefined> {
    while (this.#end - this.#start < PREFIX_BYTES) {
      if (!(await this.#fill())) {
        if (this.#end > this.#start) throw new FrameError("Stream ended inside a frame");
        return undefined;
      }
    }
    const bodyBytes = new DataView(this.#buffer.buffer, this.#start).getUint32(0, true);
    if (bodyBytes < FRAME_HEAD_BYTES - PREFIX_BYTES || bodyBytes > FRAME_BYTES_MAX) {
      throw new FrameError(`Frame body of ${bodyBytes} bytes is outside 9..${FRAME_BYTES_MAX}`);
    }
    const total = PREFIX_BYTES + bodyBytes;
    if (total > this.#buffer.length) return decodeFrame(await this.#readLarge(total));
    while (this.#end - this.#start < total) {
      if (!(await this.#fill())) throw new FrameError("Stream ended inside a frame");
    }
    const frame = decodeFrame(this.#buffer.subarray(this.#start, this.#start + total));
    this.#start += total;
    // The blob outlives this buffer's next use, so it is copied; most frames have none.
    const blob = frame.blob.length === 0 ? EMPTY : frame.blob.slice();
    return { type: frame.type, id: frame.id, meta: frame.meta, blob };
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const count = await this.#source.read(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    return true;
  }

  /** Reads a frame that does not fit the buffer straight into memory of its own size. */
  async #readLarge(total: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(total);
    const buffered = Math.min(this.#end - this.#start, total);
    bytes.set(this.#buffer.subarray(this.#start, this.#start + buffered));
    this.#start += buffered;
    let filled = buffered;
    while (filled < total) {
      const count = await this.#source.read(bytes.subarray(filled));
      if (count === null) throw new FrameError("Stream ended inside a frame");
      filled += count;
    }
    return bytes;
  }
}

function decodeFrame(bytes: Uint8Array<ArrayBuffer>): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const metaBytes = view.getUint32(9, true);
  const metaEnd = FRAME_HEAD_BYTES + metaBytes;
  if (metaEnd > bytes.length) {
    throw new FrameError(`Frame meta of ${metaBytes} bytes exceeds its body of ${bytes.length} bytes`);
  }
  let meta: unknown;
  if (metaBytes > 0) {
    try {
      meta = JSON.parse(decoder.decode(bytes.subarray(FRAME_HEAD_BYTES, metaEnd)));
    } catch (error) {
      throw new FrameError("Frame meta is not JSON", { cause: error });
    }
  }
  return { type: view.getUint8(4), id: view.getUint32(5, true), meta, blob: bytes.subarray(metaEnd) };
}
