import assert from "node:assert/strict";
import { GuestStop } from "../../../../../runtime/cell/guest_context.ts";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { SUBSCRIPTIONS_COUNT_MAX } from "../../../../../runtime/cell/imports/wasi/poll_call.ts";
import { AT, OPEN, ROOT, WasiGuest, WRITE_RIGHT } from "./wasi_guest.ts";

type Subscription =
  | { readonly clock: number; readonly ns: bigint; readonly absolute?: boolean; readonly flags?: number }
  | { readonly read: number }
  | { readonly write: number }
  | { readonly type: number };

interface Event {
  readonly userdata: bigint;
  readonly errno: number;
  readonly type: number;
  readonly bytes: bigint;
  readonly flags: number;
}

const EVENTS_AT = AT.path2;

/** Polls; subscription i has the user data 100 + i. */
async function poll(
  guest: WasiGuest,
  ...subscriptions: readonly Subscription[]
): Promise<number | Event[]> {
  subscriptions.forEach((subscription, index) => {
    const at = AT.data + index * 48;
    guest.bytes.fill(0, at, at + 48);
    guest.view.setBigUint64(at, BigInt(100 + index), true);
    if ("clock" in subscription) {
      guest.view.setUint32(at + 16, subscription.clock, true);
      guest.view.setBigUint64(at + 24, subscription.ns, true);
      guest.view.setUint16(at + 40, subscription.flags ?? (subscription.absolute === true ? 1 : 0), true);
    } else if ("type" in subscription) {
      guest.view.setUint8(at + 8, subscription.type);
    } else {
      guest.view.setUint8(at + 8, "read" in subscription ? 1 : 2);
      guest.view.setUint32(at + 16, "read" in subscription ? subscription.read : subscription.write, true);
    }
  });
  const errno = await guest.callSuspending(
    "poll_oneoff",
    AT.data,
    EVENTS_AT,
    subscriptions.length,
    AT.result,
  );
  if (errno !== ERRNO.success) return errno;
  return Array.from({ length: guest.u32() }, (_, index) => {
    const at = EVENTS_AT + index * 32;
    return {
      userdata: guest.u64(at),
      errno: guest.view.getUint16(at + 8, true),
      type: guest.view.getUint8(at + 10),
      bytes: guest.u64(at + 16),
      flags: guest.view.getUint16(at + 24, true),
    };
  });
}

function due(userdata: bigint): Event {
  return { userdata, errno: ERRNO.success, type: 0, bytes: 0n, flags: 0 };
}

Deno.test("poll_oneoff() waits as long as a relative timeout says", async () => {
  const guest = new WasiGuest();
  const startMs = performance.now();
  assert.deepEqual(await poll(guest, { clock: 1, ns: 3_000_000n }), [due(100n)]);
  assert.ok(performance.now() - startMs >= 3);
});

Deno.test("poll_oneoff() does not wait for an absolute time in the past", async () => {
  const guest = new WasiGuest();
  assert.deepEqual(await poll(guest, { clock: 0, ns: 1n, absolute: true }), [due(100n)]);
});

Deno.test("poll_oneoff() ends with the earliest of several clocks", async () => {
  const guest = new WasiGuest();
  const events = await poll(guest, { clock: 1, ns: 10n ** 18n }, { clock: 0, ns: 1_000_000n });
  assert.deepEqual(events, [due(101n)]);
});

Deno.test("poll_oneoff() never waits past the deadline: the guest is stopped there", async () => {
  const guest = new WasiGuest({ deadlineRemainingMs: () => 2 });
  const startMs = performance.now();
  await assert.rejects(poll(guest, { clock: 1, ns: 2n ** 64n - 1n }), GuestStop);
  assert.equal(guest.stopped?.type, "exhausted");
  assert.ok(performance.now() - startMs < 5000);
});

