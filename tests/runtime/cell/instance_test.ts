import assert from "node:assert/strict";
import { compileModule, runCall } from "../../../runtime/cell/instance.ts";
import type { CallResult } from "../../../runtime/cell/instance.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import type { CallMeta } from "../../../runtime/wire/messages.ts";
import { readGuest } from "../../support/guests.ts";

function run(guest: string, meta: Partial<CallMeta> = {}, input = ""): CallResult {
  const full: CallMeta = {
    module: 1,
    export: "run",
    args: [],
    resultTypes: [],
    initialize: false,
    programArgs: [guest],
    environment: [],
    deadlineMs: 30_000,
    remainingMs: 30_000,
    ...meta,
  };
  return runCall(
    compileModule(readGuest(guest)),
    1,
    full,
    new TextEncoder().encode(input),
    DEFAULT_LIMITS,
    () => {},
  );
}

Deno.test("runCall() returns typed values", () => {
  const args = [{ type: "i32", value: 7 }, { type: "i32", value: 2 }] as const;
  const { meta } = run("add", { export: "divmod", args, resultTypes: ["i32", "i32"] });
  assert.deepEqual(meta.outcome, {
    type: "returned",
    values: [{ type: "i32", value: 3 }, { type: "i32", value: 1 }],
  });
});

Deno.test("runCall() carries 64-bit integers as text", () => {
  const args = [{ type: "i64", value: "9223372036854775807" }, { type: "i64", value: "0" }] as const;
  const { meta } = run("add", { export: "add64", args, resultTypes: ["i64"] });
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
  Deno.test(`runCall() names the trap of ${guest} ${trap}`, () => {
    assert.deepEqual(run(guest).meta.outcome, { type: "trapped", trap });
  });
}

Deno.test("runCall() stops a guest that catches its own exit and goes on", () => {
  assert.equal(run("catch_all_exit", { export: "_start" }).meta.outcome.type, "exited");
});

Deno.test("runCall() ends every hop it began, terminate on every way out", () => {
  for (const guest of ["noop", "trap_unreachable"]) {
    const hops = run(guest).meta.spans.map((span) => span.hop).sort();
    assert.deepEqual(hops, ["call", "spawn", "terminate"], guest);
  }
});

Deno.test("runCall() times hops inside each other", () => {
  const spans = new Map(
    run("fib", { export: "fib", args: [{ type: "i32", value: 20 }], resultTypes: ["i32"] }).meta.spans
      .map((span) => [span.hop, span]),
  );
  const [spawn, call, terminate] = [spans.get("spawn"), spans.get("call"), spans.get("terminate")];
  assert.ok(spawn && call && terminate);
  assert.ok(spawn.startUs <= call.startUs && call.startUs <= call.endUs);
  assert.ok(call.endUs <= terminate.startUs && terminate.endUs <= spawn.endUs);
});

Deno.test("runCall() gives the input to stdin and takes stdout as output", () => {
  const { output } = run("echo", { export: "_start" }, "hello");
  assert.equal(new TextDecoder().decode(output), "hello");
});
