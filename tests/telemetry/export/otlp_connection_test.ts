import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { TelemetryConfigError } from "../../../telemetry/mod.ts";
import { OtlpConnection, type TlsFiles } from "../../../telemetry/export/otlp_connection.ts";
import { OtlpSender } from "../../../telemetry/export/otlp_sender.ts";
import type { SendResult } from "../../../telemetry/export/sender.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { Collector } from "../../support/collector.ts";
import { encodeSpans } from "../../support/span_recorder.ts";
import { makeAuthority, makeCertificate, TlsCollector } from "../../support/tls_collector.ts";

const NEVER = new AbortController().signal;
/** Three attempts: the pauses before a fourth are longer at their shortest, and the third has time for a refusal. */
const REFUSED_MS = 870;
const resource = resourceFromAttributes({});

function aBatch(): Uint8Array<ArrayBuffer> {
  const owner = { resource, nowMs: () => 0, finish: (): void => {} };
  const ids = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
  const span = new SpanRecord(owner, getSpanKindRow("wasi_cuda.sync"), ids, undefined, 0, { instance: 1 });
  span.end(1);
  return encodeSpans(resource, [span]);
}

function makeSender(url: string, tls: TlsFiles, timeoutMs = 5000): OtlpSender {
  return new OtlpSender({ url, headers: {}, timeoutMs, compression: "none", tls }, "test/1");
}

async function sendOnce(sender: OtlpSender): Promise<SendResult> {
  try {
    return await sender.send(aBatch(), 1, NEVER);
  } finally {
    sender.close();
  }
}

Deno.test("OtlpSender reaches a collector with its own authority, and proves itself", async () => {
  await using collector = await TlsCollector.start();
  const { folder, url } = collector;
  const certificateFile = `${folder}/ca.pem`;
  const client = { clientCertificateFile: `${folder}/client.pem`, clientKeyFile: `${folder}/client.key` };
  assert.deepEqual(await sendOnce(makeSender(url, { certificateFile, ...client })), { acceptedCount: 1 });
  assert.deepEqual(collector.clients, ["client"]);
  assert.equal(collector.spans.length, 1);
  const unreachable = { acceptedCount: 0, reason: "the collector is not reachable" };
  // Without the client's certificate, and without trust in the server's.
  assert.deepEqual(await sendOnce(makeSender(url, { certificateFile }, REFUSED_MS)), unreachable);
  assert.deepEqual(await sendOnce(makeSender(url, client, REFUSED_MS)), unreachable);
  assert.equal(collector.spans.length, 1);
});

Deno.test("OtlpSender takes a rotated client certificate at the next refusal", async () => {
  await using collector = await TlsCollector.start();
  const { folder, url } = collector;
  await makeAuthority(folder, "other");
  await makeCertificate(folder, "mine", "other");
  const tls = {
    certificateFile: `${folder}/ca.pem`,
    clientCertificateFile: `${folder}/mine.pem`,
    clientKeyFile: `${folder}/mine.key`,
  };
  const sender = makeSender(url, tls);
  await Deno.copyFile(`${folder}/client.pem`, `${folder}/mine.pem`);
  await Deno.copyFile(`${folder}/client.key`, `${folder}/mine.key`);
  assert.deepEqual(await sendOnce(sender), { acceptedCount: 1 });
  assert.deepEqual(collector.clients, ["client"]);
});

Deno.test("OtlpSender takes a rotated key at the next 401, and gives up where there is none", async () => {
  await using collector = new Collector();
  using file = new HeadersFile("x-honeycomb-team=old");
  const config = { url: collector.url, headers: {}, headersFile: file.path, timeoutMs: 5000 };
  const sender = new OtlpSender({ ...config, compression: "none" }, "test/1");
  collector.mode = { type: "refuse_first", count: 2, status: 401 };
  const refused = { acceptedCount: 0, reason: "the collector answered 401" };
  assert.deepEqual(await sender.send(aBatch(), 1, NEVER), refused);
  file.write("x-honeycomb-team=new");
  assert.deepEqual(await sendOnce(sender), { acceptedCount: 1 });
  const keys = collector.requests.map(({ headers }) => headers.get("x-honeycomb-team"));
  assert.deepEqual(keys, ["old", "old", "new"]);
});

/** A folder with a headers file. */
class HeadersFile implements Disposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly path = `${this.#folder}/headers`;

  constructor(text: string) {
    this.write(text);
  }

  write(text: string): void {
    Deno.writeTextFileSync(this.path, text);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

Deno.test("OtlpConnection takes headers from a file, which win over configured ones", () => {
  using file = new HeadersFile("# of the back end\nx-team=from%20file\n\nb = 2\n");
  const connection = new OtlpConnection({
    headers: { "x-team": "configured", c: "3" },
    headersFile: file.path,
  }, {
    "content-type": "application/x-protobuf",
  });
  assert.deepEqual(Object.fromEntries(connection.headers), {
    "b": "2",
    "c": "3",
    "content-type": "application/x-protobuf",
    "x-team": "from file",
  });
  connection.close();
});

Deno.test("OtlpConnection.reload() takes a new file, and keeps the old one's where it is no good", () => {
  using file = new HeadersFile("x-team=one");
  const connection = new OtlpConnection({ headers: {}, headersFile: file.path }, {});
  const team = (): string | null => connection.headers.get("x-team");
  assert.equal(connection.reload(), false);
  file.write("x-team=two");
  assert.equal(connection.reload(), true);
  assert.equal(team(), "two");
  file.write("x-team");
  assert.equal(connection.reload(), false);
  Deno.removeSync(file.path);
  assert.equal(connection.reload(), false);
  assert.equal(team(), "two");
  connection.close();
});

const PEM = /^The certificates or the key for the OTLP exporter are not valid PEM$/;

for (
  const [name, message] of [
    ["headersFile", /headers is malformed: pair 1 is not a header as name=value$/],
    ["certificateFile", PEM],
    ["clientCertificateFile", PEM],
  ] as const
) {
  Deno.test(`OtlpConnection refuses a bad ${name} at start and quotes nothing of it`, () => {
    using file = new HeadersFile("hush");
    const files = { [name]: file.path };
    assert.throws(() => new OtlpConnection({ headers: {}, ...files, tls: files }, {}), (error) => {
      assert.ok(error instanceof TelemetryConfigError);
      assert.match(error.message, message);
      assert.equal(error.message.includes("hush"), false);
      return true;
    });
  });
}

Deno.test("OtlpConnection refuses a file that is not there, and says which", () => {
  assert.throws(
    () => new OtlpConnection({ headers: {}, headersFile: "/nonexistent/headers" }, {}),
    /^TelemetryConfigError: Cannot read \/nonexistent\/headers, which telemetry is configured with: NotFound$/,
  );
});
