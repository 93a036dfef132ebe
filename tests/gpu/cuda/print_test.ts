/**
 * Printing of kernels on a GPU, as far as it can be seen without one.
 *
 * Owns the run of rewritten texts on the CPU device: the PTX function writes its records there as it would on a GPU,
 * and they are read as there. ptxas, where it is installed, accepts the same texts. What a hostile kernel may leave
 * in the buffer is written there by hand. Invariant: what is printed is what the CPU device prints by itself.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import type { GpuContext } from "../../../gpu/mod.ts";
import { PRINT_PTX } from "../../../gpu/cuda/print_ptx.ts";
import { PRINT_BUFFER, rewritePrint, usesDriverPrint } from "../../../gpu/cuda/print_rewrite.ts";
import { Prints } from "../../../gpu/cuda/prints.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { BASIC_PTX, PRINT_PTX as SAY_PTX } from "../../contract/gpu_kernels.ts";
import { allCases, readKernelPtx } from "../kernels/references.ts";
import { runCase } from "../kernels/run_case.ts";
import { buildPrint, TARGET } from "./build_print.ts";

const device = createCpuDevice();

function open(): GpuContext {
  return device.createContext({
    memoryBytesMax: 1 << 26,
    pacer: { tick: () => 2 ** 31, charge: () => {}, wait: async (promise) => void await promise },
    print: (text) => assert.fail(`printed past the buffer: ${text}`),
  });
}

function printsOf(context: GpuContext): { readonly prints: Prints; readonly printed: string[] } {
  const printed: string[] = [];
  const access = {
    read: (target: Uint8Array<ArrayBuffer>, pointer: bigint) => context.copyFromDevice(target, pointer),
    zero: (pointer: bigint, byteLength: number) => context.copyToDevice(pointer, new Uint8Array(byteLength)),
  };
  return { prints: new Prints(access, (text) => void printed.push(text)), printed };
}

const lines = (printed: readonly string[]): string[] =>
  printed.join("").split("\n").filter((line) => line !== "").sort();

const printing = allCases().filter(({ prints, fails }) => prints !== undefined && fails === undefined);

Deno.test("cuda print: there are cases that print", () =>
  assert.ok(printing.length >= 3, String(printing.length)));

for (const kernelCase of printing) {
  Deno.test(`cuda print: ${kernelCase.name} by way of the buffer`, async () => {
    using context = open();
    const text = rewritePrint(new TextDecoder().decode(readKernelPtx(kernelCase.ptx)));
    using module = context.loadModule(new TextEncoder().encode(text));
    const { prints, printed } = printsOf(context);
    assert.deepEqual(await runCase(context, module, kernelCase), []);
    prints.launched(module);
    await prints.drain();
    assert.deepEqual(
      lines(printed),
      [...kernelCase.prints ?? []].flatMap((each) => each.split("\n")).filter((line) => line !== "").sort(),
    );
    // Once, and the buffer is as new.
    prints.launched(module);
    await prints.drain();
    assert.deepEqual(
      lines(printed).length,
      lines(kernelCase.prints?.map((each) => `${each}\n`) ?? []).length,
    );
  });
}

Deno.test("cuda print: a text keeps its lines, and one without vprintf, or with its own, is as it was", () => {
  const rewritten = rewritePrint(SAY_PTX);
  assert.equal(rewritten.split("\n").length, SAY_PTX.split("\n").length);
  assert.ok(!/(?<![\w$])vprintf(?![\w$])/.test(rewritten));
  const lineOf = (text: string): number => text.split("\n").findIndex((line) => line.includes(".entry say"));
  assert.equal(lineOf(rewritten), lineOf(SAY_PTX));
  assert.equal(rewritePrint(BASIC_PTX), BASIC_PTX);
  assert.equal(usesDriverPrint(parsePtx(BASIC_PTX)), false);
  assert.equal(usesDriverPrint(parsePtx(SAY_PTX)), true);
  const own = SAY_PTX.replace(".extern .func", ".func").replace("args);", "args)\n{\n  ret;\n}");
  assert.equal(usesDriverPrint(parsePtx(own)), false);
});

Deno.test("cuda print: what does not fit is dropped, and what fits is told", async () => {
  using context = open();
  using module = context.loadModule(new TextEncoder().encode(rewritePrint(SAY_PTX)));
  const { prints, printed } = printsOf(context);
  const kernel = module.kernels.get("say");
  assert.ok(kernel);
  const [grid, block] = [{ x: 40, y: 1, z: 1 }, { x: 256, y: 1, z: 1 }];
  await context.launch({ module, kernel, grid, block, sharedBytes: 0, params: new Uint8Array(4) });
  prints.launched(module);
  await prints.drain();
  // 8 bytes, a format of 11, an argument: 32 bytes a record.
  assert.equal(printed.length, 256 * 1024 / 32);
  assert.equal(new Set(printed).size, 1);
});

Deno.test("cuda print: records that a kernel made up name nothing outside of them", async () => {
  using context = open();
  using module = context.loadModule(new TextEncoder().encode(rewritePrint(SAY_PTX)));
  const { prints, printed } = printsOf(context);
  const buffer = module.findGlobal(PRINT_BUFFER);
  assert.ok(buffer);
  const text = new TextEncoder().encode("%s|%d|%s");
  const forge = async (used: bigint, size: number, argsAt: number, pointer: bigint): Promise<void> => {
    const bytes = new Uint8Array(8 + 64);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, used, true);
    view.setUint32(8, size, true);
    view.setUint32(12, argsAt, true);
    bytes.set(text, 16);
    view.setBigUint64(8 + 24, pointer, true);
    await context.copyToDevice(buffer.pointer, bytes);
    prints.launched(module);
    await prints.drain();
  };
  await forge(64n, 64, 24, buffer.pointer);
  await forge(64n, 64, 4_000_000_000, 8n);
  await forge(2n ** 63n, 64, 24, 2n ** 63n);
  await forge(64n, 0, 24, 0n);
  await forge(64n, 12, 24, 0n);
  await forge(64n, 2 ** 31, 24, 0n);
  await forge(8n, 64, 24, 0n);
  await forge(64n, 64, 24, 8n);
  assert.deepEqual(printed.map((each) => each.split("|")[0]), ["", "", "", "%s"]);
});

Deno.test("cuda print: the PTX is what nvcc makes of print.cu", async () => {
  let built: string;
  try {
    built = await buildPrint();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return void Deno.stderr.writeSync(new TextEncoder().encode("skipped: no nvcc\n"));
  }
  const squeezed = (text: string): string => text.replace(/\s+/g, " ");
  assert.equal(squeezed(built), squeezed(await Deno.readTextFile(TARGET)));
  assert.ok(PRINT_PTX.length > 1000);
});

Deno.test("cuda print: ptxas accepts rewritten texts", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files = [...new Set(printing.map(({ ptx }) => ptx))];
    const texts = files.map((file) => [file, new TextDecoder().decode(readKernelPtx(file))] as const);
    for (const [name, text] of [["say", SAY_PTX.replaceAll("sm_70", "sm_75")] as const, ...texts]) {
      await Deno.writeTextFile(`${folder}/a.ptx`, rewritePrint(text));
      const args = ["-arch=sm_90", "-o", `${folder}/a.cubin`, `${folder}/a.ptx`];
      const { success, stderr } = await new Deno.Command("ptxas", { args }).output();
      assert.ok(success, `${name}: ${new TextDecoder().decode(stderr)}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode("skipped: no ptxas\n"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
