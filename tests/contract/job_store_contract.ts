/**
 * The contract of a JobStore: what every implementation does, one Deno.test per property under its name.
 *
 * A place is where one store keeps its data, so that opening it again sees what was acknowledged before.
 */
import assert from "node:assert/strict";
import type { JobEnd } from "../../runtime/model/job.ts";
import type { JobFinish, JobStore, NewJob } from "../../runtime/store/job_store.ts";
import type { ListPosition } from "../../runtime/store/record_store.ts";
import type { StorePlace } from "./store_contract.ts";

/** A job with valid defaults. */
export function aJob(changes: Partial<NewJob> = {}): NewJob {
  return {
    id: crypto.randomUUID(),
    tenant: "7",
    functionId: "6f6c5f3e-0000-4000-8000-000000000001",
    call: {
      export: "run",
      args: [{ type: "i64", value: "-9223372036854775808" }],
      resultTypes: ["i32"],
      programArgs: ["ü"],
      environment: ["A=\u0000"],
      deadlineMs: 500,
      idempotent: false,
    },
    trace: { traceparent: `00-${"4".repeat(32)}-${"a".repeat(16)}-01`, tracestate: "vendor=1" },
    createdUnixMs: 1_700_000_000_000,
    input: new Uint8Array(),
    ...changes,
  };
}

const RAN: JobEnd = {
  type: "ran",
  outcome: { type: "returned", values: [{ type: "i32", value: 3 }] },
  contentType: "text/plain",
  usage: { fuel: 1, yields: 2, cpuUs: 3, memoryBytes: 4 },
  queueMs: 0.5,
};

/** The end of a job that completed. */
export function aFinish(changes: Partial<JobFinish> = {}): JobFinish {
  return {
    state: "completed",
    end: RAN,
    output: new Uint8Array(),
    finishedUnixMs: 1_700_000_001_000,
    ...changes,
  };
}

/** On both sides of what an implementation may keep in a row. */
const SIZES = [0, 1, 65_536, 65_537, 1_000_000];

function bytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, index) => index * 7);
}

type Property = (text: string, body: (jobs: JobStore, place: StorePlace) => Promise<void>) => void;

/** Registers the suite for one implementation. */
export function jobStoreContract(implementation: string, makePlace: () => Promise<StorePlace>): void {
  function property(text: string, body: (jobs: JobStore, place: StorePlace) => Promise<void>): void {
    Deno.test(`${implementation}: ${text}`, async () => {
      await using place = await makePlace();
      await using store = await place.open();
      await body(store.jobs, place);
    });
  }
  stateContract(property);
  callContract(property);
  keyContract(property);
  listContract(property);
  removalContract(property);
  reopenContract(implementation, makePlace);
}

