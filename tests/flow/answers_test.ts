/**
 * Large answers: they come as they are, and clients that do not read them fill no memory.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { submitJob } from "./job_calls.ts";
import { RawConnection } from "./raw_http.ts";
import { metricsOf } from "./stream_client.ts";

/** More than the sockets on the way take. */
const LARGE_BYTES = 16 * 1024 * 1024;
const HELD = "tensor_wasm_answers_held_bytes";

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: ["--answers-bytes-max", String(LARGE_BYTES + 1), "--stream-drain-ms", "600000"],
  });
  await gateway.deploy("echo");
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

/** A client whose call is answered with what it sent, and which does not read that. */
async function openUnread(): Promise<RawConnection> {
  const connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [`content-length: ${LARGE_BYTES}`]);
  await connection.send(new Uint8Array(LARGE_BYTES));
  return connection;
}

async function heldBytes(): Promise<number> {
  const [held = NaN] = await metricsOf(gateway, HELD);
  return held;
}

async function awaitHeld(isAsExpected: (bytes: number) => boolean): Promise<void> {
  for (let looks = 0; !isAsExpected(await heldBytes()); looks++) {
    assert.ok(looks < 1000, `${await heldBytes()} bytes are held`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("a large answer comes as it is, with its length, from a call and from a job", async () => {
  const input = new Uint8Array(LARGE_BYTES).map((_, index) => index % 251);
  const called = await fetch(`${gateway.url}/functions/echo/invoke`, { method: "POST", body: input });
  assert.equal(called.headers.get("content-length"), String(LARGE_BYTES));
  assert.deepEqual(await called.bytes(), input);
  const id = await submitJob(gateway, "echo", input);
  await (await fetch(`${gateway.url}/jobs/${id}?wait=60s`)).body?.cancel();
  const output = await fetch(`${gateway.url}/jobs/${id}/output`);
  assert.equal(output.headers.get("content-length"), String(LARGE_BYTES));
  assert.deepEqual(await output.bytes(), input);
  assert.equal(await heldBytes(), 0);
});

Deno.test("clients that do not read give way to others, and whoever leaves holds nothing", async () => {
  using first = await openUnread();
  await awaitHeld((bytes) => bytes === LARGE_BYTES);
  {
    using second = await openUnread();
    const line = await gateway.line(({ message }) => message === "answer.broken_off");
    assert.equal(line["reason"], "slow");
    assert.match(line.trace_id ?? "", /^[0-9a-f]{32}$/);
    await awaitHeld((bytes) => bytes === LARGE_BYTES);
    // One of the two was cut off in its middle; the other one can still be read.
    const read = await Promise.all(
      [first, second].map(async (client) => (await client.readAll(LARGE_BYTES)).length),
    );
    assert.deepEqual(read.map((bytes) => bytes >= LARGE_BYTES).sort(), [false, true]);
  }
  await awaitHeld((bytes) => bytes === 0);
});
