/**
 * Invocations that must be refused: each with its status, its kind and a message that names what was wrong; and
 * headers that must never be the reason for an error.
 */
import assert from "node:assert/strict";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { F32, F64, func, moduleOf, name, section, vec } from "../support/module_bytes.ts";
import { assertProblem, assertTraceId, type ExpectedProblem } from "./problem.ts";
import { RawConnection } from "./raw_http.ts";

const BODY_BYTES_MAX = 65_536;
const JSON_BODY_BYTES_MAX = 32_768;
const DEADLINE_MS = 5_000;
const TENANT = { "x-tensorwasm-tenant": "7" };

let gateway: TestGateway;
let addId: string;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: [
      ...["--body-bytes-max", String(BODY_BYTES_MAX), "--deadline-ms", String(DEADLINE_MS)],
      ...["--cells-min", "1", "--cells-max", "1", "--json-body-bytes-max", String(JSON_BODY_BYTES_MAX)],
    ],
  });
  addId = (await gateway.deploy("add", undefined, TENANT)).id;
  for (const guest of ["echo", "noop", "spin", "v128_result"]) await gateway.deploy(guest, undefined, TENANT);
  await gateway.deploy("floats", floats(), TENANT);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

/** `float` takes and returns an f32, `double` an f64. */
function floats(): Uint8Array<ArrayBuffer> {
  return moduleOf(
    section(1, vec(func([F32], [F32]), func([F64], [F64]))),
    section(3, vec([0], [1])),
    section(7, vec([...name("float"), 0, 0], [...name("double"), 0, 1])),
    section(10, vec([4, 0, 0x20, 0, 0x0b], [4, 0, 0x20, 0, 0x0b])),
  );
}

interface BadInvoke extends ExpectedProblem {
  readonly what: string;
  readonly ref?: string;
  readonly query?: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly contentType?: string;
  readonly headers?: Record<string, string>;
}

async function invoke(call: Omit<BadInvoke, "what" | "status" | "kind">): Promise<Response> {
  return await fetch(`${gateway.url}/functions/${call.ref ?? "add"}/invoke${call.query ?? ""}`, {
    method: "POST",
    headers: { "content-type": call.contentType ?? "application/json", ...TENANT, ...call.headers },
    body: call.body ?? "{}",
  });
}

function refuses(cases: readonly BadInvoke[]): void {
  for (const bad of cases) {
    Deno.test(`invoke refuses ${bad.what}`, async () => {
      await assertProblem(await invoke(bad), bad);
    });
  }
}

// Bodies.
const INVALID_JSON = { status: 400, kind: "invalid_json" } as const;
refuses([
  { what: "malformed JSON", body: '{"export":"add"', ...INVALID_JSON },
  { what: "a JSON array", body: "[]", ...INVALID_JSON },
  {
    what: "JSON that is not UTF-8",
    body: Uint8Array.from([0x22, 0xff, 0x22]),
    ...INVALID_JSON,
    message: /UTF-8/,
  },
  { what: "an export that is a number", body: '{"export":1}', ...INVALID_JSON, message: /^export: / },
  {
    what: "args that are an object",
    body: '{"args":{}}',
    status: 400,
    kind: "invalid_args",
    message: /^args: /,
  },
  { what: "argv that is a text", body: '{"argv":"-v"}', ...INVALID_JSON, message: /^argv: / },
  { what: "an env value that is a number", body: '{"env":{"A":1}}', ...INVALID_JSON, message: /^env\.A: / },
  {
    what: "args nested 10,000 deep",
    body: `{"export":"add","args":[${"[".repeat(10_000)}${"]".repeat(10_000)},1]}`,
    status: 400,
    kind: "invalid_args",
    message: /^Argument 0: expected i32, got an array$/,
  },
]);

Deno.test("invoke hands on input nested 10,000 deep as it was written", async () => {
  const input = "[".repeat(10_000) + "]".repeat(10_000);
  const response = await invoke({ ref: "echo", body: `{"input":${input}}` });
  assert.deepEqual([response.status, await response.text()], [200, input]);
});

