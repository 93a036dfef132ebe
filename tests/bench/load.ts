/**
 * Load by wrk: one measurement of one URL.
 *
 * Owns the wrk command line and the reading of its report. A measurement in which any answer was not 2xx is
 * an error: a fast refusal is not throughput.
 */

/** What to load. */
export interface Target {
  readonly url: string;
  readonly body: string;
}

/** What one measurement saw. */
export interface Measurement {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const SCRIPT = `
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = os.getenv("BENCH_BODY")
done = function(summary, latency, requests)
  io.write(string.format("BENCH %d %d %d %d %.3f %.3f\\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`;

/** Loads a target over loopback for some seconds. */
export async function load(target: Target, connections: number, seconds: number): Promise<Measurement> {
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    await Deno.writeTextFile(script, SCRIPT);
    const { stdout, stderr, success } = await new Deno.Command("wrk", {
      args: ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script, target.url],
      env: { BENCH_BODY: target.body },
    }).output();
    const text = new TextDecoder().decode(stdout);
    const fields = /^BENCH (.*)$/m.exec(text)?.[1]?.split(" ").map(Number);
    if (!success || fields === undefined) {
      throw new Error(`wrk failed: ${new TextDecoder().decode(stderr)}${text}`);
    }
    const [requests = 0, durationUs = 0, badStatus = 0, badSocket = 0, p50Ms = 0, p99Ms = 0] = fields;
    if (badStatus + badSocket > 0) {
      throw new Error(`${target.url}: ${badStatus} answers were not 2xx, ${badSocket} connections failed`);
    }
    return { requestsPerSecond: requests / (durationUs / 1e6), p50Ms, p99Ms };
  } finally {
    await Deno.remove(script);
  }
}

/** The middle measurement by rate. */
export function median(measurements: readonly Measurement[]): Measurement {
  const sorted = [...measurements].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("No measurement");
  return middle;
}
