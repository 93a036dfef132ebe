/**
 * FileBlobStore: blobs as files `blobs/ab/<digest>`, written by way of `incoming/`.
 *
 * Owns both folders. It locks nothing (the data lock does) and knows no records. Invariant: a file under
 * `blobs/` was synced under another name before it got its own, so an incomplete blob is never visible.
 */
import { fault } from "../../model/fault.ts";
import { type BlobStore, checkDigest, digestOf, isDigest } from "../blob_store.ts";
import { toStorageFault } from "../storage_failure.ts";
import type { StoreHealth } from "../store_health.ts";
import {
  findStat,
  makeFolder,
  makeFolderIn,
  readWhole,
  removeFile,
  syncFolder,
  writeDurably,
} from "./durable_file.ts";

/** A disk that has room for so much takes most modules. */
const TRIED_BYTES = 256 * 1024;

/** Blobs under a data folder. */
export class FileBlobStore implements BlobStore {
  readonly #blobsFolder: string;
  readonly #incomingFolder: string;
  /** Shard folders whose own names are known to be durable. */
  readonly #durableShards = new Set<string>();
  readonly #health: StoreHealth | undefined;
  #incomingCount = 0;

  private constructor(folder: string, health: StoreHealth | undefined) {
    this.#health = health;
    this.#blobsFolder = `${folder}/blobs`;
    this.#incomingFolder = `${folder}/incoming`;
  }

  /** Opens the blobs of a data folder, making what is missing. Throws what the file system throws. */
  static async open(folder: string, health?: StoreHealth): Promise<FileBlobStore> {
    const store = new FileBlobStore(folder, health);
    await makeFolder(store.#blobsFolder);
    await makeFolder(store.#incomingFolder);
    return store;
  }

  async put(bytes: Uint8Array): Promise<string> {
    const digest = await digestOf(bytes);
    try {
      const folder = await this.#openShard(digest);
      // A whole copy may have been renamed without its folder having been synced; then only that is missing.
      if (await this.#isWhole(digest)) await syncFolder(folder);
      else {await writeDurably(
          { temporaryPath: this.#nextIncoming(), path: this.#path(digest), folder },
          bytes,
        );}
      this.#health?.succeeded("files");
    } catch (error) {
      this.#health?.failed("files", error);
      throw toStorageFault(error, "Module could not be stored");
    }
    return digest;
  }

  async get(digest: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    checkDigest(digest);
    try {
      const bytes = await readWhole(this.#path(digest));
      if (bytes !== undefined && await digestOf(bytes) !== digest) {
        throw fault("internal", `Stored module ${digest} is damaged: its bytes have another digest`);
      }
      return bytes;
    } catch (error) {
      throw toStorageFault(error, "Module could not be read");
    }
  }

  async has(digest: string): Promise<boolean> {
    checkDigest(digest);
    try {
      return await findStat(this.#path(digest)) !== undefined;
    } catch (error) {
      throw toStorageFault(error, "Module could not be read");
    }
  }

  async remove(digest: string): Promise<boolean> {
    checkDigest(digest);
    try {
      return await removeFile(this.#path(digest));
    } catch (error) {
      throw toStorageFault(error, "Module could not be removed");
    }
  }

  async *list(): AsyncGenerator<string> {
    try {
      for await (const shard of Deno.readDir(this.#blobsFolder)) {
        if (!shard.isDirectory || !/^[0-9a-f]{2}$/.test(shard.name)) continue;
        for await (const entry of Deno.readDir(`${this.#blobsFolder}/${shard.name}`)) {
          if (entry.isFile && isDigest(entry.name) && entry.name.startsWith(shard.name)) yield entry.name;
        }
      }
    } catch (error) {
      throw toStorageFault(error, "Modules could not be listed");
    }
  }

  /** When the file of a blob was last written, in ms since the epoch; undefined when there is none. */
  async findWrittenUnixMs(digest: string): Promise<number | undefined> {
    checkDigest(digest);
    return (await findStat(this.#path(digest)))?.mtime?.getTime();
  }

  /** Removes what an earlier process left half written; returns how many files. Only before the first `put`. */
  async clearIncoming(): Promise<number> {
    let count = 0;
    for await (const entry of Deno.readDir(this.#incomingFolder)) {
      await Deno.remove(`${this.#incomingFolder}/${entry.name}`, { recursive: true });
      count += 1;
    }
    return count;
  }

  /** Writes a file as `put` does and takes it away again, to see whether that succeeds. */
  async tryWriting(): Promise<void> {
    const temporaryPath = this.#nextIncoming();
    const path = `${temporaryPath}.try`;
    try {
      await writeDurably({ temporaryPath, path, folder: this.#incomingFolder }, new Uint8Array(TRIED_BYTES));
      await removeFile(path);
      this.#health?.succeeded("files");
    } catch (error) {
      this.#health?.failed("files", error);
      throw toStorageFault(error, "Module could not be stored");
    }
  }

  async #isWhole(digest: string): Promise<boolean> {
    const bytes = await readWhole(this.#path(digest));
    return bytes !== undefined && await digestOf(bytes) === digest;
  }

  async #openShard(digest: string): Promise<string> {
    const shard = digest.slice(0, 2);
    const folder = `${this.#blobsFolder}/${shard}`;
    if (!this.#durableShards.has(shard)) {
      // Its parent is not made again: a folder that was taken away is not to come back in parts.
      await makeFolderIn(folder);
      await syncFolder(this.#blobsFolder);
      this.#durableShards.add(shard);
    }
    return folder;
  }

  #nextIncoming(): string {
    this.#incomingCount += 1;
    return `${this.#incomingFolder}/${this.#incomingCount}`;
  }

  #path(digest: string): string {
    return `${this.#blobsFolder}/${digest.slice(0, 2)}/${digest}`;
  }
}