// Sizes.
const TOO_LARGE: ExpectedProblem = {
  status: 413,
  kind: "body_too_large",
  message: new RegExp(`bodyBytesMax is ${BODY_BYTES_MAX}, got ${BODY_BYTES_MAX + 1}$`),
};

async function invokeChunked(input: Uint8Array): Promise<Response> {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "x-tensorwasm-tenant: 7",
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
  const declared = await invoke({ ref: "echo", body: input, contentType: "application/octet-stream" });
  assert.deepEqual([declared.status, await declared.text()], [200, text]);
  const chunked = await invokeChunked(input);
  assert.deepEqual([chunked.status, await chunked.text()], [200, text]);
});

Deno.test("invoke refuses one byte more, with its length declared and without", async () => {
  const input = letters(BODY_BYTES_MAX + 1);
  await assertProblem(
    await invoke({ ref: "echo", body: input, contentType: "application/octet-stream" }),
    TOO_LARGE,
  );
  await assertProblem(await invokeChunked(input), TOO_LARGE);
});

Deno.test("invoke takes JSON of exactly its own limit and no more", async () => {
  const body = (bytesCount: number): string => '{"input":"all of it"}'.padEnd(bytesCount);
  const whole = await invoke({ ref: "echo", body: body(JSON_BODY_BYTES_MAX) });
  assert.deepEqual([whole.status, await whole.text()], [200, "all of it"]);
  await assertProblem(await invoke({ ref: "echo", body: body(JSON_BODY_BYTES_MAX + 1) }), {
    status: 413,
    kind: "body_too_large",
    message: /jsonBodyBytesMax is 32768, got 32769$/,
  });
});

Deno.test("invoke refuses a body by its declared length before any of it came", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "x-tensorwasm-tenant: 7",
    "content-length: 999999999999",
  ]);
  const answer = await connection.read();
  assert.equal(answer?.status, 413);
  assert.match(answer?.body ?? "", /bodyBytesMax is 65536, got 999999999999/);
});

Deno.test("invoke answers 408 when the body does not arrive before the deadline", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions/echo/invoke", [
    "x-tensorwasm-tenant: 7",
    "x-tensorwasm-deadline-ms: 150",
    "content-length: 10",
  ]);
  await connection.send("only");
  const answer = await connection.read();
  assert.equal(answer?.status, 408);
  assert.match(answer?.body ?? "", /"request_timeout"/);
});

// Arguments.
const INVALID_ARGS = { status: 400, kind: "invalid_args" } as const;

function withArgs(exported: string, args: string): string {
  return `{"export":"${exported}","args":${args}}`;
}

refuses([
  ...([
    ["a text", '["two",1]', 0, "i32", "a string that is not a number"],
    ["null", "[1,null]", 1, "i32", "null"],
    ["an object", "[1,{}]", 1, "i32", "an object"],
    ["an array", "[[],1]", 0, "i32", "an array"],
    ["a fraction", "[1.5,1]", 0, "i32", "a number that does not fit"],
    ["an empty text", '["",1]', 0, "i32", "a string that is not a number"],
    ["a number in hexadecimal", '["0x10",1]', 0, "i32", "a string that is not a number"],
    ["a text with spaces", '[" 1",1]', 0, "i32", "a string that is not a number"],
  ] as const).map(([what, args, index, expected, got]) => ({
    what: `${what} for an i32`,
    body: withArgs("add", args),
    ...INVALID_ARGS,
    message: new RegExp(`^Argument ${index}: expected ${expected}, got ${got}$`),
  })),
  ...["-2147483649", "4294967296"].map((value) => ({
    what: `${value} for an i32`,
    body: withArgs("add", `[1,${value}]`),
    ...INVALID_ARGS,
    message: /^Argument 1: expected i32 in -2147483648\.\.4294967295/,
  })),
  ...["-9223372036854775809", "18446744073709551616", '"1e3"'].map((value) => ({
    what: `${value} for an i64`,
    body: withArgs("add64", `[1,${value}]`),
    ...INVALID_ARGS,
    message: /^Argument 1: expected i64/,
  })),
  {
    what: "a boolean for an i64",
    body: withArgs("add64", "[1,true]"),
    ...INVALID_ARGS,
    message: /got a boolean$/,
  },
  {
    what: "1e39 for an f32",
    body: '{"export":"float","args":[1e39]}',
    ref: "floats",
    ...INVALID_ARGS,
    message: /^Argument 0: expected f32/,
  },
  {
    what: "1e309 for an f64",
    body: '{"export":"double","args":["1e309"]}',
    ref: "floats",
    ...INVALID_ARGS,
    message: /^Argument 0: expected f64/,
  },
  {
    what: "too few arguments",
    body: withArgs("add", "[1]"),
    ...INVALID_ARGS,
    message: /\(i32, i32\) -> \(i32\) takes 2 arguments, got 1$/,
  },
  {
    what: "more arguments than parameters",
    body: withArgs("add", "[1,2,3]"),
    ...INVALID_ARGS,
    message: /takes 2 arguments, got 3$/,
  },
  {
    what: "257 arguments",
    body: withArgs("add", JSON.stringify(new Array(257).fill(1))),
    status: 400,
    kind: "too_many_args",
    message: /argsCountMax is 256, got 257$/,
  },
  {
    what: "query args that are no JSON",
    body: "x",
    contentType: "text/plain",
    query: "?export=add&args=[1",
    ...INVALID_ARGS,
    message: /^Query parameter args is not JSON$/,
  },
  {
    what: "query args that are no array",
    body: "x",
    contentType: "text/plain",
    query: "?export=add&args=1",
    ...INVALID_ARGS,
  },
]);

