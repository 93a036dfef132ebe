/**
 * A program to be killed: deploys and removes functions in a folder until it dies.
 *
 * Arguments: data folder, seed. Writes one line with a synchronous write for each step that a caller would
 * have seen: `deployed <id> <digest>`, `removing <id>`, `removed <id>`; first `open`.
 */
import { systemClock } from "../../../runtime/model/clock.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { FunctionRegistry } from "../../../runtime/registry/functions.ts";
import { openEmbeddedStore } from "../../../runtime/store/embedded/embedded_store.ts";
import { aFunction } from "../../contract/store_contract.ts";
import { makeRandom } from "./random.ts";

const LOOPS_COUNT = 3;
const BYTES_MAX = 256 * 1024;
/** Few enough that loops deploy and remove the same bytes at the same time. */
const SHARED_MODULES_COUNT = 4;

const [folder = "", seed = "0"] = Deno.args;
const random = makeRandom(Number(seed));
await using store = await openEmbeddedStore(folder);
await using registry = new FunctionRegistry({
  store,
  limits: DEFAULT_LIMITS,
  clock: systemClock,
  newId: () => crypto.randomUUID(),
});
say("open");
await Promise.all(Array.from({ length: LOOPS_COUNT }, runLoop));

async function runLoop(): Promise<void> {
  const deployed: string[] = [];
  const { facts } = aFunction();
  for (;;) {
    const { record } = await registry.deploy({ tenant: "acme", name: "killed", bytes: nextModule(), facts });
    say(`deployed ${record.id} ${record.digest}`);
    deployed.push(record.id);
    if (random() < 0.4) {
      const id = deployed.splice(Math.floor(random() * deployed.length), 1)[0] ?? "";
      say(`removing ${id}`);
      await registry.remove({ type: "id", id }, "acme");
      say(`removed ${id}`);
    }
  }
}

function nextModule(): Uint8Array {
  const shared = random() < 0.5;
  const filler = Math.floor(random() * (shared ? SHARED_MODULES_COUNT : 0xffff_ffff));
  const bytes = new Uint8Array(shared ? 64 * 1024 : Math.floor(random() * BYTES_MAX) + 4);
  new DataView(bytes.buffer).setUint32(0, filler);
  return bytes;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
