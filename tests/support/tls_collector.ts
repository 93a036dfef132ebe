/**
 * TlsCollector: an OTLP receiver behind TLS that wants a client certificate, for tests.
 *
 * Owns a certificate authority of its own, made by openssl when it starts, and the files that a client is
 * configured with. Invariant: a request without a certificate of that authority never reaches its handler.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { Buffer } from "node:buffer";
import type { AddressInfo } from "node:net";
import { type DecodedSpan, decodeTraceRequest } from "./otlp_decode.ts";

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder, stdout: "null" })
    .output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}

/** Makes an authority `NAME.pem`, `NAME.key` in the folder. */
export async function makeAuthority(folder: string, name: string): Promise<void> {
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    `${name}.key`,
  ];
  await openssl(folder, "req", "-x509", ...key, "-out", `${name}.pem`, "-days", "2", "-subj", `/CN=${name}`);
}

/** Makes a certificate `NAME.pem`, `NAME.key` for this machine, signed by an authority of the folder. */
export async function makeCertificate(folder: string, name: string, authority: string): Promise<void> {
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    `${name}.key`,
  ];
  await openssl(folder, "req", ...key, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  await Deno.writeTextFile(`${folder}/${name}.ext`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const signer = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
  const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`];
  await openssl(folder, "x509", "-req", ...files, ...signer, "-days", "2");
}

/** A running collector. */
export class TlsCollector implements AsyncDisposable {
  /** Where the certificates are: `ca`, `server` and `client`, each `.pem` and `.key`. */
  readonly folder: string;
  readonly spans: DecodedSpan[] = [];
  /** The subjects of the clients that came. */
  readonly clients: string[] = [];
  readonly #server: Server;

  private constructor(folder: string) {
    this.folder = folder;
    this.#server = createServer({
      key: readFileSync(`${folder}/server.key`),
      cert: readFileSync(`${folder}/server.pem`),
      ca: readFileSync(`${folder}/ca.pem`),
      requestCert: true,
      rejectUnauthorized: true,
    }, (request, response) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      request.on("end", () => {
        const socket = request.socket as unknown as {
          getPeerCertificate(): { readonly subject?: { readonly CN?: string } };
        };
        this.clients.push(socket.getPeerCertificate().subject?.CN ?? "");
        this.spans.push(...decodeTraceRequest(new Uint8Array(Buffer.concat(chunks))));
        response.writeHead(200, { connection: "close" }).end();
      });
    });
  }

  /** Makes the certificates and listens. */
  static async start(): Promise<TlsCollector> {
    const folder = await Deno.makeTempDir({ prefix: "tls_collector_" });
    await makeAuthority(folder, "ca");
    await makeCertificate(folder, "server", "ca");
    await makeCertificate(folder, "client", "ca");
    const collector = new TlsCollector(folder);
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  /** Where trace requests go. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Deno.remove(this.folder, { recursive: true });
  }
}
