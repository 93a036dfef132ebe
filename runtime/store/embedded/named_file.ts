/**
 * NamedFile: a file that is held open, and the name by which the next process will look for it.
 *
 * Owns the comparison of the two. It reads and writes nothing. Invariant: once somebody has removed or replaced the
 * file, or cut it short, `check` says so; what is written to a file without its name is lost with the process.
 */
import { StorageRefusal } from "../storage_failure.ts";

/** A path and what was there. */
export class NamedFile {
  readonly path: string;
  readonly #dev: number;
  readonly #ino: number | null;
  readonly #what: string;
  /** What it has grown to, as far as known. */
  #bytesMin: number;
  /** Beginnings and ends of work that cuts it. */
  #cuts = 0;

  private constructor(path: string, what: string, { dev, ino, size }: Deno.FileInfo) {
    this.path = path;
    this.#what = what;
    this.#dev = dev;
    this.#ino = ino;
    this.#bytesMin = size;
  }

  /** Remembers what is at `path` now; `what` is its name in errors. */
  static async at(path: string, what: string): Promise<NamedFile> {
    return new NamedFile(path, what, await Deno.stat(path));
  }

  /** The same for a file that is open, by its facts. */
  static of(path: string, what: string, info: Deno.FileInfo): NamedFile {
    return new NamedFile(path, what, info);
  }

  /** Runs `work`, which may cut the file short: it is its owner's. */
  async whileCut<T>(work: () => Promise<T>): Promise<T> {
    this.#cuts++;
    try {
      return await work();
    } finally {
      this.#cuts++;
      this.#bytesMin = 0;
    }
  }

  /**
   * Facts of the file, if it is the one that was there.
   *
   * @throws StorageRefusal when it is gone, another one, or shorter than it has been
   */
  async check(): Promise<Deno.FileInfo> {
    // The look takes time, in which another one may have seen more, or the owner cut it.
    const bytesMin = this.#bytesMin;
    const cuts = this.#cuts;
    const info = await Deno.stat(this.path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) throw new StorageRefusal(`${this.#what} was removed`);
      throw error;
    });
    if (info.dev !== this.#dev || info.ino !== this.#ino) {
      throw new StorageRefusal(`${this.#what} was replaced`);
    }
    if (cuts !== this.#cuts || cuts % 2 === 1) return info;
    if (info.size < bytesMin) throw new StorageRefusal(`${this.#what} was cut short`);
    this.#bytesMin = Math.max(this.#bytesMin, info.size);
    return info;
  }
}
