/**
 * docs/runbooks: every command of every page runs as it is written, against a gateway that has served and failed, and
 * a Prometheus with the rules. What is found is the reader's matter; that the question is understood is this test's.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { HAS_PROMETHEUS, PrometheusServer } from "../support/prometheus.ts";
import { ALERT_FILES, docsPath, listDocs, readDoc } from "./documents.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** The host's own programs, which say nothing of ours. */
const OF_THE_HOST = /^(?:top|df|git|kill) /;
/** What a page has the reader put in. */
const WORDS = [
  [/\bNAME@VERSION\b/g, "add@1"],
  [/\bNAME\b/g, "add"],
  [/\btenant: N\b/g, "tenant: 7"],
] as const;

interface Place {
  readonly folder: string;
  readonly gateway: TestGateway;
  readonly prometheus: PrometheusServer;
  /** Of a call that failed. */
  readonly traceId: string;
}

/** The commands of the shell blocks of a page, a line each. */
async function commandsOf(page: string): Promise<string[]> {
  const blocks = (await readDoc(`runbooks/${page}`)).matchAll(/^```sh\n(.*?)^```/gms);
  return [...blocks].flatMap(([, block = ""]) => block.split("\n"))
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** What the index has the reader set once, with the addresses of this place. */
async function setUpOf({ folder, gateway, prometheus, traceId }: Place): Promise<string> {
  const values: Readonly<Record<string, string>> = {
    URL: gateway.url,
    PROM: prometheus.url,
    LOG: `${folder}/gateway.log`,
    DATA: gateway.dataFolder,
  };
  const lines = await commandsOf("README.md");
  for (const name of Object.keys(values)) {
    assert.equal(lines.filter((line) => line.startsWith(`${name}=`)).length, 1, `the index sets ${name}`);
  }
  const own = lines.map((line) => {
    const name = /^([A-Z]+)=/.exec(line)?.[1] ?? "";
    return Object.hasOwn(values, name) ? `${name}='${values[name]}'` : line;
  });
  return [...own, `TRACE=${traceId}`].join("\n");
}

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(script: string): Promise<Run> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script],
    cwd: ROOT,
    // No collector listens there: of a question to one, that it is well-formed is all that counts.
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_TRACES_EXPORTER: "none", NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Why a command is not one that works; undefined if it is. */
function failureOf(command: string, { code, out, err }: Run): string | undefined {
  if (/not found|syntax error|parse error|Unknown|Usage:/i.test(err)) return err;
  const asksGateway = /\bcurl\b|^deno task/.test(command) && !command.includes("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (asksGateway && !command.includes("| grep") && (code !== 0 || out === "")) {
    return `${code}: ${out}${err}`;
  }
  // grep finds nothing: 1.
  const codeMax = command.startsWith("q ") || command.startsWith("deno task") ? 0 : 1;
  return code > codeMax && !command.includes("OTEL_EXPORTER_OTLP_ENDPOINT") ? `${code}: ${err}` : undefined;
}

async function failedTrace(gateway: TestGateway): Promise<string> {
  for (const guest of ["add", "trap_unreachable"]) {
    await gateway.deploy(guest);
    await gateway.deploy(guest, undefined, { "x-tensorwasm-tenant": "7" });
  }
  await (await gateway.invoke("add", { export: "add", args: [1, 2] })).body?.cancel();
  const failed = await gateway.invoke("trap_unreachable", { export: "run" });
  await failed.body?.cancel();
  return failed.headers.get("x-trace-id") ?? "";
}

Deno.test({
  name: "runbooks: every command runs as it is written",
  ignore: !HAS_PROMETHEUS,
  fn: async (test) => {
    const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-runbooks-" });
    try {
      const flags = ["--cells-min", "1", "--cells-max", "1", "--log-file", `${folder}/gateway.log`];
      await using gateway = await TestGateway.start({ flags });
      await using prometheus = await PrometheusServer.start({
        target: new URL(gateway.url).host,
        ruleFiles: ALERT_FILES.map(docsPath),
      });
      const traceId = await failedTrace(gateway);
      // Pages share some of their commands.
      const known = new Map<string, string | undefined>();
      const setUp = await setUpOf({ folder, gateway, prometheus, traceId });
      await prometheus.until("a scrape", async () => (await prometheus.query("up"))[0]);
      for (const page of listDocs("runbooks", ".md").filter((name) => name !== "README.md")) {
        await test.step(page, async () => {
          const commands = (await commandsOf(page)).filter((line) => !OF_THE_HOST.test(line));
          assert.ok(commands.length > 0);
          for (const command of commands) {
            const own = WORDS.reduce((text, [word, value]) => text.replaceAll(word, value), command);
            if (!known.has(own)) known.set(own, failureOf(command, await run(`${setUp}\n${own}`)));
            assert.equal(known.get(own), undefined, command);
          }
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
