/**
 * ModuleCache: the bytes of modules used last, in front of the blob store.
 *
 * Owns the bound in bytes and the single flight. It checks nothing (the blob store verifies what it reads).
 * Invariant: one digest is read at most once at a time; a failed read is not remembered.
 */
import type { BlobStore } from "../store/blob_store.ts";
import { LruCache } from "../model/lru_cache.ts";

/** Bytes by digest. The arrays are shared: nobody may change or transfer them. */
export class ModuleCache {
  readonly #blobs: BlobStore;
  readonly #modules: LruCache<string, Uint8Array>;
  readonly #reads = new Map<string, Promise<Uint8Array | undefined>>();

  constructor(blobs: BlobStore, bytesMax: number) {
    this.#blobs = blobs;
    this.#modules = new LruCache({ countMax: Infinity, weightMax: bytesMax });
  }

  /** How many bytes are kept, reads under way not counted. */
  get bytes(): number {
    return this.#modules.weight;
  }

  /** The bytes of a digest; undefined when the store has none. Throws what the blob store throws. */
  async findModule(digest: string): Promise<Uint8Array | undefined> {
    const cached = this.#modules.get(digest);
    if (cached !== undefined) return cached;
    const underWay = this.#reads.get(digest);
    if (underWay !== undefined) return await underWay;
    const read = this.#read(digest);
    this.#reads.set(digest, read);
    return await read;
  }

  /** Gives up the memory of a digest. */
  forget(digest: string): void {
    this.#modules.delete(digest);
  }

  /** Gives up all memory. */
  clear(): void {
    this.#modules.clear();
  }

  async #read(digest: string): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#blobs.get(digest);
      if (bytes !== undefined) this.#modules.set(digest, bytes, bytes.byteLength);
      return bytes;
    } finally {
      this.#reads.delete(digest);
    }
  }
}
