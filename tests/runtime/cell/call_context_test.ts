import assert from "node:assert/strict";
import { CallContext } from "../../../runtime/cell/call_context.ts";
import { Fiber } from "../../../runtime/cell/fiber.ts";
import { GuestStop } from "../../../runtime/cell/guest_context.ts";
import { Scheduler } from "../../../runtime/cell/scheduler.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { ManualHost } from "../../support/manual_host.ts";

const DEADLINE_MS = 60_000;

interface Own {
  readonly context: CallContext;
  readonly fiber: Fiber;
  readonly scheduler: Scheduler;
  readonly host: ManualHost;
}

function aContext(outputBytesMax = 10): Own {
  const host = new ManualHost();
  const scheduler = new Scheduler(host, 1);
  const fiber = new Fiber({ tenant: "0", deadlineMs: DEADLINE_MS, deadlineAtMs: DEADLINE_MS, fuelMax: 0 });
  const context = new CallContext(
    {
      callId: 1,
      input: new Uint8Array(0),
      programArgs: [],
      environment: [],
      outputBytesMax,
      startedAtMs: performance.now(),
    },
    fiber,
    scheduler,
    DEFAULT_LIMITS,
    () => {},
  );
  return { context, fiber, scheduler, host };
}

Deno.test("CallContext.writeOutput() takes exactly the limit and stops the guest one byte past it", () => {
  const { context, fiber } = aContext();
  context.writeOutput(new Uint8Array(6));
  context.writeOutput(new Uint8Array(4));
  assert.throws(() => context.writeOutput(new Uint8Array(1)), GuestStop);
  assert.deepEqual(fiber.stopped, { type: "exhausted", limit: "output_bytes", max: 10, actual: 11 });
  assert.equal(context.takeOutput().length, 10);
});

Deno.test("CallContext.writeOutput() copies what it is given, byte by byte as well", () => {
  const { context } = aContext(1000);
  const shared = new Uint8Array(1);
  for (let value = 0; value < 200; value++) {
    shared[0] = value;
    context.writeOutput(shared);
  }
  assert.deepEqual([...context.takeOutput()], Array.from({ length: 200 }, (_, index) => index));
});

Deno.test("CallContext.stop() keeps the first outcome, whatever the guest does afterwards", () => {
  const { context, fiber } = aContext();
  assert.throws(() => context.stop({ type: "exited", exitCode: 3 }), GuestStop);
  assert.throws(() => context.stop({ type: "exited", exitCode: 0 }), GuestStop);
  assert.deepEqual(fiber.stopped, { type: "exited", exitCode: 3 });
});

for (const good of ["text/plain", "image/x-portable-pixmap", 'text/html; charset="utf-8"', "a/b;c=d"]) {
  Deno.test(`CallContext.setContentType() takes ${good}`, () => {
    const { context } = aContext();
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
    const { context } = aContext();
    assert.equal(context.setContentType(bad), false);
    assert.equal(context.contentType, undefined);
  });
}

Deno.test("CallContext.addSpanEvent() keeps 128 events and cuts long names", () => {
  const { context } = aContext();
  for (let index = 0; index < 130; index++) context.addSpanEvent("e".repeat(300));
  assert.equal(context.events.length, 128);
  assert.equal(context.events[0]?.name.length, 256);
});

Deno.test("CallContext.stop() throws the outcome that the call has had before, if any", () => {
  const { context, fiber } = aContext();
  fiber.stop({ type: "cancelled", by: "client" });
  assert.throws(
    () => context.stop({ type: "exited", exitCode: 0 }),
    (error) => error instanceof GuestStop && error.outcome.type === "cancelled",
  );
});

/** Runs `body` as the guest of the context's fiber, with a second call waiting if there is to be one. */
async function runAsGuest(own: Own, body: () => Promise<void>, isAlone = true): Promise<void> {
  let failure: unknown;
  own.scheduler.submit(own.fiber, () => body().catch((error) => void (failure = error)));
  const other = new Fiber({ ...own.fiber.limits, tenant: "other" });
  if (!isAlone) own.scheduler.submit(other, () => Promise.resolve());
  await own.host.runUntil(() => own.scheduler.size === 0);
  if (failure !== undefined) throw failure;
}

Deno.test("CallContext.checkpoint() answers at once when nobody waits, later when somebody does", async () => {
  for (const isAlone of [true, false]) {
    const own = aContext();
    await runAsGuest(own, async () => {
      const parked = own.context.checkpoint(true);
      assert.equal(parked === undefined, isAlone);
      await parked;
    }, isAlone);
  }
});

Deno.test("CallContext.checkpoint() throws at once when the call is over, and rejects when it is over meanwhile", async () => {
  const over = aContext();
  await runAsGuest(over, async () => {
    over.host.pass(DEADLINE_MS);
    assert.throws(() => over.context.checkpoint(false), GuestStop);
    await Promise.resolve();
  });
  assert.equal(over.fiber.stopped?.type, "exhausted");
  const meanwhile = aContext();
  await runAsGuest(meanwhile, async () => {
    const parked = meanwhile.context.checkpoint(true);
    assert.ok(parked);
    meanwhile.scheduler.cancel(meanwhile.fiber, { type: "cancelled", by: "client" });
    await assert.rejects(parked, GuestStop);
  }, false);
});

Deno.test("CallContext.sleep() rejects at the deadline, and resolves before it", async () => {
  const own = aContext();
  await runAsGuest(own, async () => {
    await own.context.sleep(DEADLINE_MS - 1);
    assert.equal(own.host.timeMs, DEADLINE_MS - 1);
    await assert.rejects(own.context.sleep(1), GuestStop);
    assert.equal(own.host.timeMs, DEADLINE_MS);
  });
});

Deno.test("CallContext.cpuMs() is the time on the thread", async () => {
  const own = aContext();
  await runAsGuest(own, async () => {
    own.host.pass(2);
    await own.context.sleep(30);
    own.host.pass(1);
    assert.equal(own.context.cpuMs(), 3);
  });
});
