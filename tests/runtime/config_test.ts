import assert from "node:assert/strict";
import { ConfigError, DEFAULT_LIMITS, makeConfig, SETTINGS } from "../../runtime/mod.ts";
import type { ConfigSources, RuntimeConfig } from "../../runtime/mod.ts";

function config(sources: Partial<ConfigSources>): RuntimeConfig {
  return makeConfig({ env: {}, flags: {}, ...sources });
}

Deno.test("makeConfig() without sources is the defaults", () => {
  const { hostname, port, dataFolder, limits, cellsMin } = config({});
  assert.deepEqual([hostname, port, dataFolder, cellsMin], ["127.0.0.1", 8080, "./.tensor-wasm", 2]);
  assert.deepEqual(limits, DEFAULT_LIMITS);
});

Deno.test("makeConfig() lets a flag win over a variable, a variable over the file", () => {
  const file = { deadlineMs: 1, cellsMin: 3, bodyBytesMax: 7 };
  const env = { TENSOR_WASM_DEADLINE_MS: "2", TENSOR_WASM_CELLS_MIN: "4" };
  const { limits, cellsMin } = config({ file, env, flags: { "deadline-ms": "5" } });
  assert.deepEqual([limits.deadlineMs, cellsMin, limits.bodyBytesMax], [5, 4, 7]);
});

Deno.test("SETTINGS has a row for every limit, with its default", () => {
  for (const [key, value] of Object.entries(DEFAULT_LIMITS)) {
    assert.equal(SETTINGS.find((setting) => setting.key === key)?.fallback, String(value), key);
  }
});

const CELLS: readonly (readonly [flags: Record<string, string>, coresCount: number, cellsMax: number])[] = [
  [{}, 1, 2],
  [{}, 2, 2],
  [{}, 3, 3],
  [{}, 257, 256],
  [{ "cells-min": "5" }, 4, 5],
  [{ "cells-max": "auto", "cells-min": "1" }, 1, 1],
  [{ "cells-max": "7" }, 4, 7],
  [{ "cells-max": "1", "cells-min": "3" }, 4, 3],
];

for (const [flags, coresCount, cellsMax] of CELLS) {
  Deno.test(`makeConfig() has at most ${cellsMax} cells on ${coresCount} cores for ${JSON.stringify(flags)}`, () => {
    assert.equal(config({ flags, coresCount }).cellsMax, cellsMax);
  });
}

Deno.test("makeConfig() asks the machine for its cores", () => {
  assert.equal(config({}).cellsMax, Math.max(2, Math.min(256, navigator.hardwareConcurrency)));
});

Deno.test("SETTINGS has no key, flag or variable twice", () => {
  for (const name of ["key", "flag", "env"] as const) {
    assert.equal(new Set(SETTINGS.map((setting) => setting[name])).size, SETTINGS.length, name);
  }
});

Deno.test("SETTINGS has every default within its range", () => {
  for (const { key, fallback, word, min, max } of SETTINGS) {
    if (max === undefined || fallback === word) continue;
    assert.ok(Number(fallback) >= (min ?? 0) && Number(fallback) <= max, key);
  }
});

for (const setting of SETTINGS.filter(({ max }) => max !== undefined)) {
  Deno.test(`makeConfig() takes --${setting.flag} at both ends of its range and refuses one beyond`, () => {
    const { min = 0, max = 0 } = setting;
    for (const value of [min, max]) config({ flags: { [setting.flag]: String(value) } });
    const word = setting.word === undefined ? "" : `${setting.word} or `;
    const unit = setting.kind === "count" ? "" : ` of ${setting.kind}`;
    const expected = `${word}a whole number${unit} in ${min}..${max}`;
    for (const value of [min - 1, max + 1]) {
      assert.throws(() => config({ flags: { [setting.flag]: String(value) } }), {
        name: "ConfigError",
        message: `Bad flag --${setting.flag}: expected ${expected}, got "${value}"`,
      });
    }
  });
}

