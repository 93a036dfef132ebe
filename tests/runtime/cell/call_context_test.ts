import assert from "node:assert/strict";
import { CallContext } from "../../../runtime/cell/call_context.ts";
import { GuestStop } from "../../../runtime/cell/guest_context.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";

function contextOf(outputBytesMax = 10): CallContext {
  const startedAtMs = performance.now();
  return new CallContext(
    {
      callId: 1,
      input: new Uint8Array(0),
      programArgs: [],
      environment: [],
      startedAtMs,
      deadlineMs: 60_000,
      deadlineAtMs: startedAtMs + 60_000,
    },
    { ...DEFAULT_LIMITS, outputBytesMax },
    () => {},
  );
}

Deno.test("CallContext.writeOutput() takes exactly the limit and stops the guest one byte past it", () => {
  const context = contextOf();
  context.writeOutput(new Uint8Array(6));
  context.writeOutput(new Uint8Array(4));
  assert.throws(() => context.writeOutput(new Uint8Array(1)), GuestStop);
  assert.deepEqual(context.stopped, { type: "exhausted", limit: "output_bytes", max: 10, actual: 11 });
  assert.equal(context.takeOutput().length, 10);
});

Deno.test("CallContext.writeOutput() copies what it is given, byte by byte as well", () => {
  const context = contextOf(1000);
  const shared = new Uint8Array(1);
  for (let value = 0; value < 200; value++) {
    shared[0] = value;
    context.writeOutput(shared);
  }
  assert.deepEqual([...context.takeOutput()], Array.from({ length: 200 }, (_, index) => index));
});

Deno.test("CallContext.stop() keeps the first outcome, whatever the guest does afterwards", () => {
  const context = contextOf();
  assert.throws(() => context.stop({ type: "exited", exitCode: 3 }), GuestStop);
  assert.throws(() => context.stop({ type: "exited", exitCode: 0 }), GuestStop);
  assert.deepEqual(context.stopped, { type: "exited", exitCode: 3 });
});

for (const good of ["text/plain", "image/x-portable-pixmap", 'text/html; charset="utf-8"', "a/b;c=d"]) {
  Deno.test(`CallContext.setContentType() takes ${good}`, () => {
    const context = contextOf();
    assert.ok(context.setContentType(good));
    assert.equal(context.contentType, good);
  });
}

for (
  const bad of [
    "",
    "text",
    "text/",
    "text/plain\r\nx: y",
    "text/plain;",
    "a/b\n",
    `a/${"b".repeat(300)}`,
    "ä/b",
  ]
) {
  Deno.test(`CallContext.setContentType() refuses ${JSON.stringify(bad.slice(0, 20))}`, () => {
    const context = contextOf();
    assert.equal(context.setContentType(bad), false);
    assert.equal(context.contentType, undefined);
  });
}

Deno.test("CallContext.addSpanEvent() keeps 128 events and cuts long names", () => {
  const context = contextOf();
  for (let index = 0; index < 130; index++) context.addSpanEvent("e".repeat(300));
  assert.equal(context.events.length, 128);
  assert.equal(context.events[0]?.name.length, 256);
});
