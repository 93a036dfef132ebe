import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { TraceFolder } from "../../../telemetry/mod.ts";
import { FORMAT_VERSION } from "../../../telemetry/trace_store/piece_format.ts";
import { Traced } from "./traced.ts";

/** Files in memory. */
class Folder implements TraceFolder {
  readonly files: Uint8Array[] = [];
  fileBytesMax = 20_000;
  failing = false;
  #isOpen = false;

  async *read(): AsyncGenerator<Uint8Array> {
    for (const file of this.files) yield await Promise.resolve(file);
  }

  append(bytes: Uint8Array, head: () => Uint8Array): Promise<void> {
    if (this.failing) return Promise.reject(new Error("disk full"));
    if (!this.#isOpen || (this.files.at(-1)?.length ?? 0) > this.fileBytesMax) {
      this.files.push(head());
      this.#isOpen = true;
    }
    this.files.push(concat(this.files.pop() ?? new Uint8Array(0), bytes));
    return Promise.resolve();
  }

  endFile(): void {
    this.#isOpen = false;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** A store that has read the folder, as after a restart. */
async function restarted(folder: TraceFolder): Promise<Traced> {
  const traced = new Traced();
  await traced.store.keepIn(folder);
  return traced;
}

Deno.test("TraceKeeper: after a restart every trace is there, with spans, lines and tenant", async () => {
  const folder = new Folder();
  const before = await restarted(folder);
  const ids: string[] = [];
  for (let count = 0; count < 500; count++) {
    ids.push(before.call({ tenant: String(count % 3), functionName: `f${count}`, route: `/r${count}` }));
    if (count % 7 === 0) before.store.sweep();
  }
  await before.store.close();
  assert.ok(
    folder.files.length > 2,
    "more than one file, so that later ones have their texts from their head",
  );
  const after = await restarted(folder);
  for (const [index, id] of ids.entries()) {
    const tenant = String(index % 3);
    assert.deepEqual(after.store.find(id, tenant), before.store.find(id, tenant));
    assert.equal(after.store.find(id, tenant)?.functionName, `f${index}`);
    assert.equal(after.store.find(id, "9"), undefined);
  }
  assert.deepEqual([...after.dropped], []);
  const listed = await after.store.list({ limit: 500 });
  assert.deepEqual(listed.traces.map(({ traceId }) => traceId), ids.toReversed());
});

Deno.test("TraceKeeper: what came after the last write is lost with a kill, and nothing else", async () => {
  const folder = new Folder();
  const before = await restarted(folder);
  const kept = before.call();
  before.store.sweep();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const lost = before.call();
  const after = await restarted(folder);
  assert.equal(after.store.find(kept, "1")?.spans.length, 2);
  assert.equal(after.store.find(lost, "1"), undefined);
});

Deno.test("TraceKeeper: a request that has ended is told of at once, and is safe from a kill once written", async () => {
  const folder = new Folder();
  const before = await restarted(folder);
  const open = before.request();
  assert.equal(before.storedCount, 0);
  const ended = before.call();
  assert.equal(before.storedCount, 1);
  before.store.write();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const after = await restarted(folder);
  assert.equal(after.store.find(ended, "1")?.spans.length, 2);
  assert.equal(after.store.find(open.ids?.traceId ?? "", "1"), undefined);
});

Deno.test("TraceKeeper: a third process reads what the first two left", async () => {
  const folder = new Folder();
  const ids: string[] = [];
  for (let run = 0; run < 3; run++) {
    const traced = await restarted(folder);
    ids.push(traced.call({ functionName: `run${run}` }));
    await traced.store.close();
  }
  const last = await restarted(folder);
  assert.deepEqual(ids.map((id) => last.store.find(id, "1")?.functionName), ["run0", "run1", "run2"]);
});

Deno.test("TraceKeeper: a damaged file costs what stands behind the damage, and is counted", async () => {
  const folder = new Folder();
  const before = await restarted(folder);
  const ids: string[] = [];
  for (let count = 0; count < 20; count++) {
    ids.push(before.call());
    before.store.sweep();
  }
  await before.store.close();
  const whole = folder.files[0] ?? new Uint8Array(0);
  for (let damage = 0; damage < 60; damage++) {
    const at = Math.floor(whole.length * damage / 60);
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    folder.files[0] = damage % 2 === 0 ? damaged : whole.slice(0, at);
    const after = await restarted(folder);
    const found = ids.map((id) => after.store.find(id, "1") !== undefined);
    assert.ok(
      found.lastIndexOf(true) < (found.indexOf(false) < 0 ? 20 : found.indexOf(false)),
      "a beginning",
    );
    assert.ok(found.includes(true) || at < whole.length / 2);
    if (damage % 2 === 0) assert.equal(after.dropped.get("disk_damaged"), 1);
  }
});

Deno.test("TraceKeeper: a disk that fails costs no trace that is in memory, and later ones are kept again", async () => {
  const folder = new Folder();
  const traced = await restarted(folder);
  const first = traced.call();
  folder.failing = true;
  traced.store.sweep();
  await new Promise((resolve) => setTimeout(resolve, 0));
  folder.failing = false;
  const second = traced.call({ functionName: "new_text" });
  await traced.store.close();
  assert.equal(traced.dropped.get("disk_failed"), 1);
  assert.notEqual(traced.store.find(first, "1"), undefined);
  const after = await restarted(folder);
  assert.equal(after.store.find(first, "1"), undefined);
  assert.equal(after.store.find(second, "1")?.functionName, "new_text");
});

Deno.test("TraceKeeper: a folder that cannot be read keeps nothing from starting", async () => {
  const traced = new Traced();
  await traced.store.keepIn({
    // deno-lint-ignore require-yield
    async *read(): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      throw new Error("no permission");
    },
    append: () => Promise.reject(new Error("no permission")),
    endFile: () => {},
  });
  const id = traced.call();
  traced.store.sweep();
  await traced.store.close();
  assert.notEqual(traced.store.find(id, "1"), undefined);
  assert.equal(traced.dropped.get("disk_failed"), 2);
});

Deno.test("TraceKeeper writes no more than its rate, and counts what stays in memory only", async () => {
  const folder = new Folder();
  const traced = new Traced({ writeBytesPerSecondMax: 2000 });
  await traced.store.keepIn(folder);
  for (let second = 0; second < 20; second++) {
    for (let count = 0; count < 20; count++) traced.call({ tookMs: 50 });
    traced.store.sweep();
  }
  await traced.store.close();
  const written = folder.files.reduce((sum, file) => sum + file.length, 0);
  // Twenty seconds and the five that may be written at once, and the frames around them.
  assert.ok(written < 2000 * 26, `wrote ${written}`);
  assert.ok((traced.dropped.get("disk_rate") ?? 0) > 0);
});

Deno.test("TraceKeeper: a rate of 0 writes nothing", async () => {
  const folder = new Folder();
  const traced = new Traced({ writeBytesPerSecondMax: 0 });
  await traced.store.keepIn(folder);
  traced.call();
  await traced.store.close();
  assert.deepEqual([folder.files.length, [...traced.dropped]], [0, []]);
});

/** A frame as trace_frames.ts describes it, of any version and content, with a checksum that is right. */
function frame(version: number, kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x54_57_54_00 | version, true);
  view.setUint32(4, kind, true);
  view.setUint32(8, payload.length, true);
  view.setUint32(12, crc32(payload, kind), true);
  bytes.set(payload, 16);
  return bytes;
}

Deno.test("TraceKeeper: files of another version, and those that only look sound, cost nothing but themselves", async () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const odd = [
    new Uint8Array(1000).fill(0xa5),
    frame(FORMAT_VERSION + 1, 1, text("[0]")),
    frame(FORMAT_VERSION, 1, text("[0,")),
    frame(FORMAT_VERSION, 1, text("7")),
    frame(FORMAT_VERSION, 1, text('[4000000000,"far"]')),
    frame(FORMAT_VERSION, 1, text("[0,1]")),
    frame(FORMAT_VERSION, 2, new Uint8Array(500).fill(0xff)),
  ];
  for (const file of odd) {
    const folder = new Folder();
    folder.files.push(file);
    const before = await restarted(folder);
    assert.equal(before.dropped.get("disk_damaged"), 1);
    const id = before.call();
    await before.store.close();
    assert.equal(folder.files.length, 2);
    const after = await restarted(folder);
    assert.equal(after.store.find(id, "1")?.functionName, before.store.find(id, "1")?.functionName);
    assert.notEqual(after.store.find(id, "1"), undefined);
  }
});
