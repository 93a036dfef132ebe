/**
 * Bodies: the limit of one and the budget of all, with and without a declared length, slow ones, and clients that
 * leave.
 */
import assert from "node:assert/strict";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { assertProblem, type ExpectedProblem } from "./problem.ts";
import { RawConnection } from "./raw_http.ts";
import { awaitSlotUsed } from "./stream_client.ts";

const BODY_BYTES_MAX = 65_536;
const JSON_BODY_BYTES_MAX = 32_768;

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: [
      ...["--body-bytes-max", String(BODY_BYTES_MAX), "--json-body-bytes-max", String(JSON_BODY_BYTES_MAX)],
      ...["--cells-min", "1", "--cells-max", "1", "--calls-per-cell-max", "1"],
    ],
  });
  for (const guest of ["add", "echo", "noop", "spin"]) await gateway.deploy(guest);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

/** What a call is, but for its function. */
interface Call {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly contentType?: string;
  readonly headers?: Record<string, string>;
}

async function invoke(guest: string, call: Call): Promise<Response> {
  return await fetch(`${gateway.url}/functions/${guest}/invoke`, {
    method: "POST",
    headers: { "content-type": call.contentType ?? "application/json", ...call.headers },
    body: call.body,
  });
}

function isReceived(traceId: string): (line: LogLine) => boolean {
  return (line) => line.message === "request.received" && line.trace_id === traceId;
}

// Sizes.
const TOO_LARGE: ExpectedProblem = {
  status: 413,
  kind: "body_too_large",
  message: new RegExp(`bodyBytesMax is ${BODY_BYTES_MAX}, got ${BODY_BYTES_MAX + 1}$`),
};

async function invokeChunked(input: Uint8Array): Promise<Response> {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "transfer-encoding: chunked",
  ]);
  for (let offset = 0; offset < input.length; offset += 20_000) {
    await connection.sendChunk(input.subarray(offset, offset + 20_000));
  }
  await connection.sendChunk(new Uint8Array(0));
  const answer = await connection.read();
  assert.ok(answer !== undefined, "the connection ended without an answer");
  return new Response(answer.body, { status: answer.status, headers: [...answer.headers] });
}

function letters(count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, index) => 97 + index % 26);
}

Deno.test("invoke takes input of exactly the body limit, with its length declared and without", async () => {
  const input = letters(BODY_BYTES_MAX);
  const text = new TextDecoder().decode(input);
  const declared = await invoke("echo", { body: input, contentType: "application/octet-stream" });
  assert.deepEqual([declared.status, await declared.text()], [200, text]);
  const chunked = await invokeChunked(input);
  assert.deepEqual([chunked.status, await chunked.text()], [200, text]);
});

Deno.test("invoke refuses one byte more, with its length declared and without", async () => {
  const input = letters(BODY_BYTES_MAX + 1);
  await assertProblem(
    await invoke("echo", { body: input, contentType: "application/octet-stream" }),
    TOO_LARGE,
  );
  await assertProblem(await invokeChunked(input), TOO_LARGE);
});

Deno.test("invoke takes JSON of exactly its own limit and no more", async () => {
  const body = (bytesCount: number): string => '{"input":"all of it"}'.padEnd(bytesCount);
  const whole = await invoke("echo", { body: body(JSON_BODY_BYTES_MAX) });
  assert.deepEqual([whole.status, await whole.text()], [200, "all of it"]);
  await assertProblem(await invoke("echo", { body: body(JSON_BODY_BYTES_MAX + 1) }), {
    status: 413,
    kind: "body_too_large",
    message: /jsonBodyBytesMax is 32768, got 32769$/,
  });
});

Deno.test("invoke refuses a body by its declared length before any of it came", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "content-length: 999999999999",
  ]);
  const answer = await connection.read();
  assert.equal(answer?.status, 413);
  assert.match(answer?.body ?? "", /bodyBytesMax is 65536, got 999999999999/);
});

/** The statuses of callers that send, all at the same time, what `send` sends. */
async function statusesOf(
  url: string,
  count: number,
  send: (connection: RawConnection) => Promise<void>,
): Promise<number[]> {
  return await Promise.all(Array.from({ length: count }, async () => {
    using connection = await RawConnection.open(url);
    await send(connection);
    return (await connection.read())?.status ?? 0;
  }));
}

Deno.test("callers that declare no length are served side by side", async () => {
  await using plain = await TestGateway.start();
  for (const guest of ["sleep", "echo"]) await plain.deploy(guest);
  const bare = await statusesOf(
    plain.url,
    16,
    (connection) => connection.sendHead("POST /functions/sleep/invoke?argv=50"),
  );
  assert.deepEqual(bare, new Array(16).fill(200), "without a body");
  const chunked = await statusesOf(plain.url, 16, async (connection) => {
    await connection.sendHead("POST /functions/echo/invoke", ["transfer-encoding: chunked"]);
    await connection.sendChunk(letters(3));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await connection.sendChunk(new Uint8Array(0));
  });
  assert.deepEqual(chunked, new Array(16).fill(200), "with chunks of three bytes");
});

