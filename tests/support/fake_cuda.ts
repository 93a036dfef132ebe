/**
 * The stand-in for the CUDA driver in other processes: built into a folder of its own, steered by a file beside it.
 *
 * Owns the folder, the control file that a process reads as it loads the library, and the report that each process
 * appends to which ends of its own accord. Invariant: nothing is left of it when it is disposed.
 */
import assert from "node:assert/strict";

/** What a process is told as it loads the library; the names are fake_cuda.c's. */
export type FakeCudaOptions = Readonly<
  Partial<
    Record<
      | "kernelDelayUs"
      | "hasPools"
      | "readsHost"
      | "deviceCount"
      | "initStatus"
      | "copyDelayUs"
      | "jitDelayUs"
      | "needsCompiler",
      number
    >
  >
>;

const FILE = "libcuda.so.580.1";
const SOURCE = new URL("../gpu/cuda/fake_cuda.c", import.meta.url).pathname;

async function build(target: string, sources: readonly string[]): Promise<void> {
  const args = ["-O1", "-shared", "-fPIC", "-o", target, ...sources];
  const { success, stderr } = await new Deno.Command("gcc", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** The library of one test. */
export class FakeCuda implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;

  /** Undefined where there is no C compiler. */
  static async build(options: FakeCudaOptions = {}): Promise<FakeCuda | undefined> {
    const folder = await Deno.makeTempDir({ prefix: "fake_cuda_" });
    const fake = new FakeCuda(folder);
    try {
      // A link, as the real one is: a permission is for the path that is opened.
      await build(`${folder}/${FILE}`, [SOURCE]);
      await Deno.symlink(FILE, fake.path);
      await build(`${folder}/libnvidia-ptxjitcompiler.so.1`, ["-x", "c", "/dev/null"]);
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    await fake.set(options);
    return fake;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = `${folder}/libcuda.so.1`;
  }

  /** For processes that load it from now on. */
  async set(options: FakeCudaOptions): Promise<void> {
    const lines = Object.entries({ report: 1, needsCompiler: 1, ...options }).map(([name, value]) =>
      `${name} ${value}\n`
    );
    await Deno.writeTextFile(`${this.path}.control`, lines.join(""));
  }

  /** What processes had open when they ended, and what was wrong: one line each. */
  async report(): Promise<string[]> {
    try {
      return (await Deno.readTextFile(`${this.path}.report`)).trim().split("\n");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}
