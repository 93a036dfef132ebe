/**
 * Requests that are odd as requests: trace context that is none, headers without end, paths that are no route. None
 * of them is the reason for an error that it does not name.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { assertProblem, assertTraceId } from "./problem.ts";
import { RawConnection } from "./raw_http.ts";

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({ flags: ["--cells-min", "1", "--cells-max", "1"] });
  await gateway.deploy("add");
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

async function add(headers: Record<string, string>): Promise<Response> {
  return await gateway.invoke("add", { export: "add", args: [1, 1] }, headers);
}

// Trace context: never an error, whatever it is.
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const MALFORMED_TRACEPARENTS = [
  "",
  "garbage",
  `00-${TRACE}-00f067aa0ba902b7`,
  `00-${TRACE}-00f067aa0ba902b7-01-extra`,
  `ff-${TRACE}-00f067aa0ba902b7-01`,
  `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
  `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
  `00-${TRACE}-0000000000000000-01`,
  `00-${TRACE}-00f067aa0ba902b7-0g`,
  `00_${TRACE}_00f067aa0ba902b7_01`,
  `00-${TRACE}0-00f067aa0ba902b7-01`,
  `00-${TRACE}-00f067aa0ba902b7-01, 00-${TRACE}-00f067aa0ba902b7-01`,
  "0".repeat(8000),
];
for (const traceparent of MALFORMED_TRACEPARENTS) {
  Deno.test(`a traceparent of ${JSON.stringify(traceparent.slice(0, 70))} is a fresh root`, async () => {
    const response = await add({ traceparent });
    assert.equal(response.status, 200);
    assert.notEqual(assertTraceId(response), TRACE);
    await response.body?.cancel();
  });
}

Deno.test("malformed tracestate and baggage leave the trace as it is", async () => {
  const headers = {
    traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
    tracestate: "=,=,===,,,\tno",
    baggage: "%%%,=;;;,a=b;c",
  };
  const response = await add(headers);
  assert.equal(response.status, 200);
  assertTraceId(response, TRACE);
  await response.body?.cancel();
});

Deno.test("a header of 8 KiB that nobody reads is no reason for an error", async () => {
  const response = await add({ "x-large": "h".repeat(8192) });
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("headers without end are cut off, and the gateway serves on", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.send("GET /healthz HTTP/1.1\r\nhost: gateway\r\nx-large: ").catch(() => {});
  for (let sent = 0; sent < 64; sent++) {
    // The server may close in the middle of it; that is the point.
    const written = await connection.send(new Uint8Array(65_536).fill(0x68)).then(() => true, () => false);
    if (!written) break;
  }
  const answer = await connection.read();
  assert.ok(answer === undefined || [400, 431].includes(answer.status), `answered ${answer?.status}`);
  const healthy = await fetch(`${gateway.url}/healthz`);
  assert.equal(healthy.status, 200);
  await healthy.body?.cancel();
});

// Names of the trace: on every answer, whatever was asked.
const ODD_REQUESTS = [
  "GET /healthz HTTP/1.1",
  "HEAD /metrics HTTP/1.1",
  "HEAD /nowhere HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "OPTIONS /functions HTTP/1.1",
  "TRACE /functions HTTP/1.1",
  "CONNECT nowhere:80 HTTP/1.1",
  "BREW /pot HTTP/1.1",
  "PUT /functions/add HTTP/1.1",
  "GET /functions/%zz HTTP/1.1",
  "GET //healthz HTTP/1.1",
  "GET http://elsewhere/healthz HTTP/1.1",
  "GET /openapi.json HTTP/1.1",
  "GET /docs HTTP/1.1",
  "GET /traces/x HTTP/1.1",
  "GET /nowhere HTTP/1.0",
  "POST /functions/nobody/invoke-stream HTTP/1.1",
  "POST /functions HTTP/1.1",
];
for (const line of ODD_REQUESTS) {
  Deno.test(`the answer to ${line} names its trace and request`, async () => {
    using connection = await RawConnection.open(gateway.url);
    await connection.send(`${line}\r\nhost: gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    const [head = ""] = (await connection.readAll()).split("\r\n\r\n");
    const [, ...lines] = head.split("\r\n");
    const headers = lines.map((text) => text.split(": ", 2) as [string, string]);
    assertTraceId(new Response(null, { headers }));
  });
}

Deno.test("a query is no path, whatever form the target of the request has", async () => {
  for (const target of ["http://elsewhere?key=/hush", "http://elsewhere?key=/healthz", "http://elsewhere"]) {
    using connection = await RawConnection.open(gateway.url);
    await connection.send(`GET ${target} HTTP/1.1\r\nhost: gateway\r\n\r\n`);
    const answer = await connection.read();
    assert.equal(answer?.status, 404, target);
    const traceId = answer?.headers.get("x-trace-id");
    const line = await gateway.line(({ message, trace_id }) =>
      message === "request.received" && trace_id === traceId
    );
    assert.equal(line["uri"], "/");
  }
});

// Routes.
const ROUTES: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/"],
  ["GET", "/function"],
  ["POST", "/functions/add/invoke/now"],
  ["GET", "/functions/"],
  ["GET", "/functions//invoke"],
  ["OPTIONS", "/f"],
  ["GET", "/%2e%2e/%2e%2e/etc/passwd"],
  ["GET", "/docs/..%2f..%2fdeno.json"],
  ["GET", "/docs/swagger-ui-bundle.js.map"],
];
for (const [method, path] of ROUTES) {
  Deno.test(`${method} ${path} is no route`, async () => {
    const response = await fetch(`${gateway.url}${path}`, { method });
    await assertProblem(response, {
      status: 404,
      kind: "not_found",
      message: /^No such route; \/openapi\.json lists all$/,
    });
  });
}

// Methods.
const METHODS: readonly (readonly [method: string, path: string, allow: string])[] = [
  ["GET", "/functions/add/invoke", "POST"],
  ["PUT", "/functions", "POST, GET, HEAD"],
  ["PUT", "/functions/add", "GET, HEAD, DELETE"],
  ["OPTIONS", "/jobs/7", "GET, HEAD, DELETE"],
  ["DELETE", "/jobs", "GET, HEAD"],
  ["POST", "/healthz", "GET, HEAD"],
  ["BREW", "/docs", "GET, HEAD"],
];
for (const [method, path, allow] of METHODS) {
  Deno.test(`${method} ${path} is told that there is ${allow}`, async () => {
    const response = await fetch(`${gateway.url}${path}`, { method });
    assert.equal(response.headers.get("allow"), allow);
    const message = new RegExp(`, but ${allow}$`);
    await assertProblem(response, { status: 405, kind: "method_not_allowed", message });
  });
}

Deno.test("HEAD is answered as GET is, but for the body", async () => {
  for (const path of ["/functions/add", "/functions/none", "/openapi.json"]) {
    const { status, headers } = await fetch(`${gateway.url}${path}`, { method: "HEAD" });
    const whole = await fetch(`${gateway.url}${path}`);
    const length = (await whole.bytes()).length;
    assert.deepEqual(
      [status, headers.get("content-type"), headers.get("content-length")],
      [whole.status, whole.headers.get("content-type"), String(length)],
    );
    assertTraceId(new Response(null, { headers }));
  }
});

Deno.test("HEAD leaves no file open", async () => {
  const openFiles = (): number =>
    [...Deno.readDirSync(`/proc/${gateway.pid}/fd`)]
      .filter(({ name }) => linkOf(`/proc/${gateway.pid}/fd/${name}`).includes("swagger-ui")).length;
  for (let count = 0; count < 20; count++) {
    const response = await fetch(`${gateway.url}/docs/swagger-ui-bundle.js`, { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-length"), null);
  }
  // The last one may be on its way of being closed.
  for (let looks = 0; openFiles() > 0; looks++) {
    assert.ok(looks < 1000, `${openFiles()} are open`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

/** Where a descriptor leads; it may be closed by now. */
function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

for (const host of ["gateway/functions", "gateway?a=b", "gateway#a", "you@gateway", "gate way", "\\"]) {
  Deno.test(`a Host of ${JSON.stringify(host)} is refused, and is no part of the path`, async () => {
    using connection = await RawConnection.open(gateway.url);
    await connection.send(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    const answer = await connection.read();
    assert.equal(answer?.status, 400);
    assert.match(answer?.body ?? "", /"bad_request","message":"Host is not the name of a host"/);
  });
}

Deno.test("a Host may be a name, an address or empty, with a port or without", async () => {
  for (const host of ["gateway.example", "127.0.0.1:8080", "[::1]:8080", ""]) {
    using connection = await RawConnection.open(gateway.url);
    await connection.send(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    assert.equal((await connection.read())?.status, 200, host);
  }
});

Deno.test("a page of functions outside 1 to 1000, or behind a cursor of nobody's, is refused", async () => {
  for (
    const query of [
      "limit=0",
      "limit=1001",
      "limit=ten",
      "limit=",
      "cursor=nonsense",
      `cursor=${"c".repeat(201)}`,
    ]
  ) {
    const response = await fetch(`${gateway.url}/functions?${query}`);
    await assertProblem(response, { status: 400, kind: "bad_request" });
  }
});
