import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { BUFFERS_COUNT_MAX } from "../../../../../runtime/cell/imports/wasi/guest_memory.ts";
import { AT, WasiGuest } from "./wasi_guest.ts";

function writeParts(guest: WasiGuest, ...parts: [number, number][]): number {
  return guest.call("fd_write", 1, ...guest.list(...parts), AT.result);
}

Deno.test("buffersAt() takes a buffer that ends with the memory", () => {
  const guest = new WasiGuest();
  assert.equal(writeParts(guest, [AT.end - 4, 4]), ERRNO.success);
});

Deno.test("buffersAt() refuses a buffer that ends one byte behind the memory", () => {
  const guest = new WasiGuest();
  assert.equal(writeParts(guest, [AT.end - 4, 5]), ERRNO.fault);
});

Deno.test("buffersAt() reads pointers and lengths as unsigned", () => {
  const guest = new WasiGuest();
  assert.equal(writeParts(guest, [0x8000_0000, 1]), ERRNO.fault);
  assert.equal(writeParts(guest, [4, 0xffff_ffff]), ERRNO.fault);
});

Deno.test("buffersAt() refuses everything if one buffer of several is outside", () => {
  const guest = new WasiGuest();
  assert.equal(writeParts(guest, [AT.data, 3], [AT.end, 1]), ERRNO.fault);
  assert.deepEqual(guest.outputs, []);
});

Deno.test("buffersAt() refuses an empty buffer outside the memory, but takes one at its end", () => {
  const guest = new WasiGuest();
  assert.equal(writeParts(guest, [AT.end, 0]), ERRNO.success);
  assert.equal(writeParts(guest, [AT.end + 1, 0]), ERRNO.fault);
});

Deno.test("buffersAt() refuses a list that does not fit the memory", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_write", 1, AT.end - 8, 1, AT.result), ERRNO.success);
  assert.equal(guest.call("fd_write", 1, AT.end - 8, 2, AT.result), ERRNO.fault);
});

Deno.test(`buffersAt() takes ${BUFFERS_COUNT_MAX} buffers and refuses one more`, () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_write", 1, AT.data, BUFFERS_COUNT_MAX, AT.result), ERRNO.success);
  assert.equal(guest.call("fd_write", 1, AT.data, BUFFERS_COUNT_MAX + 1, AT.result), ERRNO.inval);
  assert.equal(guest.call("fd_write", 1, AT.data, -1, AT.result), ERRNO.inval);
});

Deno.test("buffersAt() takes overlapping buffers of 2^31 - 1 bytes and refuses one byte more", () => {
  const guest = new WasiGuest();
  guest.memory.grow(31);
  const pages: [number, number][] = Array.from({ length: 1023 }, () => [0, 2 ** 21]);
  const read = (last: number): number =>
    guest.call("fd_read", 0, ...guest.list(...pages, [0, last]), AT.result);
  assert.equal(read(2 ** 21 - 1), ERRNO.success);
  assert.equal(read(2 ** 21), ERRNO.inval);
});

Deno.test("no buffers at all transfer nothing and succeed", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("fd_write", 1, 0, 0, AT.result), ERRNO.success);
  assert.equal(guest.u32(), 0);
});
