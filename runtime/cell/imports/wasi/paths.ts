/**
 * Paths: from the bytes that a guest passes to a place in the in-memory tree.
 *
 * Owns the path syntax, its bounds, and the walk. Nothing outside the directory that a path starts from can
 * be reached: not by `..`, not by a leading slash, not by a symbolic link. Invariant: the walk keeps the
 * directories it came through and `..` only takes the last of them off, so the start can never be left.
 */
import type { GuestContext } from "../../guest_context.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { bytesAt } from "./guest_memory.ts";
import type { DirectoryInode, Inode } from "./inode.ts";

/** Longest path in bytes: PATH_MAX of Linux. */
export const PATH_BYTES_MAX = 4096;
/** Longest component in bytes: NAME_MAX of Linux. */
export const NAME_BYTES_MAX = 255;
/** Most components of one walk, those of symbolic links included. */
export const COMPONENTS_COUNT_MAX = 256;
/** Most symbolic links of one walk: Linux's own bound. */
export const SYMLINKS_COUNT_MAX = 40;

/** A byte order mark in a file name belongs to the name. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** A path that ends in a name, whether or not something has it. */
export interface NamedPlace {
  readonly parent: DirectoryInode;
  readonly name: string;
  readonly inode: Inode | undefined;
  /** The path ended in a slash: only a directory will do. */
  readonly wantsDirectory: boolean;
}

/** Where a path leads. One that ends in `.` or `..` has no name and always leads to a directory. */
export type Place = NamedPlace | { readonly name: undefined; readonly inode: DirectoryInode };

/**
 * Reads a path. Refuses with `nametoolong`, `fault`, `ilseq` where it is not UTF-8, `noent` where it is empty,
 * `inval` where it has a NUL, `notcapable` where it begins with a slash: paths are relative to a descriptor,
 * and a C library has already turned absolute ones into such.
 */
export function readPath(context: GuestContext, pointer: number, length: number): string {
  if (length >>> 0 > PATH_BYTES_MAX) throw new WasiRefusal(ERRNO.nametoolong);
  const bytes = bytesAt(context, pointer, length);
  if (bytes.length === 0) throw new WasiRefusal(ERRNO.noent);
  if (bytes.includes(0)) throw new WasiRefusal(ERRNO.inval);
  let path: string;
  try {
    path = decoder.decode(bytes);
  } catch {
    throw new WasiRefusal(ERRNO.ilseq);
  }
  if (path.startsWith("/")) throw new WasiRefusal(ERRNO.notcapable);
  return path;
}

/**
 * Walks `path` from `start`. A symbolic link in the last component is followed only if `follow` says so, even
 * where a slash comes after it. Refuses with `noent`, `notdir`, `nametoolong`, `loop`, and with `notcapable`
 * above the start.
 */
export function resolvePath(start: DirectoryInode, path: string, follow: boolean): Place {
  const trail: DirectoryInode[] = [];
  let current = start;
  /** Components still to come, the next one last. */
  const pending: string[] = [];
  let wantsDirectory = pushComponents(pending, path);
  let symlinksCount = 0;
  for (let componentsCount = 1;; componentsCount++) {
    if (componentsCount > COMPONENTS_COUNT_MAX) throw new WasiRefusal(ERRNO.nametoolong);
    const name = pending.pop();
    if (name === undefined || name === "." || name === "..") {
      if (name === "..") {
        const previous = trail.pop();
        if (previous === undefined) throw new WasiRefusal(ERRNO.notcapable);
        current = previous;
      }
      if (pending.length === 0) return { name: undefined, inode: current };
      continue;
    }
    checkName(name);
    const inode = current.entries.get(name)?.inode;
    const isLast = pending.length === 0;
    if (inode?.type === "symlink" && (!isLast || follow)) {
      if (++symlinksCount > SYMLINKS_COUNT_MAX) throw new WasiRefusal(ERRNO.loop);
      const targetWantsDirectory = pushComponents(pending, inode.target);
      if (isLast && targetWantsDirectory) wantsDirectory = true;
      continue;
    }
    if (isLast) {
      if (wantsDirectory && inode !== undefined && inode.type !== "directory") {
        throw new WasiRefusal(ERRNO.notdir);
      }
      return { parent: current, name, inode, wantsDirectory };
    }
    if (inode === undefined) throw new WasiRefusal(ERRNO.noent);
    if (inode.type !== "directory") throw new WasiRefusal(ERRNO.notdir);
    trail.push(current);
    current = inode;
  }
}

/** What a path leads to; `noent` where nothing is there. A slash at the end follows a link like `follow`. */
export function resolveExisting(start: DirectoryInode, path: string, follow: boolean): Inode {
  const { inode } = resolvePath(start, path, follow || path.endsWith("/"));
  if (inode === undefined) throw new WasiRefusal(ERRNO.noent);
  return inode;
}

/** A free name; `exist` where something has it already. */
export function resolveFree(start: DirectoryInode, path: string): NamedPlace {
  const place = resolvePath(start, path, false);
  if (place.name === undefined || place.inode !== undefined) throw new WasiRefusal(ERRNO.exist);
  return place;
}

/** The name that a path ends in; `inval` where it ends in `.` or `..`, which name nothing of their own. */
export function resolveName(start: DirectoryInode, path: string): NamedPlace {
  const place = resolvePath(start, path, false);
  if (place.name === undefined) throw new WasiRefusal(ERRNO.inval);
  return place;
}

/** Puts a path's components on the stack, first one on top; true if the path ended in a slash. */
function pushComponents(pending: string[], path: string): boolean {
  const components = path.split("/");
  for (const component of components.reverse()) {
    if (component !== "") pending.push(component);
  }
  return path.endsWith("/");
}

function checkName(name: string): void {
  // A UTF-16 unit becomes at most three bytes: most names need no encoding to be found short enough.
  if (name.length * 3 > NAME_BYTES_MAX && encoder.encode(name).length > NAME_BYTES_MAX) {
    throw new WasiRefusal(ERRNO.nametoolong);
  }
}
