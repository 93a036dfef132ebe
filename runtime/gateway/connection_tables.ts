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
const PIECE_BYTES = 64 * 1024;

/** Takes a piece of a text. */
type Take = (text: string) => void;

interface Shell {
  readonly input: WritableStreamDefaultWriter<Uint8Array>;
  readonly output: ReadableStreamDefaultReader<string>;
  readonly ended: Promise<unknown>;
}

/** Reads the tables. One caller at a time. */
export class ConnectionTables implements AsyncDisposable {
  readonly #readFiles: (take: Take) => Promise<void>;
  #shell: Shell | undefined;
  #isReadable = Deno.build.os === "linux";

  /** `readFiles` is how they are read without a shell. */
  constructor(readFiles: (take: Take) => Promise<void> = readTables) {
    this.#readFiles = readFiles;
  }

  /** Both tables, one after the other, in pieces as they come. @returns whether that was all of them */
  async read(take: Take): Promise<boolean> {
    if (!this.#isReadable) return false;
    try {
      if (this.#shell === undefined) {
        await this.#readFiles(take);
        return true;
      }
    } catch {
      // Not ours to read.
    }
    try {
      await ask(this.#shell ??= startShell(), take);
      return true;
    } catch {
      await this[Symbol.asyncDispose]();
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isReadable = false;
    const shell = this.#shell;
    this.#shell = undefined;
    await shell?.input.close().catch(() => {});
    await shell?.output.cancel().catch(() => {});
    await shell?.ended;
  }
}

function startShell(): Shell {
  const child = new Deno.Command("sh", {
    args: ["-c", SCRIPT],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  return {
    input: child.stdin.getWriter(),
    output: child.stdout.pipeThrough(new TextDecoderStream()).getReader(),
    ended: child.status,
  };
}

async function ask({ input, output }: Shell, take: Take): Promise<void> {
  await input.write(Uint8Array.of(10));
  for (let end = "\n"; end !== END;) {
    const { value, done } = await output.read();
    if (done) throw new Error("The shell that reads tables of connections has ended");
    take(value);
    end = (end + value).slice(-END.length);
  }
}

async function readTables(take: Take): Promise<void> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(PIECE_BYTES);
  for (const path of TABLES) {
    using file = await Deno.open(path).catch(undefinedIfMissing);
    for (let count = await file?.read(buffer); count !== null && count !== undefined;) {
      take(decoder.decode(buffer.subarray(0, count)));
      count = await file?.read(buffer);
    }
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
