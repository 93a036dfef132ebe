// The guests without WASI, run by the engine itself: what the tests of the runtime may rely on.
import assert from "node:assert/strict";
import { inspectModule } from "../../runtime/wasm/inspect.ts";
import { readGuest, readGuestData } from "../support/guests.ts";

type Exported = (...args: (number | bigint)[]) => unknown;

function instantiate(name: string, imports: WebAssembly.Imports = {}): WebAssembly.Instance {
  return new WebAssembly.Instance(new WebAssembly.Module(readGuest(name)), imports);
}

function call(instance: WebAssembly.Instance, name: string, ...args: (number | bigint)[]): unknown {
  return (instance.exports[name] as Exported)(...args);
}

function memoryOf(instance: WebAssembly.Instance): Uint8Array {
  return new Uint8Array((instance.exports["memory"] as WebAssembly.Memory).buffer);
}

/** A tensor host that keeps what is emitted, refuses chunks above 64 KiB, and has `input` staged. */
class TensorHost {
  readonly chunks: Uint8Array[] = [];
  readonly #input: Uint8Array;
  #instance: WebAssembly.Instance | undefined;

  constructor(input: Uint8Array = new Uint8Array()) {
    this.#input = input;
  }

  instantiate(name: string): WebAssembly.Instance {
    this.#instance = instantiate(name, {
      "wasi:tensor/host": {
        "input-len": () => this.#input.length,
        "read-input": (ptr: number, length: number) => {
          const part = this.#input.subarray(0, length);
          this.#memory().set(part, ptr);
          return part.length;
        },
        "emit-chunk": (ptr: number, length: number) => {
          const bytes = this.#memory();
          if (length > 65_536 || ptr + length > bytes.length) return -2;
          this.chunks.push(bytes.slice(ptr, ptr + length));
          return 0;
        },
        flush: () => 0,
      },
    });
    return this.#instance;
  }

  text(): string {
    return this.chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
  }

  #memory(): Uint8Array {
    assert.ok(this.#instance !== undefined);
    return memoryOf(this.#instance);
  }
}

Deno.test("noop and noop_memory return nothing", () => {
  assert.equal(call(instantiate("noop"), "run"), undefined);
  const instance = instantiate("noop_memory");
  assert.equal(call(instance, "run"), undefined);
  assert.equal(memoryOf(instance).length, 17 * 65_536);
});

Deno.test("add adds in each number type", () => {
  const instance = instantiate("add");
  assert.equal(call(instance, "add", 0x7fff_ffff, 1), -0x8000_0000);
  assert.equal(call(instance, "add64", 2n ** 62n, 2n ** 62n), -(2n ** 63n));
  assert.equal(call(instance, "addf32", 0.1, 0.2), Math.fround(Math.fround(0.1) + Math.fround(0.2)));
  assert.equal(call(instance, "addf64", 0.1, 0.2), 0.1 + 0.2);
});

Deno.test("add.divmod returns two values, and traps on zero", () => {
  const instance = instantiate("add");
  assert.deepEqual(call(instance, "divmod", 17, 5), [3, 2]);
  assert.throws(() => call(instance, "divmod", 1, 0), WebAssembly.RuntimeError);
});

Deno.test("fib computes Fibonacci numbers", () => {
  const instance = instantiate("fib");
  const values = Array.from({ length: 8 }, (_, n) => call(instance, "fib", n));
  assert.deepEqual(values, [0, 1, 1, 2, 3, 5, 8, 13]);
  assert.equal(call(instance, "fib", 20), 6765);
});

Deno.test("the trap guests trap as they say", () => {
  assert.throws(() => call(instantiate("trap_unreachable"), "run"), /unreachable/);
  assert.throws(() => call(instantiate("trap_oob"), "run"), /out of bounds/);
  assert.throws(() => call(instantiate("trap_div0"), "run"), /divide by zero/);
  assert.throws(() => call(instantiate("stack_overflow"), "run"), RangeError);
});

Deno.test("spin_start has a start function and spin has none", () => {
  assert.equal(inspectModule(readGuest("spin_start")).hasStart, true);
  assert.equal(inspectModule(readGuest("spin")).hasStart, false);
});

Deno.test("catch_all_exit swallows an exception of proc_exit, with either form of try", () => {
  for (const name of ["catch_all_exit", "catch_all_exit_legacy"]) {
    const codes: number[] = [];
    const proc_exit = (code: number): never => {
      codes.push(code);
      throw new Error("exit");
    };
    const instance = instantiate(name, { wasi_snapshot_preview1: { proc_exit } });
    assert.equal(call(instance, "_start"), undefined, name);
    assert.deepEqual(codes, [7]);
  }
});