function stateContract(property: Property): void {
  property("a job is found as it was submitted, then as it ran, then as it ended", async (jobs) => {
    const { input, ...job } = aJob();
    assert.deepEqual(await jobs.submit({ ...job, input }), { type: "inserted" });
    const queued = { ...job, state: "queued" as const, attempt: 0, inputBytes: 0, outputBytes: 0 };
    assert.deepEqual(jobs.find(job.id), queued);
    assert.equal(await jobs.start(job.id, 1, 1_700_000_000_500.25), true);
    const running = { ...queued, state: "running" as const, attempt: 1, startedUnixMs: 1_700_000_000_500.25 };
    assert.deepEqual(jobs.find(job.id), running);
    const keptBytes = await jobs.finish(job.id, aFinish());
    assert.deepEqual(jobs.kept(), [{ tenant: "7", count: 1, bytes: keptBytes }]);
    assert.deepEqual(jobs.find(job.id), {
      ...running,
      state: "completed",
      end: RAN,
      finishedUnixMs: 1_700_000_001_000,
    });
    assert.equal(jobs.find(crypto.randomUUID()), undefined);
  });
  property("a change from a state that the job is not in changes nothing", async (jobs) => {
    const job = aJob();
    await jobs.submit(job);
    assert.deepEqual([await jobs.requeue(job.id, 0), await jobs.requestCancel(job.id)], [false, false]);
    await jobs.start(job.id, 1, 1);
    assert.equal(await jobs.start(job.id, 2, 2), false);
    await jobs.finish(job.id, aFinish({ state: "failed" }));
    const ended = jobs.find(job.id);
    assert.deepEqual(
      [
        await jobs.start(job.id, 3, 3),
        await jobs.requeue(job.id, 3),
        await jobs.requestCancel(job.id),
        await jobs.finish(job.id, aFinish({ output: bytes(70_000) })),
      ],
      [false, false, false, undefined],
    );
    assert.deepEqual(jobs.find(job.id), ended);
    const nobody = crypto.randomUUID();
    assert.deepEqual([await jobs.start(nobody, 1, 1), await jobs.finish(nobody, aFinish())], [
      false,
      undefined,
    ]);
  });
  property("of changes that race, one wins", async (jobs) => {
    const job = aJob();
    await jobs.submit(job);
    const cancelled = aFinish({
      state: "cancelled",
      end: { type: "fault", fault: { code: "internal", message: "" } },
    });
    const won = await Promise.all([
      jobs.finish(job.id, cancelled),
      jobs.start(job.id, 1, 1),
      jobs.finish(job.id, aFinish()),
    ]);
    assert.deepEqual(won.map((answer) => answer === undefined || answer === false), [false, true, true]);
    assert.deepEqual([jobs.find(job.id)?.state, jobs.find(job.id)?.attempt], ["cancelled", 0]);
  });
  property("a running job can go back to the queue, and a wish to cancel it stays", async (jobs) => {
    const job = aJob();
    await jobs.submit(job);
    await jobs.start(job.id, 1, 1);
    assert.equal(await jobs.requestCancel(job.id), true);
    assert.equal(await jobs.requeue(job.id, 1), true);
    const { state, attempt, cancelRequested } = jobs.find(job.id) ?? {};
    assert.deepEqual([state, attempt, cancelRequested], ["queued", 1, true]);
  });
  for (const size of SIZES) {
    property(`${size} bytes of input until the end, and of output after it`, async (jobs) => {
      const job = aJob({ input: bytes(size) });
      await jobs.submit(job);
      assert.deepEqual(await jobs.input(job.id), bytes(size));
      assert.deepEqual(await jobs.output(job.id), new Uint8Array());
      await jobs.start(job.id, 1, 1);
      await jobs.finish(job.id, aFinish({ output: bytes(size) }));
      assert.deepEqual(await jobs.output(job.id), bytes(size));
      assert.deepEqual(await jobs.input(job.id), new Uint8Array());
      assert.deepEqual([jobs.find(job.id)?.inputBytes, jobs.find(job.id)?.outputBytes], [size, size]);
    });
  }
}

function callContract(property: Property): void {
  property("a call of any length is there as it was, in a row and after it has ended", async (jobs) => {
    const { call } = aJob();
    const before = JSON.stringify(call).length;
    const made = [0, 1023 - before, 1024 - before, 1025 - before, 100_000].map((more) =>
      aJob({ call: { ...call, export: call.export + "x".repeat(more) } })
    );
    await Promise.all(made.map((job) => jobs.submit(job)));
    for (const job of made) assert.deepEqual(jobs.find(job.id)?.call, job.call);
    assert.deepEqual([...jobs.unfinished()].map((job) => job.call), made.map((job) => job.call));
    for (const job of made) await jobs.finish(job.id, aFinish());
    for (const job of made) assert.deepEqual(jobs.find(job.id)?.call, job.call);
    await jobs.removeFinished({ countMax: made.length });
    assert.deepEqual([jobs.kept(), jobs.find(made[4]?.id ?? "")], [[], undefined]);
  });
}

