/**
 * Deploys that must be refused: each with its status, its kind and a message that says what was wrong, and
 * nothing of any of them is stored.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";
import { func, I32, I64, moduleOf, name, section, vec } from "../support/module_bytes.ts";
import { padModule } from "./padded_module.ts";
import { assertProblem, type ExpectedProblem } from "./problem.ts";
import { RawConnection } from "./raw_http.ts";

const BODY_BYTES_MAX = 65_536;
const MODULE_BYTES_MAX = 60_000;
const FACTS_BYTES_MAX = 4096;
const encoder = new TextEncoder();

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: [
      ...["--body-bytes-max", String(BODY_BYTES_MAX), "--module-bytes-max", String(MODULE_BYTES_MAX)],
      ...["--cells-min", "1", "--cells-max", "1", "--facts-bytes-max", String(FACTS_BYTES_MAX)],
    ],
  });
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

interface BadDeploy extends ExpectedProblem {
  readonly what: string;
  readonly body: Uint8Array<ArrayBuffer> | string;
  readonly contentType?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
}

async function deploy(bad: BadDeploy, tenant: string): Promise<Response> {
  const { body, contentType, query, headers } = bad;
  const isText = typeof body === "string";
  return await fetch(`${gateway.url}/functions${query ?? (isText ? "" : "?name=refused")}`, {
    method: "POST",
    headers: {
      "content-type": contentType ?? (isText ? "application/json" : "application/wasm"),
      "x-tensorwasm-tenant": tenant,
      ...headers,
    },
    body: isText ? encoder.encode(body) : body,
  });
}

async function assertNothingStored(tenant: string): Promise<void> {
  const response = await fetch(`${gateway.url}/functions`, { headers: { "x-tensorwasm-tenant": tenant } });
  assert.deepEqual(await response.json(), { functions: [] });
}

let tenantsCount = 0;

/** One test for each case, in a tenant of its own. */
function refuses(cases: readonly BadDeploy[]): void {
  for (const bad of cases) {
    const tenant = String(++tenantsCount);
    Deno.test(`deploy refuses ${bad.what}`, async () => {
      await assertProblem(await deploy(bad, tenant), bad);
      await assertNothingStored(tenant);
    });
  }
}

const WORD_FREQ = readGuest("word_freq");
const ADD = readGuest("add");
const MALFORMED: ExpectedProblem = {
  status: 400,
  kind: "invalid_wasm",
  message: /^Module is malformed at byte \d+: \w/,
};
const INVALID_WASM = { status: 400, kind: "invalid_wasm" } as const;

/** A module that imports one thing from a host module. */
function importing(module: string, field: string, description: readonly number[]): Uint8Array<ArrayBuffer> {
  return moduleOf(
    section(1, vec(func([I64], [I32]))),
    section(2, vec([...name(module), ...name(field), ...description])),
  );
}

function json(members: unknown): string {
  return JSON.stringify(members);
}

function deployJson(functionName: unknown, wasm: unknown = ADD.toBase64()): string {
  return json({ name: functionName, wasm_b64: wasm });
}

// Bytes that are no module.
refuses([
  ...[0, 1, 4, 7].map((length) => ({
    what: `a module cut to ${length} bytes`,
    body: WORD_FREQ.slice(0, length),
    ...INVALID_WASM,
    message: new RegExp(`^Module of ${length} bytes is shorter than magic and version \\(8 bytes\\)$`),
  })),
  ...[9, 10, 50, 500, 5000, WORD_FREQ.length - 1].map((length) => ({
    what: `a module cut to ${length} bytes`,
    body: WORD_FREQ.slice(0, length),
    ...MALFORMED,
  })),
  { what: "a text", body: encoder.encode("console.log('I am not wasm')"), ...MALFORMED, message: /magic/ },
  { what: "a wrong magic number", body: ADD.with(0, 1), ...MALFORMED, message: /magic/ },
  { what: "version 2", body: ADD.with(4, 2), ...MALFORMED, message: /version is not 1/ },
  {
    what: "a component",
    body: Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, ...ADD.slice(8)]),
    ...MALFORMED,
    message: /component, not a core module/,
  },
  {
    what: "a body that does not type-check",
    body: moduleOf(section(1, vec(func([], [I32]))), section(3, vec([0])), section(10, vec([2, 0, 0x0b]))),
    ...INVALID_WASM,
    message: /^Module does not validate$/,
  },
]);

