/**
 * `deno task demo`: the first flow, seen from outside.
 *
 * Starts an OTLP collector and a gateway on loopback ports, deploys real guests, runs them on real files of
 * the repository, and prints for each call its result, its trace as a tree and its log lines. Exits 0 when
 * every result was right, 1 otherwise; leaves nothing behind.
 */
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { makePpm } from "../support/ppm.ts";
import { buildSpanTree, printSpanTree } from "../support/span_tree.ts";

interface Step {
  readonly title: string;
  readonly guest: string;
  /** The command a user would type; shown, not run. */
  readonly curl: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: () => Promise<Uint8Array<ArrayBuffer> | string> | Uint8Array<ArrayBuffer> | string;
  /** Status expected, and what to show of the body. Throws if the body is wrong. */
  readonly status: number;
  readonly show: (body: Uint8Array<ArrayBuffer>) => string | Promise<string>;
}

const README = new URL("../../README.md", import.meta.url);
const JSON_HEADERS = { "content-type": "application/json" };
const BYTES_HEADERS = { "content-type": "application/octet-stream" };
const LOG_LINES_SHOWN = 8;

const STEPS: readonly Step[] = [
  {
    title: "Two numbers, typed by the export's signature",
    guest: "add",
    curl:
      `curl -X POST $URL/functions/add/invoke -H 'content-type: application/json' -d '{"export":"add","args":[2,3]}'`,
    headers: JSON_HEADERS,
    body: () => '{"export":"add","args":[2,3]}',
    status: 200,
    show: (body) => expectText(body, /"result":\[5\]/),
  },
  {
    title: "Word frequencies of the README, by a C program on stdin and stdout",
    guest: "word_freq",
    curl:
      "curl -X POST $URL/functions/word_freq/invoke -H 'content-type: text/plain' --data-binary @README.md | head",
    headers: { "content-type": "text/plain" },
    body: () => Deno.readTextFile(README),
    status: 200,
    show: (body) => expectText(body, /^\d+\t\S+$/m).split("\n").slice(0, 5).join("\n"),
  },
  {
    title: "SHA-256 of the README",
    guest: "sha256",
    curl: "curl -X POST $URL/functions/sha256/invoke -H 'content-type: text/plain' --data-binary @README.md",
    headers: BYTES_HEADERS,
    body: () => Deno.readTextFile(README),
    status: 200,
    show: async (body) => {
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(README));
      return expectText(body, new RegExp(`^${new Uint8Array(digest).toHex()}\\n?$`));
    },
  },
  {
    title: "Edges of a 1920×1080 image, by a C program with SIMD",
    guest: "image_filter",
    curl: "curl -X POST '$URL/functions/image_filter/invoke?argv=edge' --data-binary @photo.ppm -o edges.ppm",
    query: "?argv=edge",
    headers: { "content-type": "image/x-portable-pixmap" },
    body: () => makePpm(1920, 1080),
    status: 200,
    show: (body) => {
      const head = new TextDecoder().decode(body.subarray(0, 17));
      if (!/^P6\s1920 1080\s255\s/.test(head)) {
        throw new Error(`Not the expected image: ${JSON.stringify(head)}`);
      }
      return `${body.length} bytes of ${JSON.stringify(head)}…`;
    },
  },
  {
    title: "A summary of CSV columns, by AssemblyScript",
    guest: "assembly_score",
    curl: "curl -X POST $URL/functions/assembly_score/invoke --data-binary @tests/guests/data/columns.csv",
    headers: { "content-type": "text/csv" },
    body: () => Deno.readTextFile(new URL("../guests/data/columns.csv", import.meta.url)),
    status: 200,
    show: (body) => expectText(body, /\S/),
  },
  {
    title:
      "A matrix product on the device, by PTX with shared memory; its trace goes down to the kernel launch",
    guest: "gpu_matmul",
    curl: "curl -X POST '$URL/functions/gpu_matmul/invoke?argv=tiled&argv=64'",
    query: "?argv=tiled&argv=64",
    body: () => "",
    status: 200,
    show: (body) => expectText(body, /tiled: all \d+ right/),
  },
  {
    title: "A picture drawn by PTX (--image FILE keeps it)",
    guest: "gpu_mandelbrot",
    curl: "curl -X POST '$URL/functions/gpu_mandelbrot/invoke?argv=640&argv=480&argv=256' -o mandelbrot.png",
    query: "?argv=640&argv=480&argv=256&argv=ppm",
    body: () => "",
    status: 200,
    show: showPicture,
  },
  {
    title: "A guest that traps: its trace is whole, its error names the trace",
    guest: "trap_div0",
    curl: "curl -X POST $URL/functions/trap_div0/invoke?export=run",
    query: "?export=run",
    body: () => "",
    status: 500,
    show: (body) => expectText(body, /Guest trapped: an integer was divided by zero/),
  },
  {
    title: "A guest that never ends: stopped at its deadline",
    guest: "spin",
    curl: "curl -X POST $URL/functions/spin/invoke?export=run -H 'x-tensorwasm-deadline-ms: 250'",
    query: "?export=run",
    headers: { "x-tensorwasm-deadline-ms": "250" },
    body: () => "",
    status: 504,
    show: (body) => expectText(body, /deadlineMs is 250/),
  },
];