const REFUSED: readonly (readonly [Partial<ConfigSources>, RegExp])[] = [
  [{ flags: { adr: "x" } }, /^Unknown flag --adr; did you mean|^Unknown flag --adr$/],
  [{ flags: { "cells-mni": "1" } }, /^Unknown flag --cells-mni; did you mean cells-m/],
  [{ file: { deadlinems: 1 } }, /^Unknown file setting "deadlinems"; did you mean deadlineMs\?$/],
  [
    { file: { deadlinems: 1 }, filePath: "/etc/x.json" },
    /^Unknown file setting "deadlinems" in \/etc\/x\.json; did you mean deadlineMs\?$/,
  ],
  [
    { file: { cellsMin: "x" }, filePath: "/etc/x.json" },
    /^Bad file setting cellsMin in \/etc\/x\.json: expected a whole number in 1\.\.256, got "x"$/,
  ],
  [{ file: { data: null } }, /^Bad file setting data: expected text, got null$/],
  [{ file: { data: 5 } }, /^Bad file setting data: expected text, got 5$/],
  [{ file: { cellsMin: ["2"] } }, /^Bad file setting cellsMin: expected a number, got \["2"\]$/],
  [{ file: { data: ["here"] } }, /^Bad file setting data: expected text, got \["here"\]$/],
  [{ file: { "cells-min": 1 } }, /^Unknown file setting "cells-min"/],
  [{ file: { cellsMin: 0 } }, /^Bad file setting cellsMin: .* got "0"$/],
  [{ file: { deadlineMs: 1.5 } }, /^Bad file setting deadlineMs: .* got "1\.5"$/],
  [{ env: { TENSOR_WASM_CELLS_MIN: "two" } }, /^Bad variable TENSOR_WASM_CELLS_MIN: expected a whole number/],
  [{ env: { TENSOR_WASM_API_REQUIRE_TENANT: "yes" } }, /expected true, false, 1 or 0, got "yes"$/],
  [
    { flags: { addr: "localhost" } },
    /^Bad addr: expected host:port or \[ipv6\]:port, port in 0\.\.65535, got "localhost"$/,
  ],
  [{ flags: { addr: "127.0.0.1" } }, /^Bad addr: .*"127\.0\.0\.1"$/],
  [{ flags: { addr: "127.0.0.1:65536" } }, /^Bad addr/],
  [
    { flags: { addr: "0.0.0.0:80" } },
    /^Refusing to listen on 0\.0\.0\.0: .*--allow-plaintext-public and --allow-dev-mode/,
  ],
  [{ flags: { addr: "[::]:80", "allow-dev-mode": true } }, /^Refusing to listen on ::/],
  [
    { flags: { addr: "0.0.0.0:80", "allow-plaintext-public": true } },
    /^Refusing to listen .* Set both --allow-plaintext-public and --allow-dev-mode/,
  ],
  [
    { flags: { addr: "0.0.0.0:80" }, env: { TENSOR_WASM_API_ALLOW_DEV_MODE: "1" } },
    /^Refusing to listen .* Set both --allow-plaintext-public and --allow-dev-mode/,
  ],
  [{ flags: { "cells-max": "Auto" } }, /expected auto or a whole number in 1\.\.256, got "Auto"$/],
  [{ flags: { "cells-min": "auto" } }, /expected a whole number in 1\.\.256, got "auto"$/],
  [{ flags: { "fuel-max": "9007199254740993" } }, /in 0\.\.9007199254740991, got "9007199254740993"$/],
  [{ file: { data: "x".repeat(99), cellsMin: "y".repeat(200) } }, /got "y{79}…$/],
  [
    { env: { TENSOR_WASM_GPU: "gpu" } },
    /^Bad variable TENSOR_WASM_GPU: expected auto, cpu, cuda or off, got "gpu"$/,
  ],
  [{ flags: { gpu: "Off" } }, /^Bad flag --gpu: .*, got "Off"; did you mean off\?$/],
  [
    { flags: { "gpu-driver": "libcuda.so.1" } },
    /^Bad gpuDriver: expected an absolute path without a comma, /,
  ],
  [{ env: { TENSOR_WASM_CUDA_DRIVER: "/a,/b" } }, /^Bad gpuDriver: .*, got "\/a,\/b"$/],
  [{ env: { TENSOR_WASM_TRACE_EXPORTER: "jaeger" } }, /expected none, stdout or otlp/],
  [{ env: { OTEL_DENO: "true" } }, /OTEL_DENO is set/],
];

for (const [sources, message] of REFUSED) {
  Deno.test(`makeConfig() refuses ${JSON.stringify(sources)}`, () => {
    assert.throws(
      () => config(sources),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  });
}

const DEVICES: readonly (readonly [flags: Record<string, string>, device: string, threads: number])[] = [
  [{}, "auto", 1],
  [{ gpu: "cuda" }, "cuda", 1],
  [{ gpu: "cpu", "gpu-threads": "4" }, "cpu", 4],
  [{ gpu: "off" }, "off", 1],
];

for (const [flags, device, threads] of DEVICES) {
  Deno.test(`makeConfig() makes ${device} with ${threads} threads of ${JSON.stringify(flags)}`, () => {
    const { gpu } = config({ flags });
    assert.deepEqual([gpu.device, gpu.threads, gpu.driverPath], [device, threads, undefined]);
  });
}

Deno.test("makeConfig() hands the driver's variables on, but for those of its cache", () => {
  const env = {
    ...{ CUDA_VISIBLE_DEVICES: "1,0", CUDA_CACHE_PATH: "/cache", CUDA_CACHE_DISABLE: "0" },
    ...{ TENSOR_WASM_CUDA_DRIVER: "/opt/libcuda.so.1", TENSOR_WASM_GPU_CELLS_PER_DEVICE_MAX: "3" },
  };
  const { driverEnvironment, cacheFolder, driverPath, cellsPerDeviceMax } = config({ env }).gpu;
  assert.deepEqual(driverEnvironment, { CUDA_VISIBLE_DEVICES: "1,0" });
  assert.deepEqual([cacheFolder, driverPath, cellsPerDeviceMax], ["/cache", "/opt/libcuda.so.1", 3]);
});

Deno.test("makeConfig() listens beyond loopback when it is told twice", () => {
  const flags = { addr: "0.0.0.0:80", "allow-plaintext-public": true, "allow-dev-mode": "1" };
  assert.equal(config({ flags }).hostname, "0.0.0.0");
});

for (const addr of ["localhost:1", "127.9.9.9:1", "[::1]:1"]) {
  Deno.test(`makeConfig() takes ${addr} for loopback`, () => {
    assert.equal(config({ flags: { addr } }).port, 1);
  });
}

Deno.test("makeConfig() does not warn of the variables of the commands that ask a gateway", () => {
  const env = { TENSOR_WASM_URL: "http://127.0.0.1:1", TENSOR_WASM_TENANT: "7" };
  assert.deepEqual(config({ env }).telemetry.warnings, []);
});

Deno.test("makeConfig() warns of variables of ours that nobody reads", () => {
  const { telemetry } = config({ env: { TENSOR_WASM_CELLS_MINIMUM: "1" } });
  assert.deepEqual(telemetry.warnings, [
    "TENSOR_WASM_CELLS_MINIMUM is not a variable of this version; did you mean TENSOR_WASM_CELLS_MIN?, ignored",
  ]);
});

const CRAMPED: readonly (readonly [flags: Record<string, string>, warnings: readonly string[]])[] = [
  [{}, []],
  [
    { "memory-bytes-max": "134217728", "heap-bytes-max": "134217728", "cell-memory-bytes-max": "134217728" },
    [],
  ],
  [
    { "memory-bytes-max": "134217729", "heap-bytes-max": "134217728", "cell-memory-bytes-max": "134217728" },
    ["memoryBytesMax is 134217729, more than cellMemoryBytesMax (134217728): one guest can bloat its cell"],
  ],
  [
    { "memory-bytes-max": "65536", "heap-bytes-max": "134217729", "cell-memory-bytes-max": "134217728" },
    ["heapBytesMax is 134217729, more than cellMemoryBytesMax (134217728): one guest can bloat its cell"],
  ],
];

for (const [flags, warnings] of CRAMPED) {
  Deno.test(`makeConfig() warns ${warnings.length} times of ${JSON.stringify(flags)}`, () => {
    assert.deepEqual(config({ flags }).telemetry.warnings, warnings);
  });
}

Deno.test("makeConfig() takes the file's section telemetry below the variables", () => {
  const file = { telemetry: { tracing: { exporter: "stdout" }, variables: { OTEL_SERVICE_NAME: "file" } } };
  const { telemetry } = makeConfig({ env: {}, flags: {}, file });
  assert.deepEqual([telemetry.tracing.exporter, telemetry.serviceName], ["stdout", "file"]);
  const over = makeConfig({ env: { OTEL_SERVICE_NAME: "env" }, flags: {}, file });
  assert.equal(over.telemetry.serviceName, "env");
  const bad = { telemetry: { loudness: 11 } };
  assert.throws(
    () => makeConfig({ env: {}, flags: {}, file: bad }),
    /^ConfigError: Unknown telemetry\.loudness, /,
  );
});
