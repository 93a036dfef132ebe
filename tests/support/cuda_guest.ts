/**
 * Guests of `wasi:cuda/host` in text form, for tests: every function imported, data in place, a body to write.
 *
 * Owns the layout of the guest's memory and the imports' declarations, made from the contract's table. Invariant:
 * the module imports nothing but the interface, unless it is to print.
 */
import { GPU_FUNCTIONS } from "../../gpu/mod.ts";
import { assemble } from "./assemble.ts";

/** Where things are in the guest's memory of four pages. */
export const CUDA_AT = { entry: 16, print: 128, args: 256, ptx: 4096, data: 65_536 } as const;

/** What a guest is made of. */
export interface CudaGuestOptions {
  readonly ptx?: string;
  readonly entry?: string;
  readonly args?: Uint8Array;
  /** Version of the interface. */
  readonly version?: "0.1.0" | "0.2.0";
  /** Imports what CUDA_CALLS.print needs. */
  readonly prints?: boolean;
  /** More functions, in text form. */
  readonly functions?: string;
  readonly locals?: string;
  readonly pages?: number;
}

/** What CUDA_CALLS.print prints. */
export const PRINTED = "here";

/** Calls in text form, for bodies. */
export const CUDA_CALLS = {
  /** Leaves the kernel's id in `$kernel`. */
  load: (ptx: string, entry: string): string =>
    `(local.set $kernel (call $wasi_cuda_load_ptx (i32.const ${CUDA_AT.ptx}) (i32.const ${byteLength(ptx)})
      (i32.const ${CUDA_AT.entry}) (i32.const ${byteLength(entry)})))`,
  /** One block of one thread; the code stays on the stack. */
  launch: (argsLength: number): string =>
    `(call $wasi_cuda_launch (local.get $kernel) (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1)
      (i32.const 1) (i32.const 1) (i32.const 0) (i32.const ${CUDA_AT.args}) (i32.const ${argsLength}))`,
  sync: "(call $wasi_cuda_sync)",
  /** Prints PRINTED as a line, at once: whoever sees it knows that the guest has come so far. */
  print: `(drop (call $fd_write (i32.const 1) (i32.const ${CUDA_AT.print}) (i32.const 1)
      (i32.const ${CUDA_AT.print + 8})))`,
} as const;

const FD_WRITE = `(import "wasi_snapshot_preview1" "fd_write"
  (func $fd_write (param i32 i32 i32 i32) (result i32)))`;

/** A module whose export `run: () -> (i32)` has the given body. */
export function cudaGuest(body: string, options: CudaGuestOptions = {}): Uint8Array<ArrayBuffer> {
  const { ptx = "", entry = "", args = new Uint8Array(0), version = "0.2.0", functions = "", locals = "" } =
    options;
  const text = new TextEncoder().encode(`${PRINTED}\n`);
  const printAt = Uint8Array.of(CUDA_AT.print + 16, 0, 0, 0, text.length, 0, 0, 0);
  const imports = Object.entries(GPU_FUNCTIONS).map(([name, { params, results }]) =>
    `(import "wasi:cuda/host@${version}" "${name}" (func $${name} ${list("param", params)} ${
      list("result", results)
    }))`
  );
  return assemble(`(module
    ${imports.join("\n")}
    ${options.prints === true ? FD_WRITE : ""}
    (memory (export "memory") ${options.pages ?? 4})
    (data (i32.const ${CUDA_AT.ptx}) "${escape(new TextEncoder().encode(ptx))}")
    (data (i32.const ${CUDA_AT.entry}) "${escape(new TextEncoder().encode(entry))}")
    (data (i32.const ${CUDA_AT.args}) "${escape(args)}")
    ${
    options.prints === true
      ? `(data (i32.const ${CUDA_AT.print}) "${escape(printAt)}")
    (data (i32.const ${CUDA_AT.print + 16}) "${escape(text)}")`
      : ""
  }
    ${functions}
    (func (export "run") (result i32) (local $kernel i64) (local $count i32) ${locals} ${body}))`);
}

/** A guest that loads an entry, launches it `count` times and synchronises; answers the sum of all codes. */
export function launchingGuest(
  entry: string,
  ptx: string,
  args: Uint8Array = new Uint8Array(0),
  count = 1,
  options: CudaGuestOptions = {},
): Uint8Array<ArrayBuffer> {
  const body = `${CUDA_CALLS.load(ptx, entry)}
    (local.set $count (i32.const ${count}))
    (loop $again
      (local.set $code (i32.add (local.get $code) ${CUDA_CALLS.launch(args.length)}))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (i32.add (local.get $code) ${CUDA_CALLS.sync})`;
  return cudaGuest(body, { ...options, ptx, entry, args, locals: "(local $code i32)" });
}

function list(what: string, types: readonly string[]): string {
  return types.length === 0 ? "" : `(${what} ${types.join(" ")})`;
}

function escape(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
