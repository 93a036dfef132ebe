/**
 * Clients that leave without the server saying so: which rows of the system's tables mean it, and when they are read.
 *
 * Owns tables as Linux prints them, and moves the clock. Invariant: `gone` is never called for a connection that stands.
 */
import assert from "node:assert/strict";
import { ClosedPeers, LOOK_EVERY_MS } from "../../../runtime/gateway/closed_peers.ts";
import { ManualClock } from "../../support/clock.ts";

const HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const LOCAL = "0100007F:1F90";
const OPEN = "01";
const CLOSED = "08";

/** A row between 127.0.0.1:8080 and a peer as the table has it. */
function row(peer: string, state: string, local = LOCAL): string {
  return `  30: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000     0        0 17 2 0 20 0 0 12 -1\n`;
}

/** One peer that is watched, over a table that the test writes. */
class Scene implements Disposable {
  readonly clock = new ManualClock();
  table = HEADER;
  readCount = 0;
  goneCount = 0;
  isWhole = true;
  readonly peers = new ClosedPeers(this.clock, (take) => {
    this.readCount++;
    // In pieces that end in the middle of a row.
    for (let at = 0; at < this.table.length; at += 50) take(this.table.slice(at, at + 50));
    return Promise.resolve(this.isWhole);
  });

  watch(hostname: string, port: number): () => void {
    return this.peers.watch({ localPort: 8080, peer: () => ({ hostname, port }) }, () => this.goneCount++);
  }

  /** Lets so many looks pass. */
  async looks(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      this.clock.advance(LOOK_EVERY_MS);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
  }

  [Symbol.dispose](): void {
    this.peers[Symbol.dispose]();
    assert.equal(this.clock.timerCount, 0);
  }
}

for (
  const [hostname, port, peer] of [
    ["127.0.0.1", 50676, "0100007F:C5F4"],
    ["10.1.2.3", 80, "0302010A:0050"],
    ["127.0.0.1", 50676, "0000000000000000FFFF00000100007F:C5F4"],
    ["::ffff:127.0.0.1", 50676, "0000000000000000FFFF00000100007F:C5F4"],
    ["::1", 1, "00000000000000000000000001000000:0001"],
    ["2001:db8::8:800:200c:417a", 443, "B80D012000000000000808007A410C20:01BB"],
    ["fe80::1%eth0", 443, "000080FE000000000000000001000000:01BB"],
  ] as const
) {
  Deno.test(`a peer that closed its end is gone, one that did not is not: ${hostname} as ${peer}`, async () => {
    using scene = new Scene();
    scene.watch(hostname, port);
    scene.table = HEADER + row("0200007F:C5F4", CLOSED) + row(peer, OPEN);
    await scene.looks(4);
    assert.equal(scene.goneCount, 0);
    scene.table = HEADER + row("0200007F:C5F4", CLOSED) + row(peer, CLOSED);
    await scene.looks(4);
    assert.equal(scene.goneCount, 1);
  });
}

Deno.test("the same peer's connection to another port is another one", async () => {
  using scene = new Scene();
  scene.watch("127.0.0.1", 50676);
  scene.table = HEADER + row("0100007F:C5F4", OPEN) + row("0100007F:C5F4", CLOSED, "0100007F:1F91");
  await scene.looks(4);
  assert.equal(scene.goneCount, 0);
});

Deno.test("a connection that is missing once stands, one that is missing twice running was reset", async () => {
  using scene = new Scene();
  const there = HEADER + row("0100007F:C5F4", OPEN);
  const missing = HEADER + row("0100007F:0001", OPEN);
  scene.table = there;
  scene.watch("127.0.0.1", 50676);
  await scene.looks(2);
  for (const table of [missing, there, missing]) {
    scene.table = table;
    await scene.looks(1);
  }
  assert.equal(scene.goneCount, 0);
  await scene.looks(1);
  assert.equal(scene.goneCount, 1);
});

Deno.test("whose request is over for the server is gone at once, and not looked for", () => {
  using scene = new Scene();
  const unwatch = scene.peers.watch({ localPort: 8080, peer: () => undefined }, () => scene.goneCount++);
  assert.deepEqual([scene.goneCount, scene.clock.timerCount], [1, 0]);
  unwatch();
});

Deno.test("where there are no tables nobody is gone", async () => {
  using scene = new Scene();
  scene.watch("127.0.0.1", 50676);
  scene.table = "";
  await scene.looks(5);
  assert.equal(scene.goneCount, 0);
  assert.equal(scene.readCount, 4);
});

Deno.test("nobody is missing from a table that was cut short", async () => {
  using scene = new Scene();
  scene.watch("127.0.0.1", 50676);
  scene.table = HEADER + row("0100007F:0001", OPEN);
  scene.isWhole = false;
  await scene.looks(5);
  assert.equal(scene.goneCount, 0);
});

Deno.test("calls that end before the second look cost no reading, and the last look sets no timer", async () => {
  using scene = new Scene();
  for (let index = 0; index < 3; index++) {
    const unwatch = scene.watch("127.0.0.1", 50676);
    await scene.looks(1);
    unwatch();
  }
  await scene.looks(1);
  assert.deepEqual([scene.readCount, scene.clock.timerCount], [0, 0]);
});

Deno.test("a call that ended while the table was read is not told", async () => {
  using scene = new Scene();
  const unwatch = scene.watch("127.0.0.1", 50676);
  scene.table = HEADER + row("0100007F:C5F4", CLOSED);
  await scene.looks(1);
  scene.clock.advance(LOOK_EVERY_MS);
  unwatch();
  await scene.looks(2);
  assert.deepEqual([scene.readCount, scene.goneCount], [1, 0]);
});

Deno.test("the longer a table takes to read, the longer the pause", async () => {
  using scene = new Scene();
  using slow = new ClosedPeers(scene.clock, async () => {
    scene.readCount++;
    await Promise.resolve();
    scene.clock.advance(100);
    return true;
  });
  slow.watch({ localPort: 8080, peer: () => ({ hostname: "::1", port: 1 }) }, () => {});
  await scene.looks(2);
  assert.equal(scene.readCount, 1);
  await scene.looks(7);
  assert.equal(scene.readCount, 1);
  await scene.looks(1);
  assert.equal(scene.readCount, 2);
});
