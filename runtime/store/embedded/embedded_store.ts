/**
 * EmbeddedStore: durable state in one local folder, with nothing else to install.
 *
 * Owns the folder's layout (`lock`, `records.sqlite`, `blobs/`, `incoming/`, `jobs/`; `artifacts/` is
 * artifact_files.ts's) and what opening it mends. It has no opinion on requests. Invariant: one process has the folder; after opening, every blob there is
 * belongs to a record, and no half-written file is left.
 */
import type { DatabaseSync } from "node:sqlite";
import type { BlobStore } from "../blob_store.ts";
import type { JobStore } from "../job_store.ts";
import type { RecordStore } from "../record_store.ts";
import { storageFailurePhrase } from "../storage_failure.ts";
import { type Store, StoreOpenError } from "../store.ts";
import { takeDataLock } from "./data_lock.ts";
import { Checkpointer } from "./checkpointer.ts";
import { CheckpointThread } from "./checkpoint_thread.ts";
import { closeDatabase, openDatabase } from "./database.ts";
import { makeFolder, syncFolder } from "./durable_file.ts";
import { FileBlobStore } from "./file_blob_store.ts";
import { GroupCommit } from "./group_commit.ts";
import { JobFiles } from "./job_files.ts";
import { SqliteJobStore } from "./sqlite_job_store.ts";
import { SqliteRecordStore } from "./sqlite_record_store.ts";
import { WriteAheadLog } from "./write_ahead_log.ts";

/** What opening a store found left over by a process that was killed, and removed. */
export interface Recovery {
  /** Half-written files, and large parts of jobs that no job speaks of. */
  readonly temporaryFilesCount: number;
  /** Whole blobs that no record refers to. */
  readonly blobsCount: number;
}

/** A store in a local folder. */
export class EmbeddedStore implements Store {
  readonly blobs: BlobStore;
  readonly records: RecordStore;
  readonly jobs: JobStore;
  readonly recovery: Recovery;
  /** See DataLock.folderId. */
  readonly folderId: string;
  readonly #resources: AsyncDisposableStack;

  constructor(
    { blobs, records, jobs }: Pick<Store, "blobs" | "records" | "jobs">,
    recovery: Recovery,
    folderId: string,
    resources: AsyncDisposableStack,
  ) {
    this.blobs = blobs;
    this.records = records;
    this.jobs = jobs;
    this.recovery = recovery;
    this.folderId = folderId;
    this.#resources = resources;
  }

  /** Waits for writes under way, closes the database, then lets the next process have the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
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
  await using resources = new AsyncDisposableStack();
  await makeFolder(dataFolder);
  const lock = resources.use(await takeDataLock(dataFolder));
  const blobs = await FileBlobStore.open(dataFolder);
  const path = `${dataFolder}/records.sqlite`;
  const database = await openDatabase(path);
  resources.defer(() => closeDatabase(database));
  const group = await openGroup(path, database, resources);
  const records = new SqliteRecordStore(database, group);
  const jobs = new SqliteJobStore(database, group, await JobFiles.open(dataFolder));
  await syncFolder(dataFolder);
  // The folder's own name is its parent's to keep, which may be closed to this process.
  await syncFolder(`${dataFolder}/..`).catch(() => {});
  const recovery = {
    temporaryFilesCount: await blobs.clearIncoming() + await jobs.sweepFiles(),
    blobsCount: await removeUnreferenced(blobs, records, lock.takenUnixMs),
  };
  return new EmbeddedStore({ blobs, records, jobs }, recovery, lock.folderId, resources.move());
}

/** What makes commits durable, and keeps their log small, on other threads. */
async function openGroup(
  path: string,
  database: DatabaseSync,
  resources: AsyncDisposableStack,
): Promise<GroupCommit> {
  const thread = resources.use(new CheckpointThread(path));
  const log = resources.use(await WriteAheadLog.open(path));
  const group: GroupCommit = new GroupCommit(database, {
    sync: async () => {
      await log.sync();
      checkpointer.consider();
    },
    refusal: () => checkpointer.refusal(),
  });
  const checkpointer = new Checkpointer({ database, group, log, thread, nowMs: () => performance.now() });
  resources.defer(() => checkpointer.idle());
  resources.defer(() => group.idle());
  return group;
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
