/**
 * PieceCache: device memory that windows had, kept for the next launch.
 *
 * Owns the classes of sizes and the bounds on what is kept. Allocating and zeroing would cost more than a small
 * launch takes. Invariant: a piece that is taken is in use by nothing that could run beside the taker: it was
 * last used on the same stream, where work is in order, or that work is known to be done.
 */
import type { DeviceMemory } from "./device_memory.ts";
import type { StreamState } from "./session_parts.ts";

/** Device memory for a group of windows. */
export interface Piece {
  readonly pointer: bigint;
  /** Its class. */
  readonly byteLength: number;
  /** Whether it still is as it was allocated. */
  isZero: boolean;
  /** Where it was used last, and in which launch. */
  stream: StreamState;
  launch: number;
}

/** Most pieces and bytes that are kept. */
const KEPT_COUNT_MAX = 256;
const KEPT_BYTES_MAX = 256 * 1024 * 1024;

const ALIGNMENT = 256;
/** Classes within each power of two: a piece is at most a fifth larger than what it is for. */
const STEPS_PER_DOUBLING = 4;

/** The size of the pieces that serve so many bytes. */
export function pieceBytes(byteLength: number): number {
  if (byteLength <= ALIGNMENT) return ALIGNMENT;
  const below = 2 ** (31 - Math.clz32(byteLength - 1));
  const step = Math.max(ALIGNMENT, below / STEPS_PER_DOUBLING);
  return Math.ceil(byteLength / step) * step;
}

/** The pieces of one session that are not in use. */
export class PieceCache {
  readonly #memory: DeviceMemory;
  readonly #free = new Map<number, Piece[]>();
  #count = 0;
  #bytes = 0;

  constructor(memory: DeviceMemory) {
    this.#memory = memory;
  }

  /** Bytes of all pieces that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A piece for work on a stream. @throws GpuRefusal quotaExceeded, GpuError */
  take(byteLength: number, stream: StreamState): Piece {
    const size = pieceBytes(byteLength);
    const kept = this.#free.get(size);
    if (kept !== undefined) {
      const at = kept.findLastIndex((piece) =>
        piece.stream === stream || piece.launch <= piece.stream.doneCount
      );
      const piece = kept[at];
      if (piece !== undefined) {
        kept.splice(at, 1);
        this.#count--;
        this.#bytes -= size;
        return piece;
      }
    }
    return { pointer: this.#memory.allocate(size), byteLength: size, isZero: true, stream, launch: 0 };
  }

  /** Gives a piece back that a launch of a stream was the last to use. */
  release(piece: Piece, stream: StreamState, launch: number): void {
    if (this.#count >= KEPT_COUNT_MAX || this.#bytes + piece.byteLength > KEPT_BYTES_MAX) {
      return this.#memory.free(piece.pointer);
    }
    piece.stream = stream;
    piece.launch = launch;
    const kept = this.#free.get(piece.byteLength);
    if (kept === undefined) this.#free.set(piece.byteLength, [piece]);
    else kept.push(piece);
    this.#count++;
    this.#bytes += piece.byteLength;
  }

  /** Frees everything that is kept. */
  trim(): void {
    for (const kept of this.#free.values()) {
      for (const { pointer } of kept) this.#memory.free(pointer);
    }
    this.#free.clear();
    this.#count = 0;
    this.#bytes = 0;
  }
}
