/**
 * The gateway's output: what scripts and log shippers read, and what happens when nobody does.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";
import { runProgram, until } from "./program.ts";

Deno.test("stdout is one line for scripts and then JSON lines, stderr is empty", async () => {
  await using gateway = await TestGateway.start();
  await gateway.deploy("log_lines");
  await (await gateway.invoke("log_lines", { argv: ["20"] })).body?.cancel();
  gateway.signal("SIGTERM");
  assert.equal((await gateway.status).code, 0);
  assert.equal(await gateway.stderr, "");
  assert.deepEqual(gateway.strayLines, []);
  for (const line of gateway.lines) {
    const fields = Object.keys(line).slice(0, 5);
    assert.deepEqual(fields, ["timestamp", "level", "target", "message", "service"]);
  }
});

Deno.test("a gateway whose output nobody reads any more serves on, and ends well", async () => {
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    await using child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--allow-all", "main.ts"],
        ...["serve", "--addr", "127.0.0.1:0", "--data", dataFolder],
      ],
      cwd: new URL("../../", import.meta.url).pathname,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stderr = child.stderr.text();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const [, url = ""] = /^listening on (\S+)\n/.exec(new TextDecoder().decode(value)) ?? [];
    await reader.cancel();
    for (let index = 0; index < 20; index++) {
      const response = await fetch(`${url}/functions?name=unheard`, {
        method: "POST",
        headers: { "content-type": "application/wasm" },
        body: readGuest("add"),
      });
      assert.equal((await response.json()).version, index + 1);
    }
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
    assert.equal(await stderr, "");
  } finally {
    await Deno.remove(dataFolder, { recursive: true });
  }
});

Deno.test("TENSOR_WASM_LOG decides on lines by target and level", async () => {
  await using gateway = await TestGateway.start({ env: { TENSOR_WASM_LOG: "warn,guest=info" } });
  await gateway.deploy("log_lines");
  await (await gateway.invoke("log_lines", { argv: ["1"] })).body?.cancel();
  await (await gateway.invoke("nobody")).body?.cancel();
  gateway.signal("SIGTERM");
  await gateway.status;
  const printed = gateway.lines.map((line) => [line.message, line["level"]]);
  assert.deepEqual(printed, [
    ["guest.stdout", "info"],
    ["guest.stderr", "warn"],
    ["request.failed", "warn"],
  ]);
});

Deno.test("TENSOR_WASM_LOG=off leaves the first line alone", async () => {
  await using gateway = await TestGateway.start({ env: { TENSOR_WASM_LOG: "off" } });
  await (await gateway.invoke("nobody")).body?.cancel();
  gateway.signal("SIGTERM");
  assert.equal((await gateway.status).code, 0);
  assert.deepEqual([gateway.lines, gateway.strayLines], [[], []]);
});

Deno.test("TENSOR_WASM_LOG with a span shows what happens inside such spans, the guest's lines too", async () => {
  const filter = "warn,[http.invoke_function{name=log_lines,tenant=7}]=info";
  await using gateway = await TestGateway.start({ env: { TENSOR_WASM_LOG: filter } });
  await gateway.deploy("log_lines", undefined, { "x-tensorwasm-tenant": "7" });
  await gateway.deploy("log_lines");
  await (await gateway.invoke("log_lines", { argv: ["1"] })).body?.cancel();
  const heard = await gateway.invoke("log_lines", { argv: ["1"] }, { "x-tensorwasm-tenant": "7" });
  await heard.body?.cancel();
  gateway.signal("SIGTERM");
  await gateway.status;
  const shown = gateway.lines.map((line) => [line.message, line["tenant"], line.trace_id]);
  const traceId = heard.headers.get("x-trace-id");
  assert.deepEqual(shown.filter(([message]) => message === "guest.stdout"), [["guest.stdout", "7", traceId]]);
  assert.equal(shown.filter(([message]) => message === "guest.stderr").length, 2, "warn for all");
});

Deno.test("a bad TENSOR_WASM_LOG stops the start and shows the place", async () => {
  const { code, stdout, stderr } = await runProgram(["serve"], { TENSOR_WASM_LOG: "info,guest[x{a=(]" });
  assert.deepEqual([code, stdout], [2, ""]);
  const [what, filter, caret] = stderr.split("\n");
  assert.match(what ?? "", /^error: TENSOR_WASM_LOG: Not a regular expression: missing closing \)/);
  assert.deepEqual([filter, caret], ["  info,guest[x{a=(]", "                 ^"]);
});

Deno.test("--debug turns tracing on and the log to debug, whatever the variables say", async () => {
  const env = { TENSOR_WASM_LOG: "off", TENSOR_WASM_TRACING: "off", OTEL_SDK_DISABLED: "true" };
  await using gateway = await TestGateway.start({ env, flags: ["--debug"] });
  const response = await gateway.invoke("nobody");
  await response.body?.cancel();
  const traceId = response.headers.get("x-trace-id");
  assert.match(traceId ?? "", /^[0-9a-f]{32}$/);
  await gateway.line((line) => line.message === "request.completed" && line.trace_id === traceId);
});

Deno.test("a guest that logs too much is cut off, and one line tells of it", async () => {
  const flags = ["--guest-log-lines-per-second-max", "1", "--guest-log-lines-burst-max", "4"];
  await using gateway = await TestGateway.start({ flags });
  await gateway.deploy("log_lines");
  const response = await gateway.invoke("log_lines", { argv: ["20"] });
  await response.body?.cancel();
  const told = await gateway.line((line) => line.message === "guest.lines_dropped");
  const written = gateway.lines.filter((line) => /^guest\.std/.test(line.message)).length;
  assert.equal(written + Number(told["count"]), 40);
  assert.ok(written < 10, `${written}`);
  assert.equal(told.trace_id, response.headers.get("x-trace-id"));
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  const { count } = told;
  assert.ok(metrics.includes(`tensor_wasm_log_lines_dropped_total{reason="guest_rate"} ${count}`), metrics);
});

/** Runs a gateway in a terminal of its own, asks it once, and returns what it printed. */
async function printedInTerminal(
  folder: string,
  flags: string,
  isDone: () => Promise<boolean>,
): Promise<string> {
  const serve = `main.ts serve --addr 127.0.0.1:0 --data ${folder}/data ${flags}`;
  const command = `exec ${Deno.execPath()} run --quiet --no-check --allow-all ${serve}`;
  // util-linux's script makes the terminal; `timeout` sees to it that nothing outlives a failure of the test.
  const child = new Deno.Command("timeout", {
    args: ["30", "script", "--quiet", "--flush", "--command", command, "/dev/null"],
    cwd: new URL("../../", import.meta.url).pathname,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  let isAsked = false;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const url = /listening on (\S+)/.exec(text)?.[1];
    if (url !== undefined && !isAsked) {
      isAsked = true;
      await (await fetch(`${url}/functions/nobody`)).body?.cancel();
      if (flags !== "") await until("a line", isDone);
    }
    if (isAsked && (flags !== "" || text.includes("request.completed"))) break;
  }
  child.kill("SIGTERM");
  await child.status;
  return text;
}

Deno.test("in a terminal, lines are for people; in a log file they are JSON all the same", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    const printed = await printedInTerminal(folder, "", () => Promise.resolve(true));
    assert.match(printed, /\d\d:\d\d:\d\d\.\d{3} INFO {2}tensor_wasm_api request\.completed method="GET" /);
    const log = `${folder}/log`;
    const isLogged = async (): Promise<boolean> =>
      (await Deno.readTextFile(log)).includes("request.completed");
    const rest = await printedInTerminal(folder, `--log-file ${log}`, isLogged);
    assert.equal(rest.includes("request.completed"), false);
    for (const line of (await Deno.readTextFile(log)).trimEnd().split("\n")) JSON.parse(line);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
