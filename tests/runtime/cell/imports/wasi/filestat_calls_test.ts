import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { AT, OPEN, ROOT, WasiGuest } from "./wasi_guest.ts";

const ATIM = 1;
const ATIM_NOW = 2;
const MTIM = 4;
const MTIM_NOW = 8;

function setTimes(guest: WasiGuest, path: string, atim: bigint, mtim: bigint, flags: number): number {
  return guest.call("path_filestat_set_times", ROOT, 1, ...guest.put(path), atim, mtim, flags);
}

Deno.test("path_filestat_get() tells size, type and links of a file", () => {
  const guest = new WasiGuest();
  guest.write(guest.create("f"), "abc");
  guest.link("f", "g");
  assert.equal(guest.stat("f"), ERRNO.success);
  const { size, type, nlink } = guest.filestat();
  assert.deepEqual({ size, type, nlink }, { size: 3n, type: 4n, nlink: 2n });
});

Deno.test("path_filestat_get() tells a directory", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.stat("d");
  assert.equal(guest.filestat().type, 3n);
});

Deno.test("path_filestat_get() gives the length of a symbolic link's target in bytes", () => {
  const guest = new WasiGuest();
  guest.symlink("é", "l");
  guest.stat("l", false);
  const { size, type } = guest.filestat();
  assert.deepEqual({ size, type }, { size: 2n, type: 7n });
});

Deno.test("path_filestat_get() gives every inode its own number on one device", () => {
  const guest = new WasiGuest();
  guest.create("a");
  guest.create("b");
  guest.mkdir("c");
  const seen = ["a", "b", "c", "."].map((path) => {
    guest.stat(path);
    return `${guest.filestat().dev}:${guest.filestat().ino}`;
  });
  assert.equal(new Set(seen).size, 4);
});

Deno.test("fd_filestat_get() agrees with path_filestat_get()", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abc");
  guest.stat("f");
  const byPath = guest.filestat();
  guest.call("fd_filestat_get", fd, AT.result);
  assert.deepEqual(guest.filestat(), byPath);
});

Deno.test("fd_filestat_get() tells the standard streams apart, by number and not by device", () => {
  const guest = new WasiGuest();
  guest.bytes.fill(0xff, AT.result, AT.result + 64);
  const numbers = [0, 1, 2].map((fd) => {
    assert.equal(guest.call("fd_filestat_get", fd, AT.result), ERRNO.success);
    const { ino, ...rest } = guest.filestat();
    assert.deepEqual(rest, { dev: 0n, type: 0n, nlink: 1n, size: 0n, atim: 0n, mtim: 0n, ctim: 0n });
    return ino;
  });
  assert.deepEqual(numbers, [0n, 1n, 2n]);
});

Deno.test("times: writing changes mtim and ctim, and no time goes back", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  setTimes(guest, "f", 5n, 6n, ATIM | MTIM);
  guest.write(fd, "x");
  guest.stat("f");
  const { atim, mtim, ctim } = guest.filestat();
  assert.equal(atim, 5n);
  assert.ok(mtim > 6n);
  assert.equal(ctim, mtim);
});

Deno.test("times: making an entry changes its directory's mtim", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  setTimes(guest, "d", 0n, 6n, MTIM);
  guest.create("d/f");
  guest.stat("d");
  assert.ok(guest.filestat().mtim > 6n);
});

Deno.test("path_filestat_set_times() keeps nanoseconds and all 64 bits", () => {
  const guest = new WasiGuest();
  guest.create("f");
  assert.equal(setTimes(guest, "f", 1_700_000_000_123_456_789n, -1n, ATIM | MTIM), ERRNO.success);
  guest.stat("f");
  const { atim, mtim } = guest.filestat();
  assert.deepEqual({ atim, mtim }, { atim: 1_700_000_000_123_456_789n, mtim: 2n ** 64n - 1n });
});

Deno.test("path_filestat_set_times() sets only what the flags name", () => {
  const guest = new WasiGuest();
  guest.create("f");
  setTimes(guest, "f", 1n, 2n, ATIM | MTIM);
  setTimes(guest, "f", 8n, 9n, MTIM);
  guest.stat("f");
  assert.deepEqual([guest.filestat().atim, guest.filestat().mtim], [1n, 9n]);
});

Deno.test("path_filestat_set_times() takes the clock's time", () => {
  const guest = new WasiGuest();
  guest.create("f");
  setTimes(guest, "f", 1n, 2n, ATIM | MTIM);
  setTimes(guest, "f", 1n, 2n, ATIM_NOW | MTIM_NOW);
  guest.stat("f");
  assert.ok(guest.filestat().atim > 1n && guest.filestat().mtim > 2n);
});

Deno.test("path_filestat_set_times() refuses both values for one time, and unknown flags", () => {
  const guest = new WasiGuest();
  guest.create("f");
  for (const flags of [ATIM | ATIM_NOW, MTIM | MTIM_NOW, 16]) {
    assert.equal(setTimes(guest, "f", 0n, 0n, flags), ERRNO.inval);
  }
});

Deno.test("path_filestat_set_times() of a missing file is noent", () => {
  assert.equal(setTimes(new WasiGuest(), "f", 0n, 0n, ATIM), ERRNO.noent);
});

Deno.test("fd_filestat_set_times() sets a file's times and refuses the standard streams", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.call("fd_filestat_set_times", fd, 3n, 4n, ATIM | MTIM), ERRNO.success);
  guest.stat("f");
  assert.deepEqual([guest.filestat().atim, guest.filestat().mtim], [3n, 4n]);
  assert.equal(guest.call("fd_filestat_set_times", 1, 3n, 4n, ATIM), ERRNO.inval);
});

Deno.test("fd_filestat_set_size() cuts and lengthens with zeros", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abcdef");
  assert.equal(guest.call("fd_filestat_set_size", fd, 2n), ERRNO.success);
  assert.equal(guest.call("fd_filestat_set_size", fd, 4n), ERRNO.success);
  guest.seek(fd, 0n);
  assert.equal(guest.read(fd), "ab\0\0");
});

Deno.test("fd_filestat_set_size() gives the last byte of the quota and refuses one more", () => {
  const guest = new WasiGuest({ fileBytesMax: 1000 });
  const fd = guest.create("f");
  assert.equal(guest.call("fd_filestat_set_size", fd, 1001n), ERRNO.nospc);
  assert.equal(guest.call("fd_filestat_set_size", fd, 1000n), ERRNO.success);
});

Deno.test("fd_filestat_set_size() refuses sizes that no machine has, whatever their sign", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  for (const size of [1n << 50n, 2n ** 63n - 1n, -1n]) {
    assert.equal(guest.call("fd_filestat_set_size", fd, size), ERRNO.nospc);
  }
});

Deno.test("fd_filestat_set_size() refuses what is not a file open for writing", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.mkdir("d");
  const refused: [number, number][] = [
    [guest.open("f"), ERRNO.badf],
    [guest.open("d", { flags: OPEN.directory }), ERRNO.badf],
    [1, ERRNO.inval],
    [99, ERRNO.badf],
  ];
  for (const [fd, errno] of refused) assert.equal(guest.call("fd_filestat_set_size", fd, 1n), errno);
});
