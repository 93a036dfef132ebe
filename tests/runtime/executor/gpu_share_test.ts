/**
 * GpuShare: permits, every way of leaving the wait, and what is told of it.
 *
 * Owns single cases, with a clock that is moved by hand; what holds for all is gpu_share_property_test.ts's.
 */
import assert from "node:assert/strict";
import { ClientGone } from "../../../runtime/executor/admission.ts";
import { GpuShare } from "../../../runtime/executor/gpu_share.ts";
import type { GpuClaim, GpuPermit } from "../../../runtime/executor/gpu_share.ts";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import { ManualClock } from "../../support/clock.ts";

interface Setup {
  readonly clock: ManualClock;
  readonly share: GpuShare;
  readonly told: string[];
  claim(tenant: string, more?: Partial<GpuClaim>): Promise<GpuPermit>;
}

function setUp(permitsMax: number, queueDepthMax = 100): Setup {
  const clock = new ManualClock();
  const told: string[] = [];
  const share = new GpuShare({
    clock,
    permitsMax,
    queueDepthMax,
    observer: {
      permits: (used, available) => void told.push(`permits ${used} ${available}`),
      waited: (ms) => void told.push(`waited ${ms}`),
      shed: (kind, tenant) => void told.push(`shed ${kind} ${tenant}`),
    },
  });
  const claim: Setup["claim"] = (tenant, more) =>
    share.acquire({
      tenant,
      weight: 1,
      work: "f",
      deadlineMs: 1000,
      deadlineAtMs: clock.nowMs() + 1000,
      queuedCallsMax: 10,
      ...more,
    });
  return { clock, share, told, claim };
}

/** Ends a call that has used so much. */
function end(permit: GpuPermit, usedMs: number): void {
  permit.settle(usedMs);
  permit[Symbol.dispose]();
}

/** The fault of a claim, and when it may be tried again. */
async function faultOf(claim: Promise<GpuPermit>): Promise<{ code: string; retryAfterSeconds?: number }> {
  const error = await claim.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof RuntimeFault, String(error));
  const { code, retryAfterSeconds } = error;
  return retryAfterSeconds === undefined ? { code } : { code, retryAfterSeconds };
}

/** The names of claims in the order in which they are served, each ending at once with its time. */
async function order(
  setup: Setup,
  first: GpuPermit,
  claims: Record<string, Promise<GpuPermit>>,
  usedMs: Record<string, number>,
): Promise<string[]> {
  const served: string[] = [];
  const running = Object.entries(claims).map(async ([name, claim]) => {
    const permit = await claim;
    served.push(name);
    end(permit, usedMs[name] ?? 1);
  });
  first[Symbol.dispose]();
  await Promise.all(running);
  assert.deepEqual(setup.share.counts(), { used: 0, waiting: 0, tenants: 0 });
  return served;
}

Deno.test("GpuShare lends permits and takes each back once", async () => {
  const { share, told, claim } = setUp(4);
  const [a, b] = [await claim("a"), await claim("b")];
  assert.equal(share.counts().used, 2);
  end(a, 1);
  a[Symbol.dispose]();
  assert.equal(share.counts().used, 1);
  end(b, 1);
  assert.deepEqual(share.counts(), { used: 0, waiting: 0, tenants: 0 });
  assert.deepEqual(told.filter((line) => line.startsWith("permits")), [
    ...["permits 0 4", "permits 1 3", "permits 2 2", "permits 1 3", "permits 0 4"],
  ]);
});

Deno.test("GpuShare asks nothing of the client of a call that need not wait, and sets no timer", async () => {
  const { clock, claim } = setUp(2);
  const asked: string[] = [];
  const cancellation = { onCancel: () => void asked.push("asked") };
  const permit = await claim("a", { cancellation });
  assert.deepEqual([asked, clock.timerCount], [[], 0]);
  void claim("a", { cancellation }).catch(() => {});
  assert.deepEqual([asked, clock.timerCount], [["asked"], 1]);
  end(permit, 1);
  assert.equal(clock.timerCount, 0);
});

Deno.test("GpuShare learns nothing from a permit that was forgone, and charges nothing for it", async () => {
  const setup = setUp(1);
  for (const tenant of ["a", "b"]) end(await setup.claim(tenant), 50);
  const first = await setup.claim("a");
  setup.clock.advance(400);
  const claims = { b: setup.claim("b"), a: setup.claim("a"), short: setup.claim("c", { work: "unknown" }) };
  first.forgo();
  // Nobody has had anything, and both are thought to need 50 ms still: what is not known (5 ms) goes first.
  assert.deepEqual(await order(setup, first, claims, { a: 50, b: 50 }), ["short", "b", "a"]);
});

Deno.test("GpuShare leaves permits for those who come, more for those of greater weight", async () => {
  const { share, claim } = setUp(8);
  for (let count = 0; count < 8; count++) void claim("a");
  assert.deepEqual([share.counts().used, share.counts().waiting], [4, 4]);
  await claim("b");
  const heavy = setUp(8);
  for (let count = 0; count < 8; count++) void heavy.claim("a", { weight: 3 });
  assert.deepEqual(heavy.share.counts().used, 6);
});

