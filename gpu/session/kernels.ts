/**
 * Kernels: what a guest instance has loaded.
 *
 * Owns kernel ids, the modules behind them (one for each PTX text, however many entries are looked up) and the
 * quotas on both. It compiles nothing itself. Invariants: a module lives as long as a kernel of it has an id; a
 * load that fails leaves nothing behind.
 */
import type { GpuModule, KernelInfo } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { HandleTable } from "./handles.ts";
import { fingerprintPtx } from "./ptx_text.ts";
import { GpuRefusal, overLimit } from "./refusal.ts";
import type { SessionParts } from "./session_parts.ts";
import type { Steps } from "./steps.ts";

/** Of the entries of a module, a message names so many, and so much of each. */
const LISTED_ENTRIES_MAX = 4;
const LISTED_LENGTH_MAX = 64;

/** A loaded kernel. */
export interface Kernel {
  readonly info: KernelInfo;
  readonly loaded: LoadedModule;
  /** Its parameter block, filled anew by each launch. */
  readonly params: Uint8Array;
  readonly block: DataView;
}

interface LoadedModule {
  readonly fingerprint: string;
  readonly module: GpuModule;
  readonly ptxBytes: number;
  kernelCount: number;
}

/** How a load went, as far as it got. */
export interface LoadProgress {
  cached: boolean;
  compileMs: number;
}

/** Fuel for a byte of PTX, whether or not a device has it compiled already. */
const FUEL_PER_PTX_BYTE = 100;

/** The kernels of one session. */
export class Kernels {
  readonly #parts: SessionParts;
  readonly #kernels = new HandleTable<Kernel>();
  readonly #modules = new Map<string, LoadedModule>();
  #ptxBytes = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** @throws GpuRefusal invalidKernel */
  get(id: bigint): Kernel {
    const kernel = this.#kernels.get(id);
    if (kernel === undefined) throw new GpuRefusal("invalidKernel", `No kernel has the id ${id}`);
    return kernel;
  }

  /** The name of a kernel, if there is one. */
  nameOf(id: bigint): string | undefined {
    return this.#kernels.get(id)?.info.name;
  }

  /** Loads PTX and looks up an entry; the kernel's id. Where the guest's ranges lie in its memory is checked first. */
  *load(
    ptxPointer: number,
    ptxLength: number,
    entryPointer: number,
    entryLength: number,
    progress: LoadProgress,
  ): Steps<bigint> {
    const { memory, limits } = this.#parts;
    const guestPtx = memory.bytes("PTX", ptxPointer, ptxLength);
    const guestEntry = memory.bytes("Entry name", entryPointer, entryLength);
    const { ptxBytesMax, gpuEntryNameBytesMax, gpuKernelsMax } = limits;
    if (guestPtx.length > ptxBytesMax) {
      throw overLimit("PTX is too long", "ptxBytesMax", ptxBytesMax, guestPtx.length);
    }
    if (guestEntry.length > gpuEntryNameBytesMax) {
      const what = "Entry name is too long";
      throw overLimit(what, "gpuEntryNameBytesMax", gpuEntryNameBytesMax, guestEntry.length);
    }
    if (this.#kernels.size >= gpuKernelsMax) {
      throw overLimit("Too many kernels", "gpuKernelsMax", gpuKernelsMax, this.#kernels.size + 1);
    }
    const entry = decodeEntry(guestEntry);
    const loaded = yield* this.#module(guestPtx, progress);
    const info = yield* this.#find(loaded, entry, progress);
    if (info === undefined) {
      const text = `the module has no entry ${JSON.stringify(entry)}; it has ${entriesOf(loaded.module)}`;
      this.#release(loaded);
      throw new GpuError("load_ptx", "CUDA_ERROR_NOT_FOUND", text);
    }
    loaded.kernelCount++;
    const params = new Uint8Array(info.paramBytes);
    return this.#kernels.add({ info, loaded, params, block: new DataView(params.buffer) });
  }

  *#find({ module }: LoadedModule, entry: string, progress: LoadProgress): Steps<KernelInfo | undefined> {
    const startMs = performance.now();
    try {
      const answer = module.findInTurns === undefined ? module.kernels.get(entry) : module.findInTurns(entry);
      if (!(answer instanceof Promise)) return answer;
      let info: KernelInfo | undefined;
      yield answer.then((value) => void (info = value));
      return info;
    } finally {
      progress.compileMs = (progress.compileMs ?? 0) + performance.now() - startMs;
    }
  }

  /** @throws GpuRefusal invalidKernel */
  unload(id: bigint): void {
    const { loaded } = this.get(id);
    this.#kernels.remove(id);
    loaded.kernelCount--;
    this.#release(loaded);
  }

  dispose(): void {
    for (const { module } of this.#modules.values()) module[Symbol.dispose]();
    this.#modules.clear();
    this.#kernels.clear();
  }

  *#module(guestPtx: Uint8Array, progress: LoadProgress): Steps<LoadedModule> {
    const { context, limits, pacer } = this.#parts;
    const fingerprint = fingerprintPtx(guestPtx);
    const known = this.#modules.get(fingerprint);
    if (known !== undefined) {
      progress.cached = true;
      return known;
    }
    const total = this.#ptxBytes + guestPtx.length;
    if (total > limits.ptxTotalBytesMax) {
      throw overLimit("Too much PTX", "ptxTotalBytesMax", limits.ptxTotalBytesMax, total);
    }
    pacer.charge(guestPtx.length * FUEL_PER_PTX_BYTE);
    const startMs = performance.now();
    let module: GpuModule | undefined;
    try {
      // A copy: the device may keep it, and the guest may change its own.
      const [copy, device] = [guestPtx.slice(), context()];
      const answer = device.loadModuleInTurns?.(copy) ?? device.loadModule(copy);
      if (answer instanceof Promise) yield answer.then((value) => void (module = value));
      else module = answer;
    } finally {
      progress.compileMs = performance.now() - startMs;
    }
    if (module === undefined) throw new GpuRefusal("internal", "The device loaded no module");
    const loaded: LoadedModule = { fingerprint, module, ptxBytes: guestPtx.length, kernelCount: 0 };
    this.#modules.set(fingerprint, loaded);
    this.#ptxBytes += loaded.ptxBytes;
    return loaded;
  }

  /** Lets a module go that no kernel is of. */
  #release(loaded: LoadedModule): void {
    if (loaded.kernelCount > 0) return;
    this.#modules.delete(loaded.fingerprint);
    this.#ptxBytes -= loaded.ptxBytes;
    loaded.module[Symbol.dispose]();
  }
}

/** The names that were meant, perhaps: a C++ compiler makes others of them. */
function entriesOf({ kernels }: GpuModule): string {
  const names = [...kernels.keys()];
  const listed = names.slice(0, LISTED_ENTRIES_MAX).map((name) =>
    JSON.stringify(name.slice(0, LISTED_LENGTH_MAX))
  );
  const more = names.length > LISTED_ENTRIES_MAX ? `, and ${names.length - LISTED_ENTRIES_MAX} more` : "";
  const hint = names.some((name) => name.startsWith("_Z")) ? ' (extern "C" leaves a name as it is)' : "";
  return `${listed.join(", ")}${more}${hint}`;
}

function decodeEntry(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new GpuRefusal("invalidArgs", "Entry name is empty");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new GpuRefusal("invalidArgs", "Entry name is not UTF-8");
  }
}
