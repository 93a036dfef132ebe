import assert from "node:assert/strict";
import { context, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CBaggagePropagator } from "@opentelemetry/core";
import { registerGlobals, TelemetryStartError } from "../../../telemetry/trace/active_span.ts";

Deno.test("registerGlobals() can be taken back and done again", () => {
  for (let round = 0; round < 3; round++) registerGlobals()();
});

Deno.test("registerGlobals() throws when a context manager is registered already", () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  try {
    assert.throws(() => registerGlobals(), TelemetryStartError);
  } finally {
    context.disable();
  }
});

Deno.test("registerGlobals() leaves nothing behind when the propagators are taken", () => {
  propagation.setGlobalPropagator(new W3CBaggagePropagator());
  try {
    assert.throws(() => registerGlobals(), TelemetryStartError);
  } finally {
    propagation.disable();
  }
  registerGlobals()();
});