// Exports.
refuses([
  {
    what: "an unknown export",
    body: '{"export":"subtract"}',
    status: 400,
    kind: "missing_export",
    message: /no function "subtract"; it exports "add", "add64", "addf32", "addf64", "divmod"$/,
  },
  {
    what: "an export that is a memory",
    ref: "echo",
    body: '{"export":"memory"}',
    status: 400,
    kind: "missing_export",
  },
  {
    what: "no export where there is neither default",
    ref: "noop",
    status: 400,
    kind: "missing_export",
    message: /no function "_start" or "main"; it exports "run"$/,
  },
  {
    what: "an export that returns a vector",
    ref: "v128_result",
    body: '{"export":"run"}',
    status: 400,
    kind: "unsupported_return_type",
    message: /"run" \(\) -> \(v128\)/,
  },
  {
    what: "an export that returns a reference",
    ref: "v128_result",
    body: '{"export":"null_reference"}',
    status: 400,
    kind: "unsupported_return_type",
  },
  {
    what: "an export that takes a vector",
    ref: "v128_result",
    body: '{"export":"take_vector","args":[1]}',
    ...INVALID_ARGS,
    message: /^Argument 0: expected v128/,
  },
]);

// Program arguments and environment.
const BAD_REQUEST = { status: 400, kind: "bad_request" } as const;
refuses([
  {
    what: "257 entries of argv",
    body: JSON.stringify({ argv: new Array(257).fill("") }),
    ref: "echo",
    ...BAD_REQUEST,
    message: /argv entries: count is 256, got 257$/,
  },
  { what: "argv with a NUL", body: '{"argv":["a\\u0000b"]}', ref: "echo", ...BAD_REQUEST, message: /NUL/ },
  {
    what: "an env name that is empty",
    body: '{"env":{"":"x"}}',
    ref: "echo",
    ...BAD_REQUEST,
    message: /NAME=value/,
  },
  {
    what: "an env entry without =",
    body: "x",
    contentType: "text/plain",
    query: "?env=NAME",
    ref: "echo",
    ...BAD_REQUEST,
    message: /NAME=value/,
  },
]);

// Functions.
const NOT_FOUND = { status: 404, kind: "not_found" } as const;
refuses([
  {
    what: "an unknown id",
    ref: "00000000-0000-4000-8000-000000000000",
    ...NOT_FOUND,
    message: /^No function 00000000-/,
  },
  { what: "an unknown name", ref: "nobody", ...NOT_FOUND, message: /^No function nobody$/ },
  { what: "an unknown version", ref: "add@2", ...NOT_FOUND, message: /^No function add@2$/ },
  { what: "version 0", ref: "add@0", ...NOT_FOUND },
  { what: "a name that is no UTF-8", ref: "%ff%fe", ...NOT_FOUND },
  { what: "a name with a broken escape", ref: "%zz", ...NOT_FOUND },
  { what: "a name that climbs", ref: "..%2f..%2fetc%2fpasswd", ...NOT_FOUND },
  { what: "a name of another tenant", headers: { "x-tensorwasm-tenant": "8" }, ...NOT_FOUND },
]);

