/**
 * OtlpConnection: what a request to a collector is made with: its headers and its TLS client.
 *
 * Owns the files behind both (trusted certificate, client certificate and key, headers) and their reloading.
 * It sends nothing. Invariant: no message holds a header's value or a key, and a reload that fails leaves
 * what was there.
 */
import { parseHeaderLines, TelemetryConfigError } from "../config/env_reader.ts";

/** Most bytes of a configured file that are read. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Certificates by their files, all PEM. */
export interface TlsFiles {
  /** Trusted beside the system's own roots. */
  readonly certificateFile?: string | undefined;
  /** Both or neither: what this process proves itself with. */
  readonly clientCertificateFile?: string | undefined;
  readonly clientKeyFile?: string | undefined;
}

/** What a connection is made of. */
export interface ConnectionConfig {
  readonly headers: Readonly<Record<string, string>>;
  /** A file with more headers, which win over `headers`; one `name=value` a line. */
  readonly headersFile?: string | undefined;
  readonly tls?: TlsFiles | undefined;
}

/** The contents of the files, as far as there are any. */
interface Contents {
  readonly headers: string;
  readonly certificate: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

/** Headers and client for requests to one collector. */
export class OtlpConnection {
  readonly #config: ConnectionConfig;
  readonly #fixed: Readonly<Record<string, string>>;
  #contents: Contents;
  #headers: Headers;
  #client: Deno.HttpClient;

  /**
   * @param fixed headers of the protocol; they win over configured ones
   * @throws TelemetryConfigError when a file cannot be read or does not hold what it should
   */
  constructor(config: ConnectionConfig, fixed: Readonly<Record<string, string>>) {
    this.#config = config;
    this.#fixed = fixed;
    this.#contents = readContents(config);
    this.#headers = this.#makeHeaders(this.#contents);
    this.#client = makeClient(this.#contents);
  }

  get headers(): Headers {
    return this.#headers;
  }

  get client(): Deno.HttpClient {
    return this.#client;
  }

  /**
   * Reads the files again. True if anything in them is different and could be used.
   *
   * Synchronous: they are small, local, and read only when the collector refuses or an operator asks.
   */
  reload(): boolean {
    try {
      const contents = readContents(this.#config);
      const before = this.#contents;
      const names = Object.keys(contents) as (keyof Contents)[];
      if (names.every((name) => contents[name] === before[name])) return false;
      const headers = this.#makeHeaders(contents);
      const client = makeClient(contents);
      this.#contents = contents;
      this.#headers = headers;
      this.#client.close();
      this.#client = client;
      return true;
    } catch (error) {
      // Half-written by whoever rotates it; what was there goes on, and the next failure looks again.
      if (error instanceof TelemetryConfigError) return false;
      throw error;
    }
  }

  close(): void {
    this.#client.close();
  }

  #makeHeaders(contents: Contents): Headers {
    const { headersFile } = this.#config;
    const fromFile = headersFile === undefined ? {} : parseHeaderLines(headersFile, contents.headers);
    const headers = new Headers({ ...this.#config.headers, ...fromFile });
    for (const [name, value] of Object.entries(this.#fixed)) headers.set(name, value);
    return headers;
  }
}

function readContents({ headersFile, tls = {} }: ConnectionConfig): Contents {
  const { certificateFile, clientCertificateFile, clientKeyFile } = tls;
  return {
    headers: readFile(headersFile),
    certificate: readFile(certificateFile),
    clientCertificate: readFile(clientCertificateFile),
    clientKey: readFile(clientKeyFile),
  };
}

function readFile(path: string | undefined): string {
  if (path === undefined) return "";
  try {
    if (Deno.statSync(path).size > FILE_BYTES_MAX) {
      throw new TelemetryConfigError(`${path} is larger than ${FILE_BYTES_MAX} bytes`);
    }
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (cause instanceof TelemetryConfigError) throw cause;
    const reason = cause instanceof Error ? cause.name : "unknown";
    throw new TelemetryConfigError(`Cannot read ${path}, which telemetry is configured with: ${reason}`);
  }
}

function makeClient({ certificate, clientCertificate, clientKey }: Contents): Deno.HttpClient {
  try {
    // The runtime takes a file without any certificate in it, and then trusts nobody more than before.
    if (certificate !== "" && !certificate.includes("-----BEGIN CERTIFICATE-----")) throw new TypeError();
    return Deno.createHttpClient({
      ...(certificate === "" ? {} : { caCerts: [certificate] }),
      ...(clientCertificate === "" ? {} : { cert: clientCertificate, key: clientKey }),
    });
  } catch {
    // The cause is not told: it may quote the key.
    throw new TelemetryConfigError("The certificates or the key for the OTLP exporter are not valid PEM");
  }
}
