// The WASI guests against an implementation that is not ours (node:wasi), with files as their stdio. The
// guests that never end or fill a disk are left to the tests of the runtime.
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { WASI } from "node:wasi";
import { readGuest, readGuestData } from "../support/guests.ts";
import { encodePpm, makePpm, parsePpm, type PpmImage } from "../support/ppm.ts";

interface Run {
  readonly stdin?: Uint8Array;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The guest's name for an empty directory. */
  readonly directory?: string;
}

interface Result {
  readonly exitCode: number;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: string;
  readonly contentType: string;
}

function runGuest(name: string, run: Run = {}): Result {
  const folder = Deno.makeTempDirSync();
  const file = (title: string): string => `${folder}/${title}`;
  Deno.writeFileSync(file("stdin"), run.stdin ?? new Uint8Array());
  Deno.mkdirSync(file("directory"));
  const descriptors = [
    openSync(file("stdin"), "r"),
    openSync(file("stdout"), "w"),
    openSync(file("stderr"), "w"),
  ];
  const [stdin = -1, stdout = -1, stderr = -1] = descriptors;
  try {
    const wasi = new WASI({
      version: "preview1",
      args: [name, ...(run.args ?? [])],
      env: { ...run.env },
      preopens: run.directory === undefined ? {} : { [run.directory]: file("directory") },
      returnOnExit: true,
      stdin,
      stdout,
      stderr,
    });
    let contentType = "";
    const imports: WebAssembly.Imports = {
      ...(wasi.getImportObject() as unknown as WebAssembly.Imports),
      "wasi:tensor/host": {
        "set-content-type": (ptr: number, length: number) => {
          const memory = instance.exports["memory"] as WebAssembly.Memory;
          contentType = new TextDecoder().decode(new Uint8Array(memory.buffer, ptr, length));
          return 0;
        },
      },
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readGuest(name)), imports);
    const exitCode = wasi.start(instance);
    return {
      exitCode: Number(exitCode),
      stdout: Deno.readFileSync(file("stdout")),
      stderr: Deno.readTextFileSync(file("stderr")),
      contentType,
    };
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
    Deno.removeSync(folder, { recursive: true });
  }
}

function textOf(result: Result): string {
  return new TextDecoder().decode(result.stdout);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** What word_freq has to print, worked out on one character per byte, so that the order is that of bytes. */
function expectedFrequencies(bytes: Uint8Array): string {
  const text = new TextDecoder("x-user-defined").decode(bytes).replace(/[A-Z]/g, (c) => c.toLowerCase());
  const counts = new Map<string, number>();
  for (const word of text.match(/[a-z\uf780-\uf7ff]+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  const lines = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([word, count]) => `${count}\t${word}\n`);
  return new TextDecoder().decode(Uint8Array.from(lines.join(""), (c) => c.charCodeAt(0) & 0xff));
}

Deno.test("word_freq counts the sample text", () => {
  const result = runGuest("word_freq", { stdin: readGuestData("text.txt") });
  assert.equal(result.exitCode, 0);
  assert.match(textOf(result), /^47\tthe\n27\ta\n/);
  assert.equal(textOf(result), expectedFrequencies(readGuestData("text.txt")));
});

Deno.test("word_freq prints nothing for an empty text and for one without words", () => {
  assert.equal(textOf(runGuest("word_freq")), "");
  assert.equal(textOf(runGuest("word_freq", { stdin: bytesOf("1, 2; 3!\n") })), "");
});

Deno.test("word_freq lower-cases ASCII only and keeps other letters whole", () => {
  const result = runGuest("word_freq", { stdin: bytesOf("Ärger ärger ÄRGER a1B it's") });
  // Ä and ä differ in bytes, and "ÄRGER" becomes "Ärger"; words of bytes from 0x80 sort behind ASCII.
  assert.equal(textOf(result), "2\tÄrger\n1\ta\n1\tb\n1\tit\n1\ts\n1\tärger\n");
});

Deno.test("word_freq has no limit on the number and length of words", () => {
  const words = Array.from(
    { length: 20_000 },
    (_, index) => index.toString(26).replace(/[0-9]/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? ""),
  );
  const text = `${"long".repeat(50_000)} ${words.join(" ")}`;
  const result = runGuest("word_freq", { stdin: bytesOf(text) });
  assert.equal(textOf(result), expectedFrequencies(bytesOf(text)));
});

Deno.test("sha256 agrees with the platform around every block boundary", async () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 65_535, 65_536, 65_537, 200_000]) {
    const stdin = Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", stdin)).toHex();
    assert.equal(textOf(runGuest("sha256", { stdin })), `${expected}\n`, `${length} bytes`);
  }
});

