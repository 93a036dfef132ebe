import assert from "node:assert/strict";
import { isJson, parseInvokeRequest } from "../../../runtime/gateway/invoke_request.ts";
import type { InvokeRequest } from "../../../runtime/gateway/invoke_request.ts";

const JSON_TYPE = "application/json";
const JSON_BYTES_MAX = 1024 * 1024;

function json(body: string): InvokeRequest {
  return parseInvokeRequest(JSON_TYPE, undefined, new TextEncoder().encode(body), JSON_BYTES_MAX);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("parseInvokeRequest() takes an empty body of any content type as the defaults", () => {
  for (const type of [undefined, JSON_TYPE, "text/plain"]) {
    const request = parseInvokeRequest(type, undefined, new Uint8Array(0), JSON_BYTES_MAX);
    assert.deepEqual([request.export, request.args, request.hasInput], [undefined, [], false]);
  }
});

Deno.test("parseInvokeRequest() stages any body that is not JSON as input", () => {
  const request = parseInvokeRequest(
    "image/x-portable-pixmap",
    undefined,
    new Uint8Array([1, 2]),
    JSON_BYTES_MAX,
  );
  assert.deepEqual([[...request.input], request.hasInput], [[1, 2], true]);
});

Deno.test("parseInvokeRequest() reads export, args, argv and env of the query beside raw input", () => {
  const query = new URLSearchParams("export=run&args=[9007199254740993]&argv=a&argv=b&env=X=1");
  const request = parseInvokeRequest("application/octet-stream", query, new Uint8Array([1]), JSON_BYTES_MAX);
  assert.equal(request.export, "run");
  assert.equal(String((request.args[0] as { text: string }).text), "9007199254740993");
  assert.deepEqual([request.programArgs, request.environment], [["a", "b"], ["X=1"]]);
});

Deno.test("parseInvokeRequest() tolerates nulls and unknown members", () => {
  const request = json('{"export":null,"args":null,"future":1}');
  assert.deepEqual([request.export, request.args], [undefined, []]);
});

Deno.test("parseInvokeRequest() stages a string input as its UTF-8, anything else as its JSON text", () => {
  assert.equal(text(json('{"input":"grüße"}').input), "grüße");
  assert.equal(
    text(json('{"input":{"a":[1,2.50,9007199254740993]}}').input),
    '{"a":[1,2.50,9007199254740993]}',
  );
  assert.equal(json('{"input":""}').hasInput, true);
});

const REFUSED: readonly (readonly [body: string, code: string])[] = [
  ["{", "invalid_json"],
  ["[1]", "invalid_json"],
  ["\ufeff{", "invalid_json"],
  ['{"export":1}', "invalid_json"],
  ['{"args":"1"}', "invalid_args"],
  ['{"args":{}}', "invalid_args"],
  ['{"argv":[1]}', "invalid_json"],
  ['{"env":{"A=B":"x"}}', "none"],
  ['{"env":{"":"x"}}', "bad_request"],
  ['{"argv":["a\\u0000b"]}', "bad_request"],
  ['{"argv":"-v"}', "invalid_json"],
  ['{"env":[]}', "invalid_json"],
  ['{"env":{"A":null}}', "invalid_json"],
  ["null", "invalid_json"],
];

for (const [body, code] of REFUSED) {
  Deno.test(`parseInvokeRequest() answers ${JSON.stringify(body)} with ${code}`, () => {
    if (code === "none") json(body);
    else assert.throws(() => json(body), { code });
  });
}

Deno.test("parseInvokeRequest() names the first thing that is wrong, and looks at counts before elements", () => {
  const numbers = new Array(257).fill(1);
  for (
    const [body, message] of [
      [{ argv: ["a", 1, 2] }, "argv.1: expected a string, got a number"],
      [{ env: { A: "a", B: [] } }, "env.B: expected a string, got an array"],
      [{ args: {} }, "args: expected an array, got an object"],
      [{ argv: numbers }, "Too many argv entries: count is 256, got 257"],
      [{ env: { ...numbers } }, "Too many env entries: count is 256, got 257"],
    ] as const
  ) assert.throws(() => json(JSON.stringify(body)), { message });
});

Deno.test("parseInvokeRequest() leaves arguments that are nested to be refused as what they are", () => {
  const nested = "[".repeat(30_000) + "]".repeat(30_000);
  const { args } = json(`{"args":[1.5,${nested}]}`);
  assert.deepEqual([args.length, args[0], Array.isArray(args[1])], [2, 1.5, true]);
});

Deno.test("parseInvokeRequest() refuses JSON that is not UTF-8", () => {
  assert.throws(
    () => parseInvokeRequest(JSON_TYPE, undefined, new Uint8Array([0x22, 0xff, 0x22]), JSON_BYTES_MAX),
    {
      code: "invalid_json",
    },
  );
});

Deno.test("parseInvokeRequest() takes 256 argv entries and refuses 257, with limit and value", () => {
  const argv = (count: number): string => JSON.stringify({ argv: Array.from({ length: count }, () => "a") });
  assert.equal(json(argv(256)).programArgs.length, 256);
  assert.throws(() => json(argv(257)), { message: "Too many argv entries: count is 256, got 257" });
});

Deno.test("parseInvokeRequest() keeps numbers of args as written, whatever else the body has", () => {
  const request = json(
    '{"input":{"args":[1]},"x":"\\"args\\":[2]","args":[9007199254740993,1],"export":"a"}',
  );
  assert.deepEqual(
    request.args.map((value) => typeof value === "number" ? value : (value as { text: string }).text),
    [
      "9007199254740993",
      1,
    ],
  );
});

Deno.test("parseInvokeRequest() stages JSON input nested 100,000 deep byte for byte", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  assert.equal(text(json(`{"input":${deep}}`).input), deep);
});

Deno.test("parseInvokeRequest() takes a JSON body of exactly the limit and refuses one byte more", () => {
  const body = (bytes: number): Uint8Array =>
    new TextEncoder().encode(`{"input":"${"a".repeat(bytes - 12)}"}`);
  assert.equal(parseInvokeRequest(JSON_TYPE, undefined, body(100), 100).input.length, 88);
  assert.throws(() => parseInvokeRequest(JSON_TYPE, undefined, body(101), 100), {
    code: "body_too_large",
    message: "JSON body is too large, send input as raw bytes: jsonBodyBytesMax is 100, got 101",
  });
});

Deno.test("isJson() takes parameters and +json, whatever the case", () => {
  assert.ok(isJson("Application/JSON; charset=utf-8"));
  assert.ok(isJson("application/ld+json"));
  assert.equal(isJson("application/jsonlines"), false);
  assert.equal(isJson(undefined), false);
});
