/**
 * Builds every .cu of this folder into .ptx with nvcc; `--check` builds elsewhere and compares.
 *
 * Owns the compiler's flags and the flavours: each file for sm_90, some for sm_75, without optimisation and with
 * debug information as well. Sources are compiled in a folder of a fixed name, so that no path of a machine gets
 * into the output. Invariant: the same nvcc gives the same bytes.
 */

/** A way to compile: what stands between name and `.ptx`, and nvcc's flags. */
interface Flavour {
  readonly suffix: string;
  readonly flags: readonly string[];
  /** Names of the .cu; undefined for all. */
  readonly files?: readonly string[];
}

/** Files whose kernels need flags of their own, in every flavour. */
const FLAGS_BY_FILE: ReadonlyMap<string, readonly string[]> = new Map([
  ["fast_math", ["-use_fast_math"]],
]);

/** Tensor cores, asynchronous copies, bfloat16 and redux are not for sm_75. */
const FOR_SM_75 = ["vector", "reduce", "sort"];
const UNOPTIMISED = [
  ...["vector", "matmul", "reduce", "softmax", "histogram", "scan", "stencil", "mandelbrot", "sort"],
  ...["control", "memory", "structs", "warp", "atomics"],
];
const DEBUG = ["vector", "reduce"];

/** The flavours, the plain one first. */
export const FLAVOURS: readonly Flavour[] = [
  { suffix: "", flags: ["-arch=sm_90", "-O3"] },
  { suffix: ".sm_75", flags: ["-arch=sm_75", "-O3"], files: FOR_SM_75 },
  { suffix: ".o0", flags: ["-arch=sm_90", "-Xcicc", "-O0"], files: UNOPTIMISED },
  { suffix: ".debug", flags: ["-arch=sm_90", "-G"], files: DEBUG },
];

const HERE = new URL("./", import.meta.url).pathname;
/**
 * Always the same one: the unoptimised and debug flavours hold names that the compiler makes of the source's whole
 * path, so another folder would give other files and `--check` could compare nothing.
 */
const WORK_FOLDER = "/tmp/tensorwasm_kernels";

/** The sources, by name without ending. */
export function listKernelSources(): string[] {
  const names = [...Deno.readDirSync(HERE)].map(({ name }) => name).filter((name) => name.endsWith(".cu"));
  return names.map((name) => name.slice(0, -3)).sort();
}

/** What is built of a source: the PTX files and their flags. */
function outputsOf(name: string): { file: string; flags: readonly string[] }[] {
  return FLAVOURS.filter(({ files }) => files === undefined || files.includes(name)).map((
    { suffix, flags },
  ) => ({ file: `${name}${suffix}.ptx`, flags: [...flags, ...(FLAGS_BY_FILE.get(name) ?? [])] }));
}

async function compile(name: string, flags: readonly string[]): Promise<string> {
  const output = await new Deno.Command("nvcc", {
    args: ["-ptx", ...flags, `${name}.cu`, "-o", "out.ptx"],
    cwd: WORK_FOLDER,
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!output.success) throw new Error(`Compiler failed with code ${output.code}: ${name}.cu`);
  return withoutPaths(await Deno.readTextFile(`${WORK_FOLDER}/out.ptx`));
}

/** `.file` directives name headers by where they were installed; the last part is enough. */
function withoutPaths(ptx: string): string {
  return ptx.replace(/^(\s*\.file\s+\d+\s+")[^"\n]*\/([^"/\n]+")/gm, "$1$2");
}

async function main(args: readonly string[]): Promise<void> {
  const isCheck = args.includes("--check");
  const only = args.filter((arg) => arg !== "--check");
  await Deno.mkdir(WORK_FOLDER, { recursive: true });
  const different: string[] = [];
  for (const name of listKernelSources()) {
    if (only.length > 0 && !only.includes(name)) continue;
    await Deno.copyFile(`${HERE}${name}.cu`, `${WORK_FOLDER}/${name}.cu`);
    for (const { file, flags } of outputsOf(name)) {
      const ptx = await compile(name, flags);
      const committed = await Deno.readTextFile(HERE + file).catch(() => "");
      if (ptx === committed) continue;
      different.push(file);
      if (!isCheck) await Deno.writeTextFile(HERE + file, ptx);
    }
  }
  await Deno.remove(WORK_FOLDER, { recursive: true });
  if (isCheck && different.length > 0) {
    throw new Error(`PTX differs from its source: ${different.join(", ")}`);
  }
  print(different.length === 0 ? "All PTX is as its sources say" : `Built ${different.join(", ")}`);
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    print(error instanceof Error ? error.message : String(error));
    Deno.exitCode = 1;
  }
}
