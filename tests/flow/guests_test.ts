/**
 * Real guests through HTTP: programs in C, WAT and AssemblyScript on real input, each result held against an
 * oracle in here.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { makeRandom } from "../runtime/store/random.ts";
import { TestGateway } from "../support/gateway.ts";
import { readGuest, readGuestData } from "../support/guests.ts";
import { makePpm, parsePpm, type PpmImage } from "../support/ppm.ts";
import { assertTraceId } from "./problem.ts";

const GUESTS = [
  ...[
    "add",
    "args_env",
    "assembly_score",
    "echo",
    "emit_chunks",
    "fib",
    "files",
    "image_filter",
    "log_lines",
  ],
  ...["noop", "noop_memory", "sha256", "sleep", "word_freq"],
];

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start();
  for (const guest of GUESTS) await gateway.deploy(guest);
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

/** Sends bytes as the guest's input. */
async function pipe(guest: string, input: Uint8Array<ArrayBuffer>, query = ""): Promise<Response> {
  const response = await fetch(`${gateway.url}/functions/${guest}/invoke${query}`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: input,
  });
  assertTraceId(response);
  return response;
}

async function pipeText(guest: string, input: Uint8Array<ArrayBuffer>, query = ""): Promise<string> {
  const response = await pipe(guest, input, query);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}

async function pipeBytes(guest: string, input: Uint8Array<ArrayBuffer>, query = ""): Promise<Uint8Array> {
  const response = await pipe(guest, input, query);
  assert.equal(response.status, 200);
  return new Uint8Array(await response.arrayBuffer());
}

async function resultOf(guest: string, body: unknown): Promise<unknown> {
  const response = await gateway.invoke(guest, body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text).result;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function randomBytes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = makeRandom(seed);
  return Uint8Array.from({ length: count }, () => random() * 256);
}

// word_freq

/** Counts words of ASCII letters and other characters; ties in the order of their bytes. */
function countWords(text: string): string {
  const counts = new Map<string, number>();
  for (
    const [word] of text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).matchAll(
      /[a-z\u0080-\u{10ffff}]+/gu,
    )
  ) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const compare = (a: string, b: string): number => {
    const [left, right] = [bytesOf(a), bytesOf(b)];
    const at = left.findIndex((byte, index) => byte !== right[index]);
    return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
  };
  return [...counts].sort(([a, m], [b, n]) => n - m || compare(a, b))
    .map(([word, count]) => `${count}\t${word}\n`).join("");
}

Deno.test("word_freq counts the words of a real text", async () => {
  const input = readGuestData("text.txt");
  assert.equal(await pipeText("word_freq", input), countWords(new TextDecoder().decode(input)));
});

Deno.test("word_freq counts 40,000 different words in several scripts", async () => {
  const random = makeRandom(11);
  const letters = "aébñcçdßeøfñgжhλiéjकkあlm";
  const words = Array.from({ length: 60_000 }, () => {
    const length = 1 + Math.floor(random() * 6);
    return Array.from({ length }, () => [...letters][Math.floor(random() * 25)]).join("");
  });
  const text = words.join(" ");
  assert.equal(await pipeText("word_freq", bytesOf(text)), countWords(text));
});

Deno.test("word_freq answers nothing to nothing", async () => {
  const response = await gateway.invoke("word_freq");
  const { result, output } = await response.json();
  assert.deepEqual([response.status, result, output], [200, "ok", undefined]);
});

// sha256

for (const length of [1, 55, 56, 64, 1_000_003]) {
  Deno.test(`sha256 of ${length} bytes is that of the platform`, async () => {
    const input = randomBytes(length, length);
    const expected = createHash("sha256").update(input).digest("hex");
    assert.equal(await pipeText("sha256", input), `${expected}\n`);
  });
}

// image_filter

/** The pixel value at a place, with the border repeated. */
function valueAt(image: PpmImage, x: number, y: number, channel: number): number {
  const column = Math.min(Math.max(x, 0), image.width - 1);
  const row = Math.min(Math.max(y, 0), image.height - 1);
  return image.pixels[(row * image.width + column) * 3 + channel] ?? NaN;
}

