/**
 * Descriptors: the numbers by which a guest names what it has open.
 *
 * Owns the table, its bound, and what a descriptor remembers: position, flags, rights. It moves no data.
 * Invariants: a file's open count is the number of descriptors on it; at most DESCRIPTORS_COUNT_MAX are open
 * and none has a number beyond that.
 */
import { RIGHTS_ALL, RIGHTS_DIRECTORY, RIGHTS_INPUT, RIGHTS_OUTPUT } from "./abi.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import type { FileSystem } from "./file_system.ts";
import type { DirectoryInode, FileInode } from "./inode.ts";

/** Most descriptors open at once: the customary `ulimit -n`. */
export const DESCRIPTORS_COUNT_MAX = 1024;

/** What every descriptor has: `$fdflags`, and `$rights` as 30-bit numbers. */
interface DescriptorState {
  flags: number;
  rightsBase: number;
  rightsInheriting: number;
}

/** stdin, stdout or stderr, wherever it was renumbered to. `position` counts the input already read. */
export interface StreamDescriptor extends DescriptorState {
  readonly type: "input" | "output" | "error";
  position: number;
}

/** An open file with its position in bytes. */
export interface FileDescriptor extends DescriptorState {
  readonly type: "file";
  readonly inode: FileInode;
  position: number;
}

/** An open directory; `preopenName` is what the guest calls it, for the one that it starts with. */
export interface DirectoryDescriptor extends DescriptorState {
  readonly type: "directory";
  readonly inode: DirectoryInode;
  readonly preopenName: string | undefined;
}

/** Anything that can be open. */
export type Descriptor = StreamDescriptor | FileDescriptor | DirectoryDescriptor;

/** The table of one call. */
export class Descriptors {
  readonly #files: FileSystem;
  readonly #slots: (Descriptor | undefined)[];

  /** Opens 0 stdin, 1 stdout, 2 stderr and 3, the root, under the name `/`. */
  constructor(files: FileSystem) {
    this.#files = files;
    this.#slots = [
      { type: "input", position: 0, flags: 0, rightsBase: RIGHTS_INPUT, rightsInheriting: 0 },
      { type: "output", position: 0, flags: 0, rightsBase: RIGHTS_OUTPUT, rightsInheriting: 0 },
      { type: "error", position: 0, flags: 0, rightsBase: RIGHTS_OUTPUT, rightsInheriting: 0 },
      {
        type: "directory",
        inode: files.root,
        preopenName: "/",
        flags: 0,
        rightsBase: RIGHTS_DIRECTORY,
        rightsInheriting: RIGHTS_ALL,
      },
    ];
  }

  /** True if `fd` is open. */
  has(fd: number): boolean {
    return this.#slots[fd >>> 0] !== undefined;
  }

  /** What `fd` stands for; `badf` if it is not open. */
  get(fd: number): Descriptor {
    const descriptor = this.#slots[fd >>> 0];
    if (descriptor === undefined) throw new WasiRefusal(ERRNO.badf);
    return descriptor;
  }

  /** The file that `fd` has open; `badf` also for directories, `spipe` for the standard streams. */
  getFile(fd: number): FileDescriptor {
    const descriptor = this.get(fd);
    if (descriptor.type === "file") return descriptor;
    throw new WasiRefusal(descriptor.type === "directory" ? ERRNO.badf : ERRNO.spipe);
  }

  /** The directory that `fd` has open; `badf`, or `notdir` for anything else. */
  getDirectory(fd: number): DirectoryDescriptor {
    const descriptor = this.get(fd);
    if (descriptor.type !== "directory") throw new WasiRefusal(ERRNO.notdir);
    return descriptor;
  }

  /** The lowest number that is free, as POSIX programs expect; `mfile` if there is none. */
  getFree(): number {
    const reused = this.#slots.indexOf(undefined);
    const fd = reused < 0 ? this.#slots.length : reused;
    if (fd >= DESCRIPTORS_COUNT_MAX) throw new WasiRefusal(ERRNO.mfile);
    return fd;
  }

  /** Puts a descriptor at a number that getFree gave. */
  open(fd: number, descriptor: Descriptor): void {
    if (descriptor.type === "file") this.#files.hold(descriptor.inode);
    this.#slots[fd] = descriptor;
  }

  /** Closes `fd`; `badf` if it is not open. */
  close(fd: number): void {
    const descriptor = this.get(fd);
    this.#slots[fd >>> 0] = undefined;
    if (descriptor.type === "file") this.#files.release(descriptor.inode);
  }

  /** Moves `from` over `to`, which is closed; `badf` unless both are open. */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    this.get(to);
    if (from === to) return;
    this.close(to);
    this.#slots[from >>> 0] = undefined;
    this.#slots[to >>> 0] = moved;
  }
}
