/**
 * `GET /device`: which device calls have.
 *
 * Owns the wire form of its facts and of the limits that calls have on it. It opens no device: a cell has said
 * what it has. Invariant: `kind` is always there; everything else only if there is a device.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { fault } from "../../model/fault.ts";
import type { DeviceFacts } from "../../model/gpu.ts";
import type { Limits } from "../../model/limits.ts";
import type { Dependencies, GatewayApp } from "../environment.ts";
import { errorResponses } from "../schemas.ts";

/** How long the first cell may take to say what it has. */
const FIRST_ANSWER_MS_MAX = 5_000;

const bytes = (description: string): z.ZodNumber => z.number().int().openapi({ description });

const Device = z.object({
  kind: z.enum(["cpu", "cuda", "off"]).openapi({
    description: "cpu: PTX is compiled to WebAssembly; off: every function of wasi:cuda/host answers -1",
  }),
  index: z.number().int().optional(),
  name: z.string().optional(),
  compute_capability: z.string().optional().openapi({ example: "8.0" }),
  multiprocessors: z.number().int().optional(),
  memory_bytes: bytes("Memory of the device").optional(),
  warp_size: z.number().int().optional(),
  threads_per_block_max: z.number().int().optional(),
  shared_bytes_per_block_max: z.number().int().optional(),
  limits: z.object({
    memory_bytes_max: bytes("Device memory of one call"),
    allocation_bytes_max: bytes("Largest buffer"),
    allocations_max: z.number().int(),
    kernels_max: z.number().int(),
    streams_max: z.number().int().openapi({ description: "Streams and events of one call, together" }),
    ptx_bytes_max: bytes("Largest PTX of one load"),
    ptx_total_bytes_max: bytes("PTX that one call has loaded"),
    entry_name_bytes_max: z.number().int(),
    args_count_max: z.number().int(),
    args_bytes_max: z.number().int(),
  }).optional().openapi({ description: "Of every tenant that has none of its own" }),
}).openapi("Device");

const deviceRoute = createRoute({
  method: "get",
  path: "/device",
  summary: "The device behind wasi:cuda/host",
  responses: {
    200: { description: "The device", content: { "application/json": { schema: Device } } },
    ...errorResponses(503),
  },
});

/** Adds the route. */
export function addDeviceRoute(app: GatewayApp, { device, clock, limits }: Dependencies): void {
  app.openapi(deviceRoute, async (c) => {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(
        FIRST_ANSWER_MS_MAX,
        () =>
          reject(
            fault("capacity_exhausted", "No cell has said yet which device it has", { retryAfterSeconds: 1 }),
          ),
      );
    });
    try {
      const facts = await Promise.race([device, late]);
      return c.json(facts === undefined ? { kind: "off" as const } : toBody(facts, limits), 200);
    } finally {
      cancel();
    }
  });
}

function toBody(facts: DeviceFacts, limits: Limits): z.infer<typeof Device> {
  return {
    kind: facts.kind,
    index: facts.index,
    name: facts.name,
    compute_capability: facts.computeCapability,
    multiprocessors: facts.multiprocessorCount,
    memory_bytes: facts.memoryBytes,
    warp_size: facts.warpSize,
    threads_per_block_max: facts.threadsPerBlockMax,
    shared_bytes_per_block_max: facts.sharedBytesPerBlockMax,
    limits: {
      memory_bytes_max: limits.gpuMemoryBytesMax,
      allocation_bytes_max: limits.gpuAllocationBytesMax,
      allocations_max: limits.gpuAllocationsMax,
      kernels_max: limits.gpuKernelsMax,
      streams_max: limits.gpuStreamsMax,
      ptx_bytes_max: limits.ptxBytesMax,
      ptx_total_bytes_max: limits.ptxTotalBytesMax,
      entry_name_bytes_max: limits.gpuEntryNameBytesMax,
      args_count_max: limits.gpuArgsCountMax,
      args_bytes_max: limits.gpuArgsBytesMax,
    },
  };
}