Deno.test("echo returns its input byte for byte", () => {
  const stdin = Uint8Array.from({ length: 150_000 }, (_, index) => index * 7);
  assert.deepEqual(runGuest("echo", { stdin }).stdout, stdin);
});

Deno.test("exit_code exits with its argument, else EXIT_CODE, else 3, after a line", () => {
  const plain = runGuest("exit_code");
  assert.deepEqual([plain.exitCode, textOf(plain)], [3, "exiting with 3\n"]);
  assert.equal(runGuest("exit_code", { env: { EXIT_CODE: "9" } }).exitCode, 9);
  assert.equal(runGuest("exit_code", { args: ["0"], env: { EXIT_CODE: "9" } }).exitCode, 0);
});

Deno.test("log_lines writes to both streams", () => {
  const result = runGuest("log_lines", { args: ["2"] });
  assert.equal(textOf(result), "stdout line 1\nstdout line 2\n");
  assert.equal(result.stderr, "stderr line 1\nstderr line 2\n");
});

Deno.test("args_env prints arguments and environment", () => {
  const result = runGuest("args_env", { args: ["a", "b c"], env: { COLOUR: "blue" } });
  assert.equal(textOf(result), "argc 3\nargv[0] args_env\nargv[1] a\nargv[2] b c\nenv COLOUR=blue\n");
});

Deno.test("sleep says how long it slept", () => {
  assert.equal(textOf(runGuest("sleep", { args: ["1"] })), "slept 1 ms\n");
});

