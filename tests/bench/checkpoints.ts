/**
 * For how long the event loop stands while jobs are stored: with checkpoints on a thread of their own, and with a
 * connection that makes them itself, in turns, in one run on one folder.
 *
 * `deno run --allow-all tests/bench/checkpoints.ts [rounds]`. Invariant: both store the same rows at the same pace,
 * and every one is on the disk when it is counted.
 */
import type { DatabaseSync } from "node:sqlite";
import { CheckpointThread } from "../../runtime/store/embedded/checkpoint_thread.ts";
import { Checkpointer } from "../../runtime/store/embedded/checkpointer.ts";
import { openDatabase } from "../../runtime/store/embedded/database.ts";
import { GroupCommit } from "../../runtime/store/embedded/group_commit.ts";
import { WriteAheadLog } from "../../runtime/store/embedded/write_ahead_log.ts";

import { NEW_JOB_COLUMNS, toJobValues } from "../../runtime/store/embedded/job_row.ts";
import { aJob } from "../contract/job_store_contract.ts";

const ROUNDS_COUNT = Number(Deno.args[0] ?? 3);
/** Jobs that arrive together, and how often that happens. */
const ARRIVING_COUNT = 20;
const ARRIVALS_COUNT = 600;
const INPUT = new Uint8Array(3000);
/** SQLite's own default, in pages of 4 KiB. */
const OWN_CHECKPOINT_PAGES = 1000;
const LONG_MS = 10;

type Way = "a thread" | "the loop";

async function measure(way: Way, folder: string): Promise<string> {
  await using resources = new AsyncDisposableStack();
  const path = `${folder}/${crypto.randomUUID()}.sqlite`;
  const database = await openDatabase(path);
  resources.defer(() => database.close());
  const group = way === "a thread"
    ? await withThread(path, database, resources)
    : await alone(path, database, resources);
  resources.defer(() => group.idle());
  const columns = NEW_JOB_COLUMNS.split(",").map(() => "?").join(", ");
  const insert = database.prepare(`INSERT INTO jobs (${NEW_JOB_COLUMNS}) VALUES (${columns})`);
  const insertInput = database.prepare("INSERT INTO job_inputs (seq, bytes) VALUES (?, ?)");
  const store = (): Promise<unknown> =>
    group.add(() => insertInput.run(insert.run(...toJobValues(aJob(), undefined)).lastInsertRowid, INPUT));
  const gaps: number[] = [];
  let last = performance.now();
  const monitor = setInterval(() => {
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }, 1);
  for (let count = 0; count < ARRIVALS_COUNT; count++) {
    await Promise.all(Array.from({ length: ARRIVING_COUNT }, store));
  }
  clearInterval(monitor);
  const long = gaps.filter((gap) => gap > LONG_MS);
  const sum = long.reduce((total, gap) => total + gap, 0);
  return `checkpoints by ${way}: the loop stood ${long.length} times for more than ${LONG_MS} ms, ` +
    `${sum.toFixed(0)} ms together, ${Math.max(...gaps).toFixed(0)} ms at most`;
}

async function withThread(
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
  return group;
}

async function alone(
  path: string,
  database: DatabaseSync,
  resources: AsyncDisposableStack,
): Promise<GroupCommit> {
  database.prepare(`PRAGMA wal_autocheckpoint = ${OWN_CHECKPOINT_PAGES}`).run();
  const log = resources.use(await Deno.open(`${path}-wal`));
  return new GroupCommit(database, { sync: () => log.syncData(), refusal: () => undefined });
}

const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-bench-" });
for (let round = 0; round < ROUNDS_COUNT; round++) {
  for (const way of ["the loop", "a thread"] as const) {
    await Deno.stdout.write(new TextEncoder().encode(`${await measure(way, folder)}\n`));
  }
}
await Deno.remove(folder, { recursive: true });
