/**
 * Inodes: what a name of the in-memory file system stands for.
 *
 * Owns the three kinds and their times. It does not count or connect them (file_system.ts does).
 * Invariant: a directory's cookies only grow, so a listing that is interrupted by changes goes on where it
 * stopped, neither repeating nor skipping an entry that stayed.
 */
import { FILE_TYPE } from "./abi.ts";
import { realtimeNs } from "./clock.ts";
import { FileContents } from "./file_contents.ts";
import type { FileQuota } from "./file_contents.ts";

/** Nanoseconds since the epoch. Reading does not change `atimNs`: nothing here is worth that cost. */
export interface InodeTimes {
  atimNs: bigint;
  mtimNs: bigint;
  ctimNs: bigint;
}

/** A regular file. It lives as long as a name or an open descriptor refers to it. */
export interface FileInode {
  readonly type: "file";
  readonly number: number;
  readonly times: InodeTimes;
  readonly contents: FileContents;
  linkCount: number;
  openCount: number;
}

/** A symbolic link; `target` is relative and is resolved when a path goes through it. */
export interface SymlinkInode {
  readonly type: "symlink";
  readonly number: number;
  readonly times: InodeTimes;
  readonly target: string;
  /** Length of the target in UTF-8. */
  readonly targetBytes: number;
  linkCount: number;
}

/** A directory. `removed` ones may still be open, but nothing can be made in them. */
export interface DirectoryInode {
  readonly type: "directory";
  readonly number: number;
  readonly times: InodeTimes;
  readonly entries: Map<string, DirectoryEntry>;
  /** The directory it is in; undefined for the root. */
  parent: DirectoryInode | undefined;
  removed: boolean;
  cookieNext: number;
}

/** What a name can stand for. */
export type Inode = FileInode | SymlinkInode | DirectoryInode;

/** One name in a directory. `cookie` is its place in listings. */
export interface DirectoryEntry {
  readonly inode: Inode;
  readonly cookie: number;
}

/** The first cookie of a real entry: 0 and 1 stand for `.` and `..`. */
const ENTRY_COOKIE_MIN = 2;

/** A new file without names. */
export function makeFile(number: number, quota: FileQuota): FileInode {
  const contents = new FileContents(quota);
  return { type: "file", number, times: makeTimes(), contents, linkCount: 0, openCount: 0 };
}

/** A new symbolic link without names. */
export function makeSymlink(number: number, target: string, targetBytes: number): SymlinkInode {
  return { type: "symlink", number, times: makeTimes(), target, targetBytes, linkCount: 0 };
}

/** A new directory in `parent`; the root when there is none. */
export function makeDirectory(number: number, parent: DirectoryInode | undefined): DirectoryInode {
  return {
    type: "directory",
    number,
    times: makeTimes(),
    entries: new Map(),
    parent,
    removed: false,
    cookieNext: ENTRY_COOKIE_MIN,
  };
}

/** Notes a change of contents. */
export function touchContents(inode: Inode): void {
  inode.times.mtimNs = inode.times.ctimNs = realtimeNs();
}

/** Notes a change of names or times. */
export function touchStatus(inode: Inode): void {
  inode.times.ctimNs = realtimeNs();
}

/** The `$filetype` of an inode. */
export function inodeFileType(inode: Inode): number {
  switch (inode.type) {
    case "file":
      return FILE_TYPE.regularFile;
    case "directory":
      return FILE_TYPE.directory;
    case "symlink":
      return FILE_TYPE.symbolicLink;
  }
}

function makeTimes(): InodeTimes {
  const nowNs = realtimeNs();
  return { atimNs: nowNs, mtimNs: nowNs, ctimNs: nowNs };
}
