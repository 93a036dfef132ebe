/**
 * Raw HTTP: requests that `fetch` would not send, byte by byte over TCP.
 *
 * Owns a connection, the writing of a request, the reading of one response whose length is declared, and of bytes as
 * they come.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** A response as it came; header names in lower case. */
export interface RawResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A connection to a gateway. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to the host and port of `url`. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    return new RawConnection(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** Sends the head of a request: the request line and header lines, without any of its own. */
  async sendHead(requestLine: string, headers: readonly string[] = []): Promise<void> {
    await this.send(`${[`${requestLine} HTTP/1.1`, "host: gateway", ...headers].join("\r\n")}\r\n\r\n`);
  }

  /** Sends bytes, or text as UTF-8. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#connection.write(bytes.subarray(offset));
    }
  }

  /** Sends one chunk of a chunked body; an empty one ends it. */
  async sendChunk(bytes: Uint8Array): Promise<void> {
    await this.send(`${bytes.length.toString(16)}\r\n`);
    await this.send(bytes);
    await this.send("\r\n");
  }

  /** Says that nothing more will be sent. What comes can still be read. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Reads one response; undefined if the connection ended before it was whole. */
  async read(): Promise<RawResponse | undefined> {
    let text = "";
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const response = parseResponse(text);
      if (response !== undefined) return response;
      const count = await this.#connection.read(buffer).catch(() => null);
      if (count === null) return undefined;
      text += decoder.decode(buffer.subarray(0, count));
    }
  }

  /** The next bytes as they come; undefined when the connection has ended. */
  async readSome(bytesMax = 64 * 1024): Promise<Uint8Array | undefined> {
    const buffer = new Uint8Array(bytesMax);
    const count = await this.#connection.read(buffer).catch(() => null);
    return count === null ? undefined : buffer.subarray(0, count);
  }

  /** Everything until the connection ends, or so many bytes have come at least, a character for each byte. */
  async readAll(bytesEnough = Infinity): Promise<string> {
    let text = "";
    while (text.length < bytesEnough) {
      const bytes = await this.readSome();
      if (bytes === undefined) break;
      text += decoder.decode(bytes);
    }
    return text;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

function parseResponse(text: string): RawResponse | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const body = text.slice(headEnd + 4);
  if (body.length < Number(headers.get("content-length") ?? "0")) return undefined;
  return { status: Number(statusLine.split(" ")[1]), headers, body };
}
