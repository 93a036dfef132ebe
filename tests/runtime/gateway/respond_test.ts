import assert from "node:assert/strict";
import { ClientGone } from "../../../runtime/executor/admission.ts";
import { statusOf } from "../../../runtime/gateway/problem.ts";
import { type AnswerBody, respond } from "../../../runtime/gateway/respond.ts";
import { outcomeFault } from "../../../runtime/model/outcome_fault.ts";
import type { Execution } from "../../../runtime/model/invocation.ts";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";
import { NO_USAGE } from "../../../runtime/model/usage.ts";

const FORM = { functionId: "f", hasInput: false, accept: undefined, jsonBytesMax: 4 };

function execution(outcome: Outcome, output: readonly number[], contentType?: string): Execution {
  return { outcome, output: new Uint8Array(output), contentType, queueMs: 0, cold: false, usage: NO_USAGE };
}

function jsonOf({ body, headers }: AnswerBody): unknown {
  assert.deepEqual(headers, { "content-type": "application/json" });
  assert.equal(typeof body, "string");
  return JSON.parse(String(body));
}

const RETURNED: Outcome = { type: "returned", values: [] };

Deno.test("respond() answers JSON with result ok and the output as text", () => {
  const answer = respond(execution(RETURNED, [104, 105]), FORM);
  assert.deepEqual(jsonOf(answer), { function_id: "f", result: "ok", output: "hi" });
});

Deno.test("respond() carries output that is not UTF-8 as base64", () => {
  const answer = respond(execution(RETURNED, [0xff]), FORM);
  assert.deepEqual(jsonOf(answer), { function_id: "f", result: "ok", output_b64: "/w==" });
});

Deno.test("respond() answers raw input with raw output and the media type that the guest set", () => {
  const answer = respond(execution(RETURNED, [1, 2], "image/png"), { ...FORM, hasInput: true });
  assert.deepEqual(answer.headers, {
    "content-type": "image/png",
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
  });
  assert.deepEqual([...answer.body], [1, 2]);
});

Deno.test("respond() answers JSON to raw input when the caller asks for it", () => {
  const answer = respond(execution(RETURNED, [104]), {
    ...FORM,
    hasInput: true,
    accept: "application/json",
  });
  assert.deepEqual(jsonOf(answer), { function_id: "f", result: "ok", output: "h" });
});

Deno.test("respond() puts output of exactly the limit into JSON, and one byte more goes raw", () => {
  const json = respond(execution(RETURNED, [97, 98, 99, 100]), FORM);
  assert.equal(json.headers["content-type"], "application/json");
  const raw = respond(execution(RETURNED, [97, 98, 99, 100, 101]), FORM);
  assert.deepEqual(raw.body, new Uint8Array([97, 98, 99, 100, 101]));
  assert.throws(
    () => respond(execution(RETURNED, [97, 98, 99, 100, 101]), { ...FORM, accept: "application/json" }),
    {
      code: "guest_limit_exceeded",
      message: "Output is too large for a JSON answer, ask for it raw: jsonBodyBytesMax is 4, got 5",
    },
  );
});

Deno.test("respond() does not lose a result for want of output", () => {
  const outcome: Outcome = { type: "returned", values: [{ type: "i32", value: 3 }] };
  const answer = respond(execution(outcome, []), { ...FORM, hasInput: true });
  assert.deepEqual(jsonOf(answer), { function_id: "f", result: [3] });
});

Deno.test("respond() takes exit code 0 as success", () => {
  const answer = respond(execution({ type: "exited", exitCode: 0 }, []), FORM);
  assert.deepEqual(jsonOf(answer), { function_id: "f", result: "ok" });
});

const FAILED: readonly (readonly [Exclude<Outcome, { type: "returned" }>, string, number, string])[] = [
  [{ type: "exited", exitCode: 3 }, "guest_exit", 500, "Guest ended with exit code 3"],
  [
    { type: "trapped", trap: "unreachable" },
    "wasmtime",
    500,
    "Guest trapped: an unreachable instruction was executed",
  ],
  [
    { type: "exhausted", limit: "deadline_ms", max: 50, actual: 51 },
    "invoke_timeout",
    504,
    "Call did not finish within its deadline: deadlineMs is 50, got 51",
  ],
  [
    { type: "exhausted", limit: "output_bytes", max: 10, actual: 11 },
    "guest_limit_exceeded",
    500,
    "Guest exceeded a limit: output_bytes is 10, got 11",
  ],
  [
    { type: "lost", reason: "cell_sigkill" },
    "cell_lost",
    502,
    "The process that ran the call died: cell_sigkill",
  ],
];

Deno.test("respond() tells nobody of a call whose client has left", () => {
  assert.throws(() => respond(execution({ type: "cancelled", by: "client" }, []), FORM), ClientGone);
});

for (const [outcome, kind, status, message] of FAILED) {
  Deno.test(`respond() fails ${JSON.stringify(outcome)} as ${kind}`, () => {
    const error = outcomeFault(outcome);
    assert.ok(error instanceof RuntimeFault);
    assert.deepEqual([error.code, statusOf(error.code), error.message], [kind, status, message]);
    assert.throws(() => respond(execution(outcome, []), FORM), { code: kind });
  });
}
