/**
 * TraceRing: the last pieces of traces, encoded, and the index that finds them.
 *
 * Owns eviction and the bounds on bytes, traces and age. It neither collects (trace_collector.ts) nor writes to
 * disk. Pieces are kept as bytes in blocks, not as objects: objects that live for minutes would be what the garbage
 * collector has to do most. Invariant: after every call both bounds hold; what goes first is what came first.
 */
import type { PieceContent } from "./piece_writer.ts";
import { PieceWriter } from "./piece_writer.ts";
import { PieceReader } from "./piece_reader.ts";
import type { PieceSummary, TracePiece } from "./trace_piece.ts";

/** What a ring may hold. */
export interface RingBounds {
  readonly bytesMax: number;
  readonly tracesMax: number;
  readonly ageMsMax: number;
  /** Of one trace and tenant: one id that a caller uses over and over must not push out all others. */
  readonly bytesPerTraceMax: number;
}

/** Why pieces left. */
export const EVICTION_REASONS = ["bytes", "count", "age"] as const;

/** See EVICTION_REASONS. */
export type EvictionReason = (typeof EVICTION_REASONS)[number];

/** Who is told what happens. */
export interface RingEvents {
  evicted(pieceCount: number, reason: EvictionReason): void;
  /** A block is full. */
  sealed(): void;
}

/** Where a piece is: pieces are numbered in the order in which they came. */
export type PieceNumber = number;

const BLOCK_BYTES = 256 * 1024;
/** Blocks that the bounds are divided into: eviction takes one at a time. */
const BLOCKS_MIN = 16;

/** Pieces that leave together. */
interface Block {
  readonly first: PieceNumber;
  /** Where each piece begins. */
  readonly offsets: number[];
  readonly traceIds: string[];
  readonly texts: readonly string[];
  /** Undefined for the block that is being written. */
  bytes: Uint8Array | undefined;
  newestMs: number;
}

/** The pieces of a trace that has several. */
interface Pieces {
  readonly numbers: PieceNumber[];
  /** Bytes by tenant. */
  readonly bytes: Map<string, number>;
}

/** Keeps pieces. */
export class TraceRing {
  readonly #bounds: RingBounds;
  readonly #blockBytes: number;
  readonly #blockCount: number;
  readonly #events: RingEvents;
  readonly #writer = new PieceWriter();
  readonly #blocks: Block[] = [];
  readonly #index = new Map<string, PieceNumber | Pieces>();
  #sealedBytes = 0;
  #next: PieceNumber = 1;

  constructor(bounds: RingBounds, events: RingEvents) {
    this.#bounds = bounds;
    this.#events = events;
    this.#blockBytes = Math.max(1, Math.min(BLOCK_BYTES, Math.floor(bounds.bytesMax / BLOCKS_MIN)));
    this.#blockCount = Math.max(1, Math.floor(bounds.tracesMax / BLOCKS_MIN));
  }

  get byteCount(): number {
    return this.#sealedBytes + this.#writer.length;
  }

  get traceCount(): number {
    return this.#index.size;
  }

  /** The number that the next piece will have. */
  get next(): PieceNumber {
    return this.#next;
  }

  /** All texts that pieces refer to by number. */
  get texts(): readonly string[] {
    return this.#writer.strings.texts;
  }