Deno.test("GpuShare serves the tenant that has used least of the device", async () => {
  const setup = setUp(1);
  // Both are known to need the same: what they have used decides.
  const first = await setup.claim("a");
  first.settle(100);
  const [a2, a3, b1, b2] = ["a", "a", "b", "b"].map((tenant) => setup.claim(tenant));
  assert.ok(a2 && a3 && b1 && b2);
  const served = await order(setup, first, { a2, a3, b1, b2 }, { b1: 60, b2: 60 });
  assert.deepEqual(served, ["b1", "b2", "a2", "a3"]);
});

Deno.test("GpuShare lets short calls go first, within a tenant and among those that have had about the same", async () => {
  const setup = setUp(1);
  const learn = async (tenant: string, work: string, ms: number): Promise<void> =>
    end(await setup.claim(tenant, { work }), ms);
  await learn("a", "long", 50);
  await learn("a", "short", 1);
  await learn("b", "tiny", 0.5);
  const first = await setup.claim("c");
  first.settle(0);
  const claims = {
    long: setup.claim("a", { work: "long" }),
    short: setup.claim("a", { work: "short" }),
    tiny: setup.claim("b", { work: "tiny" }),
  };
  // The oldest of all has an eighth of the time: its turn comes when others have had a little.
  const more = { long2: setup.claim("a", { work: "long" }), short2: setup.claim("a", { work: "short" }) };
  const served = await order(setup, first, { ...claims, ...more }, { long: 50, long2: 50 });
  assert.deepEqual(served, ["tiny", "long", "short", "short2", "long2"]);
});

Deno.test("GpuShare: who waits leaves at its deadline, or when its client does, and takes its timer with it", async () => {
  const { clock, share, claim } = setUp(1);
  const permit = await claim("a");
  const late = claim("b", { deadlineMs: 50, deadlineAtMs: clock.nowMs() + 50 });
  let leave = (): void => {};
  const gone = claim("c", { cancellation: { onCancel: (callback) => void (leave = callback) } });
  assert.equal(clock.timerCount, 2);
  clock.advance(50);
  assert.deepEqual(await faultOf(late), { code: "invoke_timeout" });
  leave();
  await assert.rejects(gone, ClientGone);
  leave();
  assert.equal(clock.timerCount, 0);
  end(permit, 1);
  assert.deepEqual(share.counts(), { used: 0, waiting: 0, tenants: 0 });
  assert.deepEqual(await faultOf(claim("a", { deadlineAtMs: clock.nowMs() })), { code: "invoke_timeout" });
});

Deno.test("GpuShare sends away at once who has no hope before its deadline, with when to come again", async () => {
  const { clock, told, claim } = setUp(1);
  for (let count = 0; count < 20; count++) {
    const permit = await claim("a");
    clock.advance(100);
    end(permit, 100);
  }
  void claim("a");
  for (let count = 0; count < 5; count++) void claim("a");
  // 500 ms of the same tenant go before it.
  const soon = { deadlineMs: 200, deadlineAtMs: clock.nowMs() + 200 };
  assert.deepEqual(await faultOf(claim("a", soon)), { code: "capacity_exhausted", retryAfterSeconds: 1 });
  assert.equal(told.at(-1), "shed gpu_deadline a");
  // Another tenant is served next; a doubt is to the call's advantage.
  const other = claim("b", soon);
  const patient = claim("a", { deadlineMs: 600, deadlineAtMs: clock.nowMs() + 600 });
  clock.advance(600);
  assert.deepEqual(await faultOf(other), { code: "invoke_timeout" });
  assert.deepEqual(await faultOf(patient), { code: "invoke_timeout" });
});

Deno.test("GpuShare bounds the line: a tenant's part, all of it, and who has most makes room", async () => {
  const { share, told, claim } = setUp(1, 3);
  const permit = await claim("z");
  const mine = [claim("a", { queuedCallsMax: 2 }), claim("a", { queuedCallsMax: 2 })];
  assert.deepEqual(await faultOf(claim("a", { queuedCallsMax: 2 })), {
    code: "tenant_capacity_exhausted",
    retryAfterSeconds: 1,
  });
  const b = claim("b");
  const c = claim("c");
  assert.equal((await faultOf(mine[1] ?? c)).code, "capacity_exhausted");
  assert.equal((await faultOf(claim("b"))).code, "capacity_exhausted");
  assert.deepEqual(told.filter((line) => line.startsWith("shed")), [
    ...["shed gpu_tenant a", "shed gpu_displaced a", "shed gpu_capacity b"],
  ]);
  share.close();
  for (const waiting of [mine[0], b, c, claim("d")]) {
    assert.ok(waiting);
    assert.equal((await faultOf(waiting)).code, "capacity_exhausted");
  }
  end(permit, 1);
  assert.equal(share.counts().used, 0);
});

Deno.test("GpuShare charges who does not say what it used for all the time that it was out", async () => {
  const setup = setUp(1);
  const lost = await setup.claim("a");
  const claims = { a: setup.claim("a"), b: setup.claim("b"), b2: setup.claim("b") };
  setup.clock.advance(500);
  assert.deepEqual(await order(setup, lost, claims, { b: 100, b2: 100 }), ["b", "b2", "a"]);
});
