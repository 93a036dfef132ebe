/**
 * Cold starts: the first call of a freshly deployed module, from request to answer.
 *
 * A module is new to every cell, so the call pays for sending and compiling it. Measured for a module of
 * 1 KiB and one of 8 MiB, padded by a custom section that differs each time, so that nothing is cached.
 */
import { startGateway } from "./servers.ts";

const SAMPLES = 15;

/** Medians in milliseconds. */
export async function measureColdStarts(): Promise<{ name: string; ms: number }[]> {
  await using stack = new AsyncDisposableStack();
  const dataFolder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(dataFolder, { recursive: true }));
  const gateway = stack.use(await startGateway(dataFolder, {}));
  const results: { name: string; ms: number }[] = [];
  for (const [name, functions] of [["1 KiB module", 20], ["8 MiB module", 155_300]] as const) {
    const times: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      times.push(await firstCall(gateway.url, functions, sample));
    }
    times.sort((a, b) => a - b);
    results.push({ name, ms: times[Math.floor(SAMPLES / 2)] ?? 0 });
  }
  return results;
}

async function firstCall(url: string, functions: number, sample: number): Promise<number> {
  const deployed = await fetch(`${url}/functions?name=cold`, {
    method: "POST",
    headers: { "content-type": "application/wasm" },
    body: moduleOf(functions, sample),
  });
  if (!deployed.ok) throw new Error(`Deploy failed: ${await deployed.text()}`);
  const { id } = await deployed.json();
  const startMs = performance.now();
  const response = await fetch(`${url}/functions/${id}/invoke`, { method: "POST" });
  const text = await response.text();
  const ms = performance.now() - startMs;
  if (!response.ok) throw new Error(`Call failed: ${text}`);
  return ms;
}

/** A module of real functions, each some 45 bytes of arithmetic; `main` calls the first. */
function moduleOf(functions: number, sample: number): Uint8Array<ArrayBuffer> {
  const body: number[] = [0x00, 0x20, 0x00];
  for (let step = 0; step < 8; step++) body.push(0x41, (sample + step) & 0x3f, 0x6a, 0x41, 0x03, 0x6c);
  body.push(0x0b);
  const entry = [...leb(body.length), ...body];
  const main = [0x00, 0x41, 0x01, 0x10, 0x00, 0x1a, 0x0b];
  const code = new Uint8Array(functions * entry.length);
  for (let index = 0; index < functions; index++) code.set(entry, index * entry.length);
  const types = [2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 0];
  const functionSection = new Uint8Array(functions + 1);
  functionSection[functions] = 1;
  const exported = [1, 4, ...new TextEncoder().encode("main"), 0, ...leb(functions)];
  return concat([
    new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    section(1, new Uint8Array(types)),
    section(3, concat([new Uint8Array(leb(functions + 1)), functionSection])),
    section(7, new Uint8Array(exported)),
    section(10, concat([new Uint8Array(leb(functions + 1)), code, new Uint8Array([main.length, ...main])])),
  ]);
}

function section(id: number, body: Uint8Array): Uint8Array {
  return concat([new Uint8Array([id, ...leb(body.length)]), body]);
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
