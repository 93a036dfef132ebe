/**
 * Every kernel of tests/gpu/kernels in the interpreter of the tests against its reference.
 *
 * Owns nothing but the loop. It tells a wrong reference from a wrong compiler: a case that passes here and
 * fails in kernels_test.ts is the device's fault. Invariant: the device is not touched.
 */
import assert from "node:assert/strict";
import type { GpuModule } from "../../gpu/device.ts";
import { GpuError } from "../../gpu/gpu_error.ts";
import type { PtxModule } from "../../gpu/ptx/ast.ts";
import { parsePtx } from "../../gpu/ptx/syntax/parser.ts";
import { InterpreterContext } from "./kernels/interpreter_context.ts";
import { allCases, type KernelCase, readKernelPtx } from "./kernels/references.ts";
import { runCase } from "./kernels/run_case.ts";

const MEMORY_BYTES = 16 * 1024 * 1024;

async function problemsOf(
  context: InterpreterContext,
  module: GpuModule,
  each: KernelCase,
): Promise<string[]> {
  try {
    const problems = await runCase(context, module, each);
    if (each.fails !== undefined) problems.push(`did not fail with ${each.fails.join(" or ")}`);
    return problems;
  } catch (error) {
    if (error instanceof GpuError && each.fails?.includes(error.statusName) === true) return [];
    return [error instanceof Error ? error.message : String(error)];
  }
}

/**
 * References are the same for every flavour of a file, so the plain one tells whether they are wrong; the other
 * flavours are compared with them on the device.
 */
const cases = allCases().filter(({ ptx }) => !/\.(debug|sm_75|o0)\.ptx$/.test(ptx));

/** The files, each parsed once. */
const parsed = new Map<string, PtxModule>();

function parsedFile(ptx: string): PtxModule {
  const module = parsed.get(ptx) ?? parsePtx(new TextDecoder().decode(readKernelPtx(ptx)));
  parsed.set(ptx, module);
  return module;
}

for (const [name, ofKernel] of Map.groupBy(cases, ({ ptx, kernel }) => `${ptx} ${kernel}`)) {
  Deno.test(`interpreted kernel ${name}`, async () => {
    const problems: string[] = [];
    for (const each of ofKernel) {
      let printed = "";
      using context = new InterpreterContext(MEMORY_BYTES, (text) => printed += text);
      using module = context.loadParsed(parsedFile(each.ptx));
      const found = await problemsOf(context, module, each);
      const lines = printed.split("\n").filter((line) => line !== "").sort();
      const wanted = [...each.prints ?? []].sort();
      if (lines.join("\n") !== wanted.join("\n")) found.push(`printed ${JSON.stringify(lines)}`);
      problems.push(...found.map((problem) => `${each.name}: ${problem}`));
    }
    assert.equal(problems.join("\n"), "");
  });
}
