/**
 * Programs: a text is compiled once, and the cache holds no more than it may.
 */
import assert from "node:assert/strict";
import { compileProgram } from "../../../gpu/cpu/program.ts";
import type { Program } from "../../../gpu/cpu/program.ts";
import { Programs } from "../../../gpu/cpu/programs.ts";
import { GpuError } from "../../../gpu/gpu_error.ts";
import { kernelText } from "./device_support.ts";

const TRAITS = { isShared: false, isFused: false };

function textOf(number: number): Uint8Array {
  return new TextEncoder().encode(kernelText(`mov.u32 %r1, ${number};`));
}

function makePrograms(
  programsMax: number,
  ptxBytesMax = 2 ** 20,
): { programs: Programs; compiled: () => number } {
  let count = 0;
  const compiler = {
    compileProgram: (ptx: Uint8Array, traits: typeof TRAITS): Program => {
      count++;
      return compileProgram(ptx, traits);
    },
  };
  return { programs: new Programs(TRAITS, compiler, { programsMax, ptxBytesMax }), compiled: () => count };
}

Deno.test("the same text is the same program, and is compiled once", () => {
  const { programs, compiled } = makePrograms(4);
  assert.equal(programs.load(textOf(1)), programs.load(textOf(1)));
  assert.notEqual(programs.load(textOf(1)), programs.load(textOf(2)));
  assert.deepEqual([programs.size, compiled()], [2, 2]);
});

Deno.test("of too many programs the one that was used longest ago goes", () => {
  const { programs, compiled } = makePrograms(3);
  for (const number of [1, 2, 3, 1, 4]) programs.load(textOf(number));
  assert.equal(programs.size, 3);
  programs.load(textOf(1));
  assert.equal(compiled(), 4);
  programs.load(textOf(2));
  assert.equal(compiled(), 5);
});

Deno.test("texts of too many bytes in all push others out, and one that is larger alone is kept", () => {
  const bytes = textOf(1).length;
  const { programs } = makePrograms(100, 2 * bytes);
  for (const number of [1, 2, 3, 4]) programs.load(textOf(number));
  assert.equal(programs.size, 2);
  const { programs: small } = makePrograms(100, 10);
  small.load(textOf(1));
  small.load(textOf(2));
  assert.equal(small.size, 1);
});

Deno.test("a text that is refused is not kept", () => {
  const { programs } = makePrograms(4);
  for (const text of ["nonsense", "", ".version 8.3\n.target sm_90\n.address_size 64\n"]) {
    assert.throws(
      () => programs.load(new TextEncoder().encode(text)),
      (error) => error instanceof GpuError && error.statusName === "CUDA_ERROR_INVALID_PTX",
    );
  }
  assert.throws(() => programs.load(new Uint8Array([0xff, 0xfe])), /UTF-8/);
  assert.equal(programs.size, 0);
});

Deno.test("the compiler is fetched once it is needed, and once", async () => {
  let fetched = 0;
  const programs = new Programs(TRAITS, () => {
    fetched++;
    return Promise.resolve({ compileProgram });
  }, { programsMax: 4, ptxBytesMax: 2 ** 20 });
  assert.equal(fetched, 0);
  await programs.ready();
  assert.equal(programs.ready(), undefined);
  assert.equal(fetched, 1);
  assert.deepEqual(programs.load(textOf(1)).names, ["k"]);
});

Deno.test("a program keeps no more than so many variants of its kernels", () => {
  const program = compileProgram(textOf(1), TRAITS);
  const shape = (x: number): Parameters<typeof program.code>[1] => ({
    block: { x, y: 1, z: 1 },
    areParamsAligned: true,
  });
  const first = program.code("k", shape(1));
  assert.equal(program.code("k", shape(1)), first);
  for (let x = 2; x <= 40; x++) program.code("k", shape(x));
  assert.notEqual(program.code("k", shape(1)), first);
});
