import assert from "node:assert/strict";
import { GuestStop } from "../../../../../runtime/cell/guest_context.ts";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { AT, WasiGuest } from "./wasi_guest.ts";

/** Reads a list of strings by `<name>_sizes_get` and `<name>_get`, as a C library does. */
function readStrings(guest: WasiGuest, name: "args" | "environ"): string[] {
  assert.equal(guest.call(`${name}_sizes_get`, AT.result, AT.result + 4), ERRNO.success);
  const [count, bytes] = [guest.u32(), guest.u32(AT.result + 4)];
  assert.equal(guest.call(`${name}_get`, AT.list, AT.data), ERRNO.success);
  const starts = Array.from({ length: count }, (_, index) => guest.u32(AT.list + index * 4));
  return starts.map((start, index) => {
    const end = starts[index + 1] ?? AT.data + bytes;
    assert.equal(guest.bytes[end - 1], 0);
    return guest.text(start, end - 1 - start);
  });
}

Deno.test("args_get() gives the arguments", () => {
  const args = ["program", "", "two words", "ünïcode"];
  assert.deepEqual(readStrings(new WasiGuest({ args }), "args"), args);
});

Deno.test("environ_get() gives the environment", () => {
  const environment = ["A=1", "EMPTY=", "Ü=ß"];
  assert.deepEqual(readStrings(new WasiGuest({ environment }), "environ"), environment);
});

Deno.test("args_get() of no arguments writes nothing, even without room", () => {
  const guest = new WasiGuest();
  assert.deepEqual(readStrings(guest, "args"), []);
  assert.equal(guest.call("args_get", AT.end, AT.end), ERRNO.success);
});

Deno.test("args_get() leaves out a NUL, which would end the argument", () => {
  assert.deepEqual(readStrings(new WasiGuest({ args: ["a\0b", "c"] }), "args"), ["ab", "c"]);
});

Deno.test("args_get() needs room for both the pointers and the strings", () => {
  const guest = new WasiGuest({ args: ["abc"] });
  assert.equal(guest.call("args_get", AT.end - 4, AT.data), ERRNO.success);
  assert.equal(guest.call("args_get", AT.end - 3, AT.data), ERRNO.fault);
  assert.equal(guest.call("args_get", AT.list, AT.end - 4), ERRNO.success);
  assert.equal(guest.call("args_get", AT.list, AT.end - 3), ERRNO.fault);
});

Deno.test("proc_exit() ends the call with its code, unsigned", () => {
  for (const [code, exitCode] of [[0, 0], [7, 7], [-1, 4_294_967_295]] as const) {
    const guest = new WasiGuest();
    assert.throws(() => guest.call("proc_exit", code), GuestStop);
    assert.deepEqual(guest.stopped, { type: "exited", exitCode });
  }
});

Deno.test("proc_raise() ends the call with 128 and the signal's number", () => {
  const guest = new WasiGuest();
  assert.throws(() => guest.call("proc_raise", 6), GuestStop);
  assert.deepEqual(guest.stopped, { type: "exited", exitCode: 134 });
});

Deno.test("proc_raise() of a signal that is ignored by default does nothing", () => {
  const guest = new WasiGuest();
  for (const signal of [0, 16, 17, 22, 27]) assert.equal(guest.call("proc_raise", signal), ERRNO.success);
});

Deno.test("proc_raise() knows signals up to 30", () => {
  assert.throws(() => new WasiGuest().call("proc_raise", 30), GuestStop);
  assert.equal(new WasiGuest().call("proc_raise", 31), ERRNO.inval);
});

Deno.test("random_get() fills exactly the range, also beyond one step of the generator", () => {
  const guest = new WasiGuest();
  const length = 65_536 + 100;
  assert.equal(guest.call("random_get", 1000, length), ERRNO.success);
  const bytes = guest.bytes;
  assert.ok(bytes.subarray(0, 1000).every((byte) => byte === 0));
  assert.ok(bytes.subarray(1000 + length).every((byte) => byte === 0));
  // 64 zero bytes in a row by chance: 2^-512.
  for (const start of [1000, 1000 + 65_536 - 32, 1000 + length - 64]) {
    assert.ok(bytes.subarray(start, start + 64).some((byte) => byte !== 0));
  }
});

Deno.test("random_get() reaches the last byte of the memory and not one further", () => {
  const guest = new WasiGuest();
  assert.equal(guest.call("random_get", AT.end - 16, 16), ERRNO.success);
  assert.equal(guest.call("random_get", AT.end - 16, 17), ERRNO.fault);
});

Deno.test("random_get() of up to 1 MiB is done at once, of more gives way after each MiB", async () => {
  const checkpoints: boolean[] = [];
  const guest = new WasiGuest({
    checkpoint: (isOffered) => {
      checkpoints.push(isOffered);
      return undefined;
    },
  });
  guest.memory.grow(40);
  assert.equal(guest.call("random_get", 0, 2 ** 20), ERRNO.success);
  assert.deepEqual(checkpoints, []);
  assert.equal(await guest.callSuspending("random_get", 0, 2 ** 20 + 1), ERRNO.success);
  assert.deepEqual(checkpoints, [false, false]);
});

Deno.test("random_get() of more than 1 MiB fills exactly the range, to the last byte of the memory", async () => {
  const guest = new WasiGuest();
  guest.memory.grow(62);
  const end = guest.memory.buffer.byteLength;
  const length = 2 ** 21 + 100;
  assert.equal(await guest.callSuspending("random_get", end - length, length), ERRNO.success);
  assert.ok(guest.bytes.subarray(0, end - length).every((byte) => byte === 0));
  for (const start of [end - length, end - length + 2 ** 20, end - length + 2 ** 21, end - 64]) {
    assert.ok(guest.bytes.subarray(start, start + 64).some((byte) => byte !== 0), `${start}`);
  }
  assert.equal(await guest.callSuspending("random_get", end - length, length + 1), ERRNO.fault);
});

Deno.test("random_get() ends between two steps when its call is stopped", async () => {
  let count = 0;
  const stop = new GuestStop({ type: "cancelled", by: "client" });
  const guest = new WasiGuest({ checkpoint: () => ++count < 2 ? undefined : Promise.reject(stop) });
  guest.memory.grow(62);
  await assert.rejects(guest.callSuspending("random_get", 0, 4 * 2 ** 20), GuestStop);
  assert.equal(count, 2);
  assert.ok(guest.bytes.subarray(2 * 2 ** 20, 3 * 2 ** 20).every((byte) => byte === 0));
});

Deno.test("sched_yield() answers at once when nobody waits", () => {
  const offers: boolean[] = [];
  const guest = new WasiGuest({
    checkpoint: (isOffered) => {
      offers.push(isOffered);
      return undefined;
    },
  });
  assert.equal(guest.call("sched_yield"), ERRNO.success);
  assert.deepEqual(offers, [true]);
});

Deno.test("sched_yield() answers when the others had their turn", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const guest = new WasiGuest({ checkpoint: () => promise });
  let errno: number | undefined;
  const answered = guest.callSuspending("sched_yield").then((answer) => errno = answer);
  await Promise.resolve();
  assert.equal(errno, undefined);
  resolve();
  assert.equal(await answered, ERRNO.success);
});
