/**
 * Process metrics: what the gateway's own process uses, and how late its event loop is.
 *
 * Owns the `process_*` metrics, under the names that Prometheus' client libraries agree on, and one timer. It
 * knows nothing of what the process does. Invariant: disposed, no timer is left; what the system does not tell
 * has no series, rather than one that is wrong.
 */
import process from "node:process";
import type { Metrics } from "./metrics.ts";

/** How often the event loop is asked to be on time. */
const INTERVAL_MS = 100;
/** Linux: a link for each open file descriptor (proc(5)); Deno shows it to those with every permission. */
const FDS_FOLDER = "/proc/self/fd";

/** Begins to measure; ends when disposed. */
export function watchProcess(metrics: Metrics): Disposable {
  const delay = metrics.histogram("tensor_wasm_event_loop_delay_seconds", {});
  metrics.gauge("process_start_time_seconds", {}).set(performance.timeOrigin / 1000);
  const cpu = metrics.counter("process_cpu_seconds_total", {});
  let cpuSeconds = 0;
  const stopReading = metrics.beforeRead(() => {
    const { user, system } = process.cpuUsage();
    const nowSeconds = (user + system) / 1e6;
    cpu.inc(nowSeconds - cpuSeconds);
    cpuSeconds = nowSeconds;
    metrics.gauge("process_resident_memory_bytes", {}).set(Deno.memoryUsage().rss);
    const fds = countFds();
    if (fds !== undefined) metrics.gauge("process_open_fds", {}).set(fds);
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (): void => {
    const dueAtMs = performance.now() + INTERVAL_MS;
    timer = setTimeout(() => {
      delay.observe(Math.max(0, performance.now() - dueAtMs) / 1000);
      arm();
    }, INTERVAL_MS);
    Deno.unrefTimer(timer);
  };
  arm();
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      stopReading();
    },
  };
}

function countFds(): number | undefined {
  try {
    return [...Deno.readDirSync(FDS_FOLDER)].length;
  } catch {
    return undefined;
  }
}
