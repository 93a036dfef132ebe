/**
 * The contract of guests that use a device: the guests in C and AssemblyScript through HTTP, whatever the device.
 *
 * Registers one Deno.test per guest or group of them under the device's name. Most guests check themselves and say
 * so; results that a caller sees are checked here once more. Traces and failures are flow/gpu_test.ts's. Invariant:
 * every guest of the manifest that imports the interface is called, but for hostile ones.
 */
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { GPU_MODULE_NAME } from "../../gpu/mod.ts";
import { readGuest, readGuestData, readManifest } from "../support/guests.ts";
import type { TestGateway } from "../support/gateway.ts";
import { parsePpm } from "../support/ppm.ts";

/** The guests of the manifest that import the interface to compute something. */
function guestsWithDevice(): readonly string[] {
  return readManifest().map(({ name }) => name).filter((name) => {
    // What those do that only attack the host is flow/hostile_host_test.ts's.
    if (name.startsWith("hostile_")) return false;
    const bytes = readGuest(name);
    // Some guests are made not to compile.
    if (!WebAssembly.validate(bytes)) return false;
    return WebAssembly.Module.imports(new WebAssembly.Module(bytes))
      .some(({ module }) => module === GPU_MODULE_NAME);
  });
}

/** Registers the tests. `start` starts a gateway whose calls have such a device. */
export function testGpuGuests(device: "cpu" | "cuda", start: () => Promise<TestGateway>): void {
  let gateway: TestGateway;
  const called = new Set<string>();

  Deno.test.beforeAll(async () => {
    gateway = await start();
    for (const name of guestsWithDevice()) await gateway.deploy(name);
  });
  Deno.test.afterAll(async () => await gateway[Symbol.asyncDispose]());

  function test(name: string, run: () => Promise<void>): void {
    Deno.test(`${device}: ${name}`, run);
  }

  /** Runs a command with an input; it must succeed. */
  async function run(name: string, args: readonly string[] = [], input: BodyInit = ""): Promise<Response> {
    called.add(name);
    const query = new URLSearchParams(args.map((arg) => ["argv", arg]));
    const response = await fetch(`${gateway.url}/functions/${name}/invoke?${query}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: input,
    });
    assert.equal(response.status, 200, `${name}: ${response.status === 200 ? "" : await response.text()}`);
    return response;
  }

  /** What a command writes; a request without a body is answered in JSON. */
  async function runText(name: string, args: readonly string[] = [], input = ""): Promise<string> {
    const response = await run(name, args, input);
    const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    return isJson ? (await response.json()).output ?? "" : await response.text();
  }

  /** Calls an export with numbers. */
  async function call(name: string, export_: string, ...args: number[]): Promise<unknown> {
    called.add(name);
    const response = await gateway.invoke(name, { export: export_, args });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text).result[0];
  }

  test("gpu_vector_add adds on the device, also nothing and one number", async () => {
    for (const n of ["0", "1", "1000", "100000"]) {
      const text = await runText("gpu_vector_add", [n]);
      assert.match(text, /^device: /);
      assert.doesNotMatch(text, /none/);
      assert.match(text, new RegExp(`vector_add: all ${n} right\n$`));
    }
  });

  test("gpu_saxpy and assembly_saxpy agree with a sum on paper", async () => {
    const n = 1000;
    // y = 1 + steps · alpha · x.
    const want = (alpha: number, steps: number): number => n + (steps * alpha * n * (n - 1)) / 2;
    assert.equal(await call("gpu_saxpy", "run", 2, n), want(2, 3));
    assert.equal(await call("assembly_saxpy", "run", 0.5, n, 4), want(0.5, 4));
    assert.equal(await call("gpu_saxpy", "run", 2, 0), -9);
  });

  test("assembly_vector_add has no wrong sum", async () => {
    assert.equal(await call("assembly_vector_add", "run", 10_000), 0);
    assert.equal(await call("assembly_vector_add", "run", 1), 0);
  });

  test("gpu_matmul multiplies by every kernel", async () => {
    for (const [way, n] of [["naive", "50"], ["tiled", "64"], ["mma", "64"]] as const) {
      assert.match(await runText("gpu_matmul", [way, n]), new RegExp(`^${way}: all [0-9]+ right\n$`));
    }
  });

  test("gpu_softmax writes rows that add up to one", async () => {
    const text = await runText("gpu_softmax", ["3"], "1, 2, 3\n-1 0.5 1e1\n");
    const rows = text.trimEnd().split("\n").map((line) => line.split(" ").map(Number));
    const wanted = [[1, 2, 3], [-1, 0.5, 10]].map((row) => {
      const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
      return row.map((x) => Math.exp(x) / total);
    });
    assert.equal(rows.length, 2);
    for (const [i, row] of rows.entries()) {
      for (const [k, value] of row.entries()) {
        const want = wanted[i]?.[k] ?? NaN;
        assert.ok(Math.abs(value - want) <= 1e-5 * want, `${value}, not ${want}`);
      }
    }
  });

  test("gpu_layernorm, gpu_scan, gpu_nbody and gpu_stencil find their results right", async () => {
    assert.match(await runText("gpu_layernorm", ["10", "70"]), /layernorm: all 700 right\n$/);
    assert.match(await runText("gpu_scan", ["5000"]), /scan: all 5000 right\n$/);
    assert.match(await runText("gpu_nbody", ["200", "3"]), /nbody: all 3 right\n$/);
    assert.match(await runText("gpu_stencil", ["40", "30", "20"]), /stencil: all 1200 right\n$/);
  });

  test("gpu_reduction sums what it is given, or what it makes up", async () => {
    const numbers = Array.from({ length: 3000 }, (_, i) => i / 4);
    assert.equal(Number(await runText("gpu_reduction", [], numbers.join("\n"))), (2999 * 3000) / 8);
    assert.equal(await runText("gpu_reduction", [], "42"), "42\n");
    assert.ok(Number.isFinite(Number(await runText("gpu_reduction", ["10000"]))));
  });

  test("gpu_histogram and assembly_histogram count bytes", async () => {
    const bytes = readGuestData("text.txt");
    const counts = Map.groupBy(bytes, (byte) => byte);
    const lines = [...counts].sort(([a], [b]) => a - b).map(([byte, all]) => `${byte} ${all.length}\n`).join(
      "",
    );
    assert.equal(await (await run("gpu_histogram", [], bytes)).text(), lines);
    called.add("assembly_histogram");
    const response = await fetch(`${gateway.url}/functions/assembly_histogram/invoke`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: bytes,
    });
    assert.equal(await response.text(), lines);
  });

  test("gpu_sort sorts whole numbers of both signs", async () => {
    const numbers = Array.from({ length: 300 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >> (i % 20));
    const text = await runText("gpu_sort", [], `${numbers.join("\n")}\n2147483647 -2147483648`);
    const wanted = [...numbers, 2147483647, -2147483648].sort((a, b) => a - b);
    assert.deepEqual(text.trimEnd().split("\n").map(Number), wanted);
    assert.equal(await runText("gpu_sort", [], ""), "");
  });

  test("gpu_mandelbrot draws the same picture as PNG and as PPM, and in AssemblyScript", async () => {
    const png = await run("gpu_mandelbrot", ["120", "90", "100"]);
    assert.equal(png.headers.get("content-type"), "image/png");
    const image = pixelsOfPng(new Uint8Array(await png.arrayBuffer()));
    assert.deepEqual([image.width, image.height], [120, 90]);
    const ppm = await run("gpu_mandelbrot", ["120", "90", "100", "ppm"]);
    assert.equal(ppm.headers.get("content-type"), "image/x-portable-pixmap");
    assert.deepEqual(parsePpm(new Uint8Array(await ppm.arrayBuffer())).pixels, image.pixels);
    // The middle is in the set, the left edge is not.
    const at = (
      x: number,
      y: number,
    ): number[] => [...image.pixels.subarray(3 * (y * 120 + x), 3 * (y * 120 + x) + 3)];
    assert.deepEqual(at(70, 45), [0, 0, 0]);
    assert.notDeepEqual(at(0, 0), [0, 0, 0]);
    called.add("assembly_mandelbrot");
    const other = await gateway.invoke("assembly_mandelbrot", { export: "render", args: [120, 90, 100] });
    assert.equal(other.headers.get("content-type"), "image/x-portable-pixmap");
    assert.deepEqual(parsePpm(new Uint8Array(await other.arrayBuffer())).pixels, image.pixels);
  });

  test("the gateway has the device", async () => {
    const answer = await (await fetch(`${gateway.url}/device`)).json();
    assert.equal(answer.kind, device);
  });

  test("every guest with a device was called", () => {
    assert.deepEqual(guestsWithDevice().filter((name) => !called.has(name)), []);
    return Promise.resolve();
  });
}

/** The rows of an image that has but one IDAT chunk and no filters. */
function pixelsOfPng(bytes: Uint8Array): { width: number; height: number; pixels: Uint8Array } {
  assert.deepEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const length = view.getUint32(33);
  const rows = inflateSync(bytes.subarray(41, 41 + length));
  const stride = 3 * width + 1;
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) pixels.set(rows.subarray(y * stride + 1, (y + 1) * stride), y * 3 * width);
  return { width, height, pixels };
}
