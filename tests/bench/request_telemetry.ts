/**
 * request_telemetry: the telemetry of one call and nothing else, in several configurations.
 *
 * Does what the gateway does for a synchronous call: six spans of which three come joined from a cell, two log lines,
 * headers read and written, two metrics; as fast as it goes, so that other work on the machine matters little. Prints
 * microseconds of processor time per call: of the calling thread (/proc/self/schedstat) and of the process, the least of
 * some rounds. Each configuration runs in a process of its own. Run: `deno run -A tests/bench/request_telemetry.ts`.
 */
import process from "node:process";
import {
  type Environment,
  startTelemetry,
  type Telemetry,
  telemetryConfigFromEnv,
} from "../../telemetry/mod.ts";
import { startBare } from "./servers.ts";

const CALLS = 4000;
const ROUNDS = 25;
/** Calls of one turn of the event loop, as some are in flight at a time. */
const CALLS_PER_TURN = 16;
const FUNCTION_ID = "0b6f3b1c-4a67-4a5c-9d4e-0f1f2a3b4c5d";
const ROUTE = "/functions/{id}/invoke";
const PATH = `/functions/${FUNCTION_ID}/invoke`;

function configurations(endpoint: string): Readonly<Record<string, Environment>> {
  const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  const traces = { ...otlp, OTEL_LOGS_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" };
  const tenth = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" };
  return {
    "tracing and log off": { TENSOR_WASM_TRACING: "off", TENSOR_WASM_LOG: "off" },
    "tracing off": { TENSOR_WASM_TRACING: "off" },
    "ids and lines only": {},
    "ids, lines and trace store": {},
    "a tenth of the traces exported": { ...traces, ...tenth },
    "all traces exported": traces,
    "all traces and log records exported": otlp,
    "all of it and the trace store": otlp,
    "all traces and log records, gzip": { ...otlp, OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" },
  };
}

async function oneCall(telemetry: Telemetry, call: number): Promise<void> {
  const { tracer, metrics } = telemetry;
  const request = new Headers({ host: "localhost", "content-type": "application/json" });
  const response = new Headers({ "content-type": "application/json" });
  const remote = tracer.extract(request);
  const logger = telemetry.log("tensor_wasm_api");
  const span = tracer.startSpan("http.request", {
    method: "POST",
    uri: PATH,
    version: "HTTP/1.1",
    traceparent: remote.traceparent,
    request_id: `request-${call}`,
    "http.request.method": "POST",
    "url.path": PATH,
  }, { remote });
  await tracer.withSpan(span, async () => {
    logger.info("request.received", { method: "POST", uri: PATH });
    const invoke = tracer.startSpan("http.invoke_function", {
      function_id: FUNCTION_ID,
      tenant: "0",
      name: "noop",
    });
    await tracer.withSpan(invoke, async () => {
      const run = tracer.startSpan("invoke.run", {
        function_id: FUNCTION_ID,
        tenant: "0",
        wasm_bytes_len: 41,
      });
      const instance = tracer.allotIds(run.ids);
      const exported = tracer.allotIds(instance);
      const ended = tracer.allotIds(instance);
      await Promise.resolve();
      joinCell(tracer, call, run.ids?.spanId, [instance, exported, ended]);
      run.setAttribute("queue_ms", 0.25);
      run.end();
    });
    invoke.end();
    tracer.setResponseHeaders(response, span.ids);
    span.setAttribute("http.route", ROUTE);
    span.setAttribute("http.response.status_code", 200);
    logger.info("request.completed", { method: "POST", route: ROUTE, status: 200, duration_ms: 1.25 });
  });
  const labels = { route: ROUTE, method: "POST", status: "200" };
  metrics.counter("tensor_wasm_http_requests_total", labels).inc();
  metrics.histogram("tensor_wasm_http_request_duration_seconds", labels).observe(0.00125, span.ids);
  span.end();
}

type Ids = ReturnType<Telemetry["tracer"]["allotIds"]>;

function joinCell(
  tracer: Telemetry["tracer"],
  call: number,
  parentSpanId: string | undefined,
  [instance, exported, ended]: readonly [Ids, Ids, Ids],
): void {
  const [startMs, endMs] = [1_795_682_269_789, 1_795_682_269_790];
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::call_export_with_args",
    ids: exported,
    parentSpanId: instance?.spanId,
    startMs,
    endMs,
    attributes: {
      instance: call,
      export: "run",
      args_len: 0,
      fuel: 12,
      yields: 0,
      cpu_us: 11,
      memory_bytes: 0,
      outcome: "ok",
    },
  });
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::terminate",
    ids: ended,
    parentSpanId: instance?.spanId,
    startMs,
    endMs,
    attributes: { instance: call, reason: "returned" },
  });
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::spawn_instance",
    ids: instance,
    parentSpanId,
    startMs,
    endMs,
    attributes: { tenant: "0", instance_id: call, wasm_bytes: 41 },
  });
}

/** Nanoseconds that this thread has run. */
function threadNanos(): number {
  return Number(Deno.readTextFileSync("/proc/self/schedstat").split(" ")[0]);
}

async function measure(env: Environment, hasStore: boolean): Promise<string> {
  const config = telemetryConfigFromEnv(env);
  const traces = hasStore ? config.traces : { ...config.traces, bytesMax: 0 };
  const telemetry = startTelemetry({ ...config, traces }, { write: () => {} });
  let [thread, whole] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    const [threadBefore, before] = [threadNanos(), process.cpuUsage()];
    for (let call = 0; call < CALLS; call += CALLS_PER_TURN) {
      await Promise.all(
        Array.from({ length: CALLS_PER_TURN }, (_, index) => oneCall(telemetry, call + index)),
      );
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await telemetry.flush(10_000);
    const used = process.cpuUsage(before);
    thread = Math.min(thread, (threadNanos() - threadBefore) / 1000 / CALLS);
    whole = Math.min(whole, (used.user + used.system) / CALLS);
  }
  const { body } = await telemetry.metrics.text();
  await telemetry[Symbol.asyncDispose]();
  const dropped = /^tensor_wasm_spans_dropped_total (\d+)$/m.exec(body)?.[1];
  return `${thread.toFixed(1)} thread, ${whole.toFixed(1)} process${
    dropped === "0" ? "" : `, ${dropped} spans dropped`
  }`;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function main(): Promise<void> {
  await using sink = await startBare("sink");
  for (const name of Object.keys(configurations(sink.url))) {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--allow-all",
        "--v8-flags=--min-semi-space-size=16,--max-semi-space-size=32",
      ]
        .concat(new URL(import.meta.url).pathname, name, sink.url),
    }).output();
    const decoder = new TextDecoder();
    say(`${name.padEnd(40)} ${decoder.decode(stdout).trim()}${decoder.decode(stderr)}`);
  }
}

const [name, url] = Deno.args;
if (name === undefined || url === undefined) await main();
else say(await measure(configurations(url)[name] ?? {}, name.endsWith("trace store")));
