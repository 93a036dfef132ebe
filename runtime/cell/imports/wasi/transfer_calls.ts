/**
 * Reading and writing: `fd_read`, `fd_pread`, `fd_write`, `fd_pwrite`.
 *
 * Owns where bytes go: stdin is the call's input, stdout its output and its log, stderr its log alone, files
 * are in memory. Invariant: the buffers and the place for the count are checked before a byte moves.
 */
import type { GuestContext } from "../../guest_context.ts";
import { FD_FLAGS, RIGHTS } from "./abi.ts";
import type { WasiCall } from "./call.ts";
import type { Descriptor, FileDescriptor } from "./descriptors.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { buffersAt, toUnsigned, viewAt } from "./guest_memory.ts";
import type { GuestBuffers } from "./guest_memory.ts";
import { touchContents } from "./inode.ts";

/** `fd_read`: at most to the end of the input or file, which is answered by a count of 0; `isdir`. */
export function fdRead(
  call: WasiCall,
  fd: number,
  buffers: number,
  count: number,
  resultPointer: number,
): void {
  const descriptor = call.descriptors.get(fd);
  checkReadable(descriptor);
  const target = buffersAt(call.context, buffers, count);
  const result = viewAt(call.context, resultPointer, 4);
  let readBytes = 0;
  if (descriptor.type === "input") {
    readBytes = readInput(call.context.input, target, descriptor.position);
    descriptor.position += readBytes;
  } else if (descriptor.type === "file") {
    readBytes = descriptor.inode.contents.read(target, descriptor.position);
    descriptor.position += readBytes;
  }
  result.setUint32(0, readBytes, true);
}

/** `fd_pread`: reads at `offset` and leaves the position alone; `spipe` for the standard streams. */
export function fdPread(
  call: WasiCall,
  fd: number,
  buffers: number,
  count: number,
  offset: bigint,
  resultPointer: number,
): void {
  checkReadable(call.descriptors.get(fd));
  const descriptor = call.descriptors.getFile(fd);
  const target = buffersAt(call.context, buffers, count);
  const result = viewAt(call.context, resultPointer, 4);
  // Beyond 2^53 the conversion rounds, but every such offset is far behind the end of any file.
  result.setUint32(0, descriptor.inode.contents.read(target, Number(toUnsigned(offset))), true);
}

/** Most bytes of stderr that one call takes, as a pipe would; the guest writes the rest by another. */
const ERROR_BYTES_MAX = 1024 * 1024;

/**
 * `fd_write`: all of it or, past a limit, none; of stderr the beginning. Output past its own limit ends the guest;
 * in a stream the guest waits for the reader.
 */
export function fdWrite(
  call: WasiCall,
  fd: number,
  buffers: number,
  count: number,
  resultPointer: number,
): void | Promise<void> {
  const descriptor = call.descriptors.get(fd);
  checkWritable(descriptor);
  const source = buffersAt(call.context, buffers, count);
  const result = viewAt(call.context, resultPointer, 4);
  if (descriptor.type === "file") {
    const offset = writeOffset(descriptor, descriptor.position);
    if (writeFile(descriptor, source, offset)) descriptor.position = offset + source.totalBytes;
  } else if (descriptor.type === "output") {
    const pending = writeOutput(call.context, source.parts, 0);
    if (pending !== undefined) {
      return pending.then(() => viewAt(call.context, resultPointer, 4).setUint32(0, source.totalBytes, true));
    }
  } else if (descriptor.type !== "directory") {
    return result.setUint32(0, writeError(call.context, source), true);
  }
  result.setUint32(0, source.totalBytes, true);
}

/** `fd_pwrite`: writes at `offset`, in append mode at the end, and leaves the position alone. */
export function fdPwrite(
  call: WasiCall,
  fd: number,
  buffers: number,
  count: number,
  offset: bigint,
  resultPointer: number,
): void {
  checkWritable(call.descriptors.get(fd));
  const descriptor = call.descriptors.getFile(fd);
  const source = buffersAt(call.context, buffers, count);
  const result = viewAt(call.context, resultPointer, 4);
  writeFile(descriptor, source, writeOffset(descriptor, Number(toUnsigned(offset))));
  result.setUint32(0, source.totalBytes, true);
}

/** Where a write goes: in append mode to the end, whatever was asked for. */
function writeOffset(descriptor: FileDescriptor, offset: number): number {
  return (descriptor.flags & FD_FLAGS.append) !== 0 ? descriptor.inode.contents.size : offset;
}

/** Writes; false if there was nothing to write, which changes neither times nor position. */
function writeFile(descriptor: FileDescriptor, source: GuestBuffers, offset: number): boolean {
  if (source.totalBytes === 0) return false;
  descriptor.inode.contents.write(source, offset);
  touchContents(descriptor.inode);
  return true;
}

function readInput(input: Uint8Array, target: GuestBuffers, start: number): number {
  let position = start;
  for (const part of target.parts) {
    if (position >= input.length) break;
    const piece = input.subarray(position, position + part.length);
    part.set(piece);
    position += piece.length;
  }
  return position - start;
}

/**
 * Writes stdout from the buffer at `index` on; a promise if the guest has to wait on the way. The views stay valid
 * meanwhile: nobody but the guest makes its memory grow, and it is suspended.
 */
function writeOutput(
  context: GuestContext,
  parts: readonly Uint8Array[],
  index: number,
): Promise<void> | undefined {
  for (let at = index; at < parts.length; at++) {
    const part = parts[at];
    if (part === undefined) continue;
    const pending = context.writeOutput(part);
    context.writeLog("stdout", "info", part);
    if (pending !== undefined) return pending.then(() => writeOutput(context, parts, at + 1));
  }
  return undefined;
}

/**
 * Writes stderr; returns how much. It has no limit of its own, and looking through all of a guest's memory for lines,
 * a thousand times over, would keep every other guest from its turn.
 */
function writeError(context: GuestContext, { parts }: GuestBuffers): number {
  let written = 0;
  for (const part of parts) {
    const piece = part.subarray(0, ERROR_BYTES_MAX - written);
    if (piece.length === 0) break;
    context.writeLog("stderr", "warn", piece);
    written += piece.length;
  }
  return written;
}

function checkReadable(descriptor: Descriptor): void {
  if (descriptor.type === "directory") throw new WasiRefusal(ERRNO.isdir);
  if ((descriptor.rightsBase & RIGHTS.fdRead) === 0) throw new WasiRefusal(ERRNO.badf);
}

function checkWritable(descriptor: Descriptor): void {
  if ((descriptor.rightsBase & RIGHTS.fdWrite) === 0) throw new WasiRefusal(ERRNO.badf);
}