/** The 5×5 Gaussian of image_filter at one place, rounded to nearest. */
function blurAt(image: PpmImage, x: number, y: number, channel: number): number {
  const weights = [1, 4, 6, 4, 1];
  let sum = 128;
  for (const [i, a] of weights.entries()) {
    for (const [j, b] of weights.entries()) sum += a * b * valueAt(image, x + j - 2, y + i - 2, channel);
  }
  return sum >> 8;
}

function lumaAt(image: PpmImage, x: number, y: number): number {
  const [red, green, blue] = [0, 1, 2].map((channel) => valueAt(image, x, y, channel));
  return (77 * (red ?? 0) + 150 * (green ?? 0) + 29 * (blue ?? 0) + 128) >> 8;
}

/** The Sobel magnitude of image_filter at one place. */
function edgeAt(image: PpmImage, x: number, y: number): number {
  let [gx, gy] = [0, 0];
  for (const [offset, weight] of [[-1, 1], [0, 2], [1, 1]] as const) {
    gx += weight * (lumaAt(image, x + 1, y + offset) - lumaAt(image, x - 1, y + offset));
    gy += weight * (lumaAt(image, x + offset, y + 1) - lumaAt(image, x + offset, y - 1));
  }
  return Math.min(image.maxval, Math.floor(Math.hypot(gx, gy)));
}

/** Corners, borders and some thousand places inside. */
function places(image: PpmImage): (readonly [x: number, y: number])[] {
  const [right, bottom] = [image.width - 1, image.height - 1];
  const random = makeRandom(1080);
  const inside = Array.from(
    { length: 2000 },
    () => [Math.floor(random() * image.width), Math.floor(random() * image.height)] as const,
  );
  return [[0, 0], [right, 0], [0, bottom], [right, bottom], [1, 0], [0, 1], [right - 1, bottom], ...inside];
}

const FULL_HD = makePpm(1920, 1080);

Deno.test("image_filter blurs a picture of 1920×1080 and names its media type", async () => {
  const response = await pipe("image_filter", FULL_HD);
  assert.equal(response.headers.get("content-type"), "image/x-portable-pixmap");
  const [before, after] = [parsePpm(FULL_HD), parsePpm(new Uint8Array(await response.arrayBuffer()))];
  assert.deepEqual([after.width, after.height, after.maxval], [1920, 1080, 255]);
  for (const [x, y] of places(before)) {
    for (const channel of [0, 1, 2]) {
      assert.equal(
        valueAt(after, x, y, channel),
        blurAt(before, x, y, channel),
        `${x},${y} channel ${channel}`,
      );
    }
  }
});

Deno.test("image_filter finds the edges of a picture of 1920×1080", async () => {
  const before = parsePpm(FULL_HD);
  const after = parsePpm(await pipeBytes("image_filter", FULL_HD, "?argv=edge"));
  for (const [x, y] of places(before)) {
    const grey = [0, 1, 2].map((channel) => valueAt(after, x, y, channel));
    assert.deepEqual(grey, new Array(3).fill(edgeAt(before, x, y)), `${x},${y}`);
  }
});

Deno.test("image_filter says on stderr, and so in the log, why it takes no picture", async () => {
  const response = await pipe("image_filter", bytesOf("GIF89a"));
  assert.equal(response.status, 500);
  const { error } = await response.json();
  assert.deepEqual([error.kind, error.message], ["guest_exit", "Guest ended with exit code 2"]);
  const line = await gateway.line((line) =>
    line.trace_id === error.trace_id && line.message === "guest.stderr"
  );
  assert.match(String(line["line"]), /not a binary PPM/);
});

// echo

Deno.test("echo gives 8 MiB of random bytes back as they were", async () => {
  const input = randomBytes(8 * 1024 * 1024, 8);
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  assert.equal(digest(await pipeBytes("echo", input)), digest(input));
});

Deno.test("echo gives every byte value back, in JSON as base64", async () => {
  const input = Uint8Array.from({ length: 256 }, (_, value) => value);
  const response = await fetch(`${gateway.url}/functions/echo/invoke`, {
    method: "POST",
    headers: { accept: "application/json" },
    body: input,
  });
  const { result, output_b64 } = await response.json();
  assert.deepEqual([result, Uint8Array.fromBase64(output_b64)], ["ok", input]);
});

for (
  const [what, text] of [["a byte order mark", "\ufeffabc"], ["NUL and line ends", "a\0b\r\n\u2028"]] as const
) {
  Deno.test(`echo gives text with ${what} back, in JSON as text`, async () => {
    const response = await gateway.invoke("echo", { input: text }, { accept: "application/json" });
    assert.equal((await response.json()).output, text);
  });
}

