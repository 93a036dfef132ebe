/**
 * A guest's session on the CUDA device, over the fake driver: windows, streams, waits and the end of a guest.
 *
 * Owns what a session does with a device whose launches answer before they are done; kernels are those that the
 * fake runs. Invariant: after a session nothing of its guest is left on the device.
 */
import assert from "node:assert/strict";
import { GPU_CODES } from "../../../gpu/mod.ts";
import type { CudaDevice } from "../../../gpu/cuda/mod.ts";
import { BASIC_PTX, FAULTS_PTX } from "../../contract/gpu_kernels.ts";
import { ARG } from "../../support/gpu_args.ts";
import { AT, SessionGuest } from "../../support/session_guest.ts";
import { FakeDriver } from "./fake_driver.ts";

const fake = FakeDriver.build();

function test(
  name: string,
  kernelDelayUs: number,
  run: (device: CudaDevice, driver: FakeDriver) => Promise<void>,
): void {
  if (fake === undefined) return;
  for (const contexts of ["own", "primary"] as const) {
    Deno.test(`cuda session: ${name} (${contexts})`, async () => {
      const device = fake.open({ contexts }, { kernelDelayUs });
      await run(device, fake);
      for (let round = 0; round < 5_000 && device.health.lingeringCount > 0; round++) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        device.reap();
      }
      device[Symbol.dispose]();
      fake.assertClean(device);
    });
  }
}

/** Words of a window. */
function words(guest: SessionGuest, count: number): number[] {
  return Array.from({ length: count }, (_, at) => guest.view.getUint32(AT.data + 4 * at, true));
}

function fill(guest: SessionGuest, count: number): void {
  for (let at = 0; at < count; at++) guest.view.setUint32(AT.data + 4 * at, at, true);
}

const one = { block: [64, 1, 1] as const };

for (const delayUs of [0, 3000]) {
  test(`windows go up and come back, each kernel after ${delayUs} µs`, delayUs, async (device) => {
    using guest = new SessionGuest(device);
    const kernel = await guest.kernel(BASIC_PTX, "add_one");
    fill(guest, 64);
    for (let round = 0; round < 3; round++) {
      assert.equal(
        await guest.launch(kernel, [ARG.inOut(AT.data, 256), ARG.u32(64)], one),
        0,
        guest.lastError,
      );
    }
    assert.equal(await guest.sync(), 0, guest.lastError);
    assert.deepEqual(words(guest, 64), Array.from({ length: 64 }, (_, at) => at + 3));
    assert.deepEqual(guest.launches.map(({ bytesIn, bytesOut }) => [bytesIn, bytesOut])[0], [256, 256]);
  });
}

test("buffers, streams and events", 500_000, async (device) => {
  using guest = new SessionGuest(device);
  const { session } = guest;
  const kernel = await guest.kernel(BASIC_PTX, "add_one");
  const [buffer, stream, event] = [session.allocate(256n), session.createStream(), session.createEvent()];
  assert.ok(buffer > 0n && stream > 0n && event > 0n);
  fill(guest, 64);
  assert.equal(await session.copyToDevice(buffer, 0n, AT.data, 256), 0);
  assert.equal(await guest.launch(kernel, [ARG.buffer(buffer), ARG.u32(64)], { ...one, stream }), 0);
  assert.equal(session.recordEvent(event, stream), 0);
  assert.equal(await session.queryEvent(event), 0);
  assert.equal(await session.synchronizeEvent(event), 0);
  assert.equal(await session.queryEvent(event), 1);
  assert.equal(await session.copyToGuest(AT.data, buffer, 0n, 256), 0);
  assert.deepEqual(words(guest, 64), Array.from({ length: 64 }, (_, at) => at + 1));
  assert.equal(await session.free(buffer), 0);
  assert.equal(await session.destroyStream(stream), 0);
});

test("a guest that ends while its kernels run leaves nothing, once they are done", 20_000, async (device) => {
  using guest = new SessionGuest(device);
  const kernel = await guest.kernel(BASIC_PTX, "add_one");
  const stream = guest.session.createStream();
  assert.equal(await guest.launch(kernel, [ARG.inOut(AT.data, 256), ARG.u32(64)], { ...one, stream }), 0);
  assert.equal(await guest.launch(kernel, [ARG.inOut(AT.data + 512, 256), ARG.u32(64)], one), 0);
});

test("a fault is told by the next wait, with its name, and by everything after it", 0, async (device) => {
  using guest = new SessionGuest(device);
  const kernel = await guest.kernel(FAULTS_PTX, "trap_now");
  assert.equal(await guest.launch(kernel, []), 0);
  assert.equal(await guest.sync(), GPU_CODES.launchFailed);
  assert.match(guest.lastError, /^CUDA_ERROR_LAUNCH_FAILED \(719\)/);
  assert.equal(guest.syncs.at(-1)?.failure?.isSticky, true);
  assert.equal(guest.session.allocate(8n), BigInt(GPU_CODES.launchFailed));
});

if (fake !== undefined) {
  Deno.test("cuda session: a kernel that does not end is given up when the guest must stop", async () => {
    const device = fake.open({ contexts: "primary" });
    let asked = 0;
    const guest = new SessionGuest(device, { pacer: { tick: () => ++asked > 10 ? -1 : 1000 } });
    const kernel = await guest.kernel(FAULTS_PTX, "spin");
    assert.equal(await guest.launch(kernel, []), 0);
    assert.equal(await guest.sync(), GPU_CODES.launchFailed);
    assert.match(guest.lastError, /^CUDA_ERROR_LAUNCH_TIMEOUT \(702\)/);
    guest[Symbol.dispose]();
    // The context is everybody's: who keeps the device decides how long it is waited for.
    assert.deepEqual(device.health, { failure: undefined, abandonedCount: 0, lingeringCount: 1 });
    device[Symbol.dispose]();
    fake.assertNoProblem();
  });
}
