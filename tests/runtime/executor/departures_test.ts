import assert from "node:assert/strict";
import { Departures, LOOK_AFTER_MS } from "../../../runtime/executor/departures.ts";
import { ManualClock } from "../../support/clock.ts";

/** A client that may leave, and whether anybody has asked about it. */
class Client {
  asked = 0;
  #callback = (): void => {};

  onCancel(callback: () => void): void {
    this.asked++;
    this.#callback = callback;
  }

  leave(): void {
    this.#callback();
  }
}

Deno.test("a short call's client is never asked about, and the last look sets no further timer", () => {
  const clock = new ManualClock();
  const departures = new Departures(clock);
  const client = new Client();
  const unwatch = departures.watch(client, () => assert.fail("cancelled"));
  unwatch();
  clock.advance(10 * LOOK_AFTER_MS);
  assert.equal(client.asked, 0);
  assert.equal(clock.timerCount, 0);
});

Deno.test("a call is watched after one to two looks, and cancelled when its client leaves", () => {
  const clock = new ManualClock();
  const departures = new Departures(clock);
  const client = new Client();
  let cancelled = 0;
  const unwatch = departures.watch(client, () => cancelled++);
  clock.advance(LOOK_AFTER_MS);
  assert.equal(client.asked, 0);
  clock.advance(LOOK_AFTER_MS);
  assert.equal(client.asked, 1);
  client.leave();
  assert.equal(cancelled, 1);
  unwatch();
  clock.advance(10 * LOOK_AFTER_MS);
  assert.equal(client.asked, 1);
  assert.equal(clock.timerCount, 0);
});

Deno.test("a call that has ended is not cancelled any more", () => {
  const clock = new ManualClock();
  const departures = new Departures(clock);
  const client = new Client();
  const unwatch = departures.watch(client, () => assert.fail("cancelled"));
  clock.advance(2 * LOOK_AFTER_MS);
  assert.equal(client.asked, 1);
  unwatch();
  client.leave();
});

Deno.test("one timer serves any number of calls, and later ones are watched as well", () => {
  const clock = new ManualClock();
  const departures = new Departures(clock);
  const clients = Array.from({ length: 100 }, () => new Client());
  for (const client of clients) departures.watch(client, () => {});
  assert.equal(clock.timerCount, 1);
  clock.advance(LOOK_AFTER_MS);
  const late = new Client();
  departures.watch(late, () => {});
  assert.equal(clock.timerCount, 1);
  clock.advance(LOOK_AFTER_MS);
  assert.ok(clients.every((client) => client.asked === 1));
  assert.equal(late.asked, 0);
  clock.advance(LOOK_AFTER_MS);
  assert.equal(late.asked, 1);
});
