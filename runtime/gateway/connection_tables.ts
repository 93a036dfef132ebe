/**
 * ConnectionTables: the system's tables of TCP connections, as text (proc(5), /proc/net/tcp and tcp6).
 *
 * Owns getting at them. Deno gives /proc only to programs with every permission; a gateway without has a shell read
 * them, one process for as long as it runs, started by the first who asks, which ends with the gateway's end of its
 * pipe. Invariant: never rejects; where there are no tables, or no shell, they are empty, and are not tried for again.
 */

const TABLES = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
/** Tables once for each line that it is sent, and a line with a full stop. `self` is whoever reads, in the same network. */
const SCRIPT = `while read -r line; do cat ${TABLES.join(" ")} 2>/dev/null; echo .; done`;
const END = "\n.\n";

interface Shell {
  readonly input: WritableStreamDefaultWriter<Uint8Array>;
  readonly output: ReadableStreamDefaultReader<string>;
}

/** Reads the tables. One caller at a time. */
export class ConnectionTables implements AsyncDisposable {
  #shell: Shell | undefined;
  #isReadable = Deno.build.os === "linux";
  #ended: Promise<unknown> | undefined;
  readonly #readFiles: () => Promise<string>;

  /** `readFiles` is how they are read without a shell. */
  constructor(readFiles: () => Promise<string> = readTables) {
    this.#readFiles = readFiles;
  }

  /** Both tables, one after the other; empty where they cannot be had. */
  async read(): Promise<string> {
    if (!this.#isReadable) return "";
    try {
      if (this.#shell === undefined) return await this.#readFiles();
    } catch {
      // Not ours to read.
    }
    try {
      return await ask(this.#shell ??= this.#start());
    } catch {
      this.#isReadable = false;
      await this[Symbol.asyncDispose]();
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isReadable = false;
    const shell = this.#shell;
    this.#shell = undefined;
    await shell?.input.close().catch(() => {});
    await shell?.output.cancel().catch(() => {});
    await this.#ended;
  }

  #start(): Shell {
    const child = new Deno.Command("sh", {
      args: ["-c", SCRIPT],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#ended = child.status;
    return {
      input: child.stdin.getWriter(),
      output: child.stdout.pipeThrough(new TextDecoderStream()).getReader(),
    };
  }
}

async function ask({ input, output }: Shell): Promise<string> {
  await input.write(Uint8Array.of(10));
  let text = "";
  while (!text.endsWith(END) && text !== END.slice(1)) {
    const { value, done } = await output.read();
    if (done) throw new Error("The shell that reads tables of connections has ended");
    text += value;
  }
  return text.slice(0, 1 - END.length);
}

async function readTables(): Promise<string> {
  const texts = await Promise.all(TABLES.map((path) => Deno.readTextFile(path).catch(emptyIfMissing)));
  return texts.join("");
}

function emptyIfMissing(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "";
  throw error;
}