// Modules that ask for what is not there.
refuses([
  {
    what: "an import of an unknown host module",
    body: readGuest("unknown_import"),
    ...INVALID_WASM,
    message: /^Unknown import "env\.mystery" \(i32\) -> \(i32\): no host module of that name/,
  },
  {
    what: "an import of an unknown function of a known host module",
    body: importing("wasi_snapshot_preview1", "fd_teleport", [0, 0]),
    ...INVALID_WASM,
    message:
      /^Unknown import "wasi_snapshot_preview1\.fd_teleport" \(i64\) -> \(i32\): .*no function of that name/,
  },
  {
    what: "an import named like a member of every object",
    body: importing("wasi_snapshot_preview1", "__proto__", [0, 0]),
    ...INVALID_WASM,
    message: /^Unknown import/,
  },
  {
    what: "an import with the wrong signature",
    body: readGuest("bad_signature_import"),
    ...INVALID_WASM,
    message:
      /^Import "wasi_snapshot_preview1\.fd_write" \(i64\) -> \(i32\) .*expected \(i32, i32, i32, i32\) -> \(i32\)$/,
  },
  {
    what: "an imported memory",
    body: importing("wasi_snapshot_preview1", "memory", [2, 0, 1]),
    ...INVALID_WASM,
    message: /\(memory\): host modules offer functions only$/,
  },
  {
    what: "a memory above the limit",
    body: readGuest("big_memory"),
    status: 413,
    kind: "module_memory_too_large",
    message: /memoryBytesMax is 268435456, got 327680000$/,
  },
  {
    what: "two memories",
    body: moduleOf(section(5, vec([0, 1], [0, 1]))),
    ...INVALID_WASM,
    message: /2 memories/,
  },
  {
    what: "tables that are above the limit together",
    body: moduleOf(section(4, vec([0x70, 0, 0xa0, 0xc2, 0x1e], [0x70, 0, 0xa0, 0xc2, 0x1e], [0x70, 0, 1]))),
    status: 413,
    kind: "module_memory_too_large",
    message: /tableElementsMax is 1000000, got 1000001$/,
  },
  {
    what: "exports that are more to remember than the limit",
    body: moduleOf(
      section(1, vec(func())),
      section(3, vec([0])),
      section(7, vec(...Array.from({ length: 100 }, (_, index) => [...name(`export ${index}`), 0, 0]))),
      section(10, vec([2, 0, 0x0b])),
    ),
    status: 413,
    kind: "module_too_large",
    message: /factsBytesMax is 4096, got [0-9]+$/,
  },
  {
    what: "a shared memory",
    body: moduleOf(section(5, vec([3, 1, 2]))),
    ...INVALID_WASM,
    message: /shared memory/,
  },
]);

