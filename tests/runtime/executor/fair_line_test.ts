import assert from "node:assert/strict";
import { FairLine } from "../../../runtime/executor/fair_line.ts";
import type { Request } from "../../../runtime/executor/fair_line.ts";

function of(tenant: string, concurrentCallsMax = 1000, alone = false): Request {
  return alone ? { tenant, concurrentCallsMax, alone } : { tenant, concurrentCallsMax };
}

/** A line in which calls named like `a1`, of tenant `a`, wait. */
function lineOf(...names: string[]): FairLine<string> {
  const line = new FairLine<string>();
  for (const name of names) line.add(of(name.charAt(0)), name);
  return line;
}

function serveAll(line: FairLine<string>, freeSlots: number): string[] {
  const served: string[] = [];
  for (let place = line.next(freeSlots); place !== undefined; place = line.next(freeSlots)) {
    line.serve(place);
    served.push(place.value);
  }
  return served;
}

Deno.test("FairLine serves tenants in turn, and each in order of arrival", () => {
  const line = lineOf("a1", "a2", "a3", "b1", "c1", "c2");
  assert.deepEqual(serveAll(line, 100), ["a1", "b1", "c1", "a2", "c2", "a3"]);
  assert.deepEqual([line.depth, line.tenantsWaiting], [0, 0]);
});

Deno.test("FairLine lets a tenant take while it uses fewer slots than are free", () => {
  const line = new FairLine<string>();
  for (let count = 0; count < 3; count++) line.take("a");
  assert.equal(line.mayPass(of("a"), 3), false);
  assert.equal(line.mayPass(of("a"), 4), true);
  line.add(of("a"), "a1");
  assert.equal(line.next(3), undefined);
  assert.equal(line.next(4)?.value, "a1");
});

Deno.test("FairLine lets a tenant that uses nothing take the last free slot", () => {
  const line = lineOf("a1");
  assert.equal(line.mayPass(of("b"), 1), true);
  assert.equal(line.mayPass(of("b"), 0), false);
  assert.equal(line.next(0), undefined);
  assert.equal(line.next(1)?.value, "a1");
});

Deno.test("FairLine lets a tenant take below its concurrentCallsMax", () => {
  const line = new FairLine<string>();
  line.take("a");
  line.take("a");
  assert.equal(line.mayPass(of("a", 2), 100), false);
  assert.equal(line.mayPass(of("a", 3), 100), true);
  line.add(of("a", 2), "a1");
  assert.equal(line.next(100), undefined);
});

Deno.test("FairLine.mayPass() lets nobody pass calls of its own tenant, but those of others", () => {
  const line = lineOf("a1");
  assert.equal(line.mayPass(of("a"), 100), false);
  assert.equal(line.mayPass(of("b"), 100), true);
});

Deno.test("FairLine keeps the turn of a tenant that is passed over, and of one whose call leaves", () => {
  const line = lineOf("a1", "a2", "b1", "b2");
  const account = line.take("a");
  assert.equal(line.next(1)?.value, "b1");
  line.giveBack(account);
  const first = line.next(1);
  assert.equal(first?.value, "a1");
  if (first !== undefined) line.remove(first);
  assert.deepEqual(serveAll(line, 100), ["a2", "b1", "b2"]);
});

Deno.test("FairLine queues calls that must run alone apart", () => {
  const line = new FairLine<string>();
  line.add(of("a", 1000, true), "alone");
  line.add(of("a"), "a1");
  assert.equal(line.next(1)?.value, "a1");
  assert.equal(line.nextAlone()?.value, "alone");
  assert.equal(line.mayPass(of("a", 1000, true), 0), false);
  assert.equal(line.mayPass(of("b", 1000, true), 0), true);
});

Deno.test("FairLine.newestOfLongest() finds the latest arrival of either kind", () => {
  const line = lineOf("a1", "b1", "b2");
  assert.equal(line.newestOfLongest()?.value, "b2");
  line.add(of("b", 1000, true), "alone");
  assert.equal(line.newestOfLongest()?.value, "alone");
  line.add(of("b"), "b3");
  assert.equal(line.newestOfLongest()?.value, "b3");
  assert.equal(lineOf().newestOfLongest(), undefined);
});

Deno.test("FairLine keeps nothing of a tenant that has nothing", () => {
  const line = lineOf("a1", "b1");
  const place = line.next(1);
  assert.ok(place);
  const account = line.serve(place);
  assert.equal(line.tenantCount, 2);
  line.giveBack(account);
  assert.equal(line.tenantCount, 1);
  const other = line.next(1);
  assert.ok(other);
  line.remove(other);
  line.remove(other);
  assert.deepEqual([line.tenantCount, line.depth, line.tenantsWaiting], [0, 0, 0]);
});

Deno.test("FairLine serves the single call of one tenant second, whatever another has waiting", () => {
  const line = new FairLine<string>();
  for (let index = 0; index < 1000; index++) line.add(of("a"), `a${index}`);
  line.add(of("b"), "b");
  assert.deepEqual(serveAll(line, 10_000).slice(0, 3), ["a0", "b", "a1"]);
});
