/**
 * Waiting: `poll_oneoff`.
 *
 * Owns the layouts of `$subscription` and `$event`. Descriptors are always ready, so the only thing to wait
 * for is time; while a guest waits, others run. Invariant: it never waits past the call's deadline, and looks
 * its pointers up again after it has waited.
 */
import { checkFlags, RIGHTS } from "./abi.ts";
import type { WasiCall } from "./call.ts";
import { CLOCK, clockMs } from "./clock.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import type { Errno } from "./errno.ts";
import { bytesAt, viewAt } from "./guest_memory.ts";

/** Most subscriptions of one poll: reading and writing for every descriptor, and as many clocks. */
export const SUBSCRIPTIONS_COUNT_MAX = 4096;

/**
 * Bytes of `$subscription`: userdata u64, tag u8 at 8, then either a clock (id u32 at 16, timeout u64 at 24,
 * precision u64 at 32, flags u16 at 40) or a descriptor u32 at 16.
 */
const SUBSCRIPTION_BYTES = 48;
/** Bytes of `$event`: userdata u64, errno u16 at 8, type u8 at 10, bytes u64 at 16, flags u16 at 24. */
const EVENT_BYTES = 32;
/** `$eventtype`. */
const EVENT = { clock: 0, fdRead: 1, fdWrite: 2 } as const;
/** `$subclockflags`: the timeout is an instant of the clock. */
const ABSOLUTE_TIME = 1;
/** `$eventrwflags`: nothing will ever come after what can be read now. */
const HANGUP = 1;
/** What every descriptor open for writing takes at once, as far as a poll says. */
const WRITABLE_BYTES = 65_536;

/** A subscription to the time; `dueMs` is on the scale of its clock. */
interface ClockWait {
  readonly userdata: bigint;
  readonly clockId: number;
  readonly dueMs: number;
}

interface Event {
  readonly userdata: bigint;
  readonly type: number;
  readonly errno: Errno;
  readonly readyBytes: number;
  readonly flags: number;
}

/**
 * `poll_oneoff`: `inval` for no subscriptions, more than SUBSCRIPTIONS_COUNT_MAX or an unknown type. A
 * descriptor that is not open the right way is an event with `badf`, an unknown clock one with `inval`.
 * The guest is stopped when the call's deadline comes before anything is due.
 */
export function pollOneoff(
  call: WasiCall,
  subscriptionsPointer: number,
  eventsPointer: number,
  count: number,
  resultPointer: number,
): void | Promise<void> {
  const countUnsigned = count >>> 0;
  if (countUnsigned === 0 || countUnsigned > SUBSCRIPTIONS_COUNT_MAX) throw new WasiRefusal(ERRNO.inval);
  const subscriptions = viewAt(call.context, subscriptionsPointer, countUnsigned * SUBSCRIPTION_BYTES);
  // Looked at before anything happens, as a fault must leave no trace.
  bytesAt(call.context, eventsPointer, countUnsigned * EVENT_BYTES);
  viewAt(call.context, resultPointer, 4);
  const answer = (): void => {
    writeEvents(bytesAt(call.context, eventsPointer, countUnsigned * EVENT_BYTES), events);
    viewAt(call.context, resultPointer, 4).setUint32(0, events.length, true);
  };
  const events: Event[] = [];
  const waits: ClockWait[] = [];
  for (let offset = 0; offset < subscriptions.byteLength; offset += SUBSCRIPTION_BYTES) {
    subscribe(call, subscriptions, offset, events, waits);
  }
  collectDue(call, waits, events);
  if (events.length > 0) return answer();
  return waitForFirst(call, waits, events).then(answer);
}

/** Sleeps until the first of the waits is due. A timer may be early by a fraction, so it is asked again. */
async function waitForFirst(call: WasiCall, waits: readonly ClockWait[], events: Event[]): Promise<void> {
  while (events.length === 0) {
    await call.context.sleep(Math.min(...waits.map((wait) => wait.dueMs - clockMs(call, wait.clockId))));
    collectDue(call, waits, events);
  }
}

/** Reads the subscription at `offset`: either an event at once or a wait. */
function subscribe(
  call: WasiCall,
  subscriptions: DataView,
  offset: number,
  events: Event[],
  waits: ClockWait[],
): void {
  const userdata = subscriptions.getBigUint64(offset, true);
  const type = subscriptions.getUint8(offset + 8);
  switch (type) {
    case EVENT.clock: {
      const clockId = subscriptions.getUint32(offset + 16, true);
      const timeoutMs = Number(subscriptions.getBigUint64(offset + 24, true)) / 1e6;
      const flags = subscriptions.getUint16(offset + 40, true);
      checkFlags(flags, ABSOLUTE_TIME);
      if (clockId !== CLOCK.realtime && clockId !== CLOCK.monotonic) {
        events.push({ userdata, type, errno: ERRNO.inval, readyBytes: 0, flags: 0 });
        return;
      }
      const dueMs = flags === ABSOLUTE_TIME ? timeoutMs : clockMs(call, clockId) + timeoutMs;
      waits.push({ userdata, clockId, dueMs });
      return;
    }
    case EVENT.fdRead:
    case EVENT.fdWrite: {
      const state = readiness(call, subscriptions.getUint32(offset + 16, true), type);
      events.push({ userdata, type, ...state });
      return;
    }
    default:
      throw new WasiRefusal(ERRNO.inval);
  }
}

function readiness(call: WasiCall, fd: number, type: number): Omit<Event, "userdata" | "type"> {
  const refused = { errno: ERRNO.badf, readyBytes: 0, flags: 0 };
  if (!call.descriptors.has(fd)) return refused;
  const descriptor = call.descriptors.get(fd);
  const right = type === EVENT.fdRead ? RIGHTS.fdRead : RIGHTS.fdWrite;
  if ((descriptor.rightsBase & right) === 0) return refused;
  if (type === EVENT.fdWrite) return { errno: ERRNO.success, readyBytes: WRITABLE_BYTES, flags: 0 };
  if (descriptor.type === "input") {
    const readyBytes = call.context.input.length - descriptor.position;
    return { errno: ERRNO.success, readyBytes, flags: readyBytes === 0 ? HANGUP : 0 };
  }
  const readyBytes = descriptor.type === "file"
    ? Math.max(0, descriptor.inode.contents.size - descriptor.position)
    : 0;
  return { errno: ERRNO.success, readyBytes, flags: 0 };
}

function collectDue(call: WasiCall, waits: readonly ClockWait[], events: Event[]): void {
  for (const { userdata, clockId, dueMs } of waits) {
    if (clockMs(call, clockId) < dueMs) continue;
    events.push({ userdata, type: EVENT.clock, errno: ERRNO.success, readyBytes: 0, flags: 0 });
  }
}

function writeEvents(target: Uint8Array, events: readonly Event[]): void {
  target.fill(0, 0, events.length * EVENT_BYTES);
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  let offset = 0;
  for (const event of events) {
    view.setBigUint64(offset, event.userdata, true);
    view.setUint16(offset + 8, event.errno, true);
    view.setUint8(offset + 10, event.type);
    view.setBigUint64(offset + 16, BigInt(event.readyBytes), true);
    view.setUint16(offset + 24, event.flags, true);
    offset += EVENT_BYTES;
  }
}