Deno.test("a function of another tenant can be neither invoked, read nor removed by its id", async () => {
  const denied: ExpectedProblem = { status: 403, kind: "tenant_scope_denied", message: /another tenant$/ };
  const headers = { "x-tensorwasm-tenant": "8" };
  await assertProblem(await invoke({ ref: addId, headers }), denied);
  await assertProblem(await fetch(`${gateway.url}/functions/${addId}`, { headers }), denied);
  await assertProblem(
    await fetch(`${gateway.url}/functions/${addId}`, { method: "DELETE", headers }),
    denied,
  );
  const body = '{"export":"add","args":[1,2]}';
  assert.deepEqual((await (await invoke({ ref: addId, body })).json()).result, [3]);
});

// Headers.
refuses([
  ...["0", "-1", "1.5", "1e3", "soon", "9999999999"].map((deadline) => ({
    what: `the deadline ${deadline}`,
    headers: { "x-tensorwasm-deadline-ms": deadline },
    ...BAD_REQUEST,
    message: /^X-TensorWasm-Deadline-Ms is not a positive whole number$/,
  })),
  {
    what: "a deadline of one millisecond more than the limit",
    headers: { "x-tensorwasm-deadline-ms": String(DEADLINE_MS + 1) },
    ...BAD_REQUEST,
    message: new RegExp(`deadlineMs is ${DEADLINE_MS}, got ${DEADLINE_MS + 1}$`),
  },
  {
    what: "a tenant that is no number",
    headers: { "x-tensorwasm-tenant": "acme" },
    status: 400,
    kind: "missing_tenant",
  },
]);

