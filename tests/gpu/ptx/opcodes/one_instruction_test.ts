/** The harness itself: registers in and out as bits, several results, memory, refusals. */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { compileInstruction, compileInstructions } from "./one_instruction.ts";

Deno.test("compileInstructions() gives each instruction its own registers", () => {
  const [add, mad] = compileInstructions(["add.s32 %r2, %r1, %r0", "mad.wide.u32 %l0, %r3, 3, %l0;"]);
  assert.deepEqual(add?.inputs, ["%r1", "%r0"]);
  assert.deepEqual(add?.outputs, ["%r2"]);
  assert.deepEqual(add?.run(0xffff_ffffn, 2n), [1n]);
  assert.deepEqual(mad?.inputs, ["%r3", "%l0"]);
  assert.deepEqual(mad?.run(0xffff_ffffn, 1n), [0xffff_ffffn * 3n + 1n]);
});

Deno.test("run() gives every result of a pair and of a vector", () => {
  assert.deepEqual(compileInstruction("setp.lt.s32 %p0|%p1, %r0, %r1").run(1n, 2n), [1n, 0n]);
  assert.deepEqual(compileInstruction("mov.b64 {%r0, %r1}, %l0").run(0x1_0000_0002n), [2n, 1n]);
});

Deno.test("run() reads and writes the memory that it is given", () => {
  const descriptor = { initial: 1n, maximum: 1n, address: "i64" } as unknown as WebAssembly.MemoryDescriptor;
  const memory = new WebAssembly.Memory(descriptor);
  const [store, load] = compileInstructions(["st.global.u16 [%l0+2], %h0", "ld.u32 %r0, [%l0]"], { memory });
  assert.deepEqual(store?.run(0x4000_0000n, 0xabcdn), []);
  assert.deepEqual(load?.run(0x4000_0000n), [0xabcd_0000n]);
});

Deno.test("compileInstruction() throws what the table refuses", () => {
  assert.throws(() => compileInstruction("add.foo.s32 %r0, %r1, %r2"), PtxError);
});
