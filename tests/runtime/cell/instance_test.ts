import assert from "node:assert/strict";
import { FiberCell } from "../../support/fiber_cell.ts";
import type { CallResult } from "../../../runtime/cell/instance.ts";
import type { CallMeta } from "../../../runtime/wire/messages.ts";

function run(guest: string, meta: Partial<CallMeta> = {}, input = ""): Promise<CallResult> {
  return FiberCell.manual().run(guest, meta, input);
}

Deno.test("runCall() returns typed values", async () => {
  const args = [{ type: "i32", value: 7 }, { type: "i32", value: 2 }] as const;
  const { meta } = await run("add", { export: "divmod", args, resultTypes: ["i32", "i32"] });
  assert.deepEqual(meta.outcome, {
    type: "returned",
    values: [{ type: "i32", value: 3 }, { type: "i32", value: 1 }],
  });
});

Deno.test("runCall() carries 64-bit integers as text", async () => {
  const args = [{ type: "i64", value: "9223372036854775807" }, { type: "i64", value: "0" }] as const;
  const { meta } = await run("add", { export: "add64", args, resultTypes: ["i64"] });
  assert.deepEqual(meta.outcome, {
    type: "returned",
    values: [{ type: "i64", value: "9223372036854775807" }],
  });
});

const TRAPPING = [
  ["trap_unreachable", "unreachable"],
  ["trap_oob", "memory_out_of_bounds"],
  ["trap_div0", "divide_by_zero"],
  ["stack_overflow", "stack_overflow"],
] as const;

for (const [guest, trap] of TRAPPING) {
  Deno.test(`runCall() names the trap of ${guest} ${trap}`, async () => {
    assert.deepEqual((await run(guest)).meta.outcome, { type: "trapped", trap });
  });
}

Deno.test("runCall() ends every hop it began, terminate on every way out", async () => {
  for (const guest of ["noop", "trap_unreachable"]) {
    const hops = (await run(guest)).meta.spans.map((span) => span.hop).sort();
    assert.deepEqual(hops, ["call", "spawn", "terminate"], guest);
  }
});

Deno.test("runCall() times hops inside each other", async () => {
  const { meta } = await run("fib", {
    export: "fib",
    args: [{ type: "i32", value: 20 }],
    resultTypes: ["i32"],
  });
  const spans = new Map(meta.spans.map((span) => [span.hop, span]));
  const [spawn, call, terminate] = [spans.get("spawn"), spans.get("call"), spans.get("terminate")];
  assert.ok(spawn && call && terminate);
  assert.ok(spawn.startUs <= call.startUs && call.startUs <= call.endUs);
  assert.ok(call.endUs <= terminate.startUs && terminate.endUs <= spawn.endUs);
});

Deno.test("runCall() gives the input to stdin and takes stdout as output", async () => {
  const { output } = await run("echo", { export: "_start" }, "hello");
  assert.equal(new TextDecoder().decode(output), "hello");
});

Deno.test("runCall() shares no state between two calls of a module", async () => {
  const cell = FiberCell.manual();
  const first = await cell.run("files", { export: "_start" });
  const second = await cell.run("files", { export: "_start" });
  assert.deepEqual(second.output, first.output);
  assert.equal(second.meta.usage.fuel, first.meta.usage.fuel);
});
