/**
 * EmbeddedStore: durable state in one local folder, with nothing else to install.
 *
 * Owns the folder's layout (`lock`, `records.sqlite`, `blobs/`, `incoming/`; `artifacts/` is artifact_files.ts's) and what opening it mends. It
 * has no opinion on requests. Invariant: one process has the folder; after opening, every blob there is
 * belongs to a record, and no half-written file is left.
 */
import type { BlobStore } from "../blob_store.ts";
import type { RecordStore } from "../record_store.ts";
import { storageFailurePhrase } from "../storage_failure.ts";
import { type Store, StoreOpenError } from "../store.ts";
import { takeDataLock } from "./data_lock.ts";
import { openDatabase } from "./database.ts";
import { makeFolder, syncFolder } from "./durable_file.ts";
import { FileBlobStore } from "./file_blob_store.ts";
import { SqliteRecordStore } from "./sqlite_record_store.ts";

/** What opening a store found left over by a process that was killed, and removed. */
export interface Recovery {
  /** Half-written files. */
  readonly temporaryFilesCount: number;
  /** Whole blobs that no record refers to. */
  readonly blobsCount: number;
}

/** A store in a local folder. */
export class EmbeddedStore implements Store {
  readonly blobs: BlobStore;
  readonly records: RecordStore;
  readonly recovery: Recovery;
  readonly #resources: DisposableStack;

  constructor(blobs: BlobStore, records: RecordStore, recovery: Recovery, resources: DisposableStack) {
    this.blobs = blobs;
    this.records = records;
    this.recovery = recovery;
    this.#resources = resources;
  }

  /** Closes the database, then lets the next process have the folder. */
  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => resolve(this.#resources.dispose()));
  }
}

/**
 * Opens the store of a data folder, making the folder where it is missing.
 *
 * @throws StoreOpenError when another process has it, or it is damaged, newer, read-only or full. The
 * message names the folder as `dataFolder` has it.
 */
export async function openEmbeddedStore(dataFolder: string): Promise<EmbeddedStore> {
  try {
    return await open(dataFolder);
  } catch (error) {
    if (error instanceof StoreOpenError) throw error;
    throw new StoreOpenError(`Data folder ${dataFolder} cannot be opened: ${storageFailurePhrase(error)}`, {
      cause: error,
    });
  }
}

async function open(dataFolder: string): Promise<EmbeddedStore> {
  using resources = new DisposableStack();
  await makeFolder(dataFolder);
  const lock = resources.use(await takeDataLock(dataFolder));
  const blobs = await FileBlobStore.open(dataFolder);
  const database = await openDatabase(`${dataFolder}/records.sqlite`);
  resources.defer(() => database.close());
  const records = new SqliteRecordStore(database);
  await syncFolder(dataFolder);
  // The folder's own name is its parent's to keep, which may be closed to this process.
  await syncFolder(`${dataFolder}/..`).catch(() => {});
  const recovery = {
    temporaryFilesCount: await blobs.clearIncoming(),
    blobsCount: await removeUnreferenced(blobs, records, lock.takenUnixMs),
  };
  return new EmbeddedStore(blobs, records, recovery, resources.move());
}

/**
 * A crash between a blob and its record leaves the blob. The age is looked at besides, so that even a
 * caller that broke the lock's rule could not have its newest blobs taken away.
 */
async function removeUnreferenced(
  blobs: FileBlobStore,
  records: RecordStore,
  writtenUnixMsMax: number,
): Promise<number> {
  let count = 0;
  for await (const digest of blobs.list()) {
    if (records.isReferenced(digest)) continue;
    const writtenUnixMs = await blobs.findWrittenUnixMs(digest);
    if (writtenUnixMs === undefined || writtenUnixMs > writtenUnixMsMax) continue;
    if (await blobs.remove(digest)) count += 1;
  }
  return count;
}