  /** Adds a piece, and lets go of old ones if it must. False if its trace has had its share. */
  append(content: PieceContent, nowMs: number): boolean {
    const { traceId, tenant } = content.local;
    const known = this.#index.get(traceId);
    if (known !== undefined && this.#usedBy(known, tenant) >= this.#bounds.bytesPerTraceMax) return false;
    const block = this.#current();
    const from = this.#writer.length;
    this.#writer.write(content);
    block.offsets.push(from);
    block.traceIds.push(traceId);
    block.newestMs = Math.max(block.newestMs, nowMs);
    this.#enter(traceId, known, tenant, this.#writer.length - from);
    if (this.#writer.length >= this.#blockBytes || block.offsets.length >= this.#blockCount) this.#seal();
    this.#shrink(nowMs);
    return true;
  }

  /**
   * Adds pieces that an earlier process wrote. Before the first `append`: they are older than all of its own.
   *
   * @throws PieceFormatError when the bytes hold something else; the ring is as it was
   */
  restore(bytes: Uint8Array, texts: readonly string[], nowMs: number): number {
    const block: Block = { first: this.#next, offsets: [], traceIds: [], texts, bytes, newestMs: 0 };
    const sizes: { readonly summary: PieceSummary; readonly bytes: number }[] = [];
    for (const reader = new PieceReader(bytes, texts); !reader.isAtEnd;) {
      const from = reader.position;
      const summary = reader.summary();
      block.offsets.push(from);
      block.traceIds.push(summary.traceId);
      block.newestMs = Math.max(block.newestMs, summary.startMs + summary.durationMs);
      sizes.push({ summary, bytes: reader.position - from });
    }
    if (sizes.length === 0) return 0;
    this.#blocks.push(block);
    this.#sealedBytes += bytes.length;
    for (const { summary, bytes } of sizes) {
      this.#enter(summary.traceId, this.#index.get(summary.traceId), summary.tenant, bytes);
    }
    this.#shrink(nowMs);
    return sizes.length;
  }

  /** Lets go of what is too old. */
  expire(nowMs: number): void {
    const oldest = this.#blocks[0];
    if (oldest === undefined || nowMs - oldest.newestMs <= this.#bounds.ageMsMax) return;
    this.#seal();
    for (;;) {
      const first = this.#blocks[0];
      if (first === undefined || nowMs - first.newestMs <= this.#bounds.ageMsMax) return;
      this.#evict("age");
    }
  }

  /** The bytes of all pieces from a number on, oldest first; those that have left are missing. */
  since(from: PieceNumber): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const block = this.#blocks[index];
      if (block === undefined || block.first + block.offsets.length <= from) break;
      const offset = block.offsets[Math.max(0, from - block.first)] ?? 0;
      parts.unshift(block.bytes?.subarray(offset) ?? this.#writer.copy(offset, this.#writer.length));
    }
    return parts;
  }

  /** The pieces of a trace, oldest first. */
  numbersOf(traceId: string): readonly PieceNumber[] {
    const known = this.#index.get(traceId);
    if (known === undefined) return [];
    return typeof known === "number" ? [known] : known.numbers;
  }

  /** A piece; undefined once it has left. */
  piece(number: PieceNumber): TracePiece | undefined {
    return this.#reader(number)?.piece();
  }

  /** What a list shows of a piece; undefined once it has left. */
  summary(number: PieceNumber): PieceSummary | undefined {
    return this.#reader(number)?.summary();
  }

  #reader(number: PieceNumber): PieceReader | undefined {
    const block = this.#blockOf(number);
    if (block === undefined) return undefined;
    const index = number - block.first;
    const from = block.offsets[index];
    if (from === undefined) return undefined;
    const to = block.offsets[index + 1];
    const bytes = block.bytes?.subarray(from, to) ?? this.#writer.copy(from, to ?? this.#writer.length);
    return new PieceReader(bytes, block.texts);
  }

  /** Blocks are in the order of their numbers. */
  #blockOf(number: PieceNumber): Block | undefined {
    let [low, high] = [0, this.#blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.first ?? Infinity) <= number) low = middle + 1;
      else high = middle;
    }
    return this.#blocks[low - 1];
  }

  #current(): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.bytes === undefined) return last;
    const made: Block = {
      first: this.#next,
      offsets: [],
      traceIds: [],
      texts: this.texts,
      bytes: undefined,
      newestMs: 0,
    };
    this.#blocks.push(made);
    return made;
  }

  #enter(
    traceId: string,
    known: PieceNumber | Pieces | undefined,
    owner: string | undefined,
    bytes: number,
  ): void {
    const tenant = owner ?? "";
    const number = this.#next++;
    if (known === undefined) {
      this.#index.set(traceId, number);
      return;
    }
    const pieces = typeof known === "number" ? this.#toPieces(known) : known;
    pieces.numbers.push(number);
    pieces.bytes.set(tenant, (pieces.bytes.get(tenant) ?? 0) + bytes);
    if (pieces !== known) this.#index.set(traceId, pieces);
  }

  #toPieces(number: PieceNumber): Pieces {
    const tenant = this.summary(number)?.tenant ?? "";
    return { numbers: [number], bytes: new Map([[tenant, this.#sizeOf(number)]]) };
  }

  #usedBy(known: PieceNumber | Pieces, tenant = ""): number {
    // A single piece is bounded by the collector.
    return typeof known === "number" ? 0 : known.bytes.get(tenant) ?? 0;
  }

  #sizeOf(number: PieceNumber): number {
    const block = this.#blockOf(number);
    if (block === undefined) return 0;
    const index = number - block.first;
    const end = block.offsets[index + 1] ?? block.bytes?.length ?? this.#writer.length;
    return end - (block.offsets[index] ?? end);
  }

  #seal(): void {
    const block = this.#blocks.at(-1);
    if (block === undefined || block.bytes !== undefined) return;
    block.bytes = this.#writer.take();
    this.#sealedBytes += block.bytes.length;
    this.#events.sealed();
  }

  #shrink(nowMs: number): void {
    while (this.byteCount > this.#bounds.bytesMax) this.#evict("bytes");
    while (this.traceCount > this.#bounds.tracesMax) this.#evict("count");
    this.expire(nowMs);
  }

  #evict(reason: EvictionReason): void {
    if (this.#blocks[0]?.bytes === undefined) this.#seal();
    const block = this.#blocks.shift();
    if (block === undefined) return;
    this.#sealedBytes -= block.bytes?.length ?? 0;
    for (const [index, traceId] of block.traceIds.entries()) {
      this.#forget(traceId, block, index);
    }
    this.#events.evicted(block.traceIds.length, reason);
  }

  /** Pieces of a trace leave in the order of their numbers. */
  #forget(traceId: string, block: Block, index: number): void {
    const known = this.#index.get(traceId);
    if (typeof known !== "object" || known.numbers.length <= 1) {
      this.#index.delete(traceId);
      return;
    }
    known.numbers.shift();
    const bytes = block.bytes ?? new Uint8Array(0);
    const [from = 0, to = bytes.length] = [block.offsets[index], block.offsets[index + 1]];
    const tenant = new PieceReader(bytes.subarray(from, to), block.texts).summary().tenant ?? "";
    const left = (known.bytes.get(tenant) ?? 0) - (to - from);
    if (left > 0) known.bytes.set(tenant, left);
    else known.bytes.delete(tenant);
  }
}
