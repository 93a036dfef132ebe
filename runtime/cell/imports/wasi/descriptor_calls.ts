/**
 * Descriptors as such: close, renumber, seek, tell, fdstat, prestat, advise, sync, allocate.
 *
 * Owns the `fd_*` functions that neither move data (transfer_calls.ts) nor describe inodes
 * (filestat_calls.ts). Invariant: a position is a whole number from 0 to 2^53 - 1.
 */
import { checkFlags, FD_FLAGS, FILE_TYPE, RIGHTS, RIGHTS_ALL } from "./abi.ts";
import type { WasiCall } from "./call.ts";
import type { Descriptor } from "./descriptors.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { bytesAt, toUnsigned, viewAt } from "./guest_memory.ts";
import { inodeFileType, touchContents } from "./inode.ts";

/** `$whence` of `fd_seek`. */
const WHENCE = { set: 0, current: 1, end: 2 } as const;
/** Cases of `$advice`: normal, sequential, random, willneed, dontneed, noreuse. */
const ADVICE_COUNT = 6;
/** Bytes of `$fdstat`: filetype u8, flags u16 at 2, rights base u64 at 8, rights inheriting u64 at 16. */
const FDSTAT_BYTES = 24;
/** Bytes of `$prestat`: tag u8 (0, a directory), length of the name u32 at 4. */
const PRESTAT_BYTES = 8;

const encoder = new TextEncoder();

/** `fd_close`; the standard streams and the root may be closed like any other. */
export function fdClose(call: WasiCall, fd: number): void {
  call.descriptors.close(fd);
}

/** `fd_renumber`. */
export function fdRenumber(call: WasiCall, from: number, to: number): void {
  call.descriptors.renumber(from, to);
}

/** `fd_seek`: `inval` before the start, `overflow` behind 2^53 - 1; behind the end of the file is fine. */
export function fdSeek(
  call: WasiCall,
  fd: number,
  offset: bigint,
  whence: number,
  resultPointer: number,
): void {
  const descriptor = call.descriptors.getFile(fd);
  const result = viewAt(call.context, resultPointer, 8);
  const position = seekBase(whence, descriptor.position, descriptor.inode.contents.size) + offset;
  if (position < 0n) throw new WasiRefusal(ERRNO.inval);
  if (position > Number.MAX_SAFE_INTEGER) throw new WasiRefusal(ERRNO.overflow);
  descriptor.position = Number(position);
  result.setBigUint64(0, position, true);
}

function seekBase(whence: number, position: number, size: number): bigint {
  switch (whence) {
    case WHENCE.set:
      return 0n;
    case WHENCE.current:
      return BigInt(position);
    case WHENCE.end:
      return BigInt(size);
    default:
      throw new WasiRefusal(ERRNO.inval);
  }
}

/** `fd_tell`. */
export function fdTell(call: WasiCall, fd: number, resultPointer: number): void {
  const descriptor = call.descriptors.getFile(fd);
  viewAt(call.context, resultPointer, 8).setBigUint64(0, BigInt(descriptor.position), true);
}

/** `fd_fdstat_get`. The standard streams are of unknown type, so that C programs buffer them in full. */
export function fdFdstatGet(call: WasiCall, fd: number, resultPointer: number): void {
  const descriptor = call.descriptors.get(fd);
  const result = viewAt(call.context, resultPointer, FDSTAT_BYTES);
  result.setBigUint64(0, 0n, true);
  result.setUint8(0, descriptorFileType(descriptor));
  result.setUint16(2, descriptor.flags, true);
  result.setBigUint64(8, BigInt(descriptor.rightsBase), true);
  result.setBigUint64(16, BigInt(descriptor.rightsInheriting), true);
}

/** The `$filetype` of what a descriptor stands for. */
export function descriptorFileType(descriptor: Descriptor): number {
  return descriptor.type === "file" || descriptor.type === "directory"
    ? inodeFileType(descriptor.inode)
    : FILE_TYPE.unknown;
}

/** `fd_fdstat_set_flags`. */
export function fdFdstatSetFlags(call: WasiCall, fd: number, flags: number): void {
  const descriptor = call.descriptors.get(fd);
  checkFlags(flags, FD_FLAGS.all);
  descriptor.flags = flags;
}

/** `fd_fdstat_set_rights`: takes rights away; `notcapable` where one would be added. */
export function fdFdstatSetRights(call: WasiCall, fd: number, base: bigint, inheriting: bigint): void {
  const descriptor = call.descriptors.get(fd);
  const lessBase = narrowRights(base, descriptor.rightsBase);
  const lessInheriting = narrowRights(inheriting, descriptor.rightsInheriting);
  descriptor.rightsBase = lessBase;
  descriptor.rightsInheriting = lessInheriting;
}

function narrowRights(wanted: bigint, held: number): number {
  if (toUnsigned(wanted) > RIGHTS_ALL) throw new WasiRefusal(ERRNO.notcapable);
  const rights = Number(wanted);
  if ((rights & ~held) !== 0) throw new WasiRefusal(ERRNO.notcapable);
  return rights;
}

/** `fd_prestat_get`: `badf` for everything but the root, which is how C libraries find the last one. */
export function fdPrestatGet(call: WasiCall, fd: number, resultPointer: number): void {
  const name = encoder.encode(preopenName(call.descriptors.get(fd)));
  const result = viewAt(call.context, resultPointer, PRESTAT_BYTES);
  result.setUint32(0, 0, true);
  result.setUint32(4, name.length, true);
}

/** `fd_prestat_dir_name`: `nametoolong` if the guest leaves too little room. */
export function fdPrestatDirName(call: WasiCall, fd: number, pointer: number, length: number): void {
  const name = encoder.encode(preopenName(call.descriptors.get(fd)));
  if (length >>> 0 < name.length) throw new WasiRefusal(ERRNO.nametoolong);
  bytesAt(call.context, pointer, name.length).set(name);
}

function preopenName(descriptor: Descriptor): string {
  const name = descriptor.type === "directory" ? descriptor.preopenName : undefined;
  if (name === undefined) throw new WasiRefusal(ERRNO.badf);
  return name;
}

/** `fd_advise`: advice about memory that is always at hand is checked and has no effect. */
export function fdAdvise(
  call: WasiCall,
  fd: number,
  _offset: bigint,
  _length: bigint,
  advice: number,
): void {
  call.descriptors.getFile(fd);
  if (advice >>> 0 >= ADVICE_COUNT) throw new WasiRefusal(ERRNO.inval);
}

/** `fd_sync` and `fd_datasync`: nothing to do for anything that is open. */
export function fdSync(call: WasiCall, fd: number): void {
  call.descriptors.get(fd);
}

/** `fd_allocate`: makes the file at least `offset + length` long; `nospc` before anything is allocated. */
export function fdAllocate(call: WasiCall, fd: number, offset: bigint, length: bigint): void {
  const descriptor = call.descriptors.getFile(fd);
  if ((descriptor.rightsBase & RIGHTS.fdWrite) === 0) throw new WasiRefusal(ERRNO.badf);
  if (length === 0n) throw new WasiRefusal(ERRNO.inval);
  const end = Number(toUnsigned(offset) + toUnsigned(length));
  const { contents } = descriptor.inode;
  if (end <= contents.size) return;
  contents.resize(end);
  touchContents(descriptor.inode);
}