Deno.test("echo gets JSON input as the text it was written as", async () => {
  const input = '{ "big": 12345678901234567890, "minus": -0, "e": 1E2, "s": "\\u00e9" }';
  const response = await fetch(`${gateway.url}/functions/echo/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"input":${input}}`,
  });
  assert.deepEqual(JSON.parse(await response.text()), JSON.parse(input));
});

// args_env, files, log_lines, sleep

Deno.test("args_env sees its name, its arguments and its environment, in order", async () => {
  const body = { argv: ["-v", "two words", "ünïcödé"], env: { COLOUR: "blue", EMPTY: "", WITH: "a=b" } };
  const { output } = await (await gateway.invoke("args_env", body)).json();
  assert.equal(
    output,
    "argc 4\nargv[0] args_env\nargv[1] -v\nargv[2] two words\nargv[3] ünïcödé\n" +
      "env COLOUR=blue\nenv EMPTY=\nenv WITH=a=b\n",
  );
});

Deno.test("args_env sees nothing of the host's environment", async () => {
  const { output } = await (await gateway.invoke("args_env")).json();
  assert.equal(output, "argc 1\nargv[0] args_env\n");
});

Deno.test("args_env takes arguments from the query when the body is raw", async () => {
  const query = "?argv=one&argv=two%20words&env=A%3D1";
  const text = await pipeText("args_env", bytesOf("ignored"), query);
  assert.equal(text, "argc 3\nargv[0] args_env\nargv[1] one\nargv[2] two words\nenv A=1\n");
});

Deno.test("an env name like a member of every object is a name like any other", async () => {
  const response = await fetch(`${gateway.url}/functions/args_env/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"env":{"__proto__":"x","constructor":"y"}}',
  });
  assert.equal(
    (await response.json()).output,
    "argc 1\nargv[0] args_env\nenv __proto__=x\nenv constructor=y\n",
  );
});

Deno.test("files works in a directory of its own, twice the same", async () => {
  for (let call = 0; call < 2; call++) {
    const { result, output } = await (await gateway.invoke("files")).json();
    assert.equal(result, "ok");
    assert.deepEqual(output.split("\n"), [
      "wrote 12 bytes",
      "read at 7: files",
      "size 12",
      "list after create: first.txt",
      "list after rename: second.txt",
      "reread: hello, FILES",
      "list after unlink: nothing",
      "",
    ]);
  }
});

Deno.test("sleep sleeps", async () => {
  const startMs = performance.now();
  const { output } = await (await gateway.invoke("sleep", { argv: ["120"] })).json();
  assert.equal(output, "slept 120 ms\n");
  assert.ok(performance.now() - startMs >= 119);
});

Deno.test("log_lines: stdout is the output, and both streams are log lines of the call", async () => {
  const response = await gateway.invoke("log_lines", { argv: ["3"] });
  const traceId = assertTraceId(response);
  assert.equal((await response.json()).output, "stdout line 1\nstdout line 2\nstdout line 3\n");
  await gateway.line((line) => line.trace_id === traceId && line.message === "request.completed");
  const lines = gateway.lines.filter((line) => line.trace_id === traceId && line["target"] === "guest");
  assert.deepEqual(
    lines.map((line) => [line.message, line["level"], line["line"]]),
    [1, 2, 3].flatMap((count) => [
      ["guest.stdout", "info", `stdout line ${count}`],
      ["guest.stderr", "warn", `stderr line ${count}`],
    ]),
  );
});

Deno.test("log_lines: more lines than the limit are counted instead", async () => {
  const response = await gateway.invoke("log_lines", { argv: ["75"] });
  const traceId = assertTraceId(response);
  assert.equal((await response.json()).output.split("\n").length, 76);
  await gateway.line((line) => line.trace_id === traceId && line.message === "request.completed");
  const lines = gateway.lines.filter((line) => line.trace_id === traceId && line["target"] === "guest");
  assert.equal(lines.length, 101);
  assert.equal(lines.at(-1)?.["line"], "50 lines suppressed: guestLogLinesMax is 100");
});

// Numbers

const CALLS: readonly (readonly [guest: string, name: string, args: string, result: string])[] = [
  ["add", "add", "[2147483647,1]", "[-2147483648]"],
  ["add", "add", "[4294967295,1]", "[0]"],
  ["add", "add", "[true,false]", "[1]"],
  ["add", "add64", "[9223372036854775807,1]", "[-9223372036854775808]"],
  ["add", "add64", '["9007199254740993",0]', "[9007199254740993]"],
  ["add", "add64", "[9007199254740993,18446744073709551615]", "[9007199254740992]"],
  ["add", "addf32", "[0.1,0.2]", "[0.30000001192092896]"],
  ["add", "addf64", "[0.1,0.2]", "[0.30000000000000004]"],
  ["add", "addf64", '["NaN",1]', '["NaN"]'],
  ["add", "addf64", '["-Infinity",1]', '["-Infinity"]'],
  ["add", "addf64", "[-0,-0]", '["-0"]'],
  ["add", "divmod", "[17,5]", "[3,2]"],
  ["fib", "fib", "[20]", "[6765]"],
  ["noop", "run", "[]", '"ok"'],
  ["noop_memory", "run", "[]", '"ok"'],
  ["assembly_score", "gcd", "[18446744073709551614,4]", "[2]"],
  ["assembly_score", "compound", "[1000,0.5,2]", "[2250]"],
];
for (const [guest, exported, args, result] of CALLS) {
  Deno.test(`${guest}: ${exported} of ${args} is ${result}`, async () => {
    const response = await fetch(`${gateway.url}/functions/${guest}/invoke`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"export":"${exported}","args":${args}}`,
    });
    const text = await response.text();
    assert.equal(/"result":(.*)\}$/.exec(text)?.[1], result, text);
  });
}

