/**
 * Library: the CUDA driver library of the host, found and opened.
 *
 * Owns where it may lie, and what is said when it is nowhere. It calls nothing in it. Invariants: nothing
 * happens at import; a library that cannot be opened, or lacks a function, is told with its path and the reason.
 */
import { CUDA_SYMBOLS } from "./symbols.ts";
import type { CudaSymbols } from "./symbols.ts";

/** Which file to open. */
export interface LibraryOptions {
  /** The driver library; the only one that is tried if it is given. */
  readonly driverPath?: string;
}

/** A path and why it was of no use. */
export interface TriedPath {
  readonly path: string;
  readonly reason: string;
}

/** No CUDA driver, or one without a device. */
export class CudaUnavailable extends Error {
  override readonly name = "CudaUnavailable";
  readonly tried: readonly TriedPath[];

  constructor(what: string, tried: readonly TriedPath[] = []) {
    const list = tried.map(({ path, reason }) => `\n  ${path}: ${reason}`).join("");
    super(`CUDA is not available: ${what}${list}`);
    this.tried = tried;
  }
}

/** An opened driver library. It stays open: the driver has threads of its own. */
export interface OpenedLibrary {
  readonly path: string;
  readonly symbols: CudaSymbols;
}

const FILE = "libcuda.so.1";

/** Where installers, container runtimes and distributions put it. */
const FOLDERS = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/nvidia/lib64",
  "/usr/local/nvidia/lib",
  "/usr/lib/wsl/lib",
  "/run/opengl-driver/lib",
  "/usr/lib/x86_64-linux-gnu/nvidia/current",
] as const;

/**
 * The paths that are tried, in order. The bare names are looked up by the system's loader, which takes an FFI
 * permission for every path; with a permission for one file alone that file's whole path must be given.
 *
 * @param loaderPaths where the loader would find it, whole paths; they come before the usual places
 */
export function driverPaths(driverPath?: string, loaderPaths: readonly string[] = []): string[] {
  if (driverPath !== undefined) return [driverPath];
  const usual = FOLDERS.map((folder) => `${folder}/${FILE}`);
  return [...new Set([FILE, "libcuda.so", ...loaderPaths, ...usual])];
}

/** Opens the driver library. @throws CudaUnavailable with every path that was tried */
export function openLibrary(options: LibraryOptions = {}): OpenedLibrary {
  const tried: TriedPath[] = [];
  for (const path of driverPaths(options.driverPath)) {
    try {
      return { path, symbols: Deno.dlopen(path, CUDA_SYMBOLS).symbols };
    } catch (error) {
      tried.push({ path, reason: reasonOf(path, error) });
    }
  }
  throw new CudaUnavailable("no driver library could be opened", tried);
}

function reasonOf(path: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [line = ""] = text.split("\n");
  return line.replace(/^(Could not open library: )+/, "").replace(`${path}: `, "");
}
