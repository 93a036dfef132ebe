/**
 * WasiCall: what the WASI functions of one call share: descriptors, file system.
 *
 * Owns nothing but their lifetime. Making one is on the path of every call, so descriptors and files come
 * into being with their first use. Invariant: nothing in it is shared with another call.
 */
import type { GuestContext } from "../../guest_context.ts";
import { Descriptors } from "./descriptors.ts";
import { FileSystem } from "./file_system.ts";

/** The state of one call. */
export class WasiCall {
  readonly context: GuestContext;
  #files: FileSystem | undefined;
  #descriptors: Descriptors | undefined;

  constructor(context: GuestContext) {
    this.context = context;
  }

  /** The in-memory file system, empty at first. */
  get files(): FileSystem {
    return this.#files ??= new FileSystem(this.context.fileBytesMax);
  }

  /** The open descriptors: stdin, stdout, stderr and the root directory at first. */
  get descriptors(): Descriptors {
    return this.#descriptors ??= new Descriptors(this.files);
  }
}
