/**
 * `wasi_snapshot_preview1`: the system interface of ordinary wasm32-wasip1 programs, closed in on itself.
 *
 * Owns the table of functions with their signatures, and the wrapper that every one of them runs in. No host
 * file, socket, process or clock setting can be reached through it: files are in memory and die with the call.
 * Invariant: a guest gets an error number or a GuestStop from here, never another error of the host; but for
 * the engine's own on a stack that is exhausted, which is the guest's trap as it would be without a host call.
 */
import type { FunctionType } from "../../../model/value_type.ts";
import { GuestStop } from "../../guest_context.ts";
import type { GuestContext, HostFunctions, HostModule } from "../../guest_context.ts";
import { WasiCall } from "./call.ts";
import * as clock from "./clock.ts";
import * as descriptor from "./descriptor_calls.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import type { Errno } from "./errno.ts";
import * as filestat from "./filestat_calls.ts";
import * as path from "./path_calls.ts";
import { pollOneoff } from "./poll_call.ts";
import * as process from "./process_calls.ts";
import { fdReaddir } from "./readdir_call.ts";
import * as transfer from "./transfer_calls.ts";

type Scalar = "i32" | "i64";
/** What the engine passes for a list of parameter types: numbers for i32, BigInts for i64, both signed. */
type Arguments<Params extends readonly Scalar[]> = {
  [Index in keyof Params]: Params[Index] extends "i64" ? bigint : number;
};
type Run = (call: WasiCall, ...args: never[]) => void | Promise<void>;

interface Row {
  readonly type: FunctionType;
  readonly run: Run;
}

/** A function that answers with an error number; the compiler holds `run` to the parameter types. */
function row<const Params extends readonly Scalar[]>(
  params: Params,
  run: (call: WasiCall, ...args: Arguments<Params>) => void | Promise<void>,
): Row {
  return { type: { params, results: ["i32"] }, run: run as Run };
}

