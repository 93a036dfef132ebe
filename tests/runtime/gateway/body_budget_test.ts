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

Deno.test("BodyBudget.reserve() takes exactly the budget and refuses one byte more", () => {
  const budget = new BodyBudget(LIMITS);
  budget.reserve(requestOf(60));
  const release = budget.reserve(requestOf(40));
  assert.throws(() => budget.reserve(requestOf(1)), {
    code: "capacity_exhausted",
    message: "Too many request bodies at a time: bodiesBytesMax is 100, got 101",
    retryAfterSeconds: 1,
  });
  release();
  budget.reserve(requestOf(40));
  assert.equal(budget.reservedBytes, 100);
});

Deno.test("BodyBudget.reserve() counts a body of unknown length as the largest, and none as nothing", () => {
  const budget = new BodyBudget(LIMITS);
  budget.reserve(new Request("http://localhost/", { method: "POST" }));
  assert.equal(budget.reservedBytes, 0);
  budget.reserve(
    new Request("http://localhost/", { method: "POST", body: ReadableStream.from([new Uint8Array(1)]) }),
  );
  assert.equal(budget.reservedBytes, 60);
});

Deno.test("BodyBudget.reserve() leaves a body over its own limit to be refused as such", () => {
  const budget = new BodyBudget(LIMITS);
  budget.reserve(requestOf(61));
  assert.equal(budget.reservedBytes, 0);
});
