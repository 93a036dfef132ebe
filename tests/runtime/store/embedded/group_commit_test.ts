/** GroupCommit: what a promise of it stands for, with a log whose sync the test controls. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { GroupCommit } from "../../../../runtime/store/embedded/group_commit.ts";

/** Counts what is in the table, from another connection's view: only what was committed. */
class Place implements Disposable {
  readonly syncs: PromiseWithResolvers<void>[] = [];
  readonly database = new DatabaseSync(":memory:");
  readonly group: GroupCommit;
  #waiting: (() => void)[] = [];

  constructor() {
    this.database.exec("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT");
    const syncData = (): Promise<void> => {
      const sync = Promise.withResolvers<void>();
      this.syncs.push(sync);
      for (const wake of this.#waiting.splice(0)) wake();
      return sync.promise;
    };
    this.group = new GroupCommit(this.database, { syncData });
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

Deno.test("a transaction that fails fails its writes alone, and leaves nothing of them", async () => {
  using place = new Place();
  const doomed = [place.insert(1), place.insert(1)];
  for (const write of doomed) await assert.rejects(write, /UNIQUE/);
  assert.equal(place.count, 0);
  const next = place.insert(1);
  (await place.begun(0)).resolve();
  assert.equal(await next, 1);
});

Deno.test("a sync that fails fails what it was for, and the next one is tried", async () => {
  using place = new Place();
  const first = place.insert(1);
  (await place.begun(0)).reject(new Error("disk"));
  await assert.rejects(first, /disk/);
  const second = place.insert(2);
  (await place.begun(1)).resolve();
  assert.equal(await second, 2);
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
