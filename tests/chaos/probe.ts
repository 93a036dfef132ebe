/**
 * Probe: how long a gateway takes to answer the cheapest question, asked from a process of its own.
 *
 * Run as a program with the address as its argument: asks `GET /healthz` every 20 ms over one connection, and
 * prints a JSON array of round trips in milliseconds a second. Invariant: a question that has to wait for the
 * answer to the former counts from when it should have been asked.
 */
const PERIOD_MS = 20;
const WRITE_MS = 1000;
/** A trace that is not sampled: probes are not to fill the collector. */
const TRACEPARENT = "00-00000000000000000000000000000001-0000000000000001-00";

/** A probe's process. */
export class Probe implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  /** Starts asking; `take` gets the round trips. */
  constructor(url: string, take: (roundTripsMs: readonly number[]) => void) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-net", new URL(import.meta.url).pathname, url],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = readLines(this.#child.stdout, (line) => take(JSON.parse(line)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }
}

/** Calls back for every whole line of a stream. */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const pieces = (rest + text).split("\n");
    rest = pieces.pop() ?? "";
    pieces.forEach(take);
  }
}

async function ask(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  connection.setNoDelay();
  const question = new TextEncoder().encode(
    `GET /healthz HTTP/1.1\r\nhost: ${hostname}\r\ntraceparent: ${TRACEPARENT}\r\n\r\n`,
  );
  const buffer = new Uint8Array(16_384);
  let roundTrips: number[] = [];
  let dueAtMs = performance.now();
  let writeAtMs = dueAtMs + WRITE_MS;
  for (;;) {
    const waitMs = dueAtMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    // A timer of this process that came late is not the gateway's doing.
    const askedAtMs = waitMs > 0 ? performance.now() : dueAtMs;
    await connection.write(question);
    // The answer is small enough to come in one piece.
    if (await connection.read(buffer) === null) return;
    const nowMs = performance.now();
    roundTrips.push(Math.round((nowMs - askedAtMs) * 100) / 100);
    dueAtMs += PERIOD_MS;
    if (nowMs >= writeAtMs) {
      Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(roundTrips) + "\n"));
      roundTrips = [];
      writeAtMs = nowMs + WRITE_MS;
    }
  }
}

const [url] = Deno.args;
if (import.meta.main && url !== undefined) await ask(url);
