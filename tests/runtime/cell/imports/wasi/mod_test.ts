import assert from "node:assert/strict";
import { GuestStop } from "../../../../../runtime/cell/guest_context.ts";
import type { GuestContext } from "../../../../../runtime/cell/guest_context.ts";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { WASI_FUNCTION_NAMES, wasiModule } from "../../../../../runtime/cell/imports/wasi/mod.ts";
import { formatFunctionType } from "../../../../../runtime/model/value_type.ts";
import { AT, OPEN, ROOT, WasiGuest } from "./wasi_guest.ts";

/** Every function of `wasi_snapshot_preview1.witx` with its core signature. */
const WITX = {
  args_get: "(i32, i32)",
  args_sizes_get: "(i32, i32)",
  environ_get: "(i32, i32)",
  environ_sizes_get: "(i32, i32)",
  clock_res_get: "(i32, i32)",
  clock_time_get: "(i32, i64, i32)",
  fd_advise: "(i32, i64, i64, i32)",
  fd_allocate: "(i32, i64, i64)",
  fd_close: "(i32)",
  fd_datasync: "(i32)",
  fd_fdstat_get: "(i32, i32)",
  fd_fdstat_set_flags: "(i32, i32)",
  fd_fdstat_set_rights: "(i32, i64, i64)",
  fd_filestat_get: "(i32, i32)",
  fd_filestat_set_size: "(i32, i64)",
  fd_filestat_set_times: "(i32, i64, i64, i32)",
  fd_pread: "(i32, i32, i32, i64, i32)",
  fd_prestat_get: "(i32, i32)",
  fd_prestat_dir_name: "(i32, i32, i32)",
  fd_pwrite: "(i32, i32, i32, i64, i32)",
  fd_read: "(i32, i32, i32, i32)",
  fd_readdir: "(i32, i32, i32, i64, i32)",
  fd_renumber: "(i32, i32)",
  fd_seek: "(i32, i64, i32, i32)",
  fd_sync: "(i32)",
  fd_tell: "(i32, i32)",
  fd_write: "(i32, i32, i32, i32)",
  path_create_directory: "(i32, i32, i32)",
  path_filestat_get: "(i32, i32, i32, i32, i32)",
  path_filestat_set_times: "(i32, i32, i32, i32, i64, i64, i32)",
  path_link: "(i32, i32, i32, i32, i32, i32, i32)",
  path_open: "(i32, i32, i32, i32, i32, i64, i64, i32, i32)",
  path_readlink: "(i32, i32, i32, i32, i32, i32)",
  path_remove_directory: "(i32, i32, i32)",
  path_rename: "(i32, i32, i32, i32, i32, i32)",
  path_symlink: "(i32, i32, i32, i32, i32)",
  path_unlink_file: "(i32, i32, i32)",
  poll_oneoff: "(i32, i32, i32, i32)",
  proc_raise: "(i32)",
  sched_yield: "()",
  random_get: "(i32, i32)",
  sock_accept: "(i32, i32, i32)",
  sock_recv: "(i32, i32, i32, i32, i32, i32)",
  sock_send: "(i32, i32, i32, i32, i32)",
  sock_shutdown: "(i32, i32)",
} as const;

Deno.test("wasiModule has every function of preview1 with its exact signature and no other", () => {
  const expected = Object.fromEntries(
    Object.entries(WITX).map(([name, params]) => [name, `${params} -> (i32)`]),
  );
  expected["proc_exit"] = "(i32) -> ()";
  const actual = Object.fromEntries(
    Object.entries(wasiModule.functions).map(([name, type]) => [name, formatFunctionType(type)]),
  );
  assert.deepEqual(actual, expected);
});

Deno.test("wasiModule answers to wasi_snapshot_preview1 alone", () => {
  assert.deepEqual(wasiModule.names, ["wasi_snapshot_preview1"]);
});

Deno.test("open() makes every function of the table", () => {
  const functions = wasiModule.open({} as GuestContext, WASI_FUNCTION_NAMES);
  assert.deepEqual(Object.keys(functions).sort(), Object.keys(wasiModule.functions).sort());
});

Deno.test("open() shares nothing between two calls", () => {
  const first = new WasiGuest();
  const second = new WasiGuest();
  first.create("file");
  assert.equal(second.stat("file"), ERRNO.noent);
});

Deno.test("every function refuses pointers outside the memory and throws nothing", async () => {
  const guest = new WasiGuest({ args: ["a"], environment: ["A=b"], input: "in" });
  guest.create("f");
  for (const [name, type] of Object.entries(wasiModule.functions)) {
    if (name === "proc_exit" || name === "proc_raise") continue;
    for (const fill of [-1, 0x7fff_ffff, AT.end - 1]) {
      for (const fd of [0, 1, 2, 3, 4, 99]) {
        const args = type.params.map((param, index) =>
          index === 0 && /^(fd|path|sock)_/.test(name) ? fd : param === "i64" ? BigInt(fill) : fill
        );
        const errno = await guest.callSuspending(name, ...args);
        assert.ok(Number.isInteger(errno) && errno >= 0 && errno <= 76, `${name}(${args}): ${errno}`);
        assert.notEqual(errno, ERRNO.io, `${name}(${args})`);
      }
    }
  }
});

Deno.test("every function answers without a memory", async () => {
  const context = {
    memory: () => undefined,
    args: [],
    environment: [],
    fileBytesMax: 1,
    cpuMs: () => 0,
    checkpoint: () => undefined,
  };
  const functions = wasiModule.open(context as unknown as GuestContext, WASI_FUNCTION_NAMES) as Record<
    string,
    (...args: (number | bigint)[]) => number | Promise<number>
  >;
  for (const [name, type] of Object.entries(wasiModule.functions)) {
    if (name === "proc_exit" || name === "proc_raise") continue;
    const errno = await functions[name]?.(...type.params.map((param) => param === "i64" ? 0n : 0));
    assert.ok(errno !== undefined && errno !== ERRNO.io, `${name}: ${errno}`);
  }
});

Deno.test("a GuestStop passes through to the engine", () => {
  const guest = new WasiGuest({ outputBytesMax: 3 });
  assert.throws(() => guest.write(1, "four"), GuestStop);
});

Deno.test("an unexpected RangeError of the host is answered with fault", () => {
  const guest = new WasiGuest({
    writeLog: () => {
      throw new RangeError("host");
    },
  });
  assert.equal(guest.write(2, "x"), ERRNO.fault);
});

Deno.test("any other unexpected error of the host is answered with io", () => {
  const guest = new WasiGuest({
    writeLog: () => {
      throw new TypeError("host");
    },
  });
  assert.equal(guest.write(2, "x"), ERRNO.io);
});

Deno.test("functions see the memory as it is after it grew", () => {
  const guest = new WasiGuest({ input: "hello" });
  const grownAt = guest.memory.buffer.byteLength;
  assert.equal(guest.call("fd_read", 0, ...guest.list([grownAt, 5]), AT.result), ERRNO.fault);
  guest.memory.grow(1);
  assert.equal(guest.call("fd_read", 0, ...guest.list([grownAt, 5]), AT.result), ERRNO.success);
  assert.equal(guest.text(grownAt, 5), "hello");
});

Deno.test("a refused call with a bad place for its result changes nothing", () => {
  const guest = new WasiGuest();
  const errno = guest.call(
    "path_open",
    ROOT,
    0,
    ...guest.put("made"),
    OPEN.creat,
    64n,
    0n,
    0,
    AT.end - 3,
  );
  assert.equal(errno, ERRNO.fault);
  assert.equal(guest.stat("made"), ERRNO.noent);
});
