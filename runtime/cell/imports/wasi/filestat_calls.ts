/**
 * Sizes and times: `fd_filestat_*` and `path_filestat_*`.
 *
 * Owns the layout of `$filestat` and the rules for setting times. Invariant: a size is checked against the
 * quota before anything is allocated.
 */
import { checkFlags, LOOKUP_FLAGS, RIGHTS, TIME_FLAGS } from "./abi.ts";
import type { WasiCall } from "./call.ts";
import { realtimeNs } from "./clock.ts";
import { descriptorFileType } from "./descriptor_calls.ts";
import type { StreamDescriptor } from "./descriptors.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { toUnsigned, viewAt } from "./guest_memory.ts";
import { inodeFileType, touchContents, touchStatus } from "./inode.ts";
import type { Inode } from "./inode.ts";
import { readPath, resolveExisting } from "./paths.ts";

/** `$filestat`: dev, ino u64, filetype u8 at 16, nlink, size, atim, mtim, ctim u64 from 24 on. */
const FILESTAT_BYTES = 64;
/** The device that all files are on; the standard streams are on device 0. */
const FILES_DEVICE = 1n;

/** `fd_filestat_get`. */
export function fdFilestatGet(call: WasiCall, fd: number, resultPointer: number): void {
  const descriptor = call.descriptors.get(fd);
  const result = viewAt(call.context, resultPointer, FILESTAT_BYTES);
  if (descriptor.type === "file" || descriptor.type === "directory") writeFilestat(result, descriptor.inode);
  else writeStreamStat(result, descriptor);
}

/** `path_filestat_get`. */
export function pathFilestatGet(
  call: WasiCall,
  fd: number,
  lookupFlags: number,
  pathPointer: number,
  pathLength: number,
  resultPointer: number,
): void {
  const inode = lookUp(call, fd, lookupFlags, pathPointer, pathLength);
  writeFilestat(viewAt(call.context, resultPointer, FILESTAT_BYTES), inode);
}

/** `fd_filestat_set_size`: `badf` unless a file open for writing, `inval` for the standard streams, `nospc`. */
export function fdFilestatSetSize(call: WasiCall, fd: number, size: bigint): void {
  const descriptor = call.descriptors.get(fd);
  if (descriptor.type === "directory") throw new WasiRefusal(ERRNO.badf);
  if (descriptor.type !== "file") throw new WasiRefusal(ERRNO.inval);
  if ((descriptor.rightsBase & RIGHTS.fdWrite) === 0) throw new WasiRefusal(ERRNO.badf);
  descriptor.inode.contents.resize(Number(toUnsigned(size)));
  touchContents(descriptor.inode);
}

/** `fd_filestat_set_times`; `inval` for the standard streams. */
export function fdFilestatSetTimes(
  call: WasiCall,
  fd: number,
  atimNs: bigint,
  mtimNs: bigint,
  timeFlags: number,
): void {
  const descriptor = call.descriptors.get(fd);
  if (descriptor.type !== "file" && descriptor.type !== "directory") throw new WasiRefusal(ERRNO.inval);
  setTimes(descriptor.inode, atimNs, mtimNs, timeFlags);
}

/** `path_filestat_set_times`. */
export function pathFilestatSetTimes(
  call: WasiCall,
  fd: number,
  lookupFlags: number,
  pathPointer: number,
  pathLength: number,
  atimNs: bigint,
  mtimNs: bigint,
  timeFlags: number,
): void {
  setTimes(lookUp(call, fd, lookupFlags, pathPointer, pathLength), atimNs, mtimNs, timeFlags);
}

function lookUp(call: WasiCall, fd: number, lookupFlags: number, pointer: number, length: number): Inode {
  const { inode } = call.descriptors.getDirectory(fd);
  checkFlags(lookupFlags, LOOKUP_FLAGS.all);
  return resolveExisting(
    inode,
    readPath(call.context, pointer, length),
    (lookupFlags & LOOKUP_FLAGS.symlinkFollow) !== 0,
  );
}

function setTimes(inode: Inode, atimNs: bigint, mtimNs: bigint, timeFlags: number): void {
  checkFlags(timeFlags, TIME_FLAGS.all);
  const bothAtim = TIME_FLAGS.atim | TIME_FLAGS.atimNow;
  const bothMtim = TIME_FLAGS.mtim | TIME_FLAGS.mtimNow;
  if ((timeFlags & bothAtim) === bothAtim || (timeFlags & bothMtim) === bothMtim) {
    throw new WasiRefusal(ERRNO.inval);
  }
  const nowNs = realtimeNs();
  if ((timeFlags & TIME_FLAGS.atim) !== 0) inode.times.atimNs = toUnsigned(atimNs);
  if ((timeFlags & TIME_FLAGS.atimNow) !== 0) inode.times.atimNs = nowNs;
  if ((timeFlags & TIME_FLAGS.mtim) !== 0) inode.times.mtimNs = toUnsigned(mtimNs);
  if ((timeFlags & TIME_FLAGS.mtimNow) !== 0) inode.times.mtimNs = nowNs;
  touchStatus(inode);
}

function writeFilestat(result: DataView, inode: Inode): void {
  result.setBigUint64(0, FILES_DEVICE, true);
  result.setBigUint64(8, BigInt(inode.number), true);
  result.setBigUint64(16, BigInt(inodeFileType(inode)), true);
  // Directories have one link, as on file systems that do not count: nobody then infers subdirectories from it.
  result.setBigUint64(24, BigInt(inode.type === "directory" ? 1 : inode.linkCount), true);
  result.setBigUint64(32, BigInt(inodeSize(inode)), true);
  result.setBigUint64(40, inode.times.atimNs, true);
  result.setBigUint64(48, inode.times.mtimNs, true);
  result.setBigUint64(56, inode.times.ctimNs, true);
}

function inodeSize(inode: Inode): number {
  switch (inode.type) {
    case "file":
      return inode.contents.size;
    case "symlink":
      return inode.targetBytes;
    case "directory":
      return 0;
  }
}

/** Streams are told apart by their inode numbers; they have no size and no times. */
function writeStreamStat(result: DataView, descriptor: StreamDescriptor): void {
  const inodeNumbers = { input: 0n, output: 1n, error: 2n } as const;
  for (let offset = 0; offset < FILESTAT_BYTES; offset += 8) result.setBigUint64(offset, 0n, true);
  result.setBigUint64(8, inodeNumbers[descriptor.type], true);
  result.setUint8(16, descriptorFileType(descriptor));
  result.setBigUint64(24, 1n, true);
}
