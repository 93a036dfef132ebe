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
import { isDamage, storageAdvice, storageFailurePhrase } from "../storage_failure.ts";
import { type Store, StoreOpenError } from "../store.ts";
import { takeDataLock } from "./data_lock.ts";
import { Checkpointer } from "./checkpointer.ts";
import { CheckpointThread } from "./checkpoint_thread.ts";
import { closeDatabase, openDatabase, touchDatabase } from "./database.ts";
import { makeFolder, syncFolder } from "./durable_file.ts";
import { FileBlobStore } from "./file_blob_store.ts";
import { GroupCommit } from "./group_commit.ts";
import { JobFiles } from "./job_files.ts";
import { SqliteJobStore } from "./sqlite_job_store.ts";
import { SqliteRecordStore } from "./sqlite_record_store.ts";
import { StoreHealth } from "../store_health.ts";
import { StoreProbe } from "./store_probe.ts";
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
  readonly health: StoreHealth;
  readonly recovery: Recovery;
  /** See DataLock.folderId. */
  readonly folderId: string;
  readonly #probe: StoreProbe;
  readonly #resources: AsyncDisposableStack;

  constructor(
    { blobs, records, jobs, health }: Pick<Store, "blobs" | "records" | "jobs" | "health">,
    recovery: Recovery,
    folderId: string,
    probe: StoreProbe,
    resources: AsyncDisposableStack,
  ) {
    this.blobs = blobs;
    this.records = records;
    this.jobs = jobs;
    this.health = health;
    this.recovery = recovery;
    this.folderId = folderId;
    this.#probe = probe;
    this.#resources = resources;
  }

  /** Looks now whether the folder is as it was and, if it has failed, whether it takes something again. */
  async look(): Promise<void> {
    await this.#probe.look();
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
    throw new StoreOpenError(
      `Data folder ${dataFolder} cannot be opened: ${storageFailurePhrase(error)}`,
      storageAdvice(error),
      { cause: error },
    );
  }
}

async function open(dataFolder: string): Promise<EmbeddedStore> {
  await using resources = new AsyncDisposableStack();
  const health = new StoreHealth();
  await makeFolder(dataFolder);
  const lock = resources.use(await takeDataLock(dataFolder));
  const blobs = await FileBlobStore.open(dataFolder, health);
  const path = `${dataFolder}/records.sqlite`;
  const database = await openDatabase(path);
  resources.defer(() => closeDatabase(database));
  const thread = resources.use(new CheckpointThread(path));
  const log = resources.use(await WriteAheadLog.open(path));
  const { group, checkpointer } = makeGroup(database, { log, thread, health });
  resources.defer(() => checkpointer.idle());
  resources.defer(() => group.idle());
  const records = new SqliteRecordStore(database, group, health);
  const jobs = new SqliteJobStore(database, group, await JobFiles.open(dataFolder), health);
  await syncFolder(dataFolder);
  // The folder's own name is its parent's to keep, which may be closed to this process.
  await syncFolder(`${dataFolder}/..`).catch(() => {});
  const recovery = {
    temporaryFilesCount: await blobs.clearIncoming() + await jobs.sweepFiles(),
    blobsCount: await removeUnreferenced(blobs, records, lock.takenUnixMs),
  };
  const probe = resources.use(
    new StoreProbe({
      ...{ health, group, thread, log, lock: lock.file, database: log.database },
      checkpoints: () => checkpointer.count,
      writeDatabase: () => touchDatabase(database),
      writeFile: () => blobs.tryWriting(),
    }),
  );
  return new EmbeddedStore(
    { blobs, records, jobs, health },
    recovery,
    lock.folderId,
    probe,
    resources.move(),
  );
}

/** What makes commits durable, and keeps their log small, on other threads. */
function makeGroup(
  database: DatabaseSync,
  { log, thread, health }: { log: WriteAheadLog; thread: CheckpointThread; health: StoreHealth },
): { readonly group: GroupCommit; readonly checkpointer: Checkpointer } {
  const group: GroupCommit = new GroupCommit(
    database,
    {
      sync: async () => {
        await log.sync();
        checkpointer.consider();
      },
      refusal: () => checkpointer.refusal(),
    },
    {
      failed: (error, isFinal) => health.failed("database", error, isFinal || isDamage(error)),
      succeeded: () => health.succeeded("database"),
    },
  );
  const checkpointer = new Checkpointer({
    ...{ database, group, log, thread },
    nowMs: () => performance.now(),
    observer: {
      checkpointed: () => health.succeeded("checkpoint"),
      failed: (error) => health.failed("checkpoint", error),
    },
  });
  return { group, checkpointer };
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
