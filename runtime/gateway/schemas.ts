/**
 * Schemas that several routes share, with their names in the OpenAPI document.
 *
 * Owns the wire shape of functions and errors. Invariant: what a route answers is what its schema says; the
 * document is generated from here and nowhere else.
 */
import { z } from "@hono/zod-openapi";
import { FAULTS } from "../model/fault.ts";
import type { FunctionRecord, FunctionSummary } from "../model/function_record.ts";
import { formatFunctionType } from "../model/value_type.ts";

/** The error envelope. */
export const ErrorBody = z.object({
  error: z.object({
    kind: z.enum(Object.keys(FAULTS) as [string, ...string[]]),
    message: z.string(),
    trace_id: z.string().optional().openapi({ description: "32 hex digits; absent when tracing is off" }),
  }),
}).openapi("Error");

interface ErrorResponse {
  readonly description: string;
  readonly content: { readonly "application/json": { readonly schema: typeof ErrorBody } };
}

/** The responses of the given error statuses, for a route's `responses`. */
export function errorResponses(...statuses: readonly number[]): Record<number, ErrorResponse> {
  return Object.fromEntries(statuses.map((status) => [status, {
    description: "Error",
    content: { "application/json": { schema: ErrorBody } },
  }]));
}

/** The path parameter of a function's routes. */
export const FunctionParams = z.object({
  id: z.string().min(1).openapi({
    param: { name: "id", in: "path" },
    description: "Id, name (newest version) or name@version",
  }),
});

/** The tenant header. */
export const TenantHeaders = z.object({
  "x-tensorwasm-tenant": z.string().optional().openapi({
    description: "Tenant, an unsigned 64-bit number; default 0",
  }),
});

const Extern = z.object({
  name: z.string(),
  kind: z.enum(["func", "table", "memory", "global", "tag"]),
  signature: z.string().optional().openapi({ example: "(i32, i32) -> (i32)" }),
});

/** A function as a list shows it. */
export const FunctionSummaryBody = z.object({
  id: z.string(),
  name: z.string(),
  version: z.number().int(),
  digest: z.string().openapi({ description: "SHA-256 of the module" }),
  size: z.number().int().openapi({ description: "Bytes of the module" }),
  created_unix_ms: z.number().int(),
}).openapi("FunctionSummary");

/** A function as it is shown by itself. */
export const FunctionBody = FunctionSummaryBody.extend({
  imports: z.array(Extern.extend({ module: z.string() })),
  exports: z.array(Extern),
  memory: z.object({ pages_min: z.number().int(), pages_max: z.number().int().optional() }).optional(),
}).openapi("Function");

/** The wire form of a summary. */
export function toFunctionSummary(record: FunctionSummary): z.infer<typeof FunctionSummaryBody> {
  return {
    id: record.id,
    name: record.name,
    version: record.version,
    digest: record.digest,
    size: record.moduleBytes,
    created_unix_ms: record.createdUnixMs,
  };
}

/** The wire form of a record. */
export function toFunctionBody(record: FunctionRecord): z.infer<typeof FunctionBody> {
  const [memory] = record.facts.memories;
  return {
    ...toFunctionSummary(record),
    imports: record.facts.imports.map((entry) => ({
      module: entry.module,
      name: entry.name,
      kind: entry.kind,
      ...(entry.type === undefined ? {} : { signature: formatFunctionType(entry.type) }),
    })),
    exports: record.facts.exports.map((entry) => ({
      name: entry.name,
      kind: entry.kind,
      ...(entry.type === undefined ? {} : { signature: formatFunctionType(entry.type) }),
    })),
    ...(memory === undefined ? {} : {
      memory: {
        pages_min: memory.pagesMin,
        ...(memory.pagesMax === undefined ? {} : { pages_max: memory.pagesMax }),
      },
    }),
  };
}
