/**
 * Makes one folder that tests and measures the CUDA device on a host without a network.
 *
 * Owns what is in it: this repository's files as git has them, the built guests among them, Deno itself
 * compressed, the module cache, the C program of the bench where it can be built, `run.sh` and a README. Argument:
 * the folder, which must not exist. Invariant: it is at most BYTES_MAX, or an error.
 */
const BYTES_MAX = 50 * 1000 * 1000;
const ROOT = new URL("../../", import.meta.url).pathname;
/** Not needed there: pages, recordings, data of benches. */
const LEFT_OUT = [/^docs\//, /^\.ci\//, /^tests\/(golden|corpus|demo|chaos)\//];
/** What is to start without a network. */
const ENTRIES = [
  "main.ts",
  "runtime/cell/main.ts",
  "tests/tools/test_gpu.ts",
  "tests/bench/gpu_hardware.ts",
  ...["contract", "contract_faults", "kernels", "failing_kernels", "differential", "guests"].map((name) =>
    `tests/gpu/hardware/${name}_test.ts`
  ),
];

const SCRIPT = `#!/bin/sh
# Runs the tests and the bench of the CUDA device from this folder; no network is needed. README.txt says more.
# Arguments: tests or bench for one of the two; anything else is what Deno is to run: sh run.sh task demo
set -e
here=$(cd "$(dirname "$0")" && pwd)
unpack() {
  if command -v xz >/dev/null; then xz -dc "$1"
  else python3 -c 'import lzma, shutil, sys
shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' "$1"
  fi
}
if [ ! -x "$here/deno" ]; then
  unpack "$here/files.tar.xz" | tar -C "$here" -xf -
  unpack "$here/deno.xz" > "$here/deno.part"
  chmod +x "$here/deno.part"
  mv "$here/deno.part" "$here/deno"
fi
export DENO_DIR="$here/deno_dir" DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 PATH="$here:$PATH"
cd "$here/repository"
status=0
part="$1"
[ -n "$part" ] || part=all
case "$part" in
all | tests | bench) [ $# -eq 0 ] || shift ;;
*) exec deno "$@" ;;
esac
if [ "$part" != bench ]; then
  deno run --quiet --cached-only --allow-all tests/tools/test_gpu.ts "$@" || status=$?
fi
if [ "$part" != tests ]; then
  deno run --quiet --cached-only --allow-all tests/bench/gpu_hardware.ts --json "$here/bench.json" "$@" || status=$?
fi
exit $status
`;

const README =
  `TensorWasm: tests and bench of the CUDA device, for a Linux host (x86-64) with an NVIDIA driver and no network.

  sh run.sh               unpacks at its first start, then tests and measures; it needs sh, tar, and xz or python3
  sh run.sh tests         the tests alone; they end within ten minutes (--seconds N for another time)
  sh run.sh bench         the bench alone; so does it (--whole-seconds N)
  sh run.sh run -A FILE   runs Deno on a file of the repository instead

First come the tests: kernels against their references, a GPU beside the CPU device element by element, every guest
through a gateway, kernels that must fail, the contract of devices. The last but one line of theirs is the row for
docs/gpu_validation.md. Then the bench: a table, and bench.json beside this file. Where libcuda does not answer both
say why and do nothing. The C program that the bench stands beside is built there if gcc and cuda.h are, else the one
in the pack is used (x86-64, glibc).

  TENSOR_WASM_CUDA_DRIVER=/path/libcuda.so.1   another driver library than the system's
  CUDA_VISIBLE_DEVICES=1                       another GPU than the first
`;

const print = (text: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

async function run(path: string, args: string[], options: Deno.CommandOptions = {}): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(path, { args, cwd: ROOT, ...options }).output();
  if (!success) throw new Error(`${path} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return stdout;
}

async function copyRepository(target: string): Promise<void> {
  const listed = new TextDecoder().decode(await run("git", ["ls-files", "-z"])).split("\0");
  for (
    const file of listed.filter((name) => name !== "" && !LEFT_OUT.some((pattern) => pattern.test(name)))
  ) {
    const to = `${target}/${file}`;
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(`${ROOT}${file}`, to);
  }
}

async function buildDriverBench(target: string): Promise<void> {
  const source = `${ROOT}tests/bench/gpu_driver.c`;
  const args = ["-O2", "-I/usr/local/cuda/include", "-o", `${target}/tests/bench/gpu_driver`, source, "-ldl"];
  try {
    await run("gcc", args);
  } catch (error) {
    print(`the C program of the bench is not in the pack: ${error instanceof Error ? error.message : error}`);
  }
}

interface ModuleGraph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<string, { name: string; version: string; dependencies: readonly string[] }>
  >;
}

/** Folders of the packages that the entries import, and of those that these need, in the cache. */
async function neededPackages(cwd: string, env: Record<string, string>): Promise<Set<string>> {
  const needed = new Set<string>();
  for (const entry of ENTRIES) {
    const text = new TextDecoder().decode(
      await run(Deno.execPath(), ["info", "--json", entry], { cwd, env }),
    );
    const { modules, npmPackages } = JSON.parse(text) as ModuleGraph;
    const add = (id: string): void => {
      const known = npmPackages[id];
      if (known === undefined || needed.has(`${known.name}/${known.version}`)) return;
      needed.add(`${known.name}/${known.version}`);
      known.dependencies.forEach(add);
    };
    for (const { npmPackage } of modules) if (npmPackage !== undefined) add(npmPackage);
  }
  return needed;
}

/** Leaves in the configuration the packages that are there: others would be asked for when the first is. */
async function trimConfiguration(repository: string, needed: ReadonlySet<string>): Promise<void> {
  const path = `${repository}/deno.json`;
  const config = JSON.parse(await Deno.readTextFile(path)) as {
    imports: Record<string, string>;
    lock: unknown;
  };
  const isThere = ([, specifier]: [string, string]): boolean => {
    const [, name, version] = /^npm:\/?(.+)@(.+?)\/?$/.exec(specifier) ?? [];
    return needed.has(`${name}/${version}`);
  };
  config.imports = Object.fromEntries(Object.entries(config.imports).filter(isThere));
  // What is in the lock beyond them goes at the first start.
  config.lock = { path: "./deno.lock", frozen: false };
  await Deno.writeTextFile(path, `${JSON.stringify(config, null, 2)}\n`);
}

/** Takes out of the cache what no entry needs: other packages of the lock, maps, texts, compiled code. */
async function trimCache(cache: string, needed: ReadonlySet<string>): Promise<void> {
  for (const { name } of [...Deno.readDirSync(cache)]) {
    if (name !== "npm") await Deno.remove(`${cache}/${name}`, { recursive: true });
  }
  const registry = `${cache}/npm/registry.npmjs.org`;
  for (const { name: first } of [...Deno.readDirSync(registry)]) {
    const names = first.startsWith("@")
      ? [...Deno.readDirSync(`${registry}/${first}`)].map(({ name }) => `${first}/${name}`)
      : [first];
    for (const name of names) {
      for (const { name: version, isDirectory } of [...Deno.readDirSync(`${registry}/${name}`)]) {
        if (isDirectory && !needed.has(`${name}/${version}`)) {
          await Deno.remove(`${registry}/${name}/${version}`, { recursive: true });
        }
      }
    }
  }
  await removeFiles(registry, /\.(map|md|d\.[cm]?ts)$/);
}

async function removeFiles(folder: string, pattern: RegExp): Promise<void> {
  for (const { name, isDirectory } of [...Deno.readDirSync(folder)]) {
    const path = `${folder}/${name}`;
    if (isDirectory) await removeFiles(path, pattern);
    else if (pattern.test(name)) await Deno.remove(path);
  }
}

/** Compresses a file, or what a command writes. */
async function compress(from: string | Deno.ChildProcess, target: string): Promise<void> {
  const file = await Deno.open(target, { write: true, createNew: true });
  const source = typeof from === "string" ? (await Deno.open(from)).readable : from.stdout;
  const args = ["-6", "-c", "--threads=1"];
  const xz = new Deno.Command("xz", { args, stdin: "piped", stdout: "piped" }).spawn();
  await Promise.all([source.pipeTo(xz.stdin), xz.stdout.pipeTo(file.writable)]);
  if (!(await xz.status).success) throw new Error(`${target} could not be compressed`);
}

async function compressFiles(folder: string): Promise<void> {
  const parts = ["deno_dir", "repository"];
  const tar = new Deno.Command("tar", { args: ["-C", folder, "-cf", "-", ...parts], stdout: "piped" })
    .spawn();
  await compress(tar, `${folder}/files.tar.xz`);
  if (!(await tar.status).success) throw new Error("tar failed");
  for (const part of parts) await Deno.remove(`${folder}/${part}`, { recursive: true });
}

async function bytesIn(path: string): Promise<number> {
  const { isDirectory, size } = await Deno.lstat(path);
  if (!isDirectory) return size;
  let sum = 0;
  for await (const { name } of Deno.readDir(path)) sum += await bytesIn(`${path}/${name}`);
  return sum;
}

async function main(): Promise<void> {
  const folder = await absolute(Deno.args[0] ?? "gpu_pack");
  await Deno.mkdir(folder);
  await copyRepository(`${folder}/repository`);
  await buildDriverBench(`${folder}/repository`);
  const env = { DENO_DIR: `${folder}/deno_dir` };
  // From here the cache is filled; there nothing is fetched.
  const cwd = `${folder}/repository`;
  await run(Deno.execPath(), ["cache", "--quiet", ...ENTRIES], { cwd, env });
  const needed = await neededPackages(cwd, env);
  await trimConfiguration(cwd, needed);
  await run(Deno.execPath(), ["cache", "--quiet", ...ENTRIES], { cwd, env });
  await trimCache(env.DENO_DIR, needed);
  await compressFiles(folder);
  await compress(Deno.execPath(), `${folder}/deno.xz`);
  await Deno.writeTextFile(`${folder}/run.sh`, SCRIPT, { mode: 0o755 });
  await Deno.writeTextFile(`${folder}/README.txt`, README);
  for (const name of ["deno.xz", "files.tar.xz"]) {
    print(`${name.padEnd(12)} ${((await bytesIn(`${folder}/${name}`)) / 1e6).toFixed(1)} MB`);
  }
  const bytes = await bytesIn(folder);
  if (bytes > BYTES_MAX) throw new Error(`The pack has ${bytes} bytes, at most ${BYTES_MAX} are allowed`);
  print(`${folder}: ${(bytes / 1e6).toFixed(1)} MB; start it with sh run.sh`);
}

/** Where a path leads from the folder that the command was given in. */
async function absolute(path: string): Promise<string> {
  return path.startsWith("/") ? path : `${await Deno.realPath(".")}/${path}`;
}

await main();
