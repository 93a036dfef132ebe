/**
 * TraceRing: the last pieces of traces, encoded, and the index that finds them.
 *
 * Owns eviction and the bounds on bytes, traces and age. It neither collects (trace_collector.ts) nor writes to
 * disk. Pieces are kept as bytes in blocks, not as objects: objects that live for minutes would be what the garbage
 * collector has to do most. Invariants: after every call both bounds hold; of each tenant what goes first is what
 * came first, failed ones a little later (tenant_shares.ts), and no tenant loses anything to one with less.
 */
import { BlockMemory } from "./block_memory.ts";
import { PieceBlock, type PieceNumber } from "./piece_block.ts";
import { PieceReader } from "./piece_reader.ts";
import { type PieceContent, PieceWriter } from "./piece_writer.ts";
import { type ShareUnit, TenantShares } from "./tenant_shares.ts";
import type { PieceSummary, TracePiece } from "./trace_piece.ts";

export type { PieceNumber } from "./piece_block.ts";

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

const BLOCK_BYTES = 256 * 1024;
/** Blocks that the bounds are divided into: eviction makes room for one at a time. */
const BLOCKS_MIN = 16;

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
  readonly #blockMs: number;
  readonly #events: RingEvents;
  readonly #writer = new PieceWriter();
  readonly #memory: BlockMemory;
  readonly #shares = new TenantShares();
  /** In the order of their pieces' numbers. */
  #blocks: PieceBlock[] = [];
  readonly #index = new Map<string, PieceNumber | Pieces>();
  #next: PieceNumber = 1;

  constructor(bounds: RingBounds, events: RingEvents) {
    this.#bounds = bounds;
    this.#events = events;
    this.#blockBytes = Math.max(1, Math.min(BLOCK_BYTES, Math.floor(bounds.bytesMax / BLOCKS_MIN)));
    this.#blockCount = Math.max(1, Math.floor(bounds.tracesMax / BLOCKS_MIN));
    this.#memory = new BlockMemory(this.#blockBytes);
    this.#blockMs = bounds.ageMsMax / BLOCKS_MIN;
  }

  get byteCount(): number {
    return this.#shares.total("bytes");
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

  /** Adds a piece, and lets go of others if it must. False if its trace has had its share. */
  append(content: PieceContent, nowMs: number): boolean {
    const { traceId, tenant } = content.local;
    const known = this.#index.get(traceId);
    if (known !== undefined && this.#usedBy(known, tenant) >= this.#bounds.bytesPerTraceMax) return false;
    const block = this.#current();
    const from = this.#writer.length;
    const isFailed = this.#writer.write(content) !== "ok";
    this.#enter(block, from, this.#writer.length, traceId, tenant ?? "", isFailed);
    block.noteTime(nowMs, nowMs);
    if (this.#writer.length >= this.#blockBytes || block.pieceCount >= this.#blockCount) this.#seal();
    this.#shrink(nowMs);
    return true;
  }

  /**
   * Adds pieces that an earlier process wrote. Before the first `append`: they are older than all of its own.
   *
   * @throws PieceFormatError when the bytes hold something else; the ring is as it was
   */
  restore(bytes: Uint8Array, texts: readonly string[], nowMs: number): number {
    const found: { readonly summary: PieceSummary; readonly from: number; readonly to: number }[] = [];
    for (const reader = new PieceReader(bytes, texts); !reader.isAtEnd;) {
      const from = reader.position;
      found.push({ summary: reader.summary(), from, to: reader.position });
    }
    if (found.length === 0) return 0;
    const block = new PieceBlock(texts, bytes);
    this.#blocks.push(block);
    for (const { summary: { traceId, tenant, verdict, startMs, durationMs }, from, to } of found) {
      this.#enter(block, from, to, traceId, tenant ?? "", verdict !== "ok");
      block.noteTime(startMs + durationMs, startMs + durationMs);
    }
    this.#shrink(nowMs);
    return found.length;
  }

  /** Lets go of what is too old, to a sixteenth of the age. */
  expire(nowMs: number): void {
    // A block that fills slowly would keep its first pieces as long as its last one.
    const current = this.#blocks.at(-1);
    if (current !== undefined && nowMs - current.oldestMs > this.#blockMs) this.#seal();
    for (;;) {
      const oldest = this.#blocks[0];
      if (oldest === undefined || nowMs - oldest.newestMs <= this.#bounds.ageMsMax) return;
      this.#seal();
      this.#blocks.shift();
      const bytes = oldest.bytes ?? new Uint8Array(0);
      for (let index = 0; index < oldest.pieceCount; index++) {
        this.#forget(oldest, index, oldest.end(index, bytes.length) - oldest.offset(index));
      }
      this.#memory.giveBack(oldest.bytes);
      this.#events.evicted(oldest.pieceCount, "age");
    }
  }

  /** The bytes of all pieces from a number on, oldest first; those that have left are missing. */
  since(from: PieceNumber): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const block = this.#blocks[index];
      if (block === undefined || block.last < from) break;
      const offset = block.offset(block.indexFrom(from));
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

  /** The number of the piece that came last before a number and is still here. */
  before(number: PieceNumber): PieceNumber | undefined {
    const at = this.#blockIndexOf(number - 1);
    const block = this.#blocks[at];
    return block?.numbers[block.indexFrom(number) - 1];
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
    const block = this.#blocks[this.#blockIndexOf(number)];
    if (block === undefined) return undefined;
    const index = block.indexFrom(number);
    if (block.numbers[index] !== number) return undefined;
    const from = block.offset(index);
    const { bytes } = block;
    if (bytes !== undefined) {
      return new PieceReader(bytes.subarray(from, block.end(index, bytes.length)), block.texts);
    }
    return new PieceReader(this.#writer.copy(from, block.end(index, this.#writer.length)), block.texts);
  }

  /** The index of the last block that begins with this number or before it; -1 if none does. */
  #blockIndexOf(number: PieceNumber): number {
    let [low, high] = [0, this.#blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.first ?? Infinity) <= number) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #current(): PieceBlock {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.bytes === undefined) return last;
    const made = new PieceBlock(this.texts);
    this.#blocks.push(made);
    return made;
  }

  #enter(
    block: PieceBlock,
    from: number,
    to: number,
    traceId: string,
    tenant: string,
    isFailed: boolean,
  ): void {
    const known = this.#index.get(traceId);
    const pieces = typeof known === "number" ? this.#toPieces(known) : known;
    const number = this.#next++;
    block.add(number, from, traceId, this.#shares.add(tenant, to - from, isFailed), isFailed);
    if (pieces === undefined) {
      this.#index.set(traceId, number);
      return;
    }
    pieces.numbers.push(number);
    pieces.bytes.set(tenant, (pieces.bytes.get(tenant) ?? 0) + to - from);
    if (pieces !== known) this.#index.set(traceId, pieces);
  }

  #toPieces(number: PieceNumber): Pieces {
    const block = this.#blocks[this.#blockIndexOf(number)];
    const index = block?.indexFrom(number) ?? 0;
    const owner = block?.owners[index];
    if (block === undefined || owner === undefined) return { numbers: [], bytes: new Map() };
    const byteCount = block.end(index, block.bytes?.length ?? this.#writer.length) - block.offset(index);
    return { numbers: [number], bytes: new Map([[owner.tenant, byteCount]]) };
  }

  #usedBy(known: PieceNumber | Pieces, tenant = ""): number {
    // A single piece is bounded by the collector.
    return typeof known === "number" ? 0 : known.bytes.get(tenant) ?? 0;
  }

  #seal(): void {
    const block = this.#blocks.at(-1);
    if (block === undefined || block.bytes !== undefined) return;
    block.bytes = this.#writer.take((bytes) => this.#memory.copy(bytes));
    this.#events.sealed();
  }

  #shrink(nowMs: number): void {
    if (this.byteCount > this.#bounds.bytesMax) {
      this.#shed("bytes", this.#bounds.bytesMax, this.#blockBytes, "bytes");
    }
    // A piece is no trace: it may take more than one turn.
    while (this.traceCount > this.#bounds.tracesMax) {
      this.#shed("pieces", this.#shares.total("pieces"), this.#blockCount, "count");
    }
    this.expire(nowMs);
  }

  /**
   * Lets go of pieces of those who have most, the oldest of each first, until there is room for a step more below
   * `max`, or for half of it at the end of a block: to take a few pieces out of another costs as much as many.
   */
  #shed(unit: ShareUnit, max: number, step: number, reason: EvictionReason): void {
    this.#shares.plan(unit, max - step);
    const before = this.#shares.total("pieces");
    const blocks: PieceBlock[] = [];
    for (const block of this.#blocks) {
      const isEnough = this.#shares.total(unit) <= max - step / 2;
      if (!isEnough && block.bytes === undefined) this.#seal();
      const left = isEnough ? block : this.#shedOf(block, unit);
      if (left !== block) this.#memory.giveBack(block.bytes);
      if (left.pieceCount > 0) this.#place(blocks, left);
    }
    this.#blocks = blocks;
    this.#events.evicted(before - this.#shares.total("pieces"), reason);
  }

  #shedOf(block: PieceBlock, unit: ShareUnit): PieceBlock {
    return block.filter((index, byteCount) => {
      if (block.owners[index]?.isToLose(unit, block.failed[index] ?? false) !== true) return true;
      this.#forget(block, index, byteCount);
      return false;
    });
  }

  /** Puts a block behind others, joined with the last of them where both are small. */
  #place(blocks: PieceBlock[], block: PieceBlock): void {
    const last = blocks.at(-1);
    const isSmall = last?.bytes !== undefined && block.bytes !== undefined && last.texts === block.texts &&
      last.bytes.length + block.bytes.length <= this.#blockBytes &&
      last.pieceCount + block.pieceCount <= this.#blockCount &&
      block.newestMs - last.oldestMs <= this.#blockMs;
    if (isSmall) blocks[blocks.length - 1] = last.join(block);
    else blocks.push(block);
  }

  #forget(block: PieceBlock, index: number, byteCount: number): void {
    const [traceId, owner] = [block.traceIds[index], block.owners[index]];
    if (traceId === undefined || owner === undefined) return;
    this.#shares.remove(owner, byteCount, block.failed[index] ?? false);
    const known = this.#index.get(traceId);
    if (typeof known !== "object" || known.numbers.length <= 1) {
      this.#index.delete(traceId);
      return;
    }
    // The oldest as a rule: of each tenant they leave in order, failed ones aside.
    known.numbers.splice(known.numbers.indexOf(block.numbers[index] ?? 0), 1);
    const left = (known.bytes.get(owner.tenant) ?? 0) - byteCount;
    if (left > 0) known.bytes.set(owner.tenant, left);
    else known.bytes.delete(owner.tenant);
  }
}
