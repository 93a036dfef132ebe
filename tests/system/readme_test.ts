/**
 * The README's tour, run as it is written: every curl and every look at a trace, and the answers that its comments
 * promise.
 *
 * A comment of a promised answer begins with `# {`, with `# trace` or with the name of a header; `…` in it stands for
 * anything. Lines that start a gateway of their own are left out: other tests start gateways.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";

interface Command {
  readonly text: string;
  readonly promised: readonly string[];
}

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
const GUESTS = new URL("../guests/", import.meta.url).pathname;

/** The commands of the tour's blocks, in order, each with the answers promised right after it. */
function tourCommands(): Command[] {
  const tour = README.slice(README.indexOf("## Tour"), README.indexOf("## What is here"));
  const commands: { text: string; promised: string[] }[] = [];
  for (const [, block = ""] of tour.matchAll(/```sh\n([\s\S]*?)```/g)) {
    for (const line of block.replaceAll("\\\n", " ").split("\n")) {
      if (/^# (\{|x-|trace )/.test(line)) commands.at(-1)?.promised.push(line.slice(2).trim());
      else if (/^(curl|deno task traces?) /.test(line)) commands.push({ text: line, promised: [] });
    }
  }
  return commands;
}

function toPattern(promised: string): RegExp {
  return new RegExp(
    promised.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*"),
  );
}

Deno.test("README: every command of the tour that asks the gateway answers as printed", async () => {
  await using gateway = await TestGateway.start();
  const commands = tourCommands();
  assert.ok(commands.length >= 12, `found ${commands.length} commands`);
  for (const { text, promised } of commands) {
    const { stdout, code } = await new Deno.Command("bash", {
      args: ["-o", "pipefail", "-c", text.replaceAll(/\bcurl /g, "curl --silent --show-error ")],
      cwd: GUESTS,
      env: { URL: gateway.url, TENSOR_WASM_URL: gateway.url },
    }).output();
    const answer = new TextDecoder().decode(stdout);
    // 23: head closed the pipe before curl had written everything.
    assert.ok(code === 0 || (code === 23 && text.includes("| head")), `${text}\nended with ${code}`);
    for (const line of promised) assert.match(answer, toPattern(line), text);
  }
  for (const made of ["edges.ppm", "mandelbrot.png"]) await Deno.remove(GUESTS + made);
});

Deno.test("README: both of its first commands name the version of Deno that CI runs", async () => {
  const ci = await Deno.readTextFile(new URL("../../.ci/run", import.meta.url));
  const version = /deno@([0-9.]+)/.exec(ci)?.[1];
  assert.ok(README.includes(`npx --yes deno@${version} task serve`));
  assert.ok(README.includes(`npx --yes deno@${version} task test`));
  assert.equal(Deno.version.deno, version);
});

Deno.test("README: every file and folder that it links to is there", async () => {
  for (const [, target = ""] of README.matchAll(/\]\(([^)#]+)\)/g)) {
    if (!target.startsWith("http")) await Deno.stat(new URL(`../../${target}`, import.meta.url));
  }
});