function keyContract(property: Property): void {
  const keyed = (key: string, requestDigest: string, changes: Partial<NewJob> = {}): NewJob =>
    aJob({ idempotency: { key, requestDigest }, ...changes });
  property(
    "the same key and request answers with the first job, another request is a conflict",
    async (jobs) => {
      const first = keyed("k", "r1");
      const again = keyed("k", "r1", { input: bytes(70_000) });
      const [inserted, replayed, conflict] = await Promise.all([
        jobs.submit(first),
        jobs.submit(again),
        jobs.submit(keyed("k", "r2")),
      ]);
      assert.deepEqual([inserted, replayed, conflict], [
        { type: "inserted" },
        { type: "replayed", id: first.id },
        { type: "key_conflict" },
      ]);
      assert.equal(jobs.find(again.id), undefined);
      assert.deepEqual(jobs.findIdempotency("7", "k"), { requestDigest: "r1", id: first.id });
    },
  );
  property("keys are a tenant's own, and end with their job", async (jobs) => {
    const first = keyed("k", "r1");
    await jobs.submit(first);
    assert.deepEqual(await jobs.submit(keyed("k", "r2", { tenant: "8" })), { type: "inserted" });
    assert.equal(jobs.findIdempotency("9", "k"), undefined);
    await jobs.finish(first.id, aFinish());
    assert.deepEqual(await jobs.submit(keyed("k", "r1")), { type: "replayed", id: first.id });
    await jobs.removeFinished({ countMax: 10 });
    assert.deepEqual(await jobs.submit(keyed("k", "r2")), { type: "inserted" });
  });
}

function listContract(property: Property): void {
  property("list() goes from the newest to the oldest, by pages, within the tenant", async (jobs) => {
    const made = [3, 1, 2, 2, 2].map((at) => aJob({ createdUnixMs: at }));
    await Promise.all([...made, aJob({ tenant: "8", createdUnixMs: 2 })].map((job) => jobs.submit(job)));
    const expected = made.toSorted((a, b) => b.createdUnixMs - a.createdUnixMs || (a.id < b.id ? 1 : -1));
    const listed: string[] = [];
    let after: ListPosition | undefined;
    do {
      const { jobs: page, next } = jobs.list("7", {}, 2, after);
      assert.ok(page.length <= 2);
      listed.push(...page.map(({ id }) => id));
      after = next;
    } while (after !== undefined);
    assert.deepEqual(listed, expected.map(({ id }) => id));
    const [newest] = jobs.list("7", {}, 1).jobs;
    const { call: _, ...summary } = jobs.find(expected[0]?.id ?? "") ?? assert.fail();
    assert.deepEqual(newest, summary);
    assert.deepEqual(jobs.list("9", {}, 2), { jobs: [] });
  });
  property("list() filters by state and function", async (jobs) => {
    const [queued, running, other] = [aJob(), aJob(), aJob({ functionId: "other" })];
    for (const job of [queued, running, other]) await jobs.submit(job);
    await jobs.start(running.id, 1, 1);
    const ids = (filter: Parameters<JobStore["list"]>[1]): string[] =>
      jobs.list("7", filter, 10).jobs.map(({ id }) => id).sort();
    assert.deepEqual(ids({ state: "running" }), [running.id]);
    assert.deepEqual(ids({ functionId: "other" }), [other.id]);
    assert.deepEqual(ids({ state: "queued" }), [queued.id, other.id].sort());
    assert.deepEqual(ids({ state: "failed" }), []);
  });
  property("a filter that few satisfy is answered in parts, and all are found", async (jobs) => {
    const rare = aJob({ functionId: "rare", createdUnixMs: 0 });
    await Promise.all([
      jobs.submit(rare),
      ...Array.from({ length: 2500 }, (_, index) => jobs.submit(aJob({ createdUnixMs: 1 + index }))),
    ]);
    let parts = 1;
    for (let page = jobs.list("7", { functionId: "rare" }, 10);; parts++) {
      if (page.next === undefined) {
        assert.deepEqual(page.jobs.map(({ id }) => id), [rare.id]);
        break;
      }
      assert.deepEqual(page.jobs, []);
      page = jobs.list("7", { functionId: "rare" }, 10, page.next);
    }
    assert.ok(parts > 1 && parts < 10, `${parts} parts`);
  });
  property("unfinished() has those that are not final, in the order of their acceptance", async (jobs) => {
    const made = Array.from({ length: 5 }, (_, index) => aJob({ createdUnixMs: 10 - index }));
    for (const job of made) await jobs.submit(job);
    await jobs.finish(made[1]?.id ?? "", aFinish());
    await jobs.start(made[2]?.id ?? "", 1, 1);
    const left = [...jobs.unfinished()].map(({ id, state }) => [id, state]);
    assert.deepEqual(
      left,
      [0, 2, 3, 4].map((index) => [made[index]?.id, index === 2 ? "running" : "queued"]),
    );
  });
}

