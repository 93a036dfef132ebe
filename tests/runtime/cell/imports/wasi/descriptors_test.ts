import assert from "node:assert/strict";
import { DESCRIPTORS_COUNT_MAX } from "../../../../../runtime/cell/imports/wasi/descriptors.ts";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { AT, ROOT, WasiGuest } from "./wasi_guest.ts";

Deno.test("descriptors: the lowest free number is given", () => {
  const guest = new WasiGuest();
  assert.deepEqual([guest.create("a"), guest.create("b"), guest.create("c")], [4, 5, 6]);
  guest.call("fd_close", 5);
  guest.call("fd_close", 4);
  assert.deepEqual([guest.create("d"), guest.create("e"), guest.create("f")], [4, 5, 7]);
});

Deno.test(`descriptors: ${DESCRIPTORS_COUNT_MAX} can be open, one more cannot`, () => {
  const guest = new WasiGuest();
  for (let fd = 4; fd < DESCRIPTORS_COUNT_MAX; fd++) assert.equal(guest.create("f"), fd);
  assert.equal(guest.tryOpen("f"), ERRNO.mfile);
  guest.call("fd_close", 500);
  assert.equal(guest.open("f"), 500);
});

Deno.test("descriptors: a refusal for want of numbers makes no file", () => {
  const guest = new WasiGuest();
  for (let fd = 4; fd < DESCRIPTORS_COUNT_MAX; fd++) guest.create("f");
  assert.equal(guest.tryOpen("new", { flags: 1 }), ERRNO.mfile);
  assert.equal(guest.stat("new"), ERRNO.noent);
});

Deno.test("fd_close() closes once", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.call("fd_close", fd), ERRNO.success);
  assert.equal(guest.call("fd_close", fd), ERRNO.badf);
});

Deno.test("fd_close() closes the standard streams and the root like any other", () => {
  const guest = new WasiGuest();
  for (const fd of [0, 1, 2, ROOT]) assert.equal(guest.call("fd_close", fd), ERRNO.success);
  assert.equal(guest.write(1, "x"), ERRNO.badf);
  assert.equal(guest.stat("."), ERRNO.badf);
});

Deno.test("fd_renumber() moves one descriptor over another, position and all", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "hello");
  guest.seek(fd, 1n);
  assert.equal(guest.call("fd_renumber", fd, 1), ERRNO.success);
  assert.equal(guest.read(1), "ello");
  assert.equal(guest.call("fd_sync", fd), ERRNO.badf);
});

Deno.test("fd_renumber() of stdout sends later output to a file", () => {
  const guest = new WasiGuest();
  guest.call("fd_renumber", guest.create("f"), 1);
  guest.write(1, "kept");
  assert.deepEqual(guest.outputs, []);
  assert.equal(guest.read(guest.open("f")), "kept");
});

Deno.test("fd_renumber() onto itself changes nothing", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.call("fd_renumber", fd, fd), ERRNO.success);
  assert.equal(guest.write(fd, "x"), ERRNO.success);
});

Deno.test("fd_renumber() needs both to be open", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_renumber", 9, 1), ERRNO.badf);
  assert.equal(guest.call("fd_renumber", 1, 9), ERRNO.badf);
  assert.equal(guest.call("fd_renumber", 1, 2 ** 31), ERRNO.badf);
  assert.equal(guest.write(1, "x"), ERRNO.success);
});

Deno.test("fd_renumber() over the last descriptor of a nameless file gives its bytes back", () => {
  const guest = new WasiGuest({ fileBytesMax: 10 });
  const first = guest.create("a");
  guest.write(first, "0123456789");
  guest.unlink("a");
  const second = guest.create("b");
  assert.equal(guest.write(second, "x"), ERRNO.nospc);
  guest.call("fd_renumber", second, first);
  assert.equal(guest.write(first, "x"), ERRNO.success);
});

Deno.test("two descriptors of one file have positions of their own", () => {
  const guest = new WasiGuest();
  const writer = guest.create("f");
  const reader = guest.open("f");
  guest.write(writer, "abc");
  assert.equal(guest.read(reader, 2), "ab");
  guest.write(writer, "def");
  assert.equal(guest.read(reader), "cdef");
});

Deno.test("sockets: nothing that is open is one", () => {
  const guest = new WasiGuest();
  for (const fd of [0, ROOT]) {
    assert.equal(guest.call("sock_accept", fd, 0, AT.result), ERRNO.notsock);
    assert.equal(guest.call("sock_recv", fd, 0, 0, 0, AT.result, AT.result), ERRNO.notsock);
    assert.equal(guest.call("sock_send", fd, 0, 0, 0, AT.result), ERRNO.notsock);
    assert.equal(guest.call("sock_shutdown", fd, 1), ERRNO.notsock);
  }
  assert.equal(guest.call("sock_shutdown", 9, 1), ERRNO.badf);
});
