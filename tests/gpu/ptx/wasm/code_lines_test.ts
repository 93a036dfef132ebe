/** Lines of code by offsets and by stack traces. */
import assert from "node:assert/strict";
import type { Code } from "../../../../gpu/ptx/wasm/code.ts";
import { CodeLines } from "../../../../gpu/ptx/wasm/code_lines.ts";
import { ModuleWriter } from "../../../../gpu/ptx/wasm/module_writer.ts";

/** An error as the engine throws it, innermost frame first. */
function trap(...frames: readonly string[]): Error {
  const error = new Error("memory access out of bounds");
  error.stack = ["RuntimeError: memory access out of bounds", ...frames.map((frame) => `    at ${frame}`)]
    .join("\n");
  return error;
}

const LINES = new CodeLines([10, 0, 20, 7, 30, 9, 40, 0, 45, 3]);

Deno.test("CodeLines.lineAt() is the line noted last before, and none before the first", () => {
  const found = [0, 10, 19, 20, 29, 30, 39, 40, 44, 45, 1e9].map((offset) => LINES.lineAt(offset));
  assert.deepEqual(found, [0, 0, 0, 7, 7, 9, 9, 0, 0, 3, 3]);
  assert.equal(new CodeLines([]).lineAt(5), 0);
});

Deno.test("CodeLines.ofTrap() takes the innermost frame that has a line, of the module that trapped alone", () => {
  const inner = "wasm://wasm/aa:wasm-function[2]:0xb";
  assert.equal(
    LINES.ofTrap(
      trap(inner, "run (wasm://wasm/aa:wasm-function[1]:0x14)", "wasm://wasm/aa:wasm-function[1]:0x1e"),
    ),
    7,
  );
  assert.equal(LINES.ofTrap(trap(inner, "wasm://wasm/bb:wasm-function[1]:0x14")), 0);
  assert.equal(LINES.ofTrap(trap("file:///a.ts:20:7")), 0);
  assert.equal(LINES.ofTrap("thrown"), 0);
});

Deno.test("ModuleWriter.finish() says which lines code is for, whatever was put in front of it", () => {
  const writer = new ModuleWriter();
  writer.importMemory("memory", { pagesMin: 1, pagesMax: 1, isShared: false });
  const load = (code: Code, line: number, at: bigint): void => {
    code.noteLine(line);
    code.i64(at);
    code.memory("i32Load");
    code.op("drop");
  };
  for (const [index, at] of [70_000n, 0n].entries()) {
    const { code, index: own } = writer.begin([], []);
    // Locals make the head of a body longer.
    if (index === 0) code.local("i64");
    load(code, 100 + index, 0n);
    const mark = code.mark();
    load(code, 200 + index, at);
    load(code, 300 + index, 70_000n);
    const captured = code.capture(() => {
      for (let i = 0; i < 100; i++) load(code, 900, 0n);
    });
    code.insert(mark, captured);
    writer.export(`run${index}`, "function", own);
  }
  const { bytes, lines } = writer.finish();
  const memory = new WebAssembly.Memory(
    { address: "i64", initial: 1n, maximum: 1n } as unknown as WebAssembly.MemoryDescriptor,
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { k: { memory } });
  const lineOf = (name: string): number => {
    try {
      (exports[name] as () => void)();
      return -1;
    } catch (error) {
      return lines.ofTrap(error);
    }
  };
  assert.deepEqual([lineOf("run0"), lineOf("run1")], [200, 301]);
});
