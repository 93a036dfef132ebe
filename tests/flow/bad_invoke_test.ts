/**
 * Invocations that must be refused: each with its status, its kind and a message that names what was wrong.
 */
import assert from "node:assert/strict";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { F32, F64, func, moduleOf, name, section, vec } from "../support/module_bytes.ts";
import { assertProblem, type ExpectedProblem } from "./problem.ts";

const DEADLINE_MS = 5_000;
const TENANT = { "x-tensorwasm-tenant": "7" };

let gateway: TestGateway;
let addId: string;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: [
      ...["--deadline-ms", String(DEADLINE_MS), "--cells-min", "1", "--cells-max", "1"],
    ],
  });
  addId = (await gateway.deploy("add", undefined, TENANT)).id;
  for (const guest of ["echo", "noop", "v128_result"]) await gateway.deploy(guest, undefined, TENANT);
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
    message: /^Query parameter args is not JSON: wrong at line 1, column [0-9]+; expected an array/,
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
    what: "a JSON body without its Content-Type",
    body: '{"export":"add","args":[1,2]}',
    contentType: "application/x-www-form-urlencoded",
    status: 400,
    kind: "missing_export",
    message:
      /"divmod"\. The body is taken as the guest's input, as its Content-Type is not application\/json$/,
  },
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