function removalContract(property: Property): void {
  property(
    "removeFinished() takes the oldest that are final, and kept() goes down by what it says",
    async (jobs) => {
      const made = Array.from(
        { length: 6 },
        (_, index) => aJob({ tenant: index < 4 ? "7" : "8", input: bytes(10) }),
      );
      for (const [index, job] of made.entries()) {
        await jobs.submit(job);
        if (index === 0) {
          continue;
        }
        await jobs.finish(job.id, aFinish({ finishedUnixMs: 100 - index, output: bytes(index * 30_000) }));
      }
      const before = new Map(jobs.kept().map((kept) => [kept.tenant, kept]));
      assert.deepEqual([before.get("7")?.count, before.get("8")?.count], [3, 2]);
      const removed = await jobs.removeFinished({ tenant: "7", countMax: 2 });
      assert.deepEqual(removed.map(({ tenant, count }) => [tenant, count]), [["7", 2]]);
      assert.deepEqual(made.map(({ id }) => jobs.find(id) !== undefined), [
        true,
        true,
        false,
        false,
        true,
        true,
      ]);
      assert.deepEqual(await jobs.output(made[3]?.id ?? ""), new Uint8Array());
      const after = new Map(jobs.kept().map((kept) => [kept.tenant, kept]));
      assert.equal(after.get("7")?.bytes, (before.get("7")?.bytes ?? 0) - (removed[0]?.bytes ?? 0));
      assert.deepEqual(await jobs.removeFinished({ finishedUnixMsMax: 95, countMax: 10 }), []);
      const old = await jobs.removeFinished({ finishedUnixMsMax: 96, countMax: 10 });
      assert.deepEqual(old.map(({ tenant, count }) => [tenant, count]), [["8", 1]]);
      assert.equal((await jobs.removeFinished({ countMax: 10 })).length, 2);
      assert.deepEqual(jobs.kept(), []);
      assert.notEqual(jobs.find(made[0]?.id ?? ""), undefined);
    },
  );
}

function reopenContract(implementation: string, makePlace: () => Promise<StorePlace>): void {
  Deno.test(`${implementation}: a store opened again has every job as it was acknowledged`, async () => {
    await using place = await makePlace();
    const made = Array.from({ length: 4 }, (_, index) => aJob({ input: bytes(index * 60_000) }));
    const [, second, third, fourth] = made.map(({ id }) => id);
    let before: unknown;
    {
      await using store = await place.open();
      await Promise.all(made.map((job) => store.jobs.submit(job)));
      await store.jobs.start(second ?? "", 1, 5);
      await store.jobs.finish(third ?? "", aFinish({ output: bytes(80_000) }));
      before = made.map(({ id }) => store.jobs.find(id));
    }
    await using store = await place.open();
    assert.deepEqual(made.map(({ id }) => store.jobs.find(id)), before);
    assert.deepEqual(await store.jobs.output(third ?? ""), bytes(80_000));
    assert.deepEqual(await store.jobs.input(fourth ?? ""), bytes(180_000));
    assert.deepEqual(await store.jobs.input(second ?? ""), bytes(60_000));
  });
}
