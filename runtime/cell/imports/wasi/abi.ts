/**
 * Constants of the WASI preview1 ABI: file types, rights and flag bits.
 *
 * Owns the numbers only (source: `typenames.witx` of WASI preview1). Invariant: rights are kept as 30-bit
 * numbers inside the host; the u64 of the ABI appears only where it is read from or written to a guest.
 */
import { ERRNO, WasiRefusal } from "./errno.ts";

/** `$filetype`: what a descriptor or a directory entry refers to. */
export const FILE_TYPE = { unknown: 0, directory: 3, regularFile: 4, symbolicLink: 7 } as const;

/** `$rights`: the bits that decide something here; the rest only travel. */
export const RIGHTS = { fdRead: 1 << 1, fdWrite: 1 << 6 } as const;
/** Every right that preview1 defines: bits 0 to 29. */
export const RIGHTS_ALL = 0x3fff_ffff;
/** Rights that mean something for a file: data, seek, tell, sync, advise, allocate, filestat, poll. */
export const RIGHTS_FILE = 0x08e0_01ff;
/** Rights that mean something for a directory: sync, advise, paths, readdir, filestat get and set times. */
export const RIGHTS_DIRECTORY = 0x07bf_fe98;
/** Rights of stdin: read, set flags, filestat get, poll; no seek, no tell. */
export const RIGHTS_INPUT = 0x0820_000a;
/** Rights of stdout and stderr: write, set flags, sync, datasync, filestat get, poll. */
export const RIGHTS_OUTPUT = 0x0820_0059;

/** `$fdflags`: append is the one that changes behaviour; memory is always in sync and never blocks. */
export const FD_FLAGS = { append: 1 << 0, all: 0x1f } as const;
/** `$oflags` of `path_open`. */
export const OPEN_FLAGS = {
  creat: 1 << 0,
  directory: 1 << 1,
  excl: 1 << 2,
  trunc: 1 << 3,
  all: 0xf,
} as const;
/** `$lookupflags`. */
export const LOOKUP_FLAGS = { symlinkFollow: 1 << 0, all: 0x1 } as const;
/** `$fstflags`: which times to set, and whether from the argument or from the clock. */
export const TIME_FLAGS = { atim: 1 << 0, atimNow: 1 << 1, mtim: 1 << 2, mtimNow: 1 << 3, all: 0xf } as const;

/** Refuses with `inval` when `flags` has a bit outside `known`. */
export function checkFlags(flags: number, known: number): void {
  if ((flags & ~known) !== 0) throw new WasiRefusal(ERRNO.inval);
}
