/**
 * WindowMemory: device memory for windows, and what it is filled with.
 *
 * Owns the placing of a launch's windows: pieces (kept for the next launch, by size), uploads, zeros. Where a
 * launch goes on with what the one before left, nothing is copied at all. What comes back is downloads.ts; it
 * launches nothing (launcher.ts does). Invariant: a launch finds in its windows what guest memory would hold if
 * every launch before had been written back, and zero where no window reads.
 */
import type { ArgList } from "./args.ts";
import { GPU_ARG_TAGS as TAG } from "../abi.ts";
import type { Copied } from "./copier.ts";
import { addressIn, Downloads } from "./downloads.ts";
import type { Download } from "./downloads.ts";
import { GpuError } from "../gpu_error.ts";
import { PieceCache } from "./piece_cache.ts";
import type { Piece } from "./piece_cache.ts";
import { GpuRefusal } from "./refusal.ts";
import type { SessionParts, StreamState } from "./session_parts.ts";
import { countBytes, groupWindows, overlaps } from "./windows.ts";
import type { WindowGroup } from "./windows.ts";

/** Most launches' worth of downloads that are put off. */
const DUE_MAX = 256;

/** A group with its piece. */
interface Placed {
  readonly group: WindowGroup;
  readonly piece: Piece;
  /** Whose piece it is, if it is one that a launch before left. */
  readonly from: Download | undefined;
}

/** The windows of one launch, on the device. */
export interface PlacedWindows {
  readonly placed: readonly Placed[];
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Windows on their way to the device. */
interface Placing extends PlacedWindows {
  readonly args: ArgList;
  readonly groups: readonly WindowGroup[];
  readonly stream: StreamState;
  readonly placed: Placed[];
  bytesIn: number;
  bytesOut: number;
}

const NO_WINDOWS: PlacedWindows = Object.freeze({ placed: Object.freeze([]), bytesIn: 0, bytesOut: 0 });

/** Windows of one session. */
export class WindowMemory {
  readonly #parts: SessionParts;
  readonly #cache: PieceCache;
  readonly downloads: Downloads;
  #groups: readonly WindowGroup[] = [];
  #groupsVersion = -1;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#cache = new PieceCache(parts.device);
    this.downloads = new Downloads(parts, this.#cache);
  }

  /** Bytes that are allocated, but not in use. */
  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** Puts the windows of a launch on the device, and gives the arguments their addresses. */
  place(args: ArgList, stream: StreamState): PlacedWindows | Promise<PlacedWindows> {
    const groups = this.#groupsOf(args);
    clearAddresses(args);
    if (groups.length === 0) return NO_WINDOWS;
    const placing: Placing = { args, groups, stream, placed: [], bytesIn: 0, bytesOut: 0 };
    const waits = this.downloads.count > 0 && this.#downloadBefore(groups, stream);
    return waits ? waits.then(() => this.#placeRest(placing)) : this.#placeRest(placing);
  }

  /** The launch has been made: what its windows write is due. `stream` counts it already. */
  launched({ placed }: PlacedWindows, stream: StreamState): void {
    const launch = stream.launchCount;
    for (const { group, piece, from } of placed) {
      this.downloads.dropSuperseded(group, stream, from);
      if (group.downloads.length === 0) this.#cache.release(piece, stream, launch);
      else this.downloads.add(group, piece, stream, launch);
    }
  }

  /** The launch was not made. */
  abandon({ placed }: PlacedWindows, stream: StreamState): void {
    for (const { piece, from } of placed) {
      if (from === undefined) this.#cache.release(piece, stream, stream.launchCount);
      else from.isClaimed = false;
    }
  }

  /** A guest that launches the same again has the same groups. */
  #groupsOf(args: ArgList): readonly WindowGroup[] {
    if (args.version !== this.#groupsVersion) {
      this.#groups = groupWindows(args);
      this.#groupsVersion = args.version;
    }
    return this.#groups;
  }

