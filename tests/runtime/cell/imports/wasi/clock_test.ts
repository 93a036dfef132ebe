import assert from "node:assert/strict";
import { CLOCK, toNs } from "../../../../../runtime/cell/imports/wasi/clock.ts";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { AT, WasiGuest } from "./wasi_guest.ts";

function timeOf(guest: WasiGuest, id: number): bigint {
  assert.equal(guest.call("clock_time_get", id, 0n, AT.result), ERRNO.success);
  return guest.u64();
}

Deno.test("toNs() keeps the fraction of a millisecond", () => {
  assert.equal(toNs(1.5), 1_500_000n);
  assert.equal(toNs(0), 0n);
  assert.equal(toNs(1_700_000_000_000.25), 1_700_000_000_000_250_000n);
});

Deno.test("clock_time_get() of the real-time clock is the time since the epoch", () => {
  const nowMs = Number(timeOf(new WasiGuest(), CLOCK.realtime) / 1_000_000n);
  assert.ok(Math.abs(nowMs - Date.now()) < 60_000, `${nowMs}`);
});

Deno.test("clock_time_get() never goes back", () => {
  const guest = new WasiGuest();
  for (const id of Object.values(CLOCK)) {
    let last = 0n;
    for (let round = 0; round < 100; round++) {
      const now = timeOf(guest, id);
      assert.ok(now >= last, `clock ${id}`);
      last = now;
    }
  }
});

Deno.test("clock_time_get() of CPU time starts with the call", () => {
  assert.ok(timeOf(new WasiGuest(), CLOCK.processCpuTime) < 1_000_000_000n);
});

Deno.test("clock_time_get() of CPU time leaves sleep out", async () => {
  const guest = new WasiGuest();
  const startedMs = performance.now();
  // A clock subscription of 5 ms, relative, on the monotonic clock.
  guest.view.setUint32(AT.data + 16, CLOCK.monotonic, true);
  guest.view.setBigUint64(AT.data + 24, 5_000_000n, true);
  assert.equal(await guest.callSuspending("poll_oneoff", AT.data, AT.list, 1, AT.result), ERRNO.success);
  const cpuMs = Number(timeOf(guest, CLOCK.threadCpuTime)) / 1e6;
  assert.ok(cpuMs <= performance.now() - startedMs - 4, `${cpuMs}`);
});

Deno.test("clock_res_get() is not zero for each of the four clocks", () => {
  const guest = new WasiGuest();
  for (const id of Object.values(CLOCK)) {
    assert.equal(guest.call("clock_res_get", id, AT.result), ERRNO.success);
    assert.ok(guest.u64() > 0n);
  }
});

Deno.test("clock_res_get() and clock_time_get() refuse unknown clocks", () => {
  const guest = new WasiGuest();
  for (const id of [4, -1]) {
    assert.equal(guest.call("clock_res_get", id, AT.result), ERRNO.inval);
    assert.equal(guest.call("clock_time_get", id, 0n, AT.result), ERRNO.inval);
  }
});
