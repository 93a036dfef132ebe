/**
 * Bench of kernels on a GPU: the device's interface beside a C program that calls the driver directly, and guests
 * through HTTP, in one run.
 *
 * Owns the order, the table and the JSON; gpu_device_rows.ts and gpu_http_rows.ts measure. Where there is no GPU it
 * says why. Options: --bytes N of a copy, --rounds N, --launches N of one call, --calls N, --seconds N for each
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

function text(name: string, fallback: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Deno.args[at + 1] ?? fallback;
}

function number(name: string, fallback: number): number {
  return Number(text(name, String(fallback)));
}

/** What needs a gateway; one row that says why, if it does not start. */
async function throughHttp(place: Place): Promise<Row[]> {
  const tenants = text("tenants", "1,2,4,8,16,32").split(",").map(Number);
  // Each has a cell of its own all the time: otherwise cells would be measured that come and go.
  const cells = Math.max(...tenants) + 4;
  try {
    await using gateway = await startOnGpu(["--gpu-cells-per-device-max", String(cells)]);
    return await httpRows(gateway, {
      launches: number("launches", 200_000),
      calls: number("calls", 20),
      tenants,
      seconds: number("seconds", 5),
      elements: number("elements", 1 << 20),
      steps: number("steps", 200),
      isStandIn: place.isStandIn,
    });
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    return [{ name: "through HTTP", unit: "", ours: NaN, missing }];
  }
}

async function main(): Promise<void> {
  let place: Place;
  try {
    place = placeOf();
  } catch (error) {
    if (!(error instanceof CudaUnavailable)) throw error;
    return void print(`skipped: ${error.message}`);
  }
  const options = { bytes: number("bytes", 64 * 1024 * 1024), rounds: number("rounds", 1000) };
  const only = text("only", "");
  const rows = [
    ...only === "http"
      ? []
      : await deviceRows((copies) => openHardware({ contexts: "primary", copies }), options),
    ...only === "device" ? [] : await throughHttp(place),
  ];
  print(tableOf(place, rows));
  const json = text("json", "");
  if (json === "") print(jsonOf(place, rows));
  else await Deno.writeTextFile(json, jsonOf(place, rows));
}

await main();
