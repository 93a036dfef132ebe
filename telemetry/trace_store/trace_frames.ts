/**
 * TraceFrames: pieces as they stand in a file, with what is needed to read them in another process.
 *
 * Owns the framing, its checksum and its version. It touches no file. A file begins with the texts of the string
 * table; later texts come in frames of their own, before the pieces that use them. Invariant: reading a file that
 * was cut short, or damaged anywhere, yields the frames before the damage and says that there was one.
 */
import { crc32 } from "node:zlib";
import { FORMAT_VERSION } from "./piece_format.ts";

const MAGIC = 0x54_57_54_00 | FORMAT_VERSION;
const HEAD_BYTES = 16;
const KIND = { texts: 1, pieces: 2 } as const;
/** Far above any frame that is written; bounds what a damaged length can ask for. */
const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

/** Pieces of a file, with the texts that they refer to. */
export interface FramedPieces {
  readonly bytes: Uint8Array;
  readonly texts: readonly string[];
}

/** What a file holds. */
export interface FileContent {
  readonly pieces: readonly FramedPieces[];
  readonly isDamaged: boolean;
}

/** A frame with the texts whose numbers begin at `from`. */
export function textsFrame(texts: readonly string[], from: number): Uint8Array<ArrayBuffer> {
  return frame(KIND.texts, new TextEncoder().encode(JSON.stringify([from, ...texts.slice(from)])));
}

/** A frame with pieces. */
export function piecesFrame(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return frame(KIND.pieces, bytes);
}

/** Reads a file. Neighbouring frames are joined as long as a part has at most `partBytesMax`. */
export function readFrames(file: Uint8Array, partBytesMax: number): FileContent {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const texts: string[] = [];
  const pieces: FramedPieces[] = [];
  let part: Uint8Array[] = [];
  let partBytes = 0;
  const endPart = (): void => {
    if (partBytes > 0) pieces.push({ bytes: join(part, partBytes), texts });
    part = [];
    partBytes = 0;
  };
  let at = 0;
  while (at + HEAD_BYTES <= file.length) {
    const length = view.getUint32(at + 8, true);
    const payload = file.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
    const isSound = view.getUint32(at, true) === MAGIC && length <= PAYLOAD_BYTES_MAX &&
      payload.length === length &&
      crc32(payload, view.getUint32(at + 4, true)) === view.getUint32(at + 12, true);
    if (!isSound) break;
    if (view.getUint32(at + 4, true) === KIND.texts) {
      if (!addTexts(texts, payload)) break;
    } else {
      if (partBytes + length > partBytesMax) endPart();
      part.push(payload);
      partBytes += length;
    }
    at += HEAD_BYTES + length;
  }
  endPart();
  return { pieces, isDamaged: at !== file.length };
}

/** Takes in a frame of texts; false if it holds something else, as a file that only looks like one of ours may. */
function addTexts(texts: string[], payload: Uint8Array): boolean {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return false;
  }
  if (!Array.isArray(content)) return false;
  const [from, ...more]: unknown[] = content;
  if (typeof from !== "number" || from > texts.length || !more.every((text) => typeof text === "string")) {
    return false;
  }
  texts.splice(from, more.length, ...more);
  return true;
}

function frame(kind: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, kind, true);
  view.setUint32(8, payload.length, true);
  // The kind is the checksum's seed, and so is covered by it.
  view.setUint32(12, crc32(payload, kind), true);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = parts;
  // A copy in any case: the file's whole buffer is not to be kept for a part of it.
  if (parts.length === 1 && only !== undefined) return only.slice();
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
