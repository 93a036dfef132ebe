import assert from "node:assert/strict";
import { problemResponse, toProblem } from "../../../runtime/gateway/problem.ts";
import { fault } from "../../../runtime/model/fault.ts";

Deno.test("toProblem() of a quarantined module is 503, and its answer says when to come back", () => {
  const problem = toProblem(fault("module_quarantined", "Module is quarantined", { retryAfterSeconds: 60 }));
  assert.deepEqual(problem, {
    status: 503,
    kind: "module_quarantined",
    message: "Module is quarantined",
    retryAfterSeconds: 60,
  });
  assert.equal(problemResponse(problem, undefined).headers.get("retry-after"), "60");
});

Deno.test("toProblem() of a bug says nothing of it", () => {
  for (const error of [new Error("secret"), fault("internal", "secret"), "secret", undefined]) {
    const { status, kind, message } = toProblem(error);
    assert.deepEqual([status, kind, message.includes("secret")], [500, "internal", false]);
  }
});

Deno.test("problemResponse() names the trace where there is one", async () => {
  const problem = toProblem(fault("not_found", "No such function"));
  const error = { kind: "not_found", message: "No such function" };
  assert.deepEqual(await problemResponse(problem, undefined).json(), { error });
  assert.deepEqual(await problemResponse(problem, "abc").json(), { error: { ...error, trace_id: "abc" } });
});
