/**
 * Downloads: results of launches that are still on the device, and their way back.
 *
 * Owns what is due, in the order of the launches, and the ways in which it comes to be done: a synchronisation,
 * or somebody who needs the same bytes of guest memory. It launches and places nothing (window_memory.ts does).
 * Invariants: what is due is written back in the order of its launches; guest memory is written only in ranges
 * of windows that are written.
 */
import type { Copied } from "./copier.ts";
import type { Piece, PieceCache } from "./piece_cache.ts";
import type { SessionParts, StreamState } from "./session_parts.ts";
import { covers, overlaps } from "./windows.ts";
import type { WindowGroup } from "./windows.ts";

/** What a launch has left to be written back. */
export interface Download {
  readonly group: WindowGroup;
  readonly piece: Piece;
  readonly stream: StreamState;
  /** Which launch of the stream it waits for. */
  readonly launch: number;
  /** A launch is about to go on with it. */
  isClaimed: boolean;
}

/** What is due in one session. */
export class Downloads {
  readonly #parts: SessionParts;
  readonly #cache: PieceCache;
  #due: Download[] = [];

  /** @param cache gets the pieces back */
  constructor(parts: SessionParts, cache: PieceCache) {
    this.#parts = parts;
    this.#cache = cache;
  }

  /** How many launches' worth is due. */
  get count(): number {
    return this.#due.length;
  }

  /** A launch that was made writes a group. */
  add(group: WindowGroup, piece: Piece, stream: StreamState, launch: number): void {
    this.#due.push({ group, piece, stream, launch, isClaimed: false });
  }

  /** Writes back what is due of one stream up to a launch of it, or all of it. */
  run(stream?: StreamState, launchMax = Infinity): Copied {
    for (let index = 0; index < this.#due.length;) {
      const download = this.#due[index];
      const isDue = download !== undefined && !download.isClaimed &&
        (stream === undefined || download.stream === stream) && download.launch <= launchMax;
      if (!isDue) index++;
      else {
        this.#due.splice(index, 1);
        const waits = this.#writeBack(download, 0);
        if (waits) return waits.then(() => this.run(stream, launchMax));
      }
    }
  }

  /** Writes back the last one that matches and all before it, before somebody else needs the bytes. */
  runThrough(matches: (group: WindowGroup) => boolean): Copied {
    return this.#runFirst(this.#due.findLastIndex(({ group }) => matches(group)) + 1);
  }

  /** After an error of the device nothing comes back any more. */
  forget(): void {
    this.#due = [];
  }

  /**
   * A piece that a launch before left and that holds what this group would upload: the bytes that are due are
   * those that a download and an upload would put there. Only the newest of that place will do.
   */
  findResident(group: WindowGroup, stream: StreamState): Download | undefined {
    if (this.#due.length === 0 || group.uploads.length === 0 || group.zeros.length > 0) return undefined;
    const newest = this.#due.findLast((each) => overlaps(each.group.downloads, [group.start, group.end]));
    if (newest === undefined || newest.stream !== stream || newest.isClaimed) return undefined;
    const { group: old } = newest;
    const isSame = old.start === group.start && old.end === group.end;
    return isSame && covers(old.downloads, group.uploads) && covers(group.downloads, old.downloads)
      ? newest
      : undefined;
  }

  /**
   * What a later launch of the same stream writes as a whole need not come back before.
   *
   * @param from the one that the launch has gone on with: its piece is in use
   */
  dropSuperseded(group: WindowGroup, stream: StreamState, from: Download | undefined): void {
    if (this.#due.length === 0) return;
    this.#due = this.#due.filter((download) => {
      if (download === from) return false;
      if (download.stream !== stream || download.isClaimed) return true;
      if (!covers(group.downloads, download.group.downloads)) return true;
      this.#cache.release(download.piece, stream, download.launch);
      return false;
    });
  }

  #runFirst(count: number): Copied {
    for (let left = count; left > 0; left--) {
      const download = this.#due.shift();
      const waits = download !== undefined && this.#writeBack(download, 0);
      if (waits) return waits.then(() => this.#runFirst(left - 1));
    }
  }

  /** Writes the ranges from one on back. */
  #writeBack(download: Download, from: number): Copied {
    const { group, piece, stream, launch } = download;
    const { downloads } = group;
    for (let at = from; at < downloads.length; at += 2) {
      const [start = 0, end = 0] = [downloads[at], downloads[at + 1]];
      const source = addressIn(piece, group, start);
      const waits = this.#parts.copier.toGuest(start, source, end - start, stream.stream);
      if (waits) return waits.then(() => this.#writeBack(download, at + 2));
    }
    // A copy from the device is there only when everything before it is done.
    stream.doneCount = Math.max(stream.doneCount, launch);
    this.#cache.release(piece, stream, launch);
  }
}

/** Where a byte of guest memory is in the piece of its group. */
export function addressIn({ pointer }: Piece, { start: base }: WindowGroup, start: number): bigint {
  return start === base ? pointer : pointer + BigInt(start - base);
}
