/**
 * TraceFiles: the pieces of traces that outlive the process, in a few files of the data folder.
 *
 * Owns `<data>/traces/`: names, sizes, syncing and the removal of the oldest. What is in the files is telemetry's (its
 * TraceFolder is this shape). `append` has resolved when the system has the bytes, which survives a kill; they are
 * synced a second later, for the loss of power. Invariants: together the files are at most one file larger than they
 * may be; nothing here keeps a gateway from starting, and no file that somebody else put there is followed or filled.
 */
import { makeFolder, readWhole, syncFolder } from "./durable_file.ts";

const FILE_NAME = /^[0-9]{12}\.traces$/;
/** Files that the bytes are divided into: one at a time is removed. */
const FILES_COUNT = 8;
const FILE_BYTES_MIN = 64 * 1024;
/** Every start begins a file, however little comes into it. */
const FILES_COUNT_MAX = 64;
/** How long what the system has may not be on the disk. */
const SYNC_MS = 1000;

interface TraceFile {
  readonly path: string;
  bytes: number;
}

/** Files of one data folder, which this process has to itself. */
export class TraceFiles implements AsyncDisposable {
  readonly #folder: string;
  readonly #bytesMax: number;
  readonly #fileBytesMax: number;
  /** Oldest first. */
  readonly #files: TraceFile[];
  #open: Deno.FsFile | undefined;
  #next: number;
  /** Not yet synced; the timer of the next sync is running. */
  #syncTimer: ReturnType<typeof setTimeout> | undefined;
  #synced: Promise<void> = Promise.resolve();

  /** @throws Deno.errors when the folder cannot be made or listed */
  static async open(dataFolder: string, bytesMax: number): Promise<TraceFiles> {
    const folder = `${dataFolder}/traces`;
    await makeFolder(folder);
    const files: TraceFile[] = [];
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || !FILE_NAME.test(name)) continue;
      const path = `${folder}/${name}`;
      files.push({ path, bytes: (await Deno.stat(path)).size });
    }
    files.sort((a, b) => a.path < b.path ? -1 : 1);
    return new TraceFiles(folder, bytesMax, files);
  }

  private constructor(folder: string, bytesMax: number, files: TraceFile[]) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
    this.#fileBytesMax = Math.max(FILE_BYTES_MIN, Math.floor(bytesMax / FILES_COUNT));
    this.#files = files;
    this.#next = Number(files.at(-1)?.path.slice(-19, -7) ?? 0) + 1;
  }

  async *read(): AsyncGenerator<Uint8Array | Error> {
    for (const { path } of [...this.#files]) {
      try {
        const { isFile, size } = await Deno.lstat(path);
        if (!isFile || size > this.#bytesMax) throw new Error("No file of traces is like that");
        yield await readWhole(path) ?? new Error("The file is gone");
      } catch (error) {
        yield error instanceof Error ? error : new Error(String(error));
      }
    }
  }

  async append(bytes: Uint8Array, head: () => Uint8Array): Promise<void> {
    const newest = this.#files.at(-1);
    if (newest !== undefined && newest.bytes >= this.#fileBytesMax) this.endFile();
    if (this.#open === undefined) await this.#begin(head());
    await this.#write(bytes);
    this.#syncSoon();
    await this.#shrink();
  }

  endFile(): void {
    const file = this.#open;
    this.#open = undefined;
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    if (file !== undefined) this.#sync(file, () => file.close());
  }

  /** Syncs what was appended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.endFile();
    await this.#synced;
  }

  #syncSoon(): void {
    if (this.#syncTimer !== undefined) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = undefined;
      if (this.#open !== undefined) this.#sync(this.#open, () => {});
    }, SYNC_MS);
    // Whoever ends the process has disposed this.
    Deno.unrefTimer(this.#syncTimer);
  }

  /** One after the other. That a trace is not on the disk is nobody's trouble but its own. */
  #sync(file: Deno.FsFile, done: () => void): void {
    this.#synced = this.#synced
      .then(() => file.syncData())
      .then(() => syncFolder(this.#folder))
      .catch(() => {})
      .then(done);
  }

  async #begin(head: Uint8Array): Promise<void> {
    const path = `${this.#folder}/${String(this.#next++).padStart(12, "0")}.traces`;
    this.#open = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    this.#files.push({ path, bytes: 0 });
    await this.#write(head);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const file = this.#files.at(-1);
    if (file === undefined || this.#open === undefined) return;
    for (let offset = 0; offset < bytes.length;) {
      const count = await this.#open.write(bytes.subarray(offset));
      offset += count;
      file.bytes += count;
    }
  }

  async #shrink(): Promise<void> {
    let bytes = this.#files.reduce((sum, file) => sum + file.bytes, 0);
    while ((bytes > this.#bytesMax || this.#files.length > FILES_COUNT_MAX) && this.#files.length > 1) {
      const oldest = this.#files.shift();
      if (oldest === undefined) return;
      bytes -= oldest.bytes;
      await Deno.remove(oldest.path).catch(() => {});
    }
  }
}
