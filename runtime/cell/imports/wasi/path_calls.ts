/**
 * Paths: open, create, link, rename, remove.
 *
 * Owns the `path_*` functions but for filestat, and the meaning of open flags. Every path is resolved beneath
 * the directory that its descriptor has open (paths.ts). Invariant: everything a guest passed is checked
 * before the tree changes.
 */
import {
  checkFlags,
  FD_FLAGS,
  LOOKUP_FLAGS,
  OPEN_FLAGS,
  RIGHTS,
  RIGHTS_DIRECTORY,
  RIGHTS_FILE,
} from "./abi.ts";
import type { WasiCall } from "./call.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { bytesAt, viewAt } from "./guest_memory.ts";
import { touchContents } from "./inode.ts";
import type { DirectoryInode, FileInode, Inode } from "./inode.ts";
import { readPath, resolveExisting, resolveFree, resolveName, resolvePath } from "./paths.ts";
import type { NamedPlace } from "./paths.ts";

const encoder = new TextEncoder();

/** `path_open`. Rights that the directory does not pass on, or that mean nothing for the inode, are left out. */
export function pathOpen(
  call: WasiCall,
  fd: number,
  lookupFlags: number,
  pathPointer: number,
  pathLength: number,
  openFlags: number,
  rightsBase: bigint,
  rightsInheriting: bigint,
  fdFlags: number,
  resultPointer: number,
): void {
  const directory = call.descriptors.getDirectory(fd);
  const result = viewAt(call.context, resultPointer, 4);
  checkFlags(lookupFlags, LOOKUP_FLAGS.all);
  checkFlags(openFlags, OPEN_FLAGS.all);
  checkFlags(fdFlags, FD_FLAGS.all);
  const path = readPath(call.context, pathPointer, pathLength);
  const opened = call.descriptors.getFree();
  const base = toRights(rightsBase) & directory.rightsInheriting;
  const inheriting = toRights(rightsInheriting) & directory.rightsInheriting;
  const writes = (base & RIGHTS.fdWrite) !== 0;
  const follow = (lookupFlags & LOOKUP_FLAGS.symlinkFollow) !== 0;
  const inode = openInode(call, directory.inode, path, follow, openFlags, writes);
  call.descriptors.open(
    opened,
    inode.type === "file"
      ? {
        type: "file",
        inode,
        position: 0,
        flags: fdFlags,
        rightsBase: base & RIGHTS_FILE,
        rightsInheriting: 0,
      }
      : {
        type: "directory",
        inode,
        preopenName: undefined,
        flags: fdFlags,
        rightsBase: base & RIGHTS_DIRECTORY,
        rightsInheriting: inheriting,
      },
  );
  result.setUint32(0, opened, true);
}

/** The inode to open, made or truncated as the flags say. */
function openInode(
  call: WasiCall,
  start: DirectoryInode,
  path: string,
  follow: boolean,
  openFlags: number,
  writes: boolean,
): FileInode | DirectoryInode {
  const creates = (openFlags & OPEN_FLAGS.creat) !== 0;
  const excludes = creates && (openFlags & OPEN_FLAGS.excl) !== 0;
  if (creates && (openFlags & OPEN_FLAGS.directory) !== 0) throw new WasiRefusal(ERRNO.inval);
  const place = resolvePath(start, path, (follow || path.endsWith("/")) && !excludes);
  if (place.inode !== undefined) {
    if (excludes) throw new WasiRefusal(ERRNO.exist);
    return openExisting(place.inode, openFlags, writes);
  }
  if (!creates || place.name === undefined) throw new WasiRefusal(ERRNO.noent);
  if (place.wantsDirectory) throw new WasiRefusal(ERRNO.isdir);
  return call.files.createFile(place.parent, place.name);
}

function openExisting(inode: Inode, openFlags: number, writes: boolean): FileInode | DirectoryInode {
  const directoryOnly = (openFlags & OPEN_FLAGS.directory) !== 0;
  const truncates = (openFlags & OPEN_FLAGS.trunc) !== 0;
  switch (inode.type) {
    case "symlink":
      throw new WasiRefusal(ERRNO.loop);
    case "directory":
      if (truncates || (openFlags & OPEN_FLAGS.creat) !== 0 || (writes && !directoryOnly)) {
        throw new WasiRefusal(ERRNO.isdir);
      }
      return inode;
    case "file":
      if (directoryOnly) throw new WasiRefusal(ERRNO.notdir);
      if (truncates) {
        inode.contents.resize(0);
        touchContents(inode);
      }
      return inode;
  }
}