Deno.test("unknown_import and bad_signature_import import what they say", () => {
  assert.deepEqual(inspectModule(readGuest("unknown_import")).imports, [
    { module: "env", name: "mystery", kind: "func", type: { params: ["i32"], results: ["i32"] } },
  ]);
  assert.deepEqual(inspectModule(readGuest("bad_signature_import")).imports, [
    {
      module: "wasi_snapshot_preview1",
      name: "fd_write",
      kind: "func",
      type: { params: ["i64"], results: ["i32"] },
    },
  ]);
});

Deno.test("big_memory declares 5000 pages", () => {
  assert.equal(inspectModule(readGuest("big_memory")).memories[0]?.pagesMin, 5000);
});

Deno.test("grow_memory grows as far as it is let and returns the pages", () => {
  const instance = instantiate("grow_memory");
  const pages = call(instance, "run");
  assert.equal(pages, memoryOf(instance).length / 65_536);
  assert.ok((pages as number) > 1);
});

Deno.test("v128_result has the signatures that cannot cross", () => {
  const types = inspectModule(readGuest("v128_result")).exports.map(({ name, type }) => [name, type]);
  assert.deepEqual(types, [
    ["run", { params: [], results: ["v128"] }],
    ["take_vector", { params: ["v128"], results: [] }],
    ["null_reference", { params: [], results: ["ref"] }],
    ["take_reference", { params: ["ref"], results: [] }],
  ]);
  assert.throws(() => call(instantiate("v128_result"), "run"), TypeError);
});

Deno.test("emit_chunks.run emits three chunks", () => {
  const host = new TensorHost();
  assert.equal(call(host.instantiate("emit_chunks"), "run"), 0);
  assert.deepEqual(host.chunks.map((chunk) => chunk.length), [6, 7, 6]);
  assert.equal(host.text(), "first\nsecond\nthird\n");
});

Deno.test("emit_chunks.emit passes place and length on, and the host's code back", () => {
  const host = new TensorHost();
  const instance = host.instantiate("emit_chunks");
  assert.equal(call(instance, "emit", 0, 65_536), 0);
  assert.equal(call(instance, "emit", 0, 65_537), -2);
  assert.equal(call(instance, "emit", 3 * 65_536 - 1, 2), -2);
});

Deno.test("emit_chunks.emit_many emits as often as it is told", () => {
  const host = new TensorHost();
  const instance = host.instantiate("emit_chunks");
  assert.equal(call(instance, "emit_many", 0), 0);
  assert.equal(call(instance, "emit_many", 5), 0);
  assert.equal(host.chunks.length, 5);
});

Deno.test("assembly_score summarises the numeric columns of the sample", () => {
  const host = new TensorHost(readGuestData("columns.csv"));
  assert.equal(call(host.instantiate("assembly_score"), "main"), 3);
  assert.equal(
    host.text(),
    [
      "column,count,min,max,mean",
      "temperature,5,-3.0,12.5,5.5",
      "humidity,4,59.0,81.0,70.25",
      '"wind, m/s",4,2.5,11.25,5.2875',
      "",
    ].join("\n"),
  );
});

Deno.test("assembly_score writes only its header for an empty input", () => {
  const host = new TensorHost();
  assert.equal(call(host.instantiate("assembly_score"), "main"), 0);
  assert.equal(host.text(), "column,count,min,max,mean\n");
});

Deno.test("assembly_score emits a long result in several chunks", () => {
  const names = Array.from({ length: 6000 }, (_, index) => `column${index}`);
  const input = new TextEncoder().encode(`${names.join(",")}\n${names.map((_, index) => index).join(",")}\n`);
  const host = new TensorHost(input);
  assert.equal(call(host.instantiate("assembly_score"), "main"), 6000);
  assert.ok(host.chunks.length > 1);
  assert.equal(host.text().split("\n").at(-2), "column5999,1,5999.0,5999.0,5999.0");
});

Deno.test("assembly_score.compound and gcd compute", () => {
  const instance = new TensorHost().instantiate("assembly_score");
  assert.equal(call(instance, "compound", 1000, 0.1, 2), 1000 * 1.1 * 1.1);
  assert.equal(call(instance, "gcd", 1071n, 462n), 21n);
  assert.equal(call(instance, "gcd", 0n, 0n), 0n);
});