// The tensor host

/** The fields of each line of a CSV text; quoted ones may hold commas. */
function parseCsv(text: string): string[][] {
  return text.trim().split("\n").map((line) =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
      quoted ?? plain ?? ""
    )
  );
}

Deno.test("assembly_score summarises the numeric columns of a table", async () => {
  const input = readGuestData("columns.csv");
  const [titles = [], ...rows] = parseCsv(new TextDecoder().decode(input));
  const columns = titles.map((title, index) => {
    const values = rows.map((row) => row[index] ?? "").filter((field) => /^-?\d/.test(field)).map(Number);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [
      title.includes(",") ? `"${title}"` : title,
      values.length,
      Math.min(...values),
      Math.max(...values),
      mean,
    ] as const;
  }).filter(([, count]) => count > 0);
  assert.equal(columns.length, 3);

  const response = await pipe("assembly_score", input, "?export=main");
  const [header, ...lines] = (await response.text()).trim().split("\n");
  assert.equal(header, "column,count,min,max,mean");
  assert.deepEqual(lines, columns.map(([title, ...numbers]) => [title, ...numbers.map(asFloat)].join(",")));
});

/** A number as AssemblyScript prints an f64, but for counts, which have no point. */
function asFloat(value: number, index: number): string {
  return index > 0 && Number.isInteger(value) ? `${value}.0` : String(value);
}

Deno.test("emit_chunks: chunks are the output, and refused ones are no part of it", async () => {
  const run = await (await gateway.invoke("emit_chunks", { export: "run" })).json();
  assert.deepEqual([run.result, run.output], [[0], "first\nsecond\nthird\n"]);
  assert.deepEqual(await resultOf("emit_chunks", { export: "emit", args: [0, 65_536] }), [0]);
  assert.deepEqual(await resultOf("emit_chunks", { export: "emit", args: [0, 65_537] }), [-2]);
  assert.deepEqual(await resultOf("emit_chunks", { export: "emit", args: [3 * 65_536 - 1, 2] }), [-2]);
  assert.deepEqual(await resultOf("emit_chunks", { export: "emit", args: [-1, 1] }), [-2]);
});

Deno.test("a version is invoked by name@version, the newest by name", async () => {
  const headers = { "x-tensorwasm-tenant": "2" };
  await gateway.deploy("renewed", readGuest("add"), headers);
  await gateway.deploy("renewed", readGuest("fib"), headers);
  const old = await gateway.invoke("renewed@1", { export: "add", args: [1, 2] }, headers);
  assert.deepEqual((await old.json()).result, [3]);
  const newest = await gateway.invoke("renewed", { export: "fib", args: [10] }, headers);
  assert.deepEqual((await newest.json()).result, [55]);
});
