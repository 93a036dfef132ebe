/**
 * ArtifactFiles: instrumented modules on disk, so that a restart need not make them again.
 *
 * Owns the folder `artifacts/<generation>/`, its bound in bytes, and the check of what is read. It is a cache:
 * nothing in it is synced, a file that is damaged or gone is as one that never was, and no failure of the disk
 * is the caller's. Invariants: bytes come back exactly as they were put or not at all; files of another
 * generation, made by another instrumenter, are never read and are removed.
 */
import { digestOf } from "../blob_store.ts";
import { makeFolder, readWhole } from "./durable_file.ts";

/** Bytes of the SHA-256 in front of the content. */
const CHECKSUM_BYTES = 32;

interface Entry {
  readonly bytes: number;
}

/** A folder of artifacts by key. */
export class ArtifactFiles {
  readonly #folder: string;
  readonly #bytesMax: number;
  /** By file name, least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #nextTemporary = 0;

  private constructor(folder: string, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  /**
   * Opens the artifacts of one generation and removes all others.
   *
   * @param generation names whatever made them; letters and digits
   */
  static async open(dataFolder: string, generation: string, bytesMax: number): Promise<ArtifactFiles> {
    const root = `${dataFolder}/artifacts`;
    const files = new ArtifactFiles(`${root}/${generation}`, bytesMax);
    await makeFolder(root);
    for await (const { name } of Deno.readDir(root)) {
      if (name !== generation) await Deno.remove(`${root}/${name}`, { recursive: true }).catch(() => {});
    }
    await makeFolder(files.#folder);
    await files.#load();
    return files;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was written under a key, or undefined. */
  async read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const name = await nameOf(key);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const file = await readWhole(`${this.#folder}/${name}`).catch(() => undefined);
    const content = file?.subarray(CHECKSUM_BYTES);
    if (file === undefined || content === undefined || !await isIntact(file, content)) {
      await this.#remove(name);
      return undefined;
    }
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return content;
  }

  /** Keeps bytes under a key, and removes the least recently used over the bound. Never rejects. */
  async write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const size = CHECKSUM_BYTES + bytes.length;
    if (size > this.#bytesMax) return;
    const name = await nameOf(key);
    if (this.#entries.has(name)) return;
    const temporary = `${this.#folder}/incoming-${this.#nextTemporary++}`;
    try {
      const checksum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      using file = await Deno.open(temporary, { write: true, create: true, truncate: true });
      for (const part of [checksum, bytes]) {
        for (let offset = 0; offset < part.length;) offset += await file.write(part.subarray(offset));
      }
      await Deno.rename(temporary, `${this.#folder}/${name}`);
    } catch {
      await Deno.remove(temporary).catch(() => {});
      return;
    }
    this.#add(name, size);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      await this.#remove(oldest);
    }
  }

  #add(name: string, bytes: number): void {
    if (this.#entries.has(name)) return;
    this.#entries.set(name, { bytes });
    this.#bytes += bytes;
  }

  async #remove(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#bytes -= entry.bytes;
    await Deno.remove(`${this.#folder}/${name}`).catch(() => {});
  }

  /** What an earlier process has left, oldest first; half-written files go. */
  async #load(): Promise<void> {
    const found: { name: string; bytes: number; writtenMs: number }[] = [];
    for await (const { name, isFile } of Deno.readDir(this.#folder)) {
      const path = `${this.#folder}/${name}`;
      if (!isFile || !/^[0-9a-f]{64}$/.test(name)) {
        await Deno.remove(path, { recursive: true }).catch(() => {});
      } else {
        const { size, mtime } = await Deno.stat(path);
        found.push({ name, bytes: size, writtenMs: mtime?.getTime() ?? 0 });
      }
    }
    found.sort((a, b) => a.writtenMs - b.writtenMs);
    for (const { name, bytes } of found) this.#add(name, bytes);
    for (const { name } of found) {
      if (this.#bytes <= this.#bytesMax) break;
      await this.#remove(name);
    }
  }
}

/** A key can hold anything; a file name is the digest of it. */
async function nameOf(key: string): Promise<string> {
  return await digestOf(new TextEncoder().encode(key));
}

async function isIntact(file: Uint8Array, content: Uint8Array<ArrayBuffer>): Promise<boolean> {
  if (file.length < CHECKSUM_BYTES) return false;
  const checksum = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return checksum.every((byte, index) => byte === file[index]);
}
