import assert from "node:assert/strict";
import { Artifacts } from "../../../runtime/executor/artifacts.ts";
import type { Artifact, WorkOrder } from "../../../runtime/executor/artifacts.ts";
import type { CellPool } from "../../../runtime/executor/cell_pool.ts";
import type { CellProcess } from "../../../runtime/executor/cell_process.ts";
import { KILLED_AT_DEADLINE } from "../../../runtime/executor/cell_process.ts";
import type { CellAnswer } from "../../../runtime/executor/request_table.ts";
import { fault } from "../../../runtime/model/fault.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import type { Limits } from "../../../runtime/model/limits.ts";
import type { PreparedMeta, PrepareMeta } from "../../../runtime/wire/messages.ts";

const FACTS = { memories: [], tables: [], imports: [], exports: [] };
const NOTHING = new Uint8Array(0);
const MODULE = new Uint8Array([1, 2, 3]);
const INSTRUMENTED = new Uint8Array([9, 9, 9, 9]);

type Answer = CellAnswer<PreparedMeta>;

function good(original: Uint8Array, name?: string): Answer {
  const meta = {
    ...(name === undefined ? {} : { name }),
    facts: FACTS,
    originalBytes: original.length,
  } as unknown as PreparedMeta;
  return { type: "answered", meta, blob: new Uint8Array([...original, ...INSTRUMENTED]) };
}

/** A workshop whose cells answer as told, and what it was asked. */
class Workshop {
  readonly asked: { meta: PrepareMeta; body: Uint8Array; tenant: string; deadlineAtMs: number }[] = [];
  readonly digestsRead: string[] = [];
  leased = 0;
  givenBack = 0;
  /** What a lease throws, in turn. */
  readonly refusals: Error[] = [];
  answer: () => Promise<Answer> = () => Promise.resolve(good(NOTHING));
  readonly artifacts: Artifacts;

  constructor(bytesMax = 1000) {
    const lease = ({ tenant }: { tenant: string }): Promise<Disposable & { cell: Partial<CellProcess> }> => {
      const refusal = this.refusals.shift();
      if (refusal !== undefined) return Promise.reject(refusal);
      this.leased++;
      return Promise.resolve({
        cell: {
          prepare: (meta: PrepareMeta, body: Uint8Array, deadlineAtMs: number) => {
            this.asked.push({ meta, body, tenant, deadlineAtMs });
            return this.answer();
          },
        },
        [Symbol.dispose]: () => void this.givenBack++,
      });
    };
    this.artifacts = new Artifacts({
      workshop: { lease } as unknown as CellPool<CellProcess>,
      moduleBytes: (digest) => {
        this.digestsRead.push(digest);
        return Promise.resolve(MODULE);
      },
      bytesMax,
    });
  }
}

function order(changes: Partial<WorkOrder> = {}): WorkOrder {
  return { tenant: "1", limits: DEFAULT_LIMITS, deadlineMs: 1000, deadlineAtMs: 5000, ...changes };
}

function limits(changes: Partial<Limits>): Limits {
  return { ...DEFAULT_LIMITS, ...changes };
}

Deno.test("Artifacts.make() has the module instrumented with the caller's limits, and keeps it", async () => {
  const workshop = new Workshop();
  const { artifacts } = workshop;
  const key = artifacts.keyOf("d", DEFAULT_LIMITS);
  assert.equal(artifacts.find(key), undefined);
  const made = await artifacts.make("d", order());
  assert.deepEqual(made, { key, bytes: INSTRUMENTED });
  assert.equal(artifacts.find(key), made);
  assert.deepEqual(workshop.asked, [
    { meta: { form: "wasm", limits: DEFAULT_LIMITS }, body: MODULE, tenant: "1", deadlineAtMs: 5000 },
  ]);
  assert.equal(workshop.givenBack, 1);
});

Deno.test("Artifacts.make() of many at a time is one piece of work", async () => {
  const workshop = new Workshop();
  const made = await Promise.all(Array.from({ length: 20 }, () => workshop.artifacts.make("d", order())));
  assert.equal(workshop.asked.length, 1);
  assert.deepEqual(workshop.digestsRead, ["d"]);
  assert.equal(new Set(made).size, 1);
});

Deno.test("Artifacts.make() of other modules or other limits is work of its own", async () => {
  const workshop = new Workshop();
  const orders: [string, WorkOrder][] = [
    ["d", order()],
    ["e", order()],
    ["d", order({ limits: limits({ memoryBytesMax: 65_536 }) })],
    ["d", order({ limits: limits({ tableElementsMax: 5 }) })],
    // Nothing of these is written into a module.
    ["d", order({ limits: limits({ fuelMax: 5, outputBytesMax: 1 }), tenant: "2" })],
  ];
  const made = await Promise.all(orders.map(([digest, own]) => workshop.artifacts.make(digest, own)));
  assert.equal(workshop.asked.length, 4);
  assert.equal(new Set(made.map((artifact) => artifact.key)).size, 4);
});

