/**
 * Builds gpu/cuda/print_ptx.ts from gpu/cuda/print.cu (needs nvcc).
 *
 * Owns what is kept of nvcc's text: the function and its buffer, without comments and heads, of which the module
 * that it goes into has its own. Run it by itself to write the file; a test compares.
 */
const SOURCE = new URL("../../../gpu/cuda/print.cu", import.meta.url);
export const TARGET = new URL("../../../gpu/cuda/print_ptx.ts", import.meta.url);

/** The text of the file as it should be. @throws Deno.errors.NotFound where there is no nvcc */
export async function buildPrint(): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const out = `${folder}/print.ptx`;
    // Device code that may be linked: without it nothing is left of a function that no kernel calls.
    const args = ["-ptx", "-arch=compute_75", "-O3", "-rdc=true", "-o", out, SOURCE.pathname];
    const { success, stderr } = await new Deno.Command("nvcc", { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return wrap(await Deno.readTextFile(out));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function wrap(ptx: string): string {
  const lines = ptx.split("\n").map((line) => line.replace(/\/\/.*/, "").replace(/\s+/g, " ").trim()).filter((
    line,
  ) => line !== "" && !/^\.(version|target|address_size)\b/.test(line));
  const text = lines.join("\n").replace(".visible .func", ".func");
  return `/**
 * PrintPtx: the function that kernels print with, as PTX.
 *
 * Owns the text alone: made from print.cu by tests/gpu/cuda/build_print.ts, not written by hand. Invariant: it has
 * no line that a module of PTX ISA 7.0 for sm_70 could not have.
 */

/** A buffer and a function of the type of vprintf. */
export const PRINT_PTX = \`${text}\`;
`;
}

if (import.meta.main) await Deno.writeTextFile(TARGET, await buildPrint());
