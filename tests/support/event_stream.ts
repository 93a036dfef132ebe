/**
 * An independent reader of server-sent events, by the HTML Living Standard §9.2.6, for tests.
 *
 * Invariant: it knows nothing of how the gateway writes them; line ends are whatever the standard allows.
 */

/** One event. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

/** Parses a whole stream; comments and an unfinished event at the end are dropped, as the standard says. */
export function parseEvents(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let type = "";
  let data = "";
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  lines.pop();
  for (const line of lines) {
    if (line === "") {
      if (data !== "") events.push({ type: type === "" ? "message" : type, data: data.slice(0, -1) });
      type = data = "";
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") type = value;
    if (field === "data") data += `${value}\n`;
  }
  return events;
}

/** The guest's bytes, out of the events of its chunks. */
export function bytesOf(events: readonly StreamEvent[]): Uint8Array {
  const parts = events.flatMap(({ type, data }) => {
    if (type === "chunk") return [new TextEncoder().encode(data)];
    return type === "chunk_b64" ? [Uint8Array.fromBase64(data)] : [];
  });
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
