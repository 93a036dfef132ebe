/**
 * The gateway's output: what scripts and log shippers read, and what happens when nobody does.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";

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
