/**
 * A cell whose gateway is gone, where no program tells the system to kill it (setpriv): it ends by the end of its
 * socket, whatever its guests are at.
 */
import assert from "node:assert/strict";
import { spawnCell } from "../../runtime/executor/spawn_cell.ts";
import type { SpawnedCell } from "../../runtime/executor/spawn_cell.ts";
import { systemClock } from "../../runtime/model/clock.ts";
import { DEFAULT_LIMITS } from "../../runtime/model/limits.ts";
import { instrumentModule } from "../../runtime/wasm/instrument.ts";
import { FrameWriter } from "../../runtime/wire/frame_writer.ts";
import { FRAME } from "../../runtime/wire/messages.ts";
import type { CallMeta } from "../../runtime/wire/messages.ts";
import { readGuest } from "../support/guests.ts";
import { name, section } from "../support/module_bytes.ts";

/** Far above what such an end takes; the guests would go on for as long as an hour. */
const END_MS_MAX = 30_000;
const HOUR_MS = 3_600_000;

async function startCell(): Promise<SpawnedCell> {
  return await spawnCell({
    ...{ id: 1, launcher: [], limits: DEFAULT_LIMITS, clock: systemClock, moduleBytesMax: 1 << 28 },
    environment: { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "" },
  });
}

function writerOf({ connection }: SpawnedCell): FrameWriter {
  const writer = new FrameWriter(connection, () => {});
  writer.send(FRAME.configure, 0, { limits: DEFAULT_LIMITS });
  return writer;
}

function sendModule(writer: FrameWriter, guest: string, padBytes = 0): void {
  const bytes = instrumentModule(readGuest(guest), { memoryPagesMax: 4096, tableElementsMax: 1000 });
  const padding = padBytes === 0 ? [] : section(0, name("padding"), Array<number>(padBytes).fill(0));
  writer.send(FRAME.module, 1, undefined, new Uint8Array([...bytes, ...padding]));
}

function call(writer: FrameWriter, changes: Partial<CallMeta>): void {
  const meta: CallMeta = {
    ...{ module: 1, tenant: "0", fuelMax: 0, outputBytesMax: 1000, export: "_start", args: [] },
    ...{ resultTypes: [], initialize: false, programArgs: ["guest"], environment: [] },
    ...{ deadlineMs: HOUR_MS, remainingMs: HOUR_MS },
    ...changes,
  };
  writer.send(FRAME.call, 7, meta);
}

/** Hangs up; resolves with whether the process has ended by itself. */
async function endsAlone({ child, connection }: SpawnedCell): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), END_MS_MAX);
  connection.close();
  const isEnded = await Promise.race([child.status.then(() => true), late.promise]);
  clearTimeout(timer);
  if (!isEnded) child.kill("SIGKILL");
  await child.output();
  return isEnded;
}

/** Resolves when a ping is answered, which the cell does in the order of frames. */
async function pinged(cell: SpawnedCell, writer: FrameWriter): Promise<void> {
  writer.send(FRAME.ping, 8, undefined);
  for (;;) {
    const frame = await cell.reader.next();
    if (frame === undefined || frame.type === FRAME.pong) return;
  }
}

Deno.test("a cell with nothing to do ends with its socket", async () => {
  assert.ok(await endsAlone(await startCell()));
});

Deno.test("a cell whose guest sleeps for an hour ends with its socket", async () => {
  const cell = await startCell();
  const writer = writerOf(cell);
  sendModule(writer, "sleep");
  call(writer, { programArgs: ["sleep", String(HOUR_MS)] });
  await pinged(cell, writer);
  assert.ok(await endsAlone(cell));
});

Deno.test("a cell whose guest spins ends with its socket", async () => {
  const cell = await startCell();
  const writer = writerOf(cell);
  sendModule(writer, "spin");
  call(writer, { export: "run" });
  await pinged(cell, writer);
  assert.ok(await endsAlone(cell));
});

Deno.test("a cell that compiles ends with its socket", async () => {
  const cell = await startCell();
  const writer = writerOf(cell);
  sendModule(writer, "spin", 8 * 1024 * 1024);
  call(writer, { export: "run" });
  assert.ok(await endsAlone(cell));
});