  /** Whatever a launch is to read must be in guest memory, unless it goes on with the same piece. */
  #downloadBefore(groups: readonly WindowGroup[], stream: StreamState): Copied {
    const { downloads } = this;
    if (downloads.count + groups.length > DUE_MAX) return downloads.run();
    const readers = groups.filter((group) =>
      group.uploads.length > 0 && downloads.findResident(group, stream) === undefined
    );
    if (readers.length === 0) return;
    return downloads.runThrough((due) => readers.some(({ uploads }) => overlaps(uploads, due.downloads)));
  }

  /** Places the groups that are not placed yet. */
  #placeRest(placing: Placing): PlacedWindows | Promise<PlacedWindows> {
    try {
      while (placing.placed.length < placing.groups.length) {
        const waits = this.#placeNext(placing);
        if (waits) return this.#placeLater(placing, waits);
      }
      return placing;
    } catch (error) {
      this.abandon(placing, placing.stream);
      throw error;
    }
  }

  async #placeLater(placing: Placing, waits: Promise<void>): Promise<PlacedWindows> {
    try {
      await waits;
    } catch (error) {
      this.abandon(placing, placing.stream);
      throw error;
    }
    return await this.#placeRest(placing);
  }

  #placeNext(placing: Placing): Copied {
    const { groups, placed, stream } = placing;
    const group = groups[placed.length];
    if (group === undefined) return;
    const from = this.downloads.findResident(group, stream);
    if (from !== undefined) {
      from.isClaimed = true;
      return this.#settle(placing, group, from.piece, from);
    }
    const piece = this.#take(group.end - group.start, stream);
    return piece instanceof Promise
      ? piece.then((taken) => this.#settle(placing, group, taken, undefined))
      : this.#settle(placing, group, piece, undefined);
  }

  /** The group has its piece; it is filled unless it holds what is wanted already. */
  #settle(placing: Placing, group: WindowGroup, piece: Piece, from: Download | undefined): Copied {
    const { args, placed, stream } = placing;
    placed.push({ group, piece, from });
    placing.bytesOut += countBytes(group.downloads);
    for (const index of group.members) {
      args.setPointer(index, addressIn(piece, group, args.windowOffset(index)));
    }
    if (from !== undefined) return;
    placing.bytesIn += countBytes(group.uploads);
    const { isZero } = piece;
    piece.isZero = false;
    const waits = this.#upload(group, piece, stream, 0);
    if (isZero || group.zeros.length === 0) return waits;
    return waits
      ? waits.then(() => this.#zero(group, piece, stream, 0))
      : this.#zero(group, piece, stream, 0);
  }

  /** Uploads the ranges from one on. */
  #upload(group: WindowGroup, piece: Piece, state: StreamState, from: number): Copied {
    const { uploads } = group;
    for (let at = from; at < uploads.length; at += 2) {
      const [start = 0, end = 0] = [uploads[at], uploads[at + 1]];
      const target = addressIn(piece, group, start);
      const waits = this.#parts.copier.toDevice(target, start, end - start, state.stream);
      if (waits) return waits.then(() => this.#upload(group, piece, state, at + 2));
    }
  }

  #zero(group: WindowGroup, piece: Piece, state: StreamState, from: number): Copied {
    const { zeros } = group;
    for (let at = from; at < zeros.length; at += 2) {
      const [start = 0, end = 0] = [zeros[at], zeros[at + 1]];
      const waits = this.#parts.copier.zero(addressIn(piece, group, start), end - start, state.stream);
      if (waits) return waits.then(() => this.#zero(group, piece, state, at + 2));
    }
  }

  /** A piece; if there is no memory for it, what is put by is given up, and what is due is written back. */
  #take(byteLength: number, stream: StreamState): Piece | Promise<Piece> {
    try {
      return this.#cache.take(byteLength, stream);
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
    const again = (): Piece => {
      this.#cache.trim();
      return this.#cache.take(byteLength, stream);
    };
    try {
      return again();
    } catch (error) {
      if (!isShortage(error)) throw error;
    }
    const waits = this.downloads.run();
    return waits ? waits.then(again) : again();
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
