/**
 * Bench of kernels on a GPU: the device's interface beside a C program that calls the driver directly, and guests
 * through HTTP, in one run.
 *
 * Owns the order, the table and the JSON; gpu_device_rows.ts and gpu_http_rows.ts measure. Each part is told, and in
 * the JSON, as soon as it is measured. Where there is no GPU it says why. Options: --whole-seconds N after which
 * nothing more is begun, --bytes N of a copy, --rounds N, --launches N of one call, --calls N, --seconds N for each
 * number of tenants, --tenants 1,2,4, --elements N and --steps N of a tenant's call, --only device or http,
 * --json FILE. Numbers are of the host that it ran on, and of no other; TENSOR_WASM_CUDA_DRIVER names another
 * driver library.
 */
import { CudaUnavailable } from "../../gpu/cuda/mod.ts";
import { openHardware } from "../gpu/hardware/hardware.ts";
import { startOnGpu } from "../gpu/hardware/gpu_gateway.ts";
import { placeOf } from "../gpu/hardware/place.ts";
import { deviceRows } from "./gpu_device_rows.ts";
import { httpRows } from "./gpu_http_rows.ts";
import { jsonOf, tableOf } from "./gpu_rows.ts";
import type { Place, Row } from "./gpu_rows.ts";

const print = (text: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

/** What is begun then ends within the ten minutes that a machine may be lent for. */
const WHOLE_SECONDS = 420;

function text(name: string, fallback: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Deno.args[at + 1] ?? fallback;
}

function number(name: string, fallback: number): number {
  return Number(text(name, String(fallback)));
}

/** What needs a gateway; one row that says why, if it does not start. */
async function* throughHttp(place: Place, endMs: number): AsyncGenerator<Row[], void> {
  const tenants = text("tenants", "1,2,4,8,16,32").split(",").map(Number);
  // Each has a cell of its own all the time: otherwise cells would be measured that come and go.
  const cells = Math.max(...tenants) + 4;
  try {
    await using gateway = await startOnGpu(["--gpu-cells-per-device-max", String(cells)]);
    yield* httpRows(gateway, {
      launches: number("launches", 200_000),
      calls: number("calls", 20),
      tenants,
      seconds: number("seconds", 5),
      elements: number("elements", 1 << 20),
      steps: number("steps", 200),
      endMs,
      isStandIn: place.isStandIn,
    });
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    yield [{ name: "through HTTP", unit: "", ours: NaN, missing }];
  }
}

async function* measure(place: Place): AsyncGenerator<Row[], void> {
  const endMs = performance.now() + 1000 * number("whole-seconds", WHOLE_SECONDS);
  const options = { bytes: number("bytes", 64 * 1024 * 1024), rounds: number("rounds", 1000) };
  const only = text("only", "");
  if (only !== "http") {
    yield await deviceRows((copies) => openHardware({ contexts: "primary", copies }), options);
  }
  if (only !== "device") yield* throughHttp(place, endMs);
}

async function main(): Promise<void> {
  let place: Place;
  try {
    place = placeOf();
  } catch (error) {
    if (!(error instanceof CudaUnavailable)) throw error;
    return void print(`skipped: ${error.message}`);
  }
  const json = text("json", "");
  const rows: Row[] = [];
  for await (const more of measure(place)) {
    rows.push(...more);
    for (const { name, ours, unit, missing } of more) {
      print(`measured: ${name}: ${missing ?? `${ours} ${unit}`}`);
    }
    if (json !== "") await Deno.writeTextFile(json, jsonOf(place, rows));
  }
  print(tableOf(place, rows));
  if (json === "") print(jsonOf(place, rows));
}

await main();
