/**
 * FakeDriver: fake_cuda.c built and opened, and what it saw.
 *
 * Owns the build (gcc, into a temporary folder) and the functions that steer it. It opens no device. Invariant: a
 * test that leaves something open, or gave the driver something wrong, fails by `assertClean`.
 */
import assert from "node:assert/strict";
import { openCudaDevice } from "../../../gpu/cuda/mod.ts";
import type { CudaDevice, CudaDeviceOptions } from "../../../gpu/cuda/mod.ts";

const CONTROL = {
  fake_reset: { parameters: [], result: "void" },
  fake_fail: { parameters: ["i32", "i32"], result: "void" },
  fake_set: { parameters: ["i32", "i64"], result: "void" },
  fake_release: { parameters: [], result: "void" },
  fake_call_count: { parameters: [], result: "i32" },
  fake_problem_count: { parameters: [], result: "i32" },
  fake_call_name: { parameters: ["i32", "buffer", "usize"], result: "void" },
  fake_problem_text: { parameters: ["buffer", "usize"], result: "void" },
  fake_live: { parameters: ["i32"], result: "i32" },
  fake_live_text: { parameters: ["buffer", "usize"], result: "void" },
  fake_last_params: { parameters: ["buffer", "buffer"], result: "usize" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The order of the options in fake_cuda.c. */
const OPTIONS = [
  "kernelDelayUs",
  "hasPools",
  "readsHost",
  "deviceCount",
  "initStatus",
  "copyDelayUs",
  "lockedBytesMax",
  "jitDelayUs",
  "report",
  "needsCompiler",
  "poisonsProcess",
  "localBytes",
] as const;
/** The order of the kinds in fake_cuda.c. */
const KINDS = ["context", "stream", "event", "buffer", "host", "module", "range"] as const;

/** The library, built. Undefined, with the reason printed, where there is no C compiler. */
export class FakeDriver {
  readonly path: string;
  readonly #control: Deno.DynamicLibrary<typeof CONTROL>;

  static build(): FakeDriver | undefined {
    const folder = Deno.makeTempDirSync({ prefix: "fake_cuda_" });
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    const path = `${folder}/libcuda.so.1`;
    const source = new URL("fake_cuda.c", import.meta.url).pathname;
    try {
      const args = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", path, source];
      const { success, stderr } = new Deno.Command("gcc", { args }).outputSync();
      assert.ok(success, new TextDecoder().decode(stderr));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      Deno.stderr.writeSync(new TextEncoder().encode("skipped: no gcc to build the fake driver with\n"));
      return undefined;
    }
    return new FakeDriver(path);
  }

  private constructor(path: string) {
    this.path = path;
    this.#control = Deno.dlopen(path, CONTROL);
  }

  /** Forgets everything unless told not to, and opens a device. */
  open(
    options: CudaDeviceOptions = {},
    settings: Partial<Record<typeof OPTIONS[number], number>> = {},
    isFresh = true,
  ): CudaDevice {
    if (isFresh) this.reset();
    for (const [name, value] of Object.entries(settings)) this.set(name as typeof OPTIONS[number], value);
    return openCudaDevice({ driverPath: this.path, ...options });
  }

  reset(): void {
    this.#control.symbols.fake_reset();
  }

  set(option: typeof OPTIONS[number], value: number): void {
    this.#control.symbols.fake_set(OPTIONS.indexOf(option), BigInt(value));
  }

  /** Work that does not end (a delay of -1) is done now. */
  release(): void {
    this.#control.symbols.fake_release();
  }

  /** The nth call from now on answers with a status. */
  failCall(nth: number, status: number): void {
    this.#control.symbols.fake_fail(nth, status);
  }

  get callCount(): number {
    return this.#control.symbols.fake_call_count();
  }

  /** Names of the calls since the reset, from one on. */
  calls(from = 0): string[] {
    const names: string[] = [];
    for (let index = from; index < this.callCount; index++) {
      names.push(this.#text((bytes, size) => this.#control.symbols.fake_call_name(index, bytes, size)));
    }
    return names;
  }

  live(kind: typeof KINDS[number]): number {
    return this.#control.symbols.fake_live(KINDS.indexOf(kind));
  }

  /** What is open, "" if nothing is. */
  get liveText(): string {
    return this.#text((bytes, size) => this.#control.symbols.fake_live_text(bytes, size));
  }

  get problem(): string {
    return this.#text((bytes, size) => this.#control.symbols.fake_problem_text(bytes, size));
  }

  /** The parameter block and the shape of the last launch. */
  lastLaunch(): { readonly params: Uint8Array; readonly shape: number[] } {
    const [params, shape] = [new Uint8Array(4096), new Uint32Array(new ArrayBuffer(28))];
    const size = this.#control.symbols.fake_last_params(params, new Uint8Array(shape.buffer));
    return { params: params.slice(0, Number(size)), shape: [...shape] };
  }

  assertNoProblem(): void {
    assert.equal(this.problem, "");
  }

  /** Nothing was wrong, and nothing is open any more, as the driver and as the device see it. */
  assertClean(device: CudaDevice): void {
    this.assertNoProblem();
    assert.equal(this.liveText, "");
    assert.equal(device.ledger.openCount, 0, JSON.stringify(device.ledger.counts));
  }

  #text(fill: (bytes: Uint8Array<ArrayBuffer>, size: bigint) => void): string {
    const bytes = new Uint8Array(512);
    fill(bytes, 512n);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