Deno.test("files works through all its steps, whichever name the directory has", () => {
  for (const directory of ["/", "."]) {
    const result = runGuest("files", { directory });
    assert.equal(result.stderr, "");
    assert.deepEqual(textOf(result).split("\n"), [
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

Deno.test("files fails with a message where there is no directory", () => {
  const result = runGuest("files");
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /^files: open a root: /);
});

/** The pixel value at a place, with the border repeated. */
function at(image: PpmImage, x: number, y: number, channel: number): number {
  const column = Math.min(Math.max(x, 0), image.width - 1);
  const row = Math.min(Math.max(y, 0), image.height - 1);
  return image.pixels[(row * image.width + column) * 3 + channel] ?? NaN;
}

function blurred(image: PpmImage): PpmImage {
  const weights = [1, 4, 6, 4, 1];
  const pixels = image.pixels.map((_, index) => {
    const [x, y] = [Math.floor(index / 3) % image.width, Math.floor(index / 3 / image.width)];
    let sum = 128;
    for (const [i, a] of weights.entries()) {
      for (const [j, b] of weights.entries()) sum += a * b * at(image, x + j - 2, y + i - 2, index % 3);
    }
    return sum >> 8;
  });
  return { ...image, pixels };
}

function edges(image: PpmImage): PpmImage {
  const luma = (x: number, y: number): number =>
    (77 * at(image, x, y, 0) + 150 * at(image, x, y, 1) + 29 * at(image, x, y, 2) + 128) >> 8;
  const pixels = image.pixels.map((_, index) => {
    const [x, y] = [Math.floor(index / 3) % image.width, Math.floor(index / 3 / image.width)];
    let [gx, gy] = [0, 0];
    for (const [offset, weight] of [[-1, 1], [0, 2], [1, 1]] as const) {
      gx += weight * (luma(x + 1, y + offset) - luma(x - 1, y + offset));
      gy += weight * (luma(x + offset, y + 1) - luma(x + offset, y - 1));
    }
    return Math.min(image.maxval, Math.floor(Math.hypot(gx, gy)));
  });
  return { ...image, pixels };
}

Deno.test("image_filter blurs by default and names the content type", () => {
  const stdin = readGuestData("gradient_64x48.ppm");
  const result = runGuest("image_filter", { stdin });
  assert.deepEqual([result.exitCode, result.contentType], [0, "image/x-portable-pixmap"]);
  assert.deepEqual(parsePpm(result.stdout), blurred(parsePpm(stdin)));
});

Deno.test("image_filter finds edges by argument or FILTER, the argument first", () => {
  const stdin = readGuestData("gradient_64x48.ppm");
  const expected = edges(parsePpm(stdin));
  assert.deepEqual(parsePpm(runGuest("image_filter", { stdin, args: ["edge"] }).stdout), expected);
  assert.deepEqual(parsePpm(runGuest("image_filter", { stdin, env: { FILTER: "edge" } }).stdout), expected);
  const both = runGuest("image_filter", { stdin, args: ["blur"], env: { FILTER: "edge" } });
  assert.deepEqual(parsePpm(both.stdout), blurred(parsePpm(stdin)));
});

Deno.test("image_filter handles images smaller than its windows", () => {
  for (const [width, height] of [[1, 1], [2, 1], [1, 3], [3, 2], [4, 4], [5, 5], [6, 1], [7, 3]] as const) {
    const stdin = makePpm(width, height);
    const image = parsePpm(stdin);
    assert.deepEqual(
      parsePpm(runGuest("image_filter", { stdin }).stdout),
      blurred(image),
      `${width}x${height}`,
    );
    const edge = runGuest("image_filter", { stdin, args: ["edge"] });
    assert.deepEqual(parsePpm(edge.stdout), edges(image), `${width}x${height}`);
  }
});

Deno.test("image_filter reads comments and other maximum values in the header", () => {
  const pixels = Uint8Array.from({ length: 8 * 6 * 3 }, (_, index) => (index * 5) % 100);
  const image = { width: 8, height: 6, maxval: 99, pixels };
  const plain = encodePpm(image);
  const header = bytesOf("P6 # by hand\n#\n\t8\n# size\n6\r\n99\n");
  const commented = Uint8Array.from([...header, ...pixels]);
  const expected = blurred(parsePpm(plain));
  assert.deepEqual(parsePpm(runGuest("image_filter", { stdin: commented }).stdout), expected);
  assert.deepEqual(parsePpm(runGuest("image_filter", { stdin: plain, args: ["edge"] }).stdout), edges(image));
});

Deno.test("image_filter refuses what is no image with exit code 2 and a line on stderr", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /not a binary PPM/],
    ["P5\n1 1\n255\nabc", /not a binary PPM/],
    ["P6\n1", /lacks a number/],
    ["P6\n0 1\n255\n", /is empty/],
    ["P6\n1 1\n256\nabc", /not in 1..255/],
    ["P6\n1 1\n0\nabc", /not in 1..255/],
    ["P6\n99999999999 1\n255\n", /too large/],
    ["P6\n60000 60000\n255\n", /64 Mi pixels/],
    ["P6\n1 1\n255", /no end/],
    ["P6\n1 1\n255\nab", /shorter than its header/],
  ];
  for (const [text, message] of cases) {
    const result = runGuest("image_filter", { stdin: bytesOf(text) });
    assert.deepEqual([result.exitCode, result.stdout.length, result.contentType], [2, 0, ""], text);
    assert.match(result.stderr, message);
  }
  const unknown = runGuest("image_filter", { stdin: makePpm(1, 1), args: ["sharpen"] });
  assert.equal(unknown.exitCode, 2);
  assert.match(unknown.stderr, /neither blur nor edge/);
});