Deno.test("invoke takes a deadline of exactly the limit", async () => {
  const headers = { "x-tensorwasm-deadline-ms": String(DEADLINE_MS) };
  const response = await invoke({ body: withArgs("add", "[1,1]"), headers });
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

// Trace context: never an error, whatever it is.
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const MALFORMED_TRACEPARENTS = [
  "",
  "garbage",
  `00-${TRACE}-00f067aa0ba902b7`,
  `00-${TRACE}-00f067aa0ba902b7-01-extra`,
  `ff-${TRACE}-00f067aa0ba902b7-01`,
  `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
  `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
  `00-${TRACE}-0000000000000000-01`,
  `00-${TRACE}-00f067aa0ba902b7-0g`,
  `00_${TRACE}_00f067aa0ba902b7_01`,
  `00-${TRACE}0-00f067aa0ba902b7-01`,
  `00-${TRACE}-00f067aa0ba902b7-01, 00-${TRACE}-00f067aa0ba902b7-01`,
  "0".repeat(8000),
];
for (const traceparent of MALFORMED_TRACEPARENTS) {
  Deno.test(`a traceparent of ${JSON.stringify(traceparent.slice(0, 70))} is a fresh root`, async () => {
    const response = await invoke({ body: withArgs("add", "[1,1]"), headers: { traceparent } });
    assert.equal(response.status, 200);
    assert.notEqual(assertTraceId(response), TRACE);
    await response.body?.cancel();
  });
}

Deno.test("malformed tracestate and baggage leave the trace as it is", async () => {
  const headers = {
    traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
    tracestate: "=,=,===,,,\tno",
    baggage: "%%%,=;;;,a=b;c",
  };
  const response = await invoke({ body: withArgs("add", "[1,1]"), headers });
  assert.equal(response.status, 200);
  assertTraceId(response, TRACE);
  await response.body?.cancel();
});

Deno.test("a header of 8 KiB that nobody reads is no reason for an error", async () => {
  const response = await invoke({ body: withArgs("add", "[1,1]"), headers: { "x-large": "h".repeat(8192) } });
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("headers without end are cut off, and the gateway serves on", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.send("GET /healthz HTTP/1.1\r\nhost: gateway\r\nx-large: ").catch(() => {});
  for (let sent = 0; sent < 64; sent++) {
    // The server may close in the middle of it; that is the point.
    const written = await connection.send(new Uint8Array(65_536).fill(0x68)).then(() => true, () => false);
    if (!written) break;
  }
  const answer = await connection.read();
  assert.ok(answer === undefined || [400, 431].includes(answer.status), `answered ${answer?.status}`);
  const healthy = await fetch(`${gateway.url}/healthz`);
  assert.equal(healthy.status, 200);
  await healthy.body?.cancel();
});

// Routes.
const ROUTES: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/"],
  ["GET", "/function"],
  ["GET", "/functions/add/invoke"],
  ["PUT", "/functions/add"],
  ["POST", "/functions/add/invoke/now"],
  ["POST", "/healthz"],
  ["GET", "/%2e%2e/%2e%2e/etc/passwd"],
  ["GET", "/docs/..%2f..%2fdeno.json"],
  ["GET", "/docs/swagger-ui-bundle.js.map"],
];
for (const [method, path] of ROUTES) {
  Deno.test(`${method} ${path} is no route`, async () => {
    const response = await fetch(`${gateway.url}${path}`, { method, headers: TENANT });
    await assertProblem(response, { ...NOT_FOUND, message: /^No such route$/ });
  });
}

Deno.test("a page of functions outside 1 to 1000, or behind a cursor of nobody's, is refused", async () => {
  for (
    const query of [
      "limit=0",
      "limit=1001",
      "limit=ten",
      "limit=",
      "cursor=nonsense",
      `cursor=${"c".repeat(201)}`,
    ]
  ) {
    const response = await fetch(`${gateway.url}/functions?${query}`, { headers: TENANT });
    await assertProblem(response, BAD_REQUEST);
  }
});

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
      await connection.sendHead(head, ["x-tensorwasm-tenant: 7", "content-length: 0"]);
    }
    const response = await invoke({ body: withArgs("add", "[20,22]") });
    assert.deepEqual((await response.json()).result, [42]);
  });
}

function isReceived(traceId: string): (line: LogLine) => boolean {
  return (line) => line.message === "request.received" && line.trace_id === traceId;
}

Deno.test("a client that leaves while its call waits for a cell takes the call along", async () => {
  const [spinning, waiting] = ["8".repeat(32), "9".repeat(32)];
  const headers = {
    "x-tensorwasm-deadline-ms": "1000",
    traceparent: `00-${spinning}-00f067aa0ba902b7-01`,
  };
  const spinner = invoke({ ref: "spin", body: '{"export":"run"}', headers });
  // The line is written some time after the call has gone to its cell.
  await gateway.line(isReceived(spinning));
  {
    using connection = await RawConnection.open(gateway.url);
    await connection.sendHead("POST /functions/noop/invoke?export=run", [
      "x-tensorwasm-tenant: 7",
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
  await assertProblem(await spinner, { status: 504, kind: "invoke_timeout" });
});

Deno.test("nothing was logged but JSON lines, and no error was one of ours", () => {
  assert.deepEqual(gateway.strayLines, []);
  const bugs = gateway.lines.filter((line: LogLine) => line["kind"] === "internal");
  assert.deepEqual(bugs, []);
});

Deno.test("arguments are in no log line, also when they are refused", async () => {
  const secret = "77777777777777";
  await assertProblem(await invoke({ body: withArgs("add", `[1,${secret}]`) }), INVALID_ARGS);
  await assertProblem(await invoke({ body: withArgs("add", `["${secret}x",1]`) }), INVALID_ARGS);
  const query = `?export=add&args=[${secret},1]`;
  await assertProblem(await invoke({ body: "x", contentType: "text/plain", query }), INVALID_ARGS);
  const { trace_id } = await assertProblem(await invoke({ ref: "nobody" }), NOT_FOUND);
  await gateway.line((line) => line.message === "request.completed" && line.trace_id === trace_id);
  assert.deepEqual(gateway.lines.filter((line) => JSON.stringify(line).includes(secret)), []);
});
