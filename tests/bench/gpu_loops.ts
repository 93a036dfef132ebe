/**
 * The C loops of gpu_native.c: built by gcc and run, and built by clang to WebAssembly and called.
 *
 * Owns the compilers' flags. A compiler that is not there is no error: its column stays empty. Invariant: nothing
 * is left behind.
 */
import type { Clock } from "./gpu_clock.ts";

const SOURCE = new URL("gpu_native.c", import.meta.url).pathname;
const GCC_FLAGS = ["-std=gnu11", "-O3", "-march=native"];
const CLANG_FLAGS = [
  ...["--target=wasm32-wasi", "--sysroot=/usr", "-std=gnu11", "-O3", "-msimd128"],
  ...["-nostartfiles", "-Wl,--no-entry", "-Wl,--strip-all"],
];

/** Whether a compiler is there and made the file. */
async function compile(program: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, { args, stdout: "inherit", stderr: "inherit" })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs the native loops. @returns what each came to per second; undefined without gcc */
export async function runNative(rounds: number, clock: Clock): Promise<Map<string, number> | undefined> {
  const folder = await Deno.makeTempDir();
  try {
    if (!await compile("gcc", [...GCC_FLAGS, SOURCE, "-o", `${folder}/loops`, "-lm"])) return undefined;
    const { stdout } = await new Deno.Command(`${folder}/loops`, { args: [String(rounds), clock.name] })
      .output();
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    return new Map(lines.map((line) => {
      const { name, perSecond }: { name: string; perSecond: number } = JSON.parse(line);
      return [name, perSecond];
    }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type Exported = Readonly<
  Record<"count" | "name" | "prepare" | "run" | "work" | "sample", (arg?: number) => number>
>;

/** The loops as a WebAssembly module. */
export class NativeLoops {
  readonly #exports: Exported;
  readonly #indices = new Map<string, number>();

  /** @returns undefined without clang */
  static async build(): Promise<NativeLoops | undefined> {
    const folder = await Deno.makeTempDir();
    try {
      if (!await compile("clang", [...CLANG_FLAGS, SOURCE, "-o", `${folder}/loops.wasm`])) return undefined;
      const { instance } = await WebAssembly.instantiate(await Deno.readFile(`${folder}/loops.wasm`));
      return new NativeLoops(instance);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }

  private constructor({ exports }: WebAssembly.Instance) {
    this.#exports = exports as unknown as Exported;
    const memory = exports["memory"];
    if (!(memory instanceof WebAssembly.Memory)) throw new Error("The loops export no memory");
    for (let index = 0; index < this.#exports.count(); index++) {
      const bytes = new Uint8Array(memory.buffer, this.#exports.name(index), 64);
      this.#indices.set(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))), index);
    }
    this.prepare();
  }

  prepare(): void {
    this.#exports.prepare();
  }

  run(name: string): void {
    this.#exports.run(this.#indexOf(name));
  }

  /** An element of what the last run left. */
  sample(at: number): number {
    return this.#exports.sample(at);
  }

  /** What a run comes to. */
  workOf(name: string): number {
    this.run(name);
    return this.#exports.work(this.#indexOf(name));
  }

  /** The fastest of some runs. */
  perSecond(name: string, rounds: number, clock: Clock): number {
    let best = Infinity;
    for (let round = 0; round < rounds; round++) {
      const start = clock.ms();
      this.run(name);
      best = Math.min(best, clock.ms() - start);
    }
    return this.#exports.work(this.#indexOf(name)) / (best / 1000);
  }

  #indexOf(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new Error(`gpu_native.c has no kernel ${name}`);
    return index;
  }
}
