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
  #bytesMin: number;

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

  /** Expects a file that may be shorter from now on, because its owner has emptied it. */
  expectEmptied(): void {
    this.#bytesMin = 0;
  }

  /**
   * Facts of the file, if it is the one that was there.
   *
   * @throws StorageRefusal when it is gone, another one, or shorter than it has been
   */
  async check(): Promise<Deno.FileInfo> {
    const info = await Deno.stat(this.path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) throw new StorageRefusal(`${this.#what} was removed`);
      throw error;
    });
    if (info.dev !== this.#dev || info.ino !== this.#ino) {
      throw new StorageRefusal(`${this.#what} was replaced`);
    }
    if (info.size < this.#bytesMin) throw new StorageRefusal(`${this.#what} was cut short`);
    this.#bytesMin = info.size;
    return info;
  }
}
