/**
 * Streams beside the synchronous route: the same guest writes the same bytes, in one run, turn by turn.
 *
 * `deno task bench:streams` prints a table: MB/s of each way to get the output, and its ratio to the synchronous one.
 * Invariant: what is read is counted, so that a row that lost a byte fails.
 */
import { TestGateway } from "../support/gateway.ts";

const ROUNDS = 7;
const TOTAL_BYTES = 48 * 2 ** 20;

interface Way {
  readonly name: string;
  readonly route: "invoke" | "invoke-stream";
  readonly accept: string;
  readonly chunkBytes: number;
}

const WAYS: readonly Way[] = [65_536, 4_096].flatMap((chunkBytes): Way[] => [
  { name: "sync, raw", route: "invoke", accept: "*/*", chunkBytes },
  { name: "stream, octets", route: "invoke-stream", accept: "*/*", chunkBytes },
  { name: "stream, events (text)", route: "invoke-stream", accept: "text/event-stream", chunkBytes },
  {
    name: "stream, events (base64)",
    route: "invoke-stream",
    accept: "text/event-stream;data=base64",
    chunkBytes,
  },
]);

/** Reads one answer; MB of the guest's output a second. */
async function measure(gateway: TestGateway, { route, accept, chunkBytes }: Way): Promise<number> {
  const args = encodeURIComponent(JSON.stringify([TOTAL_BYTES / chunkBytes, chunkBytes]));
  const startMs = performance.now();
  const response = await fetch(`${gateway.url}/functions/stream/${route}?export=count&args=${args}`, {
    method: "POST",
    headers: { accept, "content-type": "application/octet-stream" },
    body: "x",
  });
  let readBytes = 0;
  for await (const bytes of response.body ?? []) readBytes += bytes.length;
  const seconds = (performance.now() - startMs) / 1000;
  if (response.status !== 200 || readBytes < TOTAL_BYTES) throw new Error(`Read ${readBytes} bytes`);
  return TOTAL_BYTES / 1e6 / seconds;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", ...Deno.args],
  });
  await gateway.deploy("stream");
  const rates = new Map<Way, number[]>(WAYS.map((way) => [way, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const way of WAYS) {
      const rate = await measure(gateway, way);
      if (round > 0) rates.get(way)?.push(rate);
    }
  }
  print("| chunk bytes | way | MB/s | of sync |\n| --- | --- | --- | --- |");
  let sync = NaN;
  for (const [{ name, chunkBytes, route }, values] of rates) {
    const rate = median(values);
    if (route === "invoke") sync = rate;
    print(`| ${chunkBytes} | ${name} | ${rate.toFixed(0)} | ${(rate / sync).toFixed(2)} |`);
  }
}
