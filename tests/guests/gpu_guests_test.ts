// The GPU guests on a host without a device: each call of wasi:cuda answers -1, which a guest must survive with
// an answer of its own or a clear message. What they compute with a device is tested where there is one.
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { WASI } from "node:wasi";
import { GPU_FUNCTIONS, GPU_MODULE_NAME } from "../../gpu/mod.ts";
import { readGuest, readManifest } from "../support/guests.ts";
import { ptxHeader, ptxModule, splitPtx } from "./embed_ptx.ts";

const NO_DEVICE = /this host has no CUDA device for this program/;

/** Every function of wasi:cuda, each of which says that there is no device. */
function absentGpu(): Record<string, () => number | bigint> {
  return Object.fromEntries(
    Object.entries(GPU_FUNCTIONS).map(([name, { results }]) => [name, () => results[0] === "i64" ? -1n : -1]),
  );
}

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runCommand(name: string, args: readonly string[], input: string): Result {
  const folder = Deno.makeTempDirSync();
  const file = (title: string): string => `${folder}/${title}`;
  Deno.writeTextFileSync(file("stdin"), input);
  const [stdin = -1, stdout = -1, stderr = -1] = [
    openSync(file("stdin"), "r"),
    openSync(file("stdout"), "w"),
    openSync(file("stderr"), "w"),
  ];
  try {
    const wasi = new WASI({
      version: "preview1",
      args: [name, ...args],
      env: {},
      preopens: {},
      returnOnExit: true,
      stdin,
      stdout,
      stderr,
    });
    const imports: WebAssembly.Imports = {
      ...(wasi.getImportObject() as unknown as WebAssembly.Imports),
      "wasi:tensor/host": { "set-content-type": () => 0 },
      [GPU_MODULE_NAME]: absentGpu(),
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readGuest(name)), imports);
    const exitCode = Number(wasi.start(instance));
    return {
      exitCode,
      stdout: Deno.readTextFileSync(file("stdout")),
      stderr: Deno.readTextFileSync(file("stderr")),
    };
  } finally {
    for (const descriptor of [stdin, stdout, stderr]) closeSync(descriptor);
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A guest without WASI, and what it logs. */
function instantiate(name: string): { exports: WebAssembly.Exports; logged: string[] } {
  const logged: string[] = [];
  const memory = (): Uint8Array => {
    const exported = instance.exports["memory"];
    assert.ok(exported instanceof WebAssembly.Memory);
    return new Uint8Array(exported.buffer);
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readGuest(name)), {
    [GPU_MODULE_NAME]: absentGpu(),
    "wasi:tensor/host": {
      "input-len": () => 0,
      "read-input": () => 0,
      "emit-chunk": () => 0,
      "set-content-type": () => 0,
    },
    "tensor_wasm:log/host@0.1.0": {
      log: (_level: number, start: number, length: number) => {
        logged.push(new TextDecoder().decode(memory().slice(start, start + length)));
        return 0;
      },
    },
  });
  return { exports: instance.exports, logged };
}

function call(exports: WebAssembly.Exports, name: string, ...args: number[]): unknown {
  const function_ = exports[name];
  assert.ok(typeof function_ === "function");
  return function_(...args);
}

const commands = readManifest().filter(({ name, exports }) =>
  name.startsWith("gpu_") && exports.some((entry) => entry.name === "_start")
).map(({ name }) => name);

Deno.test("gpu guests: a command without a device says so and exits with 3", () => {
  assert.ok(commands.length >= 10);
  for (const name of commands.filter((name) => name !== "gpu_vector_add")) {
    const { exitCode, stderr } = runCommand(name, [], "3 1 2\n");
    assert.equal(exitCode, 3, name);
    assert.match(stderr, NO_DEVICE, name);
  }
});

Deno.test("gpu guests: gpu_vector_add adds by itself without a device", () => {
  const { exitCode, stdout } = runCommand("gpu_vector_add", ["1000"], "");
  assert.equal(exitCode, 0);
  assert.equal(stdout, "device: none, adding here\nvector_add: all 1000 right\n");
});

Deno.test("gpu guests: input that a guest does not take ends with 2 before any device is asked", () => {
  for (
    const [name, args, input] of [
      ["gpu_vector_add", ["x"], ""],
      ["gpu_matmul", ["fast"], ""],
      ["gpu_matmul", ["tiled", "100"], ""],
      ["gpu_softmax", [], "no numbers"],
      ["gpu_softmax", ["2"], "1 2 3"],
      ["gpu_mandelbrot", ["0"], ""],
      ["gpu_mandelbrot", ["8", "8", "10", "gif"], ""],
      ["gpu_sort", [], "4000000000"],
    ] as const
  ) {
    const { exitCode, stderr } = runCommand(name, args, input);
    assert.equal(exitCode, 2, `${name} ${args.join(" ")}`);
    assert.doesNotMatch(stderr, NO_DEVICE);
  }
});

Deno.test("gpu guests: libraries return the code and log why", () => {
  for (
    const [name, export_, ...args] of [
      ["gpu_saxpy", "run", 2, 100],
      ["assembly_vector_add", "run", 100],
      ["assembly_saxpy", "run", 2, 100, 1],
      ["assembly_mandelbrot", "render", 8, 8, 10],
      ["assembly_histogram", "main"],
    ] as const
  ) {
    const { exports, logged } = instantiate(name);
    assert.equal(call(exports, export_, ...args), -1, name);
    assert.equal(logged.length, 1, name);
  }
});

const MODULE = `//
// A comment with { a brace.
//
.version 9.0
.target sm_90
.address_size 64

.global .align 4 .b8 table[8] = {1, 2, 3};
.func  (.param .b32 retval) twice(
\t.param .b32 x
)
{
\tret;
}
\t// .globl first
.visible .entry first(
\t.param .u64 p
)
{
\tret;
}
.visible .entry second()
.maxntid 32
{
\tret; // done
}
`;

Deno.test("splitPtx() gives each entry with everything that is none", () => {
  const texts = splitPtx(MODULE);
  assert.deepEqual([...texts.keys()], ["first", "second"]);
  const common =
    ".version 9.0\n.target sm_90\n.address_size 64\n.global .align 4 .b8 table[8] = {1, 2, 3};\n" +
    ".func  (.param .b32 retval) twice(\n.param .b32 x\n)\n{\nret;\n}\n";
  assert.equal(texts.get("first"), common + ".visible .entry first(\n.param .u64 p\n)\n{\nret;\n}\n");
  assert.equal(texts.get("second"), common + ".visible .entry second()\n.maxntid 32\n{\nret;\n}\n");
});

Deno.test("ptxHeader() and ptxModule() name every entry", () => {
  assert.match(ptxHeader(MODULE), /static const char ptx_second\[\]/);
  assert.match(ptxModule(splitPtx(MODULE)), /export function ptxFirst\(\): string/);
});
