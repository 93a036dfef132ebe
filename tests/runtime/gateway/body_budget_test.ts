import assert from "node:assert/strict";
import { BodyBudget } from "../../../runtime/gateway/body_budget.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";

const LIMITS = { ...DEFAULT_LIMITS, bodyBytesMax: 60, bodiesBytesMax: 100 };

function requestOf(contentLength: number): Request {
  return new Request("http://localhost/", {
    method: "POST",
    headers: { "content-length": String(contentLength) },
  });
}

function undeclared(): Request {
  return new Request("http://localhost/", { method: "POST", body: ReadableStream.from([new Uint8Array(1)]) });
}

Deno.test("BodyBudget.hold() takes exactly the budget and refuses one byte more", () => {
  const budget = new BodyBudget(LIMITS);
  budget.hold(requestOf(60));
  const hold = budget.hold(requestOf(40));
  assert.throws(() => budget.hold(requestOf(1)), {
    code: "capacity_exhausted",
    message: "Too many request bodies at a time: bodiesBytesMax is 100, got 101",
    retryAfterSeconds: 1,
  });
  hold[Symbol.dispose]();
  budget.hold(requestOf(40));
  assert.equal(budget.heldBytes, 100);
});

Deno.test("BodyBudget.hold() of a body without a length counts what arrives, and gives it back once", () => {
  const budget = new BodyBudget(LIMITS);
  const hold = budget.hold(undeclared());
  assert.equal(budget.heldBytes, 0);
  hold.grow(60);
  hold.grow(40);
  assert.throws(() => hold.grow(1), { code: "capacity_exhausted" });
  hold[Symbol.dispose]();
  hold[Symbol.dispose]();
  assert.equal(budget.heldBytes, 0);
  hold.grow(60);
  assert.equal(budget.heldBytes, 0);
});

Deno.test("BodyBudget.hold() leaves a body over its own limit to be refused as such", () => {
  const budget = new BodyBudget(LIMITS);
  budget.hold(requestOf(61));
  assert.equal(budget.heldBytes, 0);
});
