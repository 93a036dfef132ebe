import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { AT, OPEN, READ_RIGHT, ROOT, WasiGuest, WRITE_RIGHT } from "./wasi_guest.ts";

function pwrite(guest: WasiGuest, fd: number, text: string, offset: bigint): number {
  return guest.call("fd_pwrite", fd, ...guest.list(guest.put(text, AT.data)), offset, AT.result);
}

Deno.test("fd_read() of stdin gives the input in pieces, then nothing", () => {
  const guest = new WasiGuest({ input: "hello" });
  assert.deepEqual([guest.read(0, 3), guest.read(0, 3), guest.read(0, 3)], ["hel", "lo", ""]);
});

Deno.test("fd_read() fills several buffers in turn", () => {
  const guest = new WasiGuest({ input: "hello" });
  const list = guest.list([AT.data, 2], [AT.data + 10, 0], [AT.data + 20, 2], [AT.data + 30, 9]);
  assert.equal(guest.call("fd_read", 0, ...list, AT.result), ERRNO.success);
  assert.equal(guest.u32(), 5);
  const pieces = [[0, 2], [20, 2], [30, 1]].map(([at = 0, length = 0]) => guest.text(AT.data + at, length));
  assert.deepEqual(pieces, ["he", "ll", "o"]);
});

Deno.test("fd_read() behind the end of a file gives nothing", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abc");
  guest.seek(fd, 100n);
  assert.equal(guest.read(fd), "");
});

Deno.test("fd_read() refuses what is not open for reading", () => {
  const guest = new WasiGuest();
  const fd = guest.open("f", { flags: OPEN.creat, rights: WRITE_RIGHT });
  for (
    const [other, errno] of [[fd, ERRNO.badf], [1, ERRNO.badf], [ROOT, ERRNO.isdir], [
      99,
      ERRNO.badf,
    ]] as const
  ) {
    assert.equal(guest.call("fd_read", other, ...guest.list([AT.data, 1]), AT.result), errno);
    assert.equal(guest.call("fd_pread", other, ...guest.list([AT.data, 1]), 0n, AT.result), errno);
  }
});

Deno.test("fd_write() of stdout is output and log", () => {
  const guest = new WasiGuest();
  assert.equal(guest.write(1, "out\n"), ERRNO.success);
  assert.equal(guest.u32(), 4);
  assert.deepEqual(guest.outputs, ["out\n"]);
  assert.deepEqual(guest.log, [{ source: "stdout", level: "info", text: "out\n" }]);
});

Deno.test("fd_write() of stderr is log alone", () => {
  const guest = new WasiGuest();
  assert.equal(guest.write(2, "err\n"), ERRNO.success);
  assert.deepEqual(guest.outputs, []);
  assert.deepEqual(guest.log, [{ source: "stderr", level: "warn", text: "err\n" }]);
});

Deno.test("fd_write() of stderr takes 1 MiB of a write and says so, all of one that is not larger", () => {
  const part = [AT.data, 65_536] as const;
  for (
    const [parts, written] of [[16, 1 << 20], [17, 1 << 20], [1000, 1 << 20], [15, 15 * 65_536]] as const
  ) {
    const guest = new WasiGuest();
    const list = guest.list(...Array.from({ length: parts }, () => part));
    assert.equal(guest.call("fd_write", 2, ...list, AT.result), ERRNO.success);
    assert.equal(guest.u32(), written);
    assert.equal(guest.log.reduce((sum, { text }) => sum + text.length, 0), written);
  }
});

Deno.test("fd_write() past the limit of output ends the call and logs nothing of it", () => {
  const guest = new WasiGuest({ outputBytesMax: 5 });
  guest.write(1, "12345");
  assert.throws(() => guest.write(1, "6"));
  assert.deepEqual(guest.stopped, { type: "exhausted", limit: "output_bytes", max: 5, actual: 6 });
  assert.equal(guest.log.length, 1);
});

Deno.test("fd_write() refuses what is not open for writing", () => {
  const guest = new WasiGuest();
  const fd = guest.open("f", { flags: OPEN.creat, rights: READ_RIGHT });
  for (const other of [fd, 0, ROOT, 99]) {
    assert.equal(guest.write(other, "x"), ERRNO.badf);
    assert.equal(pwrite(guest, other, "x", 0n), ERRNO.badf);
  }
});

Deno.test("fd_write() writes all or nothing when the quota ends", () => {
  const guest = new WasiGuest({ fileBytesMax: 5 });
  const fd = guest.create("f");
  assert.equal(guest.write(fd, "123"), ERRNO.success);
  assert.equal(guest.write(fd, "456"), ERRNO.nospc);
  assert.equal(guest.write(fd, "45"), ERRNO.success);
  guest.seek(fd, 0n);
  assert.equal(guest.read(fd), "12345");
});

Deno.test("fd_write() over existing bytes needs no quota", () => {
  const guest = new WasiGuest({ fileBytesMax: 3 });
  const fd = guest.create("f");
  guest.write(fd, "abc");
  guest.seek(fd, 0n);
  assert.equal(guest.write(fd, "ABC"), ERRNO.success);
});

Deno.test("fd_write() in append mode goes to the end, wherever the position is", () => {
  const guest = new WasiGuest();
  const fd = guest.open("f", { flags: OPEN.creat, rights: READ_RIGHT | WRITE_RIGHT, fdFlags: 1 });
  guest.write(fd, "abc");
  guest.seek(fd, 0n);
  guest.write(fd, "def");
  guest.seek(fd, 0n);
  assert.equal(guest.read(fd), "abcdef");
});

Deno.test("fd_write() of nothing moves no position and grows no file", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.seek(fd, 100n);
  assert.equal(guest.write(fd, ""), ERRNO.success);
  guest.stat("f");
  assert.equal(guest.filestat().size, 0n);
});

Deno.test("fd_pwrite() and fd_pread() leave the position alone", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abc");
  pwrite(guest, fd, "Z", 1n);
  guest.call("fd_pread", fd, ...guest.list([AT.data, 9]), 1n, AT.result);
  assert.equal(guest.text(AT.data, guest.u32()), "Zc");
  guest.write(fd, "d");
  guest.seek(fd, 0n);
  assert.equal(guest.read(fd), "aZcd");
});

Deno.test("fd_pread() at any offset behind the end gives nothing", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abc");
  for (const offset of [3n, 1n << 53n, -1n]) {
    assert.equal(guest.call("fd_pread", fd, ...guest.list([AT.data, 9]), offset, AT.result), ERRNO.success);
    assert.equal(guest.u32(), 0);
  }
});

Deno.test("fd_pwrite() at offsets that no quota reaches is refused", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  for (const offset of [1n << 50n, (1n << 53n) + 1n, -1n]) {
    assert.equal(pwrite(guest, fd, "x", offset), ERRNO.nospc);
  }
});

Deno.test("fd_pread() and fd_pwrite() refuse the standard streams", () => {
  const guest = new WasiGuest({ input: "x" });
  assert.equal(guest.call("fd_pread", 0, ...guest.list([AT.data, 1]), 0n, AT.result), ERRNO.spipe);
  assert.equal(pwrite(guest, 1, "x", 0n), ERRNO.spipe);
});
