/** taglib-wasm: TagLib built twice, for WASI with the new exceptions and by emscripten with the legacy ones. */
import { applyTags, readProperties, readTags, TagLib } from "taglib-wasm";

export async function run(): Promise<unknown> {
  const results: Record<string, unknown> = {};
  for (const forceWasmType of ["wasi", "emscripten"] as const) {
    const taglib = await TagLib.initialize({ forceWasmType });
    const file = await taglib.open(makeWav(4_000));
    const tag = file.tag();
    tag.setTitle("Título").setArtist("Artist").setYear(1999);
    file.save();
    results[forceWasmType] = {
      saved: file.getFileBuffer(),
      properties: file.audioProperties(),
      broken: await open(taglib, new Uint8Array(64)),
    };
    file.dispose();
  }
  const tagged = await applyTags(makeWav(1_000), { title: "t", artist: "a", year: 2001, track: 3 });
  return { ...results, tagged, tags: await readTags(tagged), properties: await readProperties(tagged) };
}

async function open(taglib: TagLib, bytes: Uint8Array): Promise<string> {
  try {
    return String((await taglib.open(bytes)).isValid());
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

/** A mono file of 16-bit samples at 8 kHz. */
function makeWav(sampleCount: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(44 + sampleCount * 2);
  const view = new DataView(bytes.buffer);
  const encoder = new TextEncoder();
  encoder.encodeInto("RIFF", bytes);
  view.setUint32(4, 36 + sampleCount * 2, true);
  bytes.set(encoder.encode("WAVEfmt "), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 8_000, true);
  view.setUint32(28, 16_000, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  bytes.set(encoder.encode("data"), 36);
  view.setUint32(40, sampleCount * 2, true);
  for (let index = 0; index < sampleCount; index++) {
    view.setInt16(44 + index * 2, Math.round(8_000 * Math.sin(index / 5)), true);
  }
  return bytes;
}