Deno.test("Artifacts.keyOf() does not confuse one limit with another", () => {
  const { artifacts } = new Workshop();
  const keys = [[1, 23], [12, 3], [3, 12]].map(([memoryBytesMax = 0, tableElementsMax = 0]) =>
    artifacts.keyOf("d", limits({ memoryBytesMax, tableElementsMax }))
  );
  assert.equal(new Set(keys).size, 3);
});

Deno.test("Artifacts: a failure is not kept, and is told to all who waited for it", async () => {
  const workshop = new Workshop();
  workshop.answer = () =>
    Promise.resolve({
      type: "answered",
      meta: { fault: { code: "invalid_wasm", message: "Module does not validate" } },
      blob: new Uint8Array(0),
    });
  const attempts = [1, 2, 3].map(() => workshop.artifacts.make("d", order()));
  for (const attempt of attempts) {
    await assert.rejects(attempt, { code: "invalid_wasm", message: "Module does not validate" });
  }
  assert.equal(workshop.asked.length, 1);
  workshop.answer = () => Promise.resolve(good(NOTHING));
  await workshop.artifacts.make("d", order());
  assert.equal(workshop.asked.length, 2);
  assert.equal(workshop.givenBack, 2);
});

for (const code of ["invoke_timeout", "capacity_exhausted", "tenant_capacity_exhausted"] as const) {
  Deno.test(`Artifacts: that one had no time or room (${code}) is no failure for another`, async () => {
    const workshop = new Workshop();
    workshop.refusals.push(fault(code, "first"));
    const attempts = ["1", "2", "3"].map((tenant) => workshop.artifacts.make("d", order({ tenant })));
    const [first, ...others] = await Promise.allSettled(attempts);
    assert.equal(first?.status === "rejected" && first.reason.code, code);
    assert.deepEqual(others.map(({ status }) => status), ["fulfilled", "fulfilled"]);
    assert.deepEqual(workshop.asked.map(({ tenant }) => tenant), ["2"]);
  });
}

Deno.test("Artifacts: a cell that dies at the deadline is a timeout, any other death a lost cell", async () => {
  const workshop = new Workshop();
  workshop.answer = () => Promise.resolve({ type: "died", reason: KILLED_AT_DEADLINE });
  await assert.rejects(workshop.artifacts.make("d", order()), {
    code: "invoke_timeout",
    message: "Module could not be examined within 1000 ms",
  });
  workshop.answer = () => Promise.resolve({ type: "died", reason: "cell_sigsegv" });
  await assert.rejects(workshop.artifacts.make("d", order()), { code: "cell_lost" });
  assert.equal(workshop.givenBack, 2);
});

Deno.test("Artifacts: the lease comes back also when the cell throws", async () => {
  const workshop = new Workshop();
  workshop.answer = () => Promise.reject(new Error("bug"));
  await assert.rejects(workshop.artifacts.make("d", order()), { message: "bug" });
  assert.deepEqual([workshop.leased, workshop.givenBack], [1, 1]);
});

Deno.test("Artifacts.prepare() of JSON splits what comes back into the module and its instrumented form", async () => {
  const workshop = new Workshop();
  workshop.answer = () => Promise.resolve(good(MODULE, "hello"));
  const prepared = await workshop.artifacts.prepare("json", new Uint8Array([7]), order());
  assert.equal(prepared.name, "hello");
  assert.deepEqual([...prepared.bytes], [...MODULE]);
  assert.deepEqual([...prepared.instrumented], [...INSTRUMENTED]);
});

Deno.test("Artifacts.prepare() of a module does not send it back", async () => {
  const workshop = new Workshop();
  const body = new Uint8Array([7, 7]);
  const prepared = await workshop.artifacts.prepare("wasm", body, order());
  assert.equal(prepared.name, undefined);
  assert.equal(prepared.bytes, body);
  assert.deepEqual([...prepared.instrumented], [...INSTRUMENTED]);
});

Deno.test("Artifacts.keep() saves the work of making, up to the bound", async () => {
  const workshop = new Workshop(8);
  const { artifacts } = workshop;
  const find = (digest: string): Artifact | undefined =>
    artifacts.find(artifacts.keyOf(digest, DEFAULT_LIMITS));
  for (const digest of ["a", "b"]) artifacts.keep(digest, DEFAULT_LIMITS, new Uint8Array(4));
  assert.ok(find("a") && find("b"));
  artifacts.keep("c", DEFAULT_LIMITS, new Uint8Array(1));
  assert.equal(find("a"), undefined);
  artifacts.keep("large", DEFAULT_LIMITS, new Uint8Array(9));
  assert.equal(find("large"), undefined);
  await artifacts.make("large", order());
  assert.equal(workshop.asked.length, 1);
});
