/**
 * TraceFiles: the pieces of traces that outlive the process, in a few files of the data folder.
 *
 * Owns `<data>/traces/`: names, sizes and the removal of the oldest. What is in the files is telemetry's (its TraceFolder
 * is this shape). Written
 * without syncing: a kill loses what was not handed over yet, a power cut the last seconds. Invariant: together
 * the files are at most one file larger than they may be, and nothing here keeps a gateway from starting.
 */
import { makeFolder } from "./durable_file.ts";

const FILE_NAME = /^[0-9]{12}\.traces$/;
/** Files that the bytes are divided into: one at a time is removed. */
const FILES_COUNT = 8;
const FILE_BYTES_MIN = 64 * 1024;

interface TraceFile {
  readonly path: string;
  bytes: number;
}

/** Files of one data folder, which this process has to itself. */
export class TraceFiles implements Disposable {
  readonly #folder: string;
  readonly #bytesMax: number;
  readonly #fileBytesMax: number;
  /** Oldest first. */
  readonly #files: TraceFile[];
  #open: Deno.FsFile | undefined;
  #next: number;

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
        yield await Deno.readFile(path);
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
    await this.#shrink();
  }

  endFile(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  [Symbol.dispose](): void {
    this.endFile();
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
    while (bytes > this.#bytesMax && this.#files.length > 1) {
      const oldest = this.#files.shift();
      if (oldest === undefined) return;
      bytes -= oldest.bytes;
      await Deno.remove(oldest.path).catch(() => {});
    }
  }
}
