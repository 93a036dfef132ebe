/**
 * TraceKeeper: pieces on their way to a folder, and back from it after a restart.
 *
 * Owns what is written when, and what is not because it would be too much. It opens no file: the folder is given.
 * Invariant: nothing waits for a disk. What a slow or full one does not take stays in memory as long as it would
 * have otherwise, is not there after a restart, and is counted.
 */
import { piecesFrame, readFrames, textsFrame } from "./trace_frames.ts";
import type { TraceRing } from "./trace_ring.ts";

/** Files of pieces. */
export interface TraceFolder {
  /** The content of every file, oldest first. A file that cannot be read is an error of its own. */
  read(): AsyncIterable<Uint8Array | Error>;
  /** Appends to the newest file, or to a new one, which begins with `head`. Resolves once the system has it. */
  append(bytes: Uint8Array, head: () => Uint8Array): Promise<void>;
  /** The next `append` begins a new file. */
  endFile(): void;
}

/** How much is written. */
export interface KeeperConfig {
  /** Most bytes a second, over some seconds; 0 keeps traces in memory only. */
  readonly writeBytesPerSecondMax: number;
}

/** Why pieces are not there, or will not be after a restart. */
export const DROP_REASONS = ["trace_full", "disk_rate", "disk_slow", "disk_failed", "disk_damaged"] as const;

/** See DROP_REASONS. */
export type DropReason = (typeof DROP_REASONS)[number];

/** Who is told of that. */
export interface KeeperCounts {
  /** For `disk_damaged` and `disk_failed` the count is of files and writes, else of pieces. */
  dropped(count: number, reason: DropReason): void;
}

/** Seconds of the rate that may be written at once. */
const BURST_S = 5;
/** Bytes that wait for the disk. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** Blocks that are made of what files hold. */
const PART_BYTES_MAX = 256 * 1024;

/** Writes what a ring takes in. */
export class TraceKeeper {
  readonly #ring: TraceRing;
  readonly #rate: number;
  readonly #nowMs: () => number;
  readonly #counts: KeeperCounts;
  #folder: TraceFolder | undefined;
  #nextNumber = 1;
  #textCount = 0;
  #waitingBytes = 0;
  #allowance: number;
  #allowedAtMs: number;
  #written: Promise<void> = Promise.resolve();

  constructor(ring: TraceRing, config: KeeperConfig, nowMs: () => number, counts: KeeperCounts) {
    this.#ring = ring;
    this.#rate = config.writeBytesPerSecondMax;
    this.#nowMs = nowMs;
    this.#counts = counts;
    this.#allowance = this.#rate * BURST_S;
    this.#allowedAtMs = nowMs();
  }

  /** Reads what is there; writes there from now on. Never rejects. */
  async keepIn(folder: TraceFolder): Promise<void> {
    if (this.#rate === 0) return;
    try {
      for await (const file of folder.read()) this.#restore(file);
    } catch {
      this.#counts.dropped(1, "disk_failed");
    }
    this.#nextNumber = this.#ring.next;
    this.#folder = folder;
  }

  /** Writes the pieces that are new. Returns at once. */
  write(): void {
    const from = this.#nextNumber;
    this.#nextNumber = this.#ring.next;
    if (this.#folder === undefined || from === this.#nextNumber) return;
    for (const bytes of this.#ring.since(from)) this.#append(bytes, this.#nextNumber - from);
  }

  /** Writes what is new, waits for all of it, and lets go of the folder. */
  async close(): Promise<void> {
    this.write();
    this.#folder = undefined;
    await this.#written;
  }

  #restore(file: Uint8Array | Error): void {
    if (file instanceof Error) return this.#counts.dropped(1, "disk_damaged");
    const { pieces, isDamaged } = readFrames(file, PART_BYTES_MAX);
    let isSound = !isDamaged;
    for (const { bytes, texts } of pieces) {
      try {
        this.#ring.restore(bytes, texts, this.#nowMs());
      } catch {
        isSound = false;
      }
    }
    if (!isSound) this.#counts.dropped(1, "disk_damaged");
  }

  #append(bytes: Uint8Array, pieceCount: number): void {
    const folder = this.#folder;
    if (folder === undefined) return;
    if (!this.#mayWrite(bytes.length)) return this.#counts.dropped(pieceCount, "disk_rate");
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      return this.#counts.dropped(pieceCount, "disk_slow");
    }
    const frames = this.#frames(bytes);
    this.#waitingBytes += bytes.length;
    this.#written = this.#written
      .then(() => folder.append(frames, () => textsFrame(this.#ring.texts, 0)))
      .catch(() => {
        // The file may end within a frame now, and texts of later ones may be missing.
        folder.endFile();
        this.#counts.dropped(1, "disk_failed");
      })
      .then(() => void (this.#waitingBytes -= bytes.length));
  }

  #frames(bytes: Uint8Array): Uint8Array {
    const { texts } = this.#ring;
    const pieces = piecesFrame(bytes);
    if (texts.length === this.#textCount) return pieces;
    const more = textsFrame(texts, this.#textCount);
    this.#textCount = texts.length;
    const both = new Uint8Array(more.length + pieces.length);
    both.set(more);
    both.set(pieces, more.length);
    return both;
  }

  #mayWrite(byteCount: number): boolean {
    const nowMs = this.#nowMs();
    const earned = (nowMs - this.#allowedAtMs) / 1000 * this.#rate;
    this.#allowance = Math.min(this.#rate * BURST_S, this.#allowance + Math.max(0, earned));
    this.#allowedAtMs = nowMs;
    if (this.#allowance < byteCount) return false;
    this.#allowance -= byteCount;
    return true;
  }
}
