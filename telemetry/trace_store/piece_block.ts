/**
 * PieceBlock: some pieces of traces in one run of bytes, with what is known of each without reading it.
 *
 * Owns where each piece begins, its number, trace and owner, and taking pieces out. It decides on nothing
 * (trace_ring.ts). Invariant: numbers rise, and each piece keeps its own however many before it have left.
 */
import type { TenantShare } from "./tenant_shares.ts";

/** Where a piece is: pieces are numbered in the order in which they came. */
export type PieceNumber = number;

/** Pieces that came one after the other. */
export class PieceBlock {
  readonly texts: readonly string[];
  /** Undefined as long as it is written to: they are the writer's. */
  bytes: Uint8Array | undefined;
  readonly numbers: PieceNumber[] = [];
  readonly traceIds: string[] = [];
  readonly owners: TenantShare[] = [];
  /** Of a trace, or part of one, that did not go well. */
  readonly failed: boolean[] = [];
  readonly #offsets: number[] = [];
  oldestMs = Infinity;
  newestMs = 0;

  constructor(texts: readonly string[], bytes?: Uint8Array) {
    this.texts = texts;
    this.bytes = bytes;
  }

  get pieceCount(): number {
    return this.numbers.length;
  }

  /** The number of its first piece. */
  get first(): PieceNumber {
    return this.numbers[0] ?? Infinity;
  }

  /** The number of its last piece. */
  get last(): PieceNumber {
    return this.numbers.at(-1) ?? -Infinity;
  }

  /** Enters a piece that begins at `offset`. */
  add(number: PieceNumber, offset: number, traceId: string, owner: TenantShare, isFailed: boolean): void {
    this.numbers.push(number);
    this.#offsets.push(offset);
    this.traceIds.push(traceId);
    this.owners.push(owner);
    this.failed.push(isFailed);
  }

  /** Notes when a piece of it was made. */
  noteTime(oldestMs: number, newestMs: number): void {
    if (oldestMs < this.oldestMs) this.oldestMs = oldestMs;
    if (newestMs > this.newestMs) this.newestMs = newestMs;
  }

  /** The index of the first piece with at least this number. */
  indexFrom(number: PieceNumber): number {
    let [low, high] = [0, this.numbers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.numbers[middle] ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where a piece begins. */
  offset(index: number): number {
    return this.#offsets[index] ?? this.bytes?.length ?? 0;
  }

  /** Where a piece ends; `length` is where the block does. */
  end(index: number, length: number): number {
    return this.#offsets[index + 1] ?? length;
  }

  /**
   * A block with those pieces for which `isKept` is true, which is asked once for each, oldest first; itself if they
   * are all. Only of a block with bytes.
   */
  filter(isKept: (index: number, byteCount: number) => boolean): PieceBlock {
    const bytes = this.bytes ?? new Uint8Array(0);
    let kept: number[] | undefined;
    let length = 0;
    for (let index = 0; index < this.numbers.length; index++) {
      const byteCount = this.end(index, bytes.length) - this.offset(index);
      if (isKept(index, byteCount)) {
        kept?.push(index);
        length += byteCount;
      } else {
        kept ??= Array.from({ length: index }, (_, before) => before);
      }
    }
    if (kept === undefined) return this;
    const block = new PieceBlock(this.texts, new Uint8Array(length));
    block.#take(this, kept, 0);
    return block;
  }

  /** A block with the pieces of both; `next` came after this one and has the same texts. */
  join(next: PieceBlock): PieceBlock {
    const length = this.bytes?.length ?? 0;
    const block = new PieceBlock(this.texts, new Uint8Array(length + (next.bytes?.length ?? 0)));
    block.#take(this, this.numbers.keys(), 0);
    block.#take(next, next.numbers.keys(), length);
    return block;
  }

  #take(from: PieceBlock, indices: Iterable<number>, at: number): void {
    const bytes = from.bytes ?? new Uint8Array(0);
    let start = 0;
    let end = 0;
    for (const index of indices) {
      const offset = from.offset(index);
      // Neighbours are copied together.
      if (offset !== end) {
        this.bytes?.set(bytes.subarray(start, end), at - (end - start));
        start = offset;
      }
      end = from.end(index, bytes.length);
      const [traceId, owner] = [from.traceIds[index], from.owners[index]];
      if (traceId === undefined || owner === undefined) continue;
      this.add(from.numbers[index] ?? 0, at, traceId, owner, from.failed[index] ?? false);
      at += end - offset;
    }
    this.bytes?.set(bytes.subarray(start, end), at - (end - start));
    this.noteTime(from.oldestMs, from.newestMs);
  }
}
