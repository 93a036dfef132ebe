import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { ALL_RIGHTS, AT, OPEN, READ_RIGHT, ROOT, WasiGuest, WRITE_RIGHT } from "./wasi_guest.ts";

const SEEK_AND_TELL = (1n << 2n) | (1n << 5n);

function fdstat(
  guest: WasiGuest,
  fd: number,
): { type: number; flags: number; base: bigint; inheriting: bigint } {
  assert.equal(guest.call("fd_fdstat_get", fd, AT.result), ERRNO.success);
  return {
    type: guest.view.getUint8(AT.result),
    flags: guest.view.getUint16(AT.result + 2, true),
    base: guest.u64(AT.result + 8),
    inheriting: guest.u64(AT.result + 16),
  };
}

Deno.test("fd_seek() moves from the start, the position and the end", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "0123456789");
  for (
    const [offset, whence, position] of [[4n, 0, 4n], [3n, 1, 7n], [-2n, 1, 5n], [-10n, 2, 0n], [
      5n,
      2,
      15n,
    ]] as const
  ) {
    assert.equal(guest.seek(fd, offset, whence), ERRNO.success);
    assert.equal(guest.u64(), position);
    guest.call("fd_tell", fd, AT.result);
    assert.equal(guest.u64(), position);
  }
});

Deno.test("fd_seek() refuses a position before the start and stays where it was", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.seek(fd, 3n);
  assert.equal(guest.seek(fd, -4n, 1), ERRNO.inval);
  assert.equal(guest.seek(fd, -1n, 0), ERRNO.inval);
  assert.equal(guest.seek(fd, 0n, 1), ERRNO.success);
  assert.equal(guest.u64(), 3n);
});

Deno.test("fd_seek() goes as far as 2^53 - 1", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.seek(fd, 2n ** 53n - 1n), ERRNO.success);
  assert.equal(guest.seek(fd, 1n, 1), ERRNO.overflow);
  assert.equal(guest.seek(fd, 2n ** 63n - 1n), ERRNO.overflow);
});

Deno.test("fd_seek() refuses an unknown base", () => {
  const guest = new WasiGuest();
  assert.equal(guest.seek(guest.create("f"), 0n, 3), ERRNO.inval);
});

Deno.test("fd_seek() and fd_tell() refuse what has no position", () => {
  const guest = new WasiGuest();
  for (
    const [fd, errno] of [[0, ERRNO.spipe], [1, ERRNO.spipe], [ROOT, ERRNO.badf], [9, ERRNO.badf]] as const
  ) {
    assert.equal(guest.seek(fd, 0n), errno);
    assert.equal(guest.call("fd_tell", fd, AT.result), errno);
  }
});

Deno.test("fd_fdstat_get() never lets the standard streams pass for a terminal", () => {
  const guest = new WasiGuest();
  for (const fd of [0, 1, 2]) {
    const { type, base } = fdstat(guest, fd);
    assert.equal(type, 0);
    assert.equal(base & SEEK_AND_TELL, 0n);
  }
});

Deno.test("fd_fdstat_get() lets the root pass on all rights", () => {
  const { type, inheriting } = fdstat(new WasiGuest(), ROOT);
  assert.equal(type, 3);
  assert.equal(inheriting, ALL_RIGHTS);
});

Deno.test("fd_fdstat_get() tells type, flags and rights of a file", () => {
  const guest = new WasiGuest();
  const fd = guest.open("f", { flags: OPEN.creat, rights: WRITE_RIGHT, fdFlags: 5 });
  assert.deepEqual(fdstat(guest, fd), { type: 4, flags: 5, base: WRITE_RIGHT, inheriting: 0n });
});

Deno.test("fd_fdstat_set_flags() turns append on and off", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abc");
  guest.call("fd_fdstat_set_flags", fd, 1);
  guest.seek(fd, 0n);
  guest.write(fd, "d");
  guest.call("fd_fdstat_set_flags", fd, 0);
  guest.seek(fd, 0n);
  guest.write(fd, "A");
  guest.seek(fd, 0n);
  assert.equal(guest.read(fd), "Abcd");
});

