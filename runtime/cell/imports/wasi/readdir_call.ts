/**
 * Listing directories: `fd_readdir`.
 *
 * Owns the layout of `$dirent` and the meaning of cookies. Invariant: a cookie stays good while entries come
 * and go, so a program may remove what it lists.
 */
import { FILE_TYPE } from "./abi.ts";
import type { WasiCall } from "./call.ts";
import { bytesAt, toUnsigned, viewAt } from "./guest_memory.ts";
import { inodeFileType } from "./inode.ts";
import type { DirectoryInode } from "./inode.ts";

/** Bytes of `$dirent`: next cookie u64, inode u64 at 8, length of the name u32 at 16, filetype u8 at 20. */
const DIRENT_BYTES = 24;

const encoder = new TextEncoder();

interface Listed {
  readonly name: string;
  readonly cookie: number;
  readonly inodeNumber: number;
  readonly fileType: number;
}

/**
 * `fd_readdir`: fills the buffer with entries from `cookie` on, cutting the last one short where it does not
 * fit. A count below the buffer's size says that the listing is complete.
 */
export function fdReaddir(
  call: WasiCall,
  fd: number,
  pointer: number,
  length: number,
  cookie: bigint,
  resultPointer: number,
): void {
  const directory = call.descriptors.getDirectory(fd).inode;
  const target = bytesAt(call.context, pointer, length);
  const result = viewAt(call.context, resultPointer, 4);
  const record = new DataView(new ArrayBuffer(DIRENT_BYTES));
  let usedBytes = 0;
  for (const listed of entriesFrom(directory, Number(toUnsigned(cookie)))) {
    if (usedBytes === target.length) break;
    const name = encoder.encode(listed.name);
    record.setBigUint64(0, BigInt(listed.cookie + 1), true);
    record.setBigUint64(8, BigInt(listed.inodeNumber), true);
    record.setUint32(16, name.length, true);
    record.setUint8(20, listed.fileType);
    usedBytes += put(target, usedBytes, new Uint8Array(record.buffer));
    usedBytes += put(target, usedBytes, name);
  }
  result.setUint32(0, usedBytes, true);
}

/** `.`, `..`, then the entries in the order of their cookies, from the first that is not before `cookie`. */
function* entriesFrom(directory: DirectoryInode, cookie: number): Generator<Listed> {
  if (cookie <= 0) {
    yield { name: ".", cookie: 0, inodeNumber: directory.number, fileType: FILE_TYPE.directory };
  }
  if (cookie <= 1) {
    const parent = directory.parent ?? directory;
    yield { name: "..", cookie: 1, inodeNumber: parent.number, fileType: FILE_TYPE.directory };
  }
  for (const [name, entry] of directory.entries) {
    if (entry.cookie < cookie) continue;
    const { inode } = entry;
    yield { name, cookie: entry.cookie, inodeNumber: inode.number, fileType: inodeFileType(inode) };
  }
}

/** Copies as much of `bytes` as fits at `offset`; returns how much that was. */
function put(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const fitting = bytes.subarray(0, target.length - offset);
  target.set(fitting, offset);
  return fitting.length;
}