function expectText(body: Uint8Array, pattern: RegExp): string {
  const text = new TextDecoder().decode(body);
  if (!pattern.test(text)) {
    throw new Error(`Answer ${JSON.stringify(text.slice(0, 200))} does not match ${pattern}`);
  }
  return text.trimEnd();
}

/** A binary PPM in characters, dark to bright. */
async function showPicture(body: Uint8Array<ArrayBuffer>): Promise<string> {
  const head = /^P6\s(\d+)\s(\d+)\s255\s/.exec(new TextDecoder("latin1").decode(body.subarray(0, 32)));
  const [width, height] = [Number(head?.[1]), Number(head?.[2])];
  if (head === null || body.length !== head[0].length + 3 * width * height) {
    throw new Error("The answer is not the picture that was asked for");
  }
  const kept = Deno.args.indexOf("--image");
  const file = kept < 0 ? undefined : Deno.args[kept + 1];
  if (file !== undefined) await Deno.writeFile(file, body);
  const brightness = (x: number, y: number): number => {
    const at = head[0].length + 3 * (y * width + x);
    return ((body[at] ?? 0) + (body[at + 1] ?? 0) + (body[at + 2] ?? 0)) / 3;
  };
  const shades = " .:-=+*#%@";
  const rows = Array.from({ length: 24 }, (_, row) =>
    Array.from({ length: 72 }, (_, column) => {
      const value = brightness(Math.floor(column * width / 72), Math.floor(row * height / 24));
      return shades[Math.floor(value * (shades.length - 1) / 255)] ?? " ";
    }).join(""));
  return [`${width} x ${height} pixels, ${body.length} bytes`, ...rows].join("\n");
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function indent(text: string): string {
  return text.split("\n").map((line) => `    ${line}`).join("\n");
}

async function runStep(step: Step, gateway: TestGateway, collector: Collector): Promise<void> {
  say(`\n── ${step.title}`);
  await gateway.deploy(step.guest);
  say(`  $ ${step.curl}`);
  const response = await fetch(`${gateway.url}/functions/${step.guest}/invoke${step.query ?? ""}`, {
    method: "POST",
    headers: { ...step.headers },
    body: await step.body(),
  });
  const body = new Uint8Array(await response.arrayBuffer());
  const traceId = response.headers.get("x-trace-id") ?? "";
  if (response.status !== step.status) {
    throw new Error(
      `Answered ${response.status}, expected ${step.status}: ${new TextDecoder().decode(body)}`,
    );
  }
  say(`  ${response.status}  x-trace-id: ${traceId}`);
  say(indent(await step.show(body)));
  await gateway.line((line) => line.trace_id === traceId && line.message === "request.completed");
  say("  trace");
  say(indent(printSpanTree(buildSpanTree(await awaitTrace(collector, traceId)))));
  const lines = gateway.lines.filter((line) => line.trace_id === traceId);
  say(`  log lines (${lines.length})`);
  for (const line of lines.slice(0, LOG_LINES_SHOWN - 1)) say(indent(JSON.stringify(line)));
  if (lines.length >= LOG_LINES_SHOWN) say(indent(`… ${lines.length - LOG_LINES_SHOWN + 1} more`));
}

async function main(): Promise<void> {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  say(`gateway at ${gateway.url}, collector at ${collector.endpoint}`);
  for (const step of STEPS) await runStep(step, gateway, collector);
  say(`\n${STEPS.length} of ${STEPS.length} steps as expected; stopping`);
}

await main();
