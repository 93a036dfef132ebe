/**
 * The line of the PTX that a failing kernel's error names, whichever check found what it did wrong.
 *
 * Kernels are texts made here; the line that is expected is that of the marked instruction.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { kernelText, launchText, openContext, outcomeOf } from "./device_support.ts";

const device = createCpuDevice();

/** The line of the instruction behind `// here`, from 1. */
function markedLine(text: string): number {
  return text.split("\n").findIndex((line) => line.includes("// here")) + 1;
}

/** Accesses outside of the device's memory: the engine finds them, or a check of ours. */
const WILD: readonly (readonly [what: string, body: string, module?: string])[] = [
  [
    "a load",
    "mov.u64 %d1, 0x7000000000000000;\nld.global.u32 %r1, [%d1]; // here\nst.global.u32 [%memory], %r1;",
  ],
  ["a store", "ld.global.u32 %r1, [%memory];\nmov.u64 %d1, 8;\nst.global.u32 [%d1], %r1; // here"],
  [
    "an atomic",
    "mov.u64 %d1, 16;\natom.global.add.u32 %r1, [%d1], 1; // here\nst.global.u32 [%memory], %r1;",
  ],
  ["an atomic in a loop", "mov.u64 %d1, 16;\natom.global.add.f32 %f1, [%d1], 0f3F800000; // here"],
  [
    "a vector",
    "mov.u64 %d1, 32;\nld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%d1]; // here\nst.global.u32 [%memory], %r4;",
  ],
  ["a generic access", "mov.u64 %d1, 0x100;\nst.u32 [%d1], %me; // here"],
  ["shared memory", "mov.u32 %r1, 4096;\nadd.u32 %r1, %r1, %me;\nst.shared.u32 [%r1], %me; // here"],
  [
    "behind a barrier, of the last thread",
    "setp.ne.u32 %p1, %me, 31;\nst.global.u32 [%own], %me;\nbar.sync 0;\n@%p1 bra L;\nmov.u64 %d1, 64;\n" +
    "st.global.u32 [%d1], %me; // here\nL: bar.sync 0;\nst.global.u32 [%own], %me;",
  ],
  [
    "the third of many",
    "ld.global.u32 %r1, [%own];\nld.global.u32 %r2, [%own+128];\nadd.u64 %d1, %own, 0x6000000000000000;\n" +
    "ld.global.u32 %r3, [%d1]; // here\nadd.u32 %r1, %r1, %r2;\nadd.u32 %r1, %r1, %r3;\nst.global.u32 [%own], %r1;",
  ],
  [
    "in a function that is called",
    "call far, (%memory);",
    "\n.func far(.param .b64 at) {\n.reg .b64 %a;\nld.param.u64 %a, [at];\nadd.u64 %a, %a, 0x5000000000000000;\n" +
    "st.global.u32 [%a], 1; // here\nret;\n}",
  ],
];

for (const [what, body, module] of WILD) {
  for (const threads of [1, 32]) {
    Deno.test(`the error of ${what} that is outside names its line, with ${threads} threads`, async () => {
      // The last thread of a block of one is the first.
      const text = kernelText(body, module).replace("%me, 31", `%me, ${threads - 1}`);
      using context = openContext(device);
      const pointer = context.allocate(4096);
      const outcome = await outcomeOf(() =>
        launchText(context, text, { params: [pointer], block: { x: threads } })
      );
      assert.equal(outcome.name, "CUDA_ERROR_ILLEGAL_ADDRESS");
      assert.ok(outcome.text.endsWith(`, in k (line ${markedLine(text)} of the PTX)`), outcome.text);
    });
  }
}

/** A kernel as `nvcc -lineinfo` writes it. */
function withPlaces(body: string): string {
  return `${kernelText(`.loc 1 17 3\n${body}`)}.file 1 "/home/somebody/blur.cu"\n`;
}

for (
  const [what, body] of [
    ["the engine finds", "mov.u64 %d1, 8;\nst.global.u32 [%d1], 1; // here"],
    ["a check of ours finds", "mov.u32 %r1, 4096;\nst.shared.u32 [%r1], 1; // here"],
    ["is misaligned", "st.global.u32 [%memory+2], 1; // here"],
    ["traps", "trap; // here"],
  ] as const
) {
  Deno.test(`the error of what ${what} names the place in the source that the line comes from`, async () => {
    using context = openContext(device);
    const text = withPlaces(body);
    const pointer = context.allocate(4096);
    const outcome = await outcomeOf(() => launchText(context, text, { params: [pointer] }));
    assert.ok(
      outcome.text.endsWith(`, in k (line ${markedLine(text)} of the PTX, blur.cu:17)`),
      outcome.text,
    );
  });
}

Deno.test("what the compiler refuses has its place in the source", async () => {
  using context = openContext(device);
  const text = withPlaces("tex.1d.v4.f32.s32 {%f1,%f2,%f3,%f4}, [%d1, {%r1}]; // here");
  const outcome = await outcomeOf(() => launchText(context, text));
  assert.equal(outcome.name, "CUDA_ERROR_INVALID_PTX");
  assert.ok(
    outcome.text.endsWith(`line ${markedLine(text)}: Opcode tex is not supported (blur.cu:17)`),
    outcome.text,
  );
});