for (const coding of ["content-length: 65536", "transfer-encoding: chunked"]) {
  Deno.test(`bodies under way have a budget together, by ${coding.split(":")[0]}`, async () => {
    const settings = {
      "body-bytes-max": BODY_BYTES_MAX,
      "bodies-bytes-max": 2 * BODY_BYTES_MAX,
      "drain-timeout-ms": 0,
    };
    await using bounded = await TestGateway.start({
      flags: Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, String(value)]),
    });
    await bounded.deploy("echo");
    const slow: RawConnection[] = [];
    for (const traceId of ["a".repeat(32), "b".repeat(32)]) {
      const connection = await RawConnection.open(bounded.url);
      await connection.sendHead("POST /functions/echo/invoke", [
        coding,
        "x-tensorwasm-deadline-ms: 3000",
        `traceparent: 00-${traceId}-00f067aa0ba902b7-01`,
      ]);
      const most = letters(BODY_BYTES_MAX - 100);
      await (coding.startsWith("content") ? connection.send(most) : connection.sendChunk(most));
      await bounded.line(isReceived(traceId));
      slow.push(connection);
    }
    const call = async (bytesCount: number): Promise<Response> =>
      await fetch(`${bounded.url}/functions/echo/invoke`, { method: "POST", body: letters(bytesCount) });
    // There is room until what was sent has been read.
    let refused = await call(1000);
    while (refused.status === 200) {
      await refused.body?.cancel();
      refused = await call(1000);
    }
    assert.match(refused.headers.get("retry-after") ?? "", /^[1-9]/);
    await assertProblem(refused, {
      status: 503,
      kind: "capacity_exhausted",
      message: new RegExp(`bodiesBytesMax is ${2 * BODY_BYTES_MAX}, got [0-9]+$`),
    });
    // A slow client's time ends with its deadline, and what it held is free again.
    for (const connection of slow) {
      assert.equal((await connection.read())?.status, 408);
      connection[Symbol.dispose]();
    }
    const served = await call(1000);
    assert.deepEqual([served.status, (await served.bytes()).length], [200, 1000]);
  });
}

Deno.test("invoke answers 408 when the body does not arrive before the deadline", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "x-tensorwasm-deadline-ms: 150",
    "content-length: 10",
  ]);
  await connection.send("only");
  const answer = await connection.read();
  assert.equal(answer?.status, 408);
  assert.match(answer?.body ?? "", /"request_timeout"/);
});

Deno.test("what a client sends after its 408 takes nothing of the budget", async () => {
  const settings = { "body-bytes-max": 2 * BODY_BYTES_MAX, "bodies-bytes-max": 2 * BODY_BYTES_MAX };
  await using bounded = await TestGateway.start({
    flags: Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, String(value)]),
  });
  await bounded.deploy("echo");
  using connection = await RawConnection.open(bounded.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "transfer-encoding: chunked",
    "x-tensorwasm-deadline-ms: 100",
  ]);
  await connection.sendChunk(letters(1));
  await bounded.line((line) => line.message === "request.completed" && line["status"] === 408);
  // The server may cut the connection by now.
  await connection.sendChunk(letters(BODY_BYTES_MAX)).catch(() => {});
  const whole = letters(2 * BODY_BYTES_MAX);
  const served = await fetch(`${bounded.url}/functions/echo/invoke`, { method: "POST", body: whole });
  assert.deepEqual([served.status, (await served.bytes()).length], [200, whole.length]);
});

for (const coding of ["content-length: 10", "transfer-encoding: chunked"]) {
  Deno.test(`a body that breaks off is the caller's mistake, by ${coding.split(":")[0]}`, async () => {
    using connection = await RawConnection.open(gateway.url);
    await connection.sendHead("POST /functions/echo/invoke", [coding]);
    await connection.send("5\r\nhel");
    await connection.closeWrite();
    const answer = await connection.read();
    assert.equal(answer?.status, 400);
    assert.match(answer?.body ?? "", /"bad_request","message":"Request body broke off"/);
  });
}

// Clients that leave.
for (
  const [what, head] of [
    ["a call", "POST /functions/echo/invoke"],
    ["a list", "GET /functions"],
    ["the document", "GET /openapi.json"],
  ] as const
) {
  Deno.test(`a client that leaves without reading the answer to ${what} harms nobody`, async () => {
    for (let count = 0; count < 5; count++) {
      using connection = await RawConnection.open(gateway.url);
      await connection.sendHead(head, ["content-length: 0"]);
    }
    const response = await invoke("add", { body: '{"export":"add","args":[20,22]}' });
    assert.deepEqual((await response.json()).result, [42]);
  });
}

Deno.test("a client that leaves stops its guest, also when its body came after its head", async () => {
  const traceId = "a1".repeat(16);
  {
    using connection = await RawConnection.open(gateway.url);
    await connection.sendHead("POST /functions/spin/invoke", [
      "content-type: application/json",
      "content-length: 16",
      "x-tensorwasm-deadline-ms: 30000",
      `traceparent: 00-${traceId}-00f067aa0ba902b7-01`,
    ]);
    await gateway.line(isReceived(traceId));
    await connection.send('{"export":"run"}');
    await awaitSlotUsed(gateway);
  }
  const left = await gateway.line((line) =>
    line.message === "request.completed" && line.trace_id === traceId
  );
  assert.equal(left["status"], 499);
});

Deno.test("a client that leaves while its call waits for a cell takes the call along", async () => {
  const [spinning, waiting] = ["8".repeat(32), "9".repeat(32)];
  const client = new AbortController();
  const spinner = fetch(`${gateway.url}/functions/spin/invoke?export=run`, {
    method: "POST",
    headers: { traceparent: `00-${spinning}-00f067aa0ba902b7-01` },
    signal: client.signal,
  });
  await awaitSlotUsed(gateway);
  {
    using connection = await RawConnection.open(gateway.url);
    await connection.sendHead("POST /functions/noop/invoke?export=run", [
      "content-length: 0",
      `traceparent: 00-${waiting}-00f067aa0ba902b7-01`,
    ]);
    await gateway.line(isReceived(waiting));
  }
  const left = await gateway.line((line) =>
    line.message === "request.completed" && line.trace_id === waiting
  );
  assert.equal(left["status"], 499);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.match(metrics, /^tensor_wasm_queue_depth 0$/m);
  client.abort();
  await assert.rejects(spinner);
});
