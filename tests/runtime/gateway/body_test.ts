import assert from "node:assert/strict";
import { BodyBudget } from "../../../runtime/gateway/body_budget.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { readBody } from "../../../runtime/gateway/body.ts";
import { ManualClock } from "../../support/clock.ts";

function streamed(...chunks: readonly number[][]): Request {
  const body = ReadableStream.from(chunks.map((chunk) => new Uint8Array(chunk)));
  return new Request("http://localhost/", { method: "POST", body });
}

const clock = new ManualClock();
const hold = new BodyBudget(DEFAULT_LIMITS).hold(new Request("http://localhost/"));
const later = clock.nowMs() + 1000;

Deno.test("readBody() reads no body as empty", async () => {
  const request = new Request("http://localhost/", { method: "POST" });
  assert.equal((await readBody(request, 10, later, clock, hold)).length, 0);
});

Deno.test("readBody() takes a chunked body of exactly the limit and refuses one byte more", async () => {
  assert.deepEqual([...await readBody(streamed([1, 2], [3]), 3, later, clock, hold)], [1, 2, 3]);
  await assert.rejects(readBody(streamed([1, 2], [3, 4]), 3, later, clock, hold), {
    code: "body_too_large",
    message: "Request body is too large: bodyBytesMax is 3, got 4",
  });
});

Deno.test("readBody() refuses by Content-Length before it reads", async () => {
  const request = new Request("http://localhost/", {
    method: "POST",
    body: "xx",
    headers: { "content-length": "11" },
  });
  await assert.rejects(readBody(request, 10, later, clock, hold), { message: /bodyBytesMax is 10, got 11$/ });
  assert.equal(request.bodyUsed, false);
});

Deno.test("readBody() gives up on a body that does not arrive before the deadline", async () => {
  const ownClock = new ManualClock();
  const never = new ReadableStream<Uint8Array>({});
  const request = new Request("http://localhost/", { method: "POST", body: never });
  const reading = readBody(request, 10, ownClock.nowMs() + 50, ownClock, hold);
  ownClock.advance(50);
  await assert.rejects(reading, { code: "request_timeout" });
});

Deno.test("readBody() says that a body broke off, with its length declared and without", async () => {
  const broken = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull: (controller) => controller.error(new TypeError("request body receiver not connected")),
    });
  for (const headers of [{}, { "content-length": "5" }] as Record<string, string>[]) {
    const request = new Request("http://localhost/", { method: "POST", body: broken(), headers });
    await assert.rejects(readBody(request, 10, later, clock, hold), {
      code: "bad_request",
      message: "Request body broke off",
    });
  }
});

Deno.test("readBody() reads nothing more of a body that came too late, and holds nothing of it", async () => {
  const ownClock = new ManualClock();
  const budget = new BodyBudget(DEFAULT_LIMITS);
  let isCancelled = false;
  let send = (_chunk: Uint8Array): void => {};
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (send = (chunk) => controller.enqueue(chunk)),
    cancel: () => void (isCancelled = true),
  });
  const request = new Request("http://localhost/", { method: "POST", body });
  {
    using ownHold = budget.hold(request);
    const reading = readBody(request, 10, ownClock.nowMs() + 50, ownClock, ownHold);
    send(new Uint8Array(3));
    ownClock.advance(50);
    await assert.rejects(reading, { code: "request_timeout" });
  }
  assert.throws(() => send(new Uint8Array(3)), TypeError);
  assert.deepEqual([isCancelled, budget.heldBytes], [true, 0]);
});

Deno.test("readBody() keeps no chunk, however little of its buffer it is", async () => {
  let last: Uint8Array<ArrayBuffer> | undefined;
  let count = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      // What was read before is gone.
      last?.buffer.transfer();
      if (count === 40_000) return controller.close();
      last = new Uint8Array(1000).subarray(500, 501);
      last[0] = count++ % 251;
      controller.enqueue(last);
    },
  }, { highWaterMark: 0 });
  const request = new Request("http://localhost/", { method: "POST", body });
  const read = await readBody(request, 40_000, later, clock, hold);
  assert.deepEqual(read, Uint8Array.from({ length: 40_000 }, (_, index) => index % 251));
  assert.equal(read.buffer.byteLength, read.length);
});
