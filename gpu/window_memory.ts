/**
 * WindowMemory: device memory for windows, what it is filled with, and what comes back of it.
 *
 * Owns the pieces (kept for the next launch, by size), uploads, and the downloads that are due: done at a
 * synchronisation, or before a launch reads the same bytes of guest memory. Where a launch goes on with what
 * the one before left, nothing is copied at all. It launches nothing (launcher.ts does). Invariants: downloads
 * happen in the order of the launches; a piece is never given to a second launch that could run beside the
 * first; guest memory is written only in ranges of windows that are written.
 */
import type { ArgList } from "./args.ts";
import { GPU_ARG_TAGS as TAG } from "./abi.ts";
import { GpuError } from "./gpu_error.ts";
import { PieceCache } from "./piece_cache.ts";
import type { Piece } from "./piece_cache.ts";
import { GpuRefusal } from "./refusal.ts";
import type { SessionParts, StreamState } from "./session_parts.ts";
import type { Steps } from "./steps.ts";
import { countBytes, covers, groupWindows, overlaps } from "./windows.ts";
import type { WindowGroup } from "./windows.ts";

/** Most launches' worth of downloads that are put off. */
const PENDING_MAX = 256;

/** A download that is due. */
interface Pending {
  readonly group: WindowGroup;
  readonly piece: Piece;
  readonly stream: StreamState;
  /** Which launch of the stream it waits for. */
  readonly launch: number;
  /** A launch is about to go on with it. */
  isClaimed: boolean;
}

/** A group with its piece. */
interface Placed {
  readonly group: WindowGroup;
  readonly piece: Piece;
  /** Whose piece it is, if it is one that a launch before left. */
  readonly from: Pending | undefined;
}

/** The windows of one launch, on the device. */
export interface PlacedWindows {
  readonly placed: readonly Placed[];
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const NO_WINDOWS: PlacedWindows = Object.freeze({ placed: Object.freeze([]), bytesIn: 0, bytesOut: 0 });

/** Windows of one session. */
export class WindowMemory {
  readonly #parts: SessionParts;
  readonly #cache: PieceCache;
  /** In the order of their launches. */
  #pending: Pending[] = [];

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#cache = new PieceCache(parts.device);
  }

  /** Bytes that are allocated, but not in use. */
  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** Puts the windows of a launch on the device, and gives the arguments their addresses. */
  *place(args: ArgList, stream: StreamState): Steps<PlacedWindows> {
    clearAddresses(args);
    const groups = groupWindows(args);
    if (groups.length === 0) return NO_WINDOWS;
    yield* this.#downloadBefore(groups, stream);
    const placed: Placed[] = [];
    let [bytesIn, bytesOut] = [0, 0];
    try {
      for (const group of groups) {
        const from = this.#findResident(group, stream);
        if (from !== undefined) from.isClaimed = true;
        const piece = from?.piece ?? (yield* this.#take(group.end - group.start, stream));
        placed.push({ group, piece, from });
        if (from === undefined) bytesIn += yield* this.#fill(group, piece, stream);
        bytesOut += countBytes(group.downloads);
        for (const index of group.members) {
          const offset = args.windowOffset(index) - group.start;
          args.setPointer(index, offset === 0 ? piece.pointer : piece.pointer + BigInt(offset));
        }
      }
    } catch (error) {
      this.abandon({ placed, bytesIn, bytesOut }, stream);
      throw error;
    }
    return { placed, bytesIn, bytesOut };
  }

  /** The launch has been made: what its windows write is due. `stream` counts it already. */
  launched({ placed }: PlacedWindows, stream: StreamState): void {
    const launch = stream.launchCount;
    for (const { group, piece, from } of placed) {
      this.#dropSuperseded(group, stream, from);
      if (group.downloads.length === 0) this.#cache.release(piece, stream, launch);
      else this.#pending.push({ group, piece, stream, launch, isClaimed: false });
    }
  }

  /** The launch was not made. */
  abandon({ placed }: PlacedWindows, stream: StreamState): void {
    for (const { piece, from } of placed) {
      if (from === undefined) this.#cache.release(piece, stream, stream.launchCount);
      else from.isClaimed = false;
    }
  }

  /** Writes back what is due of one stream up to a launch of it, or all of it. */
  *download(stream?: StreamState, launchMax = Infinity): Steps<void> {
    for (let index = 0; index < this.#pending.length;) {
      const pending = this.#pending[index];
      const isDue = pending !== undefined && !pending.isClaimed &&
        (stream === undefined || pending.stream === stream) && pending.launch <= launchMax;
      if (!isDue) index++;
      else {
        this.#pending.splice(index, 1);
        yield* this.#writeBack(pending);
      }
    }
  }

  /** Writes back what is due of the bytes start…end, before somebody else reads or writes them. */
  *downloadRange(start: number, end: number): Steps<void> {
    if (this.#pending.length === 0 || start === end) return;
    yield* this.#downloadThrough(({ group }) => overlaps(group.downloads, [start, end]));
  }

  /** After an error of the device nothing comes back any more. */
  forget(): void {
    this.#pending = [];
  }

  /** Whatever a launch is to read must be in guest memory, unless it goes on with the same piece. */
  *#downloadBefore(groups: readonly WindowGroup[], stream: StreamState): Steps<void> {
    if (this.#pending.length === 0) return;
    if (this.#pending.length + groups.length > PENDING_MAX) return yield* this.download();
    const readers = groups.filter((group) =>
      group.uploads.length > 0 && this.#findResident(group, stream) === undefined
    );
    if (readers.length === 0) return;
    yield* this.#downloadThrough((pending) =>
      readers.some(({ uploads }) => overlaps(uploads, pending.group.downloads))
    );
  }

  /** The last one that matches, and all before it: in the order of their launches. */
  *#downloadThrough(matches: (pending: Pending) => boolean): Steps<void> {
    for (let left = this.#pending.findLastIndex(matches) + 1; left > 0; left--) {
      const pending = this.#pending.shift();
      if (pending !== undefined) yield* this.#writeBack(pending);
    }
  }

  *#writeBack({ group, piece, stream, launch }: Pending): Steps<void> {
    const { downloads } = group;
    for (let at = 0; at < downloads.length; at += 2) {
      const [start = 0, end = 0] = [downloads[at], downloads[at + 1]];
      const source = start === group.start ? piece.pointer : piece.pointer + BigInt(start - group.start);
      yield* this.#parts.copier.toGuest(start, source, end - start, stream.stream);
    }
    // A copy from the device is there only when everything before it is done.
    stream.doneCount = Math.max(stream.doneCount, launch);
    this.#cache.release(piece, stream, launch);
  }

