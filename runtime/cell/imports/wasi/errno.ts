/**
 * The error numbers that this host answers, and the refusal that carries one to the border.
 *
 * Owns the numbers only; the wrapper in mod.ts turns a refusal into the i32 that the guest sees.
 * Invariant: the values are those of `$errno` in the WASI preview1 `typenames.witx`, which counts its
 * cases from 0 (`success`) to 76 (`notcapable`); names are the witx's own.
 */

/** `$errno` of WASI preview1: the cases that this host can answer. */
export const ERRNO = {
  success: 0,
  badf: 8,
  exist: 20,
  fault: 21,
  ilseq: 25,
  intr: 27,
  inval: 28,
  io: 29,
  isdir: 31,
  loop: 32,
  mfile: 33,
  nametoolong: 37,
  noent: 44,
  nospc: 51,
  notdir: 54,
  notempty: 55,
  notsock: 57,
  overflow: 61,
  perm: 63,
  spipe: 70,
  notcapable: 76,
} as const satisfies Record<string, number>;

/** A number of the table. */
export type Errno = (typeof ERRNO)[keyof typeof ERRNO];

/**
 * Thrown inside this folder to answer a guest with an error number. Deliberately no Error: it never leaves
 * the wrapper in mod.ts, and programs ask for files that do not exist too often to pay for a stack trace.
 */
export class WasiRefusal {
  readonly errno: Errno;

  constructor(errno: Errno) {
    this.errno = errno;
  }
}
