/**
 * FileSystem: the in-memory tree of one call, empty at first.
 *
 * Owns names, links, the bounds on both, and the moment at which a file's bytes are given back. It resolves
 * no paths (paths.ts does) and knows no descriptors. Invariants: no operation walks the tree by recursion;
 * a refused operation has changed nothing; what is taken is counted before it is linked, so an operation
 * that is cut short can only have counted too much.
 */
import { ERRNO, WasiRefusal } from "./errno.ts";
import { FileQuota } from "./file_contents.ts";
import { makeDirectory, makeFile, makeSymlink, touchContents, touchStatus } from "./inode.ts";
import type { DirectoryInode, FileInode, Inode, SymlinkInode } from "./inode.ts";

/** Most names in the whole tree. Every inode has one, but for the root and files that are only held open. */
export const NAMES_COUNT_MAX = 10_000;

const encoder = new TextEncoder();

/** The files of one call. */
export class FileSystem {
  readonly root: DirectoryInode;
  readonly #quota: FileQuota;
  #inodeNumberNext = 1;
  #namesCount = 0;

  constructor(bytesMax: number) {
    this.#quota = new FileQuota(bytesMax);
    this.root = makeDirectory(this.#inodeNumberNext++, undefined);
  }

  /** Makes an empty file; `name` must be free. Refuses with `nospc`, or `noent` in a removed directory. */
  createFile(parent: DirectoryInode, name: string): FileInode {
    const file = makeFile(this.#inodeNumberNext++, this.#quota);
    this.#attach(parent, name, file);
    return file;
  }

  /** Makes an empty directory; refusals as for createFile. */
  createDirectory(parent: DirectoryInode, name: string): void {
    this.#attach(parent, name, makeDirectory(this.#inodeNumberNext++, parent));
  }

  /** Makes a symbolic link; its target counts as file bytes. Refusals as for createFile. */
  createSymlink(parent: DirectoryInode, name: string, target: string): void {
    const link = makeSymlink(this.#inodeNumberNext++, target, encoder.encode(target).length);
    this.#quota.charge(link.targetBytes);
    try {
      this.#attach(parent, name, link);
    } catch (error) {
      this.#quota.refund(link.targetBytes);
      throw error;
    }
  }

  /** Gives a file or symbolic link one more name; `perm` for directories, otherwise as for createFile. */
  link(parent: DirectoryInode, name: string, inode: Inode): void {
    if (inode.type === "directory") throw new WasiRefusal(ERRNO.perm);
    this.#attach(parent, name, inode);
    touchStatus(inode);
  }

  /** Takes a name from a file or symbolic link; `isdir` for directories. */
  unlink(parent: DirectoryInode, name: string, inode: Inode): void {
    if (inode.type === "directory") throw new WasiRefusal(ERRNO.isdir);
    this.#detach(parent, name);
    this.#dropLink(inode);
  }

  /** Removes an empty directory; `notdir` for anything else, `notempty` for one with entries. */
  removeDirectory(parent: DirectoryInode, name: string, inode: Inode): void {
    if (inode.type !== "directory") throw new WasiRefusal(ERRNO.notdir);
    if (inode.entries.size > 0) throw new WasiRefusal(ERRNO.notempty);
    this.#detach(parent, name);
    inode.removed = true;
  }

  /**
   * Moves `inode` from one name to another, in place of what is there (POSIX `rename`): a directory only over
   * an empty directory and never into itself, anything else only over a non-directory. Two names of one file
   * both stay.
   */
  rename(
    from: { readonly parent: DirectoryInode; readonly name: string; readonly inode: Inode },
    to: { readonly parent: DirectoryInode; readonly name: string; readonly inode: Inode | undefined },
  ): void {
    const replaced = to.inode;
    if (replaced === from.inode) return;
    if (to.parent.removed) throw new WasiRefusal(ERRNO.noent);
    if (from.inode.type === "directory") {
      if (isWithin(to.parent, from.inode)) throw new WasiRefusal(ERRNO.inval);
      if (replaced !== undefined) this.removeDirectory(to.parent, to.name, replaced);
    } else if (replaced !== undefined) {
      this.unlink(to.parent, to.name, replaced);
    }
    this.#detach(from.parent, from.name);
    this.#enter(to.parent, to.name, from.inode);
    if (from.inode.type === "directory") from.inode.parent = to.parent;
    touchStatus(from.inode);
  }

  /** Counts one more descriptor on a file. */
  hold(file: FileInode): void {
    file.openCount++;
  }

  /** Counts one descriptor less; the last one of a file without names gives its bytes back. */
  release(file: FileInode): void {
    file.openCount--;
    this.#reclaim(file);
  }

  #attach(parent: DirectoryInode, name: string, inode: Inode): void {
    if (parent.removed) throw new WasiRefusal(ERRNO.noent);
    if (this.#namesCount >= NAMES_COUNT_MAX) throw new WasiRefusal(ERRNO.nospc);
    if (inode.type !== "directory") inode.linkCount++;
    this.#enter(parent, name, inode);
  }

  #enter(parent: DirectoryInode, name: string, inode: Inode): void {
    this.#namesCount++;
    parent.entries.set(name, { inode, cookie: parent.cookieNext++ });
    touchContents(parent);
  }

  #detach(parent: DirectoryInode, name: string): void {
    parent.entries.delete(name);
    this.#namesCount--;
    touchContents(parent);
  }

  #dropLink(inode: FileInode | SymlinkInode): void {
    inode.linkCount--;
    touchStatus(inode);
    if (inode.type === "file") this.#reclaim(inode);
    else if (inode.linkCount === 0) this.#quota.refund(inode.targetBytes);
  }

  #reclaim(file: FileInode): void {
    if (file.linkCount === 0 && file.openCount === 0) file.contents.resize(0);
  }
}

/** True if `directory` is `ancestor` or somewhere below it. */
function isWithin(directory: DirectoryInode, ancestor: DirectoryInode): boolean {
  for (let at: DirectoryInode | undefined = directory; at !== undefined; at = at.parent) {
    if (at === ancestor) return true;
  }
  return false;
}
