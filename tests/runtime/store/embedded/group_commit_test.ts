/** GroupCommit: what a promise of it stands for, with a log whose sync the test controls. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../../../runtime/store/embedded/database.ts";
import { GroupCommit } from "../../../../runtime/store/embedded/group_commit.ts";

/** Counts what is in the table, from another connection's view: only what was committed. */
class Place implements Disposable {
  readonly syncs: PromiseWithResolvers<void>[] = [];
  readonly database = new DatabaseSync(":memory:");
  readonly group: GroupCommit;
  refusal: Error | undefined;
  #waiting: (() => void)[] = [];

  constructor() {
    this.database.exec("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT");
    const sync = (): Promise<void> => {
      const begun = Promise.withResolvers<void>();
      this.syncs.push(begun);
      for (const wake of this.#waiting.splice(0)) wake();
      return begun.promise;
    };
    this.group = new GroupCommit(this.database, { sync, refusal: () => this.refusal });
  }

  insert(n: number): Promise<number> {
    const statement = this.database.prepare("INSERT INTO numbers (n) VALUES (?)");
    return this.group.add(() => (statement.run(n), n));
  }

  get count(): unknown {
    return this.database.prepare("SELECT count(*) AS n FROM numbers").get()?.["n"];
  }

  /** Resolves when the sync with that index has begun. */
  async begun(index: number): Promise<PromiseWithResolvers<void>> {
    for (;;) {
      const sync = this.syncs[index];
      if (sync !== undefined) return sync;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = {};
  return await Promise.race([
    promise.catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, 0, pending)),
  ]) !==
    pending;
}

Deno.test("writes that come together are one transaction and one sync, and each has its own result", async () => {
  using place = new Place();
  const written = Promise.all([1, 2, 3].map((n) => place.insert(n)));
  (await place.begun(0)).resolve();
  assert.deepEqual(await written, [1, 2, 3]);
  await place.group.idle();
  assert.equal(place.syncs.length, 1);
});

Deno.test("a write is acknowledged by a sync that began after its commit, not by an earlier one", async () => {
  using place = new Place();
  const first = place.insert(1);
  const firstSync = await place.begun(0);
  const second = place.insert(2);
  // Its transaction is committed while the first sync is still under way.
  while (place.count !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
  firstSync.resolve();
  await first;
  const secondSync = await place.begun(1);
  assert.equal(await isSettled(second), false);
  secondSync.resolve();
  assert.equal(await second, 2);
});

Deno.test("a write that fails harms no other of its transaction, and leaves nothing", async () => {
  using place = new Place();
  const twice = place.database.prepare("INSERT INTO numbers (n) VALUES (7), (1)");
  const first = place.insert(1);
  const doomed = [place.insert(1), place.group.add(() => twice.run())];
  const last = place.insert(2);
  for (const write of doomed) await assert.rejects(write, /UNIQUE/);
  (await place.begun(0)).resolve();
  assert.equal(await first, 1);
  (await place.begun(1)).resolve();
  assert.equal(await last, 2);
  assert.equal(place.count, 2, "nothing of what failed");
  await place.group.idle();
});

Deno.test("a storage that fails fails the whole transaction, and the next one is tried", async () => {
  using place = new Place();
  place.database.prepare("PRAGMA query_only = 1").get();
  const doomed = [place.insert(1), place.insert(2)];
  for (const write of doomed) await assert.rejects(write, /readonly/);
  place.database.prepare("PRAGMA query_only = 0").get();
  const next = place.insert(1);
  (await place.begun(0)).resolve();
  assert.equal(await next, 1);
  assert.equal(place.count, 1);
});

Deno.test("after a sync that failed nothing is acknowledged, neither what was committed meanwhile nor later", async () => {
  using place = new Place();
  const first = place.insert(1);
  const sync = await place.begun(0);
  const second = place.insert(2);
  while (place.count !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
  sync.reject(new Error("disk"));
  await assert.rejects(first, /disk/);
  await assert.rejects(second, /disk/);
  await assert.rejects(place.insert(3), /disk/);
  await place.group.idle();
  assert.equal(place.count, 2);
  assert.equal(place.syncs.length, 1);
});

Deno.test("while commits are held writes wait, and the event loop does not", async () => {
  using place = new Place();
  const before = place.insert(0);
  const sync = await place.begun(0);
  const held = place.group.hold();
  assert.equal(await isSettled(held), false, "what was committed is not synced yet");
  sync.resolve();
  await Promise.all([held, before]);
  const written = place.insert(1);
  assert.equal(await isSettled(written), false);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(place.count, 1);
  place.group.release();
  (await place.begun(1)).resolve();
  assert.equal(await written, 1);
});

Deno.test("a log that refuses fails what waits, and nothing of it is written", async () => {
  using place = new Place();
  place.refusal = new Error("the log is full");
  await assert.rejects(place.insert(1), /full/);
  assert.equal(place.count, 0);
  await place.group.idle();
  place.refusal = undefined;
  const next = place.insert(1);
  (await place.begun(0)).resolve();
  assert.equal(await next, 1);
});

Deno.test("a write waits for a foreign lock while the event loop goes on, and fails when it stays", async () => {
  const folder = await Deno.makeTempDir({ prefix: "group_commit_test_" });
  try {
    const path = `${folder}/records.sqlite`;
    const database = await openDatabase(path);
    const group = new GroupCommit(database, { sync: () => Promise.resolve(), refusal: () => undefined });
    using foreign = new DatabaseSync(path);
    foreign.exec("CREATE TABLE numbers (n INTEGER); BEGIN IMMEDIATE");
    const insert = database.prepare("INSERT INTO numbers VALUES (1)");
    let isWritten = false;
    const written = group.add(() => insert.run()).then(() => isWritten = true);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(isWritten, false);
    foreign.exec("COMMIT");
    await written;
    foreign.exec("BEGIN IMMEDIATE");
    await assert.rejects(group.add(() => insert.run()), /locked/);
    await group.idle();
    foreign.exec("ROLLBACK");
    database.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("many writes are split into transactions, with a turn of the event loop between them", async () => {
  using place = new Place();
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  const written = Promise.all(Array.from({ length: 2000 }, (_, index) => place.insert(index)));
  for (let index = 0; place.count !== 2000 || !await isSettled(written); index++) {
    (await place.begun(index)).resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  clearInterval(counting);
  assert.equal((await written).length, 2000);
  assert.ok(turns >= 2, `${turns} turns`);
});

Deno.test("idle() resolves when nothing is under way, and not before", async () => {
  using place = new Place();
  await place.group.idle();
  const written = place.insert(1);
  const idle = place.group.idle();
  const sync = await place.begun(0);
  assert.equal(await isSettled(idle), false);
  sync.resolve();
  await Promise.all([idle, written]);
});