/** All of preview1, in the order and with the signatures of `wasi_snapshot_preview1.witx`. */
const ROWS: Readonly<Record<string, Row>> = {
  args_get: row(["i32", "i32"], process.argsGet),
  args_sizes_get: row(["i32", "i32"], process.argsSizesGet),
  environ_get: row(["i32", "i32"], process.environGet),
  environ_sizes_get: row(["i32", "i32"], process.environSizesGet),
  clock_res_get: row(["i32", "i32"], clock.clockResGet),
  clock_time_get: row(["i32", "i64", "i32"], clock.clockTimeGet),
  fd_advise: row(["i32", "i64", "i64", "i32"], descriptor.fdAdvise),
  fd_allocate: row(["i32", "i64", "i64"], descriptor.fdAllocate),
  fd_close: row(["i32"], descriptor.fdClose),
  fd_datasync: row(["i32"], descriptor.fdSync),
  fd_fdstat_get: row(["i32", "i32"], descriptor.fdFdstatGet),
  fd_fdstat_set_flags: row(["i32", "i32"], descriptor.fdFdstatSetFlags),
  fd_fdstat_set_rights: row(["i32", "i64", "i64"], descriptor.fdFdstatSetRights),
  fd_filestat_get: row(["i32", "i32"], filestat.fdFilestatGet),
  fd_filestat_set_size: row(["i32", "i64"], filestat.fdFilestatSetSize),
  fd_filestat_set_times: row(["i32", "i64", "i64", "i32"], filestat.fdFilestatSetTimes),
  fd_pread: row(["i32", "i32", "i32", "i64", "i32"], transfer.fdPread),
  fd_prestat_get: row(["i32", "i32"], descriptor.fdPrestatGet),
  fd_prestat_dir_name: row(["i32", "i32", "i32"], descriptor.fdPrestatDirName),
  fd_pwrite: row(["i32", "i32", "i32", "i64", "i32"], transfer.fdPwrite),
  fd_read: row(["i32", "i32", "i32", "i32"], transfer.fdRead),
  fd_readdir: row(["i32", "i32", "i32", "i64", "i32"], fdReaddir),
  fd_renumber: row(["i32", "i32"], descriptor.fdRenumber),
  fd_seek: row(["i32", "i64", "i32", "i32"], descriptor.fdSeek),
  fd_sync: row(["i32"], descriptor.fdSync),
  fd_tell: row(["i32", "i32"], descriptor.fdTell),
  fd_write: row(["i32", "i32", "i32", "i32"], transfer.fdWrite),
  path_create_directory: row(["i32", "i32", "i32"], path.pathCreateDirectory),
  path_filestat_get: row(["i32", "i32", "i32", "i32", "i32"], filestat.pathFilestatGet),
  path_filestat_set_times: row(
    ["i32", "i32", "i32", "i32", "i64", "i64", "i32"],
    filestat.pathFilestatSetTimes,
  ),
  path_link: row(["i32", "i32", "i32", "i32", "i32", "i32", "i32"], path.pathLink),
  path_open: row(["i32", "i32", "i32", "i32", "i32", "i64", "i64", "i32", "i32"], path.pathOpen),
  path_readlink: row(["i32", "i32", "i32", "i32", "i32", "i32"], path.pathReadlink),
  path_remove_directory: row(["i32", "i32", "i32"], path.pathRemoveDirectory),
  path_rename: row(["i32", "i32", "i32", "i32", "i32", "i32"], path.pathRename),
  path_symlink: row(["i32", "i32", "i32", "i32", "i32"], path.pathSymlink),
  path_unlink_file: row(["i32", "i32", "i32"], path.pathUnlinkFile),
  poll_oneoff: row(["i32", "i32", "i32", "i32"], pollOneoff),
  proc_exit: { type: { params: ["i32"], results: [] }, run: process.procExit as Run },
  proc_raise: row(["i32"], process.procRaise),
  sched_yield: row([], process.schedYield),
  random_get: row(["i32", "i32"], process.randomGet),
  sock_accept: row(["i32", "i32", "i32"], process.refuseSocket),
  sock_recv: row(["i32", "i32", "i32", "i32", "i32", "i32"], process.refuseSocket),
  sock_send: row(["i32", "i32", "i32", "i32", "i32"], process.refuseSocket),
  sock_shutdown: row(["i32", "i32"], process.refuseSocket),
};

const ENTRIES = Object.entries(ROWS);
/** The names of all of them. */
export const WASI_FUNCTION_NAMES: readonly string[] = Object.keys(ROWS);

/** On the path of every call: what it does not import, and does not use of descriptors and files, is not made. */
function open(context: GuestContext, names: readonly string[]): HostFunctions {
  const call = new WasiCall(context);
  const functions: HostFunctions = {};
  for (const name of names) {
    const row = ROWS[name];
    if (row !== undefined) functions[name] = bind(call, row.run);
  }
  return functions;
}

/** The one way into every function, and the only way out of it. */
function bind(call: WasiCall, run: Run): (...args: never[]) => Errno | Promise<Errno> {
  return (...args) => {
    try {
      const pending = run(call, ...args);
      return pending === undefined ? ERRNO.success : pending.then(() => ERRNO.success, toErrno);
    } catch (error) {
      return toErrno(error);
    }
  };
}

/** The error number of what a function threw; throws on what ends the guest. */
function toErrno(error: unknown): Errno {
  if (error instanceof WasiRefusal) return error.errno;
  if (error instanceof GuestStop) throw error;
  // Neither should happen: a range that nobody checked, or a bug. The guest learns only that it failed.
  return error instanceof RangeError ? ERRNO.fault : ERRNO.io;
}

/** The host module. */
export const wasiModule: HostModule = {
  names: ["wasi_snapshot_preview1"],
  functions: Object.fromEntries(ENTRIES.map(([name, { type }]) => [name, type])),
  suspending: ["poll_oneoff", "random_get", "sched_yield"],
  suspendingInStreams: ["fd_write"],
  open,
};