// Bodies that are not the JSON that the route takes.
const INVALID_JSON = { status: 400, kind: "invalid_json" } as const;
refuses([
  { what: "an empty JSON body", body: "", ...INVALID_JSON },
  { what: "malformed JSON", body: '{"name":"refused",', ...INVALID_JSON },
  { what: "a JSON array", body: "[]", ...INVALID_JSON, message: /not a JSON object with name and wasm_b64/ },
  {
    what: "JSON without a name",
    body: json({ wasm_b64: "AA==" }),
    ...INVALID_JSON,
    message: /^name is missing/iu,
  },
  {
    what: "a name that is a number",
    body: deployJson(7),
    ...INVALID_JSON,
    message: /^name is .*not a string/i,
  },
  {
    what: "JSON without a module",
    body: json({ name: "refused" }),
    ...INVALID_JSON,
    message: /^wasm_b64 is missing/iu,
  },
  { what: "a module that is null", body: deployJson("refused", null), ...INVALID_JSON },
  {
    what: "JSON that is not UTF-8",
    body: Uint8Array.from([...encoder.encode('{"name":"'), 0xff, 0xfe, ...encoder.encode('"}')]),
    contentType: "application/json",
    query: "",
    ...INVALID_JSON,
    message: /UTF-8/,
  },
  {
    what: "JSON nested 10,000 deep",
    body: `{"name":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    ...INVALID_JSON,
  },
  ...[
    ["in the URL alphabet", "AGFz-_=="],
    ["without padding", ADD.toBase64({ omitPadding: true })],
    ["with a line break", ADD.toBase64().replace(/^.{8}/, "$&\n")],
    ["with set bits in its padding", "AB=="],
    ["that is empty apart from its padding", "===="],
    ["of other characters", "äöü!"],
  ].map(([what, text]) => ({
    what: `base64 ${what}`,
    body: deployJson("refused", text),
    status: 400,
    kind: "invalid_base64",
    message: /padded standard base64$/,
  })),
]);

// Names.
const BAD_NAMES: readonly (readonly [what: string, name: string, message: RegExp])[] = [
  ["a blank name", " \t", /blank/],
  ["an empty name", "", /blank/],
  ["a name of 257 bytes", "n".repeat(257), /nameBytesMax is 256, got 257$/],
  ["a name of 86 characters and 258 bytes", "€".repeat(86), /nameBytesMax is 256, got 258$/],
  ["a name with a line break", "two\nlines", /control characters/],
  ["a name with a NUL", "nul\0", /control characters/],
  ["a name in the form of an id", "0f0e0d0c-0b0a-4908-8706-050403020100", /form of a function id/],
  ["a name with an @", "name@2", /@/],
];
refuses(BAD_NAMES.flatMap(([what, text, message]) => [
  { what: `${what} in JSON`, body: deployJson(text), status: 400, kind: "invalid_name", message },
  {
    what: `${what} in the query`,
    body: ADD,
    query: `?name=${encodeURIComponent(text)}`,
    status: 400,
    kind: "invalid_name",
    message,
  },
]));
refuses([
  {
    what: "a name with a lone surrogate",
    body: `{"name":"\\ud800","wasm_b64":"${ADD.toBase64()}"}`,
    status: 400,
    kind: "invalid_name",
    message: /surrogates/,
  },
  {
    what: "a raw module without a name",
    body: ADD,
    query: "",
    status: 400,
    kind: "invalid_name",
    message: /missing/,
  },
]);

// Headers.
const BAD_REQUEST = { status: 400, kind: "bad_request" } as const;
refuses([
  {
    what: "a body of another media type",
    body: ADD,
    contentType: "text/plain",
    ...BAD_REQUEST,
    message: /Content-Type/,
  },
  ...["abc", "-1", "1.5", "0x10", "18446744073709551616", "123456789012345678901"].map((tenant) => ({
    what: `the tenant ${tenant}`,
    body: ADD,
    headers: { "x-tensorwasm-tenant": tenant },
    status: 400,
    kind: "missing_tenant",
    message: /^X-TensorWasm-Tenant is not an unsigned 64-bit number$/,
  })),
  ...[["of 256 characters", "k".repeat(256)], ["with a space", "a b"]].map(([what, key = ""]) => ({
    what: `an Idempotency-Key ${what}`,
    body: ADD,
    headers: { "idempotency-key": key },
    ...BAD_REQUEST,
    message: /^Idempotency-Key /,
  })),
]);

// Sizes: the limit and one byte more, with a declared length and without.
const TOO_LARGE_MODULE: ExpectedProblem = {
  status: 413,
  kind: "module_too_large",
  message: new RegExp(`moduleBytesMax is ${MODULE_BYTES_MAX}, got ${BODY_BYTES_MAX}$`),
};
const TOO_LARGE_BODY: ExpectedProblem = {
  status: 413,
  kind: "body_too_large",
  message: new RegExp(`bodyBytesMax is ${BODY_BYTES_MAX}, got ${BODY_BYTES_MAX + 1}$`),
};
refuses([
  // As large as a body may be, so that it is the module's own limit that refuses it.
  { what: "a module of the body limit", body: padModule(ADD, BODY_BYTES_MAX), ...TOO_LARGE_MODULE },
  { what: "a body of one byte more", body: padModule(ADD, BODY_BYTES_MAX + 1), ...TOO_LARGE_BODY },
  { what: "a JSON body of one byte more", body: "{}".padEnd(BODY_BYTES_MAX + 1), ...TOO_LARGE_BODY },
  { what: "a JSON body of the limit for what is in it", body: "{}".padEnd(BODY_BYTES_MAX), ...INVALID_JSON },
]);

async function deployChunked(body: Uint8Array, tenant: string): Promise<Response> {
  using connection = await RawConnection.open(gateway.url);
  await connection.sendHead("POST /functions?name=refused", [
    "content-type: application/wasm",
    `x-tensorwasm-tenant: ${tenant}`,
    "transfer-encoding: chunked",
  ]);
  for (let offset = 0; offset < body.length; offset += 10_000) {
    await connection.sendChunk(body.subarray(offset, offset + 10_000));
  }
  await connection.sendChunk(new Uint8Array(0));
  const answer = await connection.read();
  assert.ok(answer !== undefined, "the connection ended without an answer");
  return new Response(answer.body, { status: answer.status, headers: [...answer.headers] });
}

Deno.test("deploy takes a body of the limit without a declared length", async () => {
  await assertProblem(await deployChunked(padModule(ADD, BODY_BYTES_MAX), "901"), TOO_LARGE_MODULE);
});

Deno.test("deploy refuses a body of one byte more without a declared length", async () => {
  await assertProblem(await deployChunked(padModule(ADD, BODY_BYTES_MAX + 1), "902"), TOO_LARGE_BODY);
  await assertNothingStored("902");
});

Deno.test("deploy takes a module of exactly its limit and no more", async () => {
  const tenant = { "x-tensorwasm-tenant": "908" };
  const { id } = await gateway.deploy("exact", padModule(ADD, MODULE_BYTES_MAX), tenant);
  assert.deepEqual(await (await gateway.invoke(id, { export: "add", args: [2, 3] }, tenant)).json(), {
    function_id: id,
    result: [5],
  });
  const response = await fetch(`${gateway.url}/functions?name=more`, {
    method: "POST",
    headers: { "content-type": "application/wasm", ...tenant },
    body: padModule(ADD, MODULE_BYTES_MAX + 1),
  });
  await assertProblem(response, { ...TOO_LARGE_MODULE, message: /got 60001$/ });
});

Deno.test("deploy refuses another request under a key that was used", async () => {
  const headers = { "x-tensorwasm-tenant": "909", "idempotency-key": "once" };
  const first = await gateway.deploy("keyed", ADD, headers);
  assert.deepEqual(await gateway.deploy("keyed", ADD, headers), first);
  const response = await fetch(`${gateway.url}/functions?name=other`, {
    method: "POST",
    headers: { "content-type": "application/wasm", ...headers },
    body: ADD,
  });
  await assertProblem(response, { status: 409, kind: "idempotency_conflict", message: /^Idempotency-Key/ });
  const functions = await (await fetch(`${gateway.url}/functions`, { headers })).json();
  assert.deepEqual(functions.functions.map(({ id }: { id: string }) => id), [first.id]);
});

Deno.test("deploy takes the longest name there may be", async () => {
  const tenant = { "x-tensorwasm-tenant": "910" };
  const longest = "€".repeat(85) + "e";
  await gateway.deploy(longest, ADD, tenant);
  assert.equal((await gateway.invoke(longest, { export: "add", args: [1, 1] }, tenant)).status, 200);
});

Deno.test("a gateway that requires the tenant refuses requests without it", async () => {
  await using strict = await TestGateway.start({ flags: ["--require-tenant", "--cells-min", "1"] });
  const refused = { status: 400, kind: "missing_tenant", message: /^X-TensorWasm-Tenant is required$/ };
  await assertProblem(await fetch(`${strict.url}/functions`), refused);
  await assertProblem(await strict.invoke("any"), refused);
  const headers = { "x-tensorwasm-tenant": "0" };
  assert.equal((await fetch(`${strict.url}/functions`, { headers })).status, 200);
});