/** Rights as a 30-bit number; bits that preview1 does not define are dropped. */
function toRights(rights: bigint): number {
  return Number(BigInt.asUintN(30, rights));
}

/** `path_create_directory`. */
export function pathCreateDirectory(call: WasiCall, fd: number, pointer: number, length: number): void {
  const { inode } = call.descriptors.getDirectory(fd);
  const { parent, name } = resolveFree(inode, readPath(call.context, pointer, length));
  call.files.createDirectory(parent, name);
}

/** `path_link`: one more name for a file; `perm` for directories. */
export function pathLink(
  call: WasiCall,
  oldFd: number,
  lookupFlags: number,
  oldPointer: number,
  oldLength: number,
  newFd: number,
  newPointer: number,
  newLength: number,
): void {
  const oldStart = call.descriptors.getDirectory(oldFd).inode;
  const newStart = call.descriptors.getDirectory(newFd).inode;
  checkFlags(lookupFlags, LOOKUP_FLAGS.all);
  const follow = (lookupFlags & LOOKUP_FLAGS.symlinkFollow) !== 0;
  const inode = resolveExisting(oldStart, readPath(call.context, oldPointer, oldLength), follow);
  const { parent, name } = resolveFreeFileName(newStart, readPath(call.context, newPointer, newLength));
  call.files.link(parent, name, inode);
}

/** `path_symlink`; a target with a leading slash could lead nowhere and is `notcapable`. */
export function pathSymlink(
  call: WasiCall,
  targetPointer: number,
  targetLength: number,
  fd: number,
  pointer: number,
  length: number,
): void {
  const { inode } = call.descriptors.getDirectory(fd);
  const target = readPath(call.context, targetPointer, targetLength);
  const { parent, name } = resolveFreeFileName(inode, readPath(call.context, pointer, length));
  call.files.createSymlink(parent, name, target);
}

/** `path_readlink`: as much of the target as fits; `inval` for anything but a symbolic link. */
export function pathReadlink(
  call: WasiCall,
  fd: number,
  pathPointer: number,
  pathLength: number,
  pointer: number,
  length: number,
  resultPointer: number,
): void {
  const start = call.descriptors.getDirectory(fd).inode;
  const path = readPath(call.context, pathPointer, pathLength);
  const target = bytesAt(call.context, pointer, length);
  const result = viewAt(call.context, resultPointer, 4);
  const inode = resolveExisting(start, path, false);
  if (inode.type !== "symlink") throw new WasiRefusal(ERRNO.inval);
  const bytes = encoder.encode(inode.target).subarray(0, target.length);
  target.set(bytes);
  result.setUint32(0, bytes.length, true);
}

/** `path_rename`. */
export function pathRename(
  call: WasiCall,
  oldFd: number,
  oldPointer: number,
  oldLength: number,
  newFd: number,
  newPointer: number,
  newLength: number,
): void {
  const oldStart = call.descriptors.getDirectory(oldFd).inode;
  const newStart = call.descriptors.getDirectory(newFd).inode;
  const from = resolveName(oldStart, readPath(call.context, oldPointer, oldLength));
  const to = resolveName(newStart, readPath(call.context, newPointer, newLength));
  const { parent, name, inode } = from;
  if (inode === undefined) throw new WasiRefusal(ERRNO.noent);
  if (to.wantsDirectory && inode.type !== "directory") throw new WasiRefusal(ERRNO.notdir);
  call.files.rename({ parent, name, inode }, to);
}

/** `path_remove_directory`. */
export function pathRemoveDirectory(call: WasiCall, fd: number, pointer: number, length: number): void {
  const start = call.descriptors.getDirectory(fd).inode;
  const { parent, name, inode } = resolveName(start, readPath(call.context, pointer, length));
  if (inode === undefined) throw new WasiRefusal(ERRNO.noent);
  call.files.removeDirectory(parent, name, inode);
}

/** `path_unlink_file`. An open file lives on without a name until it is closed. */
export function pathUnlinkFile(call: WasiCall, fd: number, pointer: number, length: number): void {
  const start = call.descriptors.getDirectory(fd).inode;
  const { parent, name, inode } = resolveName(start, readPath(call.context, pointer, length));
  if (inode === undefined) throw new WasiRefusal(ERRNO.noent);
  call.files.unlink(parent, name, inode);
}

function resolveFreeFileName(start: DirectoryInode, path: string): NamedPlace {
  const place = resolveFree(start, path);
  if (place.wantsDirectory) throw new WasiRefusal(ERRNO.noent);
  return place;
}