Deno.test("fd_fdstat_set_flags() takes all five flags and refuses a sixth", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_fdstat_set_flags", 1, 0x1f), ERRNO.success);
  assert.equal(guest.call("fd_fdstat_set_flags", 1, 0x20), ERRNO.inval);
});

Deno.test("fd_fdstat_set_rights() takes rights away for good", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.call("fd_fdstat_set_rights", fd, READ_RIGHT, 0n), ERRNO.success);
  assert.equal(guest.write(fd, "x"), ERRNO.badf);
  assert.equal(guest.call("fd_fdstat_set_rights", fd, READ_RIGHT | WRITE_RIGHT, 0n), ERRNO.notcapable);
});

Deno.test("fd_fdstat_set_rights() refuses rights that do not exist", () => {
  const guest = new WasiGuest();
  for (const rights of [1n << 30n, -1n]) {
    assert.equal(guest.call("fd_fdstat_set_rights", ROOT, 0n, rights), ERRNO.notcapable);
  }
});

Deno.test("fd_prestat_get() finds the root and nothing else", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_prestat_get", ROOT, AT.result), ERRNO.success);
  assert.equal(guest.u32(), 0);
  assert.equal(guest.u32(AT.result + 4), 1);
  guest.mkdir("d");
  const directory = guest.open("d", { flags: OPEN.directory });
  for (const fd of [0, 1, 2, directory, 99]) {
    assert.equal(guest.call("fd_prestat_get", fd, AT.result), ERRNO.badf);
    assert.equal(guest.call("fd_prestat_dir_name", fd, AT.result, 9), ERRNO.badf);
  }
});

Deno.test("fd_prestat_dir_name() needs room for the name", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_prestat_dir_name", ROOT, AT.result, 0), ERRNO.nametoolong);
  assert.equal(guest.call("fd_prestat_dir_name", ROOT, AT.result, 1), ERRNO.success);
  assert.equal(guest.text(AT.result, 1), "/");
});

Deno.test("fd_advise() takes the six kinds of advice for files", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  for (let advice = 0; advice < 6; advice++) {
    assert.equal(guest.call("fd_advise", fd, 0n, 0n, advice), ERRNO.success);
  }
  assert.equal(guest.call("fd_advise", fd, 0n, 0n, 6), ERRNO.inval);
  assert.equal(guest.call("fd_advise", 0, 0n, 0n, 0), ERRNO.spipe);
});

Deno.test("fd_sync() and fd_datasync() succeed for all that is open", () => {
  const guest = new WasiGuest();
  for (const name of ["fd_sync", "fd_datasync"]) {
    assert.equal(guest.call(name, 1), ERRNO.success);
    assert.equal(guest.call(name, 9), ERRNO.badf);
  }
});

Deno.test("fd_allocate() lengthens a file and never cuts it", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.call("fd_allocate", fd, 10n, 20n), ERRNO.success);
  assert.equal(guest.call("fd_allocate", fd, 0n, 5n), ERRNO.success);
  guest.stat("f");
  assert.equal(guest.filestat().size, 30n);
});

Deno.test("fd_allocate() gives the last byte of the quota and refuses one more", () => {
  const guest = new WasiGuest({ fileBytesMax: 1000 });
  const fd = guest.create("f");
  assert.equal(guest.call("fd_allocate", fd, 1n, 1000n), ERRNO.nospc);
  assert.equal(guest.call("fd_allocate", fd, 0n, 1000n), ERRNO.success);
});

Deno.test("fd_allocate() refuses sizes that no machine has, whatever their sign", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  for (const [offset, length] of [[0n, 1n << 50n], [1n << 62n, 1n << 62n], [-1n, -1n], [-1n, 1n]] as const) {
    assert.equal(guest.call("fd_allocate", fd, offset, length), ERRNO.nospc);
  }
});

Deno.test("fd_allocate() refuses a length of nothing and descriptors not open for writing", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.call("fd_allocate", fd, 0n, 0n), ERRNO.inval);
  assert.equal(guest.call("fd_allocate", guest.open("f"), 0n, 1n), ERRNO.badf);
  assert.equal(guest.call("fd_allocate", ROOT, 0n, 1n), ERRNO.badf);
});
