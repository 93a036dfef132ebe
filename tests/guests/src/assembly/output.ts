// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * output: input, output and log lines of the AssemblyScript guests, over the tensor and log hosts.
 *
 * It splits output into chunks of the size that the host takes. Codes of the host are passed on.
 */

@external("wasi:tensor/host", "input-len")
declare function hostInputLength(): i32;
@external("wasi:tensor/host", "read-input")
declare function hostReadInput(ptr: usize, length: i32): i32;
@external("wasi:tensor/host", "emit-chunk")
declare function hostEmitChunk(ptr: usize, length: i32): i32;
@external("wasi:tensor/host", "set-content-type")
declare function hostSetContentType(ptr: usize, length: i32): i32;
@external("tensor_wasm:log/host@0.1.0", "log")
declare function hostLog(level: i32, ptr: usize, length: i32): i32;

const CHUNK_BYTES_MAX: i32 = 65536;
const LOG_ERROR: i32 = 4;

/** The request's body. */
export function readInput(): Uint8Array {
  const bytes = new Uint8Array(max(hostInputLength(), 0));
  hostReadInput(bytes.dataStart, bytes.length);
  return bytes;
}

/** Appends to the answer; zero, or the host's negative code. */
export function writeBytes(bytes: Uint8Array): i32 {
  for (let sent = 0; sent < bytes.length; sent += CHUNK_BYTES_MAX) {
    const code = hostEmitChunk(bytes.dataStart + <usize>sent, min(bytes.length - sent, CHUNK_BYTES_MAX));
    if (code < 0) return code;
  }
  return 0;
}

export function writeText(text: string): i32 {
  return writeBytes(Uint8Array.wrap(String.UTF8.encode(text)));
}

export function setContentType(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return hostSetContentType(changetype<usize>(bytes), bytes.byteLength);
}

/** A log line at level error. */
export function logError(text: string): void {
  const bytes = String.UTF8.encode(text);
  hostLog(LOG_ERROR, changetype<usize>(bytes), bytes.byteLength);
}
