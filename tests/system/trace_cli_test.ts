/**
 * `tensor-wasm trace` and `traces` as users run them, against a real gateway.
 *
 * Each call starts the program anew, which is what takes the time here.
 */
import assert from "node:assert/strict";
import { assertTraceId } from "../flow/problem.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { runProgram, until } from "./program.ts";

const WHOLE = [
  "http.request",
  "http.invoke_function",
  "invoke.run",
  "tensor_wasm_exec::executor::spawn_instance",
  "tensor_wasm_exec::executor::call_export_with_args",
  "tensor_wasm_exec::executor::terminate",
];

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start();
  for (const guest of ["sleep", "trap_unreachable"]) await gateway.deploy(guest);
});
Deno.test.afterAll(() => gateway[Symbol.asyncDispose]());

Deno.test("tensor-wasm trace prints the tree and the lines; traces lists; errors name the trace", async () => {
  const env = { TENSOR_WASM_URL: gateway.url };
  const response = await gateway.invoke("trap_unreachable", { export: "run" });
  await response.body?.cancel();
  const id = assertTraceId(response);
  const shown = await runProgram(["trace", id], env);
  assert.equal(shown.code, 0, shown.stderr);
  for (const name of WHOLE) assert.ok(shown.stdout.includes(name), name);
  for (const text of [id, "! unreachable", "request.failed", "request.completed", "tenant 0"]) {
    assert.ok(shown.stdout.includes(text), text);
  }
  const json = await runProgram(["trace", id, "--json", "--url", gateway.url]);
  assert.equal(JSON.parse(json.stdout).trace_id, id);
  const listed = await runProgram(["traces", "--status", "error", "--function", "trap_unreachable"], env);
  assert.ok(listed.stdout.includes(id));
  const unknown = await runProgram(["trace", "9".repeat(32)], env);
  assert.deepEqual([unknown.code, unknown.stdout], [1, ""]);
  assert.match(
    unknown.stderr,
    /^error: No such trace is kept: it is older .* answered 404 \(trace [0-9a-f]{32}\)\n$/,
  );
  const foreign = await runProgram(["trace", id, "--tenant", "103"], env);
  assert.equal(foreign.code, 1);
});

Deno.test("tensor-wasm trace: what is typed wrong is told with exit code 2, a gateway that is not there with 1", async () => {
  const wrong = [
    ...[["trace"], ["trace", "xyz"], ["trace", "--no-such"]],
    ...[["traces", "--limit", "many"], ["traces", "--status", "odd"], ["traces", "all"]],
  ];
  for (const args of wrong) {
    const { code, stderr } = await runProgram(args, { TENSOR_WASM_URL: gateway.url });
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /^error: /);
  }
  const away = await runProgram(["trace", "9".repeat(32)], { TENSOR_WASM_URL: "http://127.0.0.1:1" });
  assert.equal(away.code, 1);
  assert.match(away.stderr, /Cannot reach the gateway at http:\/\/127\.0\.0\.1:1: no connection/);
  assert.match((await runProgram(["trace", "--help"])).stdout, /^usage: tensor-wasm trace/);
});

Deno.test("tensor-wasm trace --follow waits for a call that runs", async () => {
  const traceId = "6".repeat(32);
  const following = runProgram(["trace", traceId, "--follow"], { TENSOR_WASM_URL: gateway.url });
  const call = gateway.invoke("sleep", { argv: ["900"] }, {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  });
  await (await call).body?.cancel();
  const { code, stdout } = await following;
  assert.equal(code, 0);
  assert.match(stdout, /request\.completed/);
  assert.match(stdout, / {2}ok {2}/);
});

Deno.test("the command's own span is the parent of the gateway's, where somebody receives it", async () => {
  await using collector = new Collector();
  await using traced = await TestGateway.start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint } });
  const env = { TENSOR_WASM_URL: traced.url, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
  const { code } = await runProgram(["trace", "9".repeat(32)], env);
  assert.equal(code, 1);
  const own = collector.spans.find(({ name }) => name === "cli trace");
  assert.equal(own?.attributes["exit_code"], 1);
  assert.equal(own?.resource["service.name"], "tensor-wasm-cli");
  await until(
    "the gateway's span arrives",
    () =>
      collector.spans.some(({ name, parentSpanId }) =>
        name === "http.request" && parentSpanId === own?.spanId
      ),
  );
});