Deno.test("poll_oneoff() does not wait at all once the deadline is past", async () => {
  const guest = new WasiGuest({ deadlineRemainingMs: () => 0 });
  await assert.rejects(poll(guest, { clock: 1, ns: 10n ** 15n }), GuestStop);
});

Deno.test("poll_oneoff() does not wait when a descriptor is ready", async () => {
  const guest = new WasiGuest({ input: "abc" });
  const events = await poll(guest, { clock: 1, ns: 10n ** 18n }, { read: 0 });
  assert.deepEqual(events, [{ userdata: 101n, errno: ERRNO.success, type: 1, bytes: 3n, flags: 0 }]);
});

Deno.test("poll_oneoff() says hang-up when all input was read", async () => {
  const guest = new WasiGuest({ input: "abc" });
  guest.read(0);
  assert.deepEqual(await poll(guest, { read: 0 }), [
    { userdata: 100n, errno: ERRNO.success, type: 1, bytes: 0n, flags: 1 },
  ]);
});

Deno.test("poll_oneoff() finds output and files ready", async () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.write(fd, "abcd");
  guest.seek(fd, 1n);
  const events = await poll(guest, { write: 1 }, { read: fd }, { write: fd });
  assert.ok(Array.isArray(events));
  assert.deepEqual(events.map((event) => [event.type, event.errno]), [[2, 0], [1, 0], [2, 0]]);
  assert.equal(events[1]?.bytes, 3n);
});

Deno.test("poll_oneoff() has an event with badf for descriptors that are not open that way", async () => {
  const guest = new WasiGuest();
  const writeOnly = guest.open("f", { flags: OPEN.creat, rights: WRITE_RIGHT });
  const events = await poll(guest, { read: 99 }, { read: 1 }, { write: 0 }, { read: ROOT }, {
    read: writeOnly,
  });
  assert.ok(Array.isArray(events));
  assert.deepEqual(events.map((event) => event.errno), Array(5).fill(ERRNO.badf));
});

Deno.test("poll_oneoff() has an event with inval for clocks that cannot be waited for", async () => {
  const events = await poll(new WasiGuest(), { clock: 2, ns: 1n }, { clock: 9, ns: 1n });
  assert.ok(Array.isArray(events));
  assert.deepEqual(events.map((event) => event.errno), [ERRNO.inval, ERRNO.inval]);
});

Deno.test("poll_oneoff() refuses unknown types and flags", async () => {
  const guest = new WasiGuest();
  assert.equal(await poll(guest, { type: 3 }), ERRNO.inval);
  assert.equal(await poll(guest, { clock: 1, ns: 1n, flags: 2 }), ERRNO.inval);
});

Deno.test(`poll_oneoff() takes 1 to ${SUBSCRIPTIONS_COUNT_MAX} subscriptions`, async () => {
  const guest = new WasiGuest();
  guest.memory.grow(10);
  guest.bytes.fill(0);
  const count = (subscriptions: number): Promise<number> =>
    guest.callSuspending(
      "poll_oneoff",
      AT.end,
      AT.end + SUBSCRIPTIONS_COUNT_MAX * 48,
      subscriptions,
      AT.result,
    );
  assert.equal(await count(0), ERRNO.inval);
  assert.equal(await count(-1), ERRNO.inval);
  assert.equal(await count(SUBSCRIPTIONS_COUNT_MAX + 1), ERRNO.inval);
  assert.equal(await count(SUBSCRIPTIONS_COUNT_MAX), ERRNO.success);
  assert.equal(guest.u32(), SUBSCRIPTIONS_COUNT_MAX);
});

Deno.test("poll_oneoff() needs room for as many events as there are subscriptions", async () => {
  const guest = new WasiGuest();
  guest.bytes.fill(0, AT.data, AT.data + 96);
  assert.equal(await guest.callSuspending("poll_oneoff", AT.data, AT.end - 64, 2, AT.result), ERRNO.success);
  assert.equal(await guest.callSuspending("poll_oneoff", AT.data, AT.end - 63, 2, AT.result), ERRNO.fault);
});
