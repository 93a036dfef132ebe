/**
 * GpuShare under load: fair shares of device time, permits conserved, nobody starves, nothing is left.
 *
 * Owns a model of a device that all calls that hold a permit use at the same time, each with an equal part of it,
 * and random tenants, lengths and departures on it. Times are the model's: nothing here waits.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { GpuShare } from "../../../runtime/executor/gpu_share.ts";
import type { GpuPermit } from "../../../runtime/executor/gpu_share.ts";
import { ManualClock } from "../../support/clock.ts";

interface Running {
  readonly tenant: string;
  readonly permit: GpuPermit;
  readonly usedMs: number;
  leftMs: number;
}

/** A device, its share, and what each tenant has had of it. */
class Model {
  readonly clock = new ManualClock();
  readonly share: GpuShare;
  readonly running = new Set<Running>();
  readonly usedMs = new Map<string, number>();
  readonly waitedMs: number[] = [];
  /** Each has the client of a call leave that waits, or did. */
  readonly clients: (() => void)[] = [];
  readonly #permitsMax: number;

  constructor(permitsMax: number) {
    this.#permitsMax = permitsMax;
    this.share = new GpuShare({
      clock: this.clock,
      permitsMax,
      queueDepthMax: 10_000,
      observer: {
        permits: (used, available) => {
          assert.equal(used + available, permitsMax);
          assert.ok(used >= 0 && available >= 0, `${used} used, ${available} available`);
        },
        waited: (ms) => void this.waitedMs.push(ms),
        shed: () => {},
      },
    });
  }

  /** A call that needs so much; resolves when it is over, true if it ran. */
  async call(
    tenant: string,
    usedMs: number,
    more: { weight?: number; deadlineMs?: number; work?: string } = {},
  ): Promise<void> {
    const { weight = 1, deadlineMs = 1e9, work = "f" } = more;
    const deadlineAtMs = this.clock.nowMs() + deadlineMs;
    const cancellation = { onCancel: (callback: () => void) => void this.clients.push(callback) };
    const claim = { tenant, weight, work, deadlineMs, deadlineAtMs, queuedCallsMax: 1e6, cancellation };
    const permit = await this.share.acquire(claim).catch(() => undefined);
    if (permit === undefined) return;
    this.running.add({ tenant, permit, usedMs, leftMs: usedMs });
    assert.ok(this.running.size <= this.#permitsMax, "more calls than permits");
  }

  /** Lets the device work until the next call on it is done. */
  async step(): Promise<void> {
    await settled();
    const [next] = [...this.running].sort((a, b) => a.leftMs - b.leftMs);
    if (next === undefined) return;
    const partMs = next.leftMs;
    this.clock.advance(partMs * this.running.size);
    for (const each of this.running) {
      each.leftMs -= partMs;
      this.usedMs.set(each.tenant, (this.usedMs.get(each.tenant) ?? 0) + partMs);
    }
    this.running.delete(next);
    next.permit.settle(next.usedMs);
    next.permit[Symbol.dispose]();
    await settled();
  }
}

/** After what promises have to do. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
}

const lengths = fc.array(fc.double({ min: 0.1, max: 50, noNaN: true }), { minLength: 1, maxLength: 4 });

Deno.test("GpuShare: no tenant that always wants more has less than half of its fair share", async () => {
  const tenants = fc.array(fc.record({ lengths, weight: fc.constantFrom(1, 1, 1, 2, 4) }), {
    minLength: 2,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(tenants, fc.integer({ min: 1, max: 8 }), async (specs, permitsMax) => {
      // By weight only where the line decides; where there is a permit for everybody, the driver does.
      const isOneByOne = permitsMax === 1;
      const model = new Model(permitsMax);
      const counts = specs.map(() => 0);
      const add = (index: number): void => {
        const spec = specs[index];
        assert.ok(spec);
        const count = counts[index] ?? 0;
        counts[index] = count + 1;
        const usedMs = spec.lengths[count % spec.lengths.length] ?? 1;
        const work = String(count % spec.lengths.length);
        void model.call(String(index), usedMs, { weight: isOneByOne ? spec.weight : 1, work });
      };
      specs.forEach((_, index) => {
        for (let count = 0; count < 12; count++) add(index);
      });
      const totalMs = (): number => [...model.usedMs.values()].reduce((sum, ms) => sum + ms, 0);
      while (totalMs() < 4000) {
        const before = new Map([...model.running].map((each) => [each, each.tenant]));
        await model.step();
        for (const [each, tenant] of before) if (!model.running.has(each)) add(Number(tenant));
      }
      const weights = specs.map(({ weight }) => isOneByOne ? weight : 1);
      const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
      specs.forEach((_, index) => {
        const fair = totalMs() * (weights[index] ?? 1) / weightSum;
        const got = model.usedMs.get(String(index)) ?? 0;
        assert.ok(got >= fair / 2, `tenant ${index}: ${got} of a fair share of ${fair}`);
      });
    }),
    { numRuns: 40 },
  );
});

for (const permitsMax of [1, 2, 4]) {
  for (const isNew of [false, true]) {
    const whose = isNew ? "ever new tenants" : "another tenant";
    Deno.test(`GpuShare: nobody starves while shorter calls of ${whose} keep coming (${permitsMax} permits)`, async () => {
      const model = new Model(permitsMax);
      let count = 0;
      const short = (): void => void model.call(isNew ? `short-${count++}` : "short", 0.2);
      // The long call is known to be long: the same has run before, and others have run since.
      void model.call("long", 40);
      await model.step();
      for (let waiting = 0; waiting < 8 * permitsMax; waiting++) short();
      void model.call("long", 40);
      const isServed = (): boolean => [...model.running].some(({ tenant }) => tenant === "long");
      await settled();
      for (let round = 0; !isServed(); round++) {
        assert.ok(round < 2000, "the long call was never served");
        short();
        await model.step();
      }
    });
  }
}

Deno.test("GpuShare: whatever comes and goes, permits are conserved and nothing is left", async () => {
  const action = fc.oneof(
    fc.record({
      kind: fc.constant("call" as const),
      tenant: fc.constantFrom("a", "b", "c"),
      usedMs: fc.double({ min: 0, max: 30, noNaN: true }),
      deadlineMs: fc.integer({ min: 0, max: 60 }),
      weight: fc.constantFrom(0.5, 1, 3),
    }),
    fc.record({ kind: fc.constant("step" as const) }),
    fc.record({ kind: fc.constant("leave" as const) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 50 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      async (actions, permitsMax) => {
        const model = new Model(permitsMax);
        for (const each of actions) {
          if (each.kind === "call") void model.call(each.tenant, each.usedMs, each);
          else if (each.kind === "step") await model.step();
          else if (each.kind === "leave") model.clients.shift()?.();
          else model.clock.advance(each.ms);
          await settled();
          assert.equal(model.share.counts().used, model.running.size);
        }
        while (model.running.size > 0) await model.step();
        assert.deepEqual(model.share.counts(), { used: 0, waiting: 0, tenants: 0 });
        assert.equal(model.clock.timerCount, 0);
      },
    ),
    { numRuns: 200 },
  );
});
