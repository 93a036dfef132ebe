/**
 * Jobs over HTTP, for tests: submitted, read, followed.
 */
import assert from "node:assert/strict";
import type { TestGateway } from "../support/gateway.ts";

/** A job as the API shows it. */
export interface ShownJob {
  readonly id: string;
  readonly function_id: string;
  readonly tenant_id: number;
  readonly status: string;
  readonly state: string;
  readonly attempt: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly output_bytes?: number;
  readonly trace_id?: string;
  readonly cancel_requested?: boolean;
}

type HeaderValues = Readonly<Record<string, string>>;

/** Posts a JSON body, or bytes as they are, to `invoke-async`. */
export async function postJob(
  gateway: TestGateway,
  ref: string,
  body: unknown = {},
  headers: HeaderValues = {},
): Promise<Response> {
  const isRaw = body instanceof Uint8Array;
  return await fetch(`${gateway.url}/functions/${encodeURIComponent(ref)}/invoke-async`, {
    method: "POST",
    headers: { "content-type": isRaw ? "application/octet-stream" : "application/json", ...headers },
    body: isRaw ? body as Uint8Array<ArrayBuffer> : JSON.stringify(body),
  });
}

/** Submits a job that is accepted; answers its id. */
export async function submitJob(
  gateway: TestGateway,
  ref: string,
  body: unknown = {},
  headers: HeaderValues = {},
): Promise<string> {
  const response = await postJob(gateway, ref, body, headers);
  const text = await response.text();
  assert.equal(response.status, 202, text);
  const { job_id: id } = JSON.parse(text);
  assert.equal(response.headers.get("location"), `/jobs/${id}`);
  return id;
}

/** Reads a job; `query` as in `?wait=1s`. */
export async function readJob(
  gateway: TestGateway,
  id: string,
  query = "",
  headers: HeaderValues = {},
): Promise<ShownJob> {
  const response = await fetch(`${gateway.url}/jobs/${id}${query}`, { headers });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** A job once it has ended. */
export async function endedJob(
  gateway: TestGateway,
  id: string,
  headers: HeaderValues = {},
): Promise<ShownJob> {
  const job = await readJob(gateway, id, "?wait=60s", headers);
  assert.notEqual(job.status, "pending", `job ${id} has not ended within its wait`);
  return job;
}

/** Waits until a job runs. */
export async function runningJob(gateway: TestGateway, id: string): Promise<void> {
  await gateway.line((line) => line.message === "job.started" && line["job_id"] === id);
}

/** Cancels a job; answers the status and the job. */
export async function cancelJob(gateway: TestGateway, id: string): Promise<[status: number, job: ShownJob]> {
  const response = await fetch(`${gateway.url}/jobs/${id}`, { method: "DELETE" });
  return [response.status, await response.json()];
}

/** The events of a whole stream: name and parsed data. */
export async function eventsOf(response: Response): Promise<[name: string, data: ShownJob][]> {
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const frames = (await response.text()).split("\n\n").filter((frame) => frame.startsWith("event: "));
  return frames.map((frame) => {
    const [, name = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
    return [name, JSON.parse(data)];
  });
}