  /**
   * A piece that a launch before left and that holds what this group would upload: the bytes that are due are
   * those that a download and an upload would put there. Only the newest of that place will do.
   */
  #findResident(group: WindowGroup, stream: StreamState): Pending | undefined {
    if (group.uploads.length === 0) return undefined;
    const newest = this.#pending.findLast((pending) =>
      overlaps(pending.group.downloads, [group.start, group.end])
    );
    if (newest === undefined || newest.stream !== stream || newest.isClaimed) return undefined;
    const { group: old } = newest;
    const isSame = old.start === group.start && old.end === group.end && group.zeros.length === 0;
    return isSame && covers(old.downloads, group.uploads) && covers(group.downloads, old.downloads)
      ? newest
      : undefined;
  }

  /** What a later launch of the same stream writes as a whole need not come back before. */
  #dropSuperseded(group: WindowGroup, stream: StreamState, from: Pending | undefined): void {
    if (this.#pending.length === 0) return;
    this.#pending = this.#pending.filter((pending) => {
      if (pending === from) return false;
      if (pending.stream !== stream || pending.isClaimed) return true;
      if (!covers(group.downloads, pending.group.downloads)) return true;
      this.#cache.release(pending.piece, stream, pending.launch);
      return false;
    });
  }

  *#fill(group: WindowGroup, piece: Piece, { stream }: StreamState): Steps<number> {
    const { uploads, zeros, start: base } = group;
    for (let at = 0; at < uploads.length; at += 2) {
      const [start = 0, end = 0] = [uploads[at], uploads[at + 1]];
      const target = start === base ? piece.pointer : piece.pointer + BigInt(start - base);
      yield* this.#parts.copier.toDevice(target, start, end - start, stream);
    }
    for (let at = 0; at < zeros.length && !piece.isZero; at += 2) {
      const [start = 0, end = 0] = [zeros[at], zeros[at + 1]];
      const target = start === base ? piece.pointer : piece.pointer + BigInt(start - base);
      yield* this.#parts.copier.zero(target, end - start, stream);
    }
    piece.isZero = false;
    return countBytes(uploads);
  }

  /** A piece; if there is no memory for it, what is put by is given up, and what is due is written back. */
  *#take(byteLength: number, stream: StreamState): Steps<Piece> {
    for (let attempt = 0;; attempt++) {
      try {
        return this.#cache.take(byteLength, stream);
      } catch (error) {
        if (attempt === 2 || !isShortage(error)) throw error;
        if (attempt === 1) yield* this.download();
        this.#cache.trim();
      }
    }
  }
}

/** Windows without a byte have the address 0. */
function clearAddresses(args: ArgList): void {
  for (let index = 0; index < args.count; index++) {
    if (args.tag(index) >= TAG.windowInOut && args.tag(index) <= TAG.windowOut) args.setPointer(index, 0n);
  }
}

function isShortage(error: unknown): boolean {
  return error instanceof GpuRefusal
    ? error.code === "quotaExceeded"
    : error instanceof GpuError && error.statusName === "CUDA_ERROR_OUT_OF_MEMORY";
}
