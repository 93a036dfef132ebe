/** Checkpointer: who waits for what, with a thread the test plays; and the real one under writes. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import {
  CHECKPOINT_BYTES,
  Checkpointer,
  LOG_BYTES_MAX,
} from "../../../../runtime/store/embedded/checkpointer.ts";
import type { ThreadTask } from "../../../../runtime/store/embedded/checkpoint_thread.ts";
import { aJob } from "../../../contract/job_store_contract.ts";
import { DataFolder } from "./data_folder.ts";

/** A checkpointer whose thread does what the test says. */
class Place implements Disposable {
  readonly database = new DatabaseSync(":memory:");
  readonly events: string[] = [];
  readonly log = {
    bytes: 0,
    empty: async (work: () => Promise<void>): Promise<void> => {
      await work();
      this.events.push(`emptied and synced, synchronous ${this.synchronous}`);
      this.log.bytes = 0;
    },
  };
  readonly checkpointer: Checkpointer;
  nowMs = 0;
  held: Promise<void> = Promise.resolve();
  answer: (task: ThreadTask) => Promise<boolean> = () => Promise.resolve(true);

  constructor() {
    this.database.exec("PRAGMA synchronous = NORMAL");
    this.checkpointer = new Checkpointer({
      database: this.database,
      log: this.log,
      nowMs: () => this.nowMs,
      group: {
        hold: () => {
          this.events.push("hold");
          return this.held;
        },
        release: () => void this.events.push("release"),
      },
      thread: {
        run: (task) => {
          this.events.push(`${task}, synchronous ${this.synchronous}`);
          return this.answer(task);
        },
      },
      observer: {
        checkpointed: () => void this.events.push("checkpointed"),
        failed: () => void this.events.push("failed"),
      },
    });
  }

  get synchronous(): unknown {
    return this.database.prepare("PRAGMA synchronous").get()?.["synchronous"];
  }

  async consider(bytes: number): Promise<string[]> {
    this.events.length = 0;
    this.log.bytes = bytes;
    this.checkpointer.consider();
    await this.checkpointer.idle();
    return [...this.events];
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}

const WHOLE = [
  "copy_log, synchronous 1",
  "hold",
  "empty_log, synchronous 1",
  "emptied and synced, synchronous 1",
  "checkpointed",
  "release",
];

Deno.test("a log that has grown is copied beside the commits, and emptied while they are held", async () => {
  using place = new Place();
  assert.deepEqual(await place.consider(CHECKPOINT_BYTES - 1), []);
  assert.deepEqual(await place.consider(CHECKPOINT_BYTES), WHOLE);
  assert.equal(place.synchronous, 0, "only now nothing is synced in a commit");
  assert.deepEqual(await place.consider(CHECKPOINT_BYTES), WHOLE);
});

Deno.test("a log is not emptied while somebody still syncs what was committed", async () => {
  using place = new Place();
  const synced = Promise.withResolvers<void>();
  place.held = synced.promise;
  place.log.bytes = CHECKPOINT_BYTES;
  place.checkpointer.consider();
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(place.events, WHOLE.slice(0, 2));
  synced.resolve();
  await place.checkpointer.idle();
  assert.deepEqual(place.events, WHOLE);
});

Deno.test("a log that cannot be emptied is tried again after a while, and commits sync its head meanwhile", async () => {
  using place = new Place();
  await place.consider(CHECKPOINT_BYTES);
  const failures: ((task: ThreadTask) => Promise<boolean>)[] = [
    () => Promise.reject(new Error("disk")),
    (task) => Promise.resolve(task === "copy_log"),
  ];
  for (const answer of failures) {
    place.answer = answer;
    place.nowMs += 10_000;
    assert.deepEqual((await place.consider(CHECKPOINT_BYTES)).slice(-2), ["failed", "release"]);
    assert.equal(place.synchronous, 1);
    assert.deepEqual(await place.consider(CHECKPOINT_BYTES), [], "not at once");
    assert.equal(place.checkpointer.refusal(), undefined);
  }
  place.answer = () => Promise.resolve(true);
  place.nowMs += 10_000;
  assert.deepEqual(await place.consider(CHECKPOINT_BYTES), WHOLE);
});

Deno.test("a log at its bound holds commits while it is copied, and refuses them where that fails", async () => {
  using place = new Place();
  const copied = Promise.withResolvers<boolean>();
  place.answer = () => copied.promise;
  place.log.bytes = LOG_BYTES_MAX;
  place.checkpointer.consider();
  assert.deepEqual(place.events, ["copy_log, synchronous 1", "hold"]);
  assert.equal(place.checkpointer.refusal(), undefined, "it may yet succeed");
  copied.reject(Object.assign(new Error("full"), { errcode: 13 }));
  await place.checkpointer.idle();
  assert.match(
    place.checkpointer.refusal()?.message ?? "",
    /^the database's log is full and cannot be emptied: no space is left$/,
  );
  place.answer = () => Promise.resolve(true);
  place.nowMs += 10_000;
  assert.equal(place.checkpointer.refusal(), undefined, "tried again");
  await place.checkpointer.idle();
  assert.equal(place.log.bytes, 0);
});

Deno.test("a store that is written to without a pause keeps its log small, and every job is there", async () => {
  await using folder = await DataFolder.make();
  const ids: string[] = [];
  const input = new Uint8Array(32 * 1024).fill(7);
  let logBytesMax = 0;
  {
    await using store = await folder.open();
    const write = async (): Promise<void> => {
      for (let count = 0; count < 50; count++) {
        const job = aJob({ input });
        await store.jobs.submit(job);
        ids.push(job.id);
        logBytesMax = Math.max(logBytesMax, (await Deno.stat(`${folder.path}/records.sqlite-wal`)).size);
      }
    };
    await Promise.all(Array.from({ length: 16 }, write));
  }
  // 25 MiB were written. What comes while a checkpoint is under way is above its threshold, and little.
  assert.ok(logBytesMax < 4 * CHECKPOINT_BYTES, `${logBytesMax} bytes`);
  await using store = await folder.open();
  for (const id of ids) assert.deepEqual(await store.jobs.input(id), input);
});
