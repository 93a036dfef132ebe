/**
 * Mutations: one module and a stream of choices in, a broken or odd module out.
 *
 * Owns how bytes are changed; what is expected of the outcome is in mutant_check.ts. Invariant: the same bytes
 * and choices give the same mutant, of at most twice the size of its parents together.
 */
import type { Choices } from "../runtime/wasm/generate/choices.ts";
import { u } from "../support/module_bytes.ts";

/** Changes bytes from an offset on; `other` is a second module. */
type Mutation = (bytes: Uint8Array, choices: Choices, other: Uint8Array, from?: number) => Uint8Array;

const HEADER_BYTES = 8;
const CODE_SECTION = 10;

/** Bytes at which LEB128 integers, opcodes and types change their meaning. */
const ODD_BYTES = [
  0x00,
  0x01,
  0x02,
  0x03,
  0x0b,
  0x0f,
  0x10,
  0x3f,
  0x40,
  0x60,
  0x63,
  0x7e,
  0x7f,
  0x80,
  0xfb,
  0xfc,
  0xfd,
  0xfe,
  0xff,
];

function replaced(bytes: Uint8Array, start: number, end: number, middle: Uint8Array): Uint8Array {
  const out = new Uint8Array(start + middle.length + bytes.length - end);
  out.set(bytes.subarray(0, start));
  out.set(middle, start);
  out.set(bytes.subarray(end), start + middle.length);
  return out;
}

/** Any place behind an offset, more often than not in the first few hundred bytes. */
function place(bytes: Uint8Array, choices: Choices, from = HEADER_BYTES): number {
  if (bytes.length <= from) return Math.min(from, bytes.length);
  const length = choices.oneIn(2) ? Math.min(bytes.length - from, 300) : bytes.length - from;
  return from + choices.below(length);
}

const flipBit: Mutation = (bytes, choices, _other, from) => {
  const out = bytes.slice();
  const at = place(bytes, choices, from);
  if (at < out.length) out[at] = (out[at] ?? 0) ^ (1 << choices.below(8));
  return out;
};

const setByte: Mutation = (bytes, choices, _other, from) => {
  const out = bytes.slice();
  const at = place(bytes, choices, from);
  if (at < out.length) out[at] = choices.oneIn(3) ? choices.below(256) : choices.pick(ODD_BYTES);
  return out;
};

/** Another constant or index, or an instruction of the same family. */
const nudge: Mutation = (bytes, choices, _other, from) => {
  const out = bytes.slice();
  const at = place(bytes, choices, from);
  if (at < out.length) out[at] = (out[at] ?? 0) + choices.pick([1, 2, -1, -2]);
  return out;
};

const truncate: Mutation = (bytes, choices) => bytes.slice(0, place(bytes, choices));

const insert: Mutation = (bytes, choices, _other, from) => {
  const at = place(bytes, choices, from);
  const fresh = Uint8Array.from({ length: choices.between(1, 6) }, () => choices.pick(ODD_BYTES));
  return replaced(bytes, at, at, fresh);
};

const remove: Mutation = (bytes, choices, _other, from) => {
  const at = place(bytes, choices, from);
  return replaced(bytes, at, Math.min(bytes.length, at + choices.between(1, 6)), new Uint8Array());
};

/** Repeats or moves a few bytes within the module. */
const repeat: Mutation = (bytes, choices, _other, from) => {
  const origin = place(bytes, choices, from);
  const piece = bytes.slice(origin, origin + choices.between(1, 24));
  const at = place(bytes, choices, from);
  return replaced(bytes, at, choices.oneIn(2) ? at : Math.min(bytes.length, at + piece.length), piece);
};

/** Writes a small integer in more bytes than it needs, or an integer at the end of its range. */
const oddInteger: Mutation = (bytes, choices, _other, from) => {
  const at = place(bytes, choices, from);
  const small = (bytes[at] ?? 0) & 0x7f;
  const forms = [
    [small | 0x80, 0],
    [small | 0x80, 0x80, 0x80, 0x80, 0],
    [small | 0x80, 0x80, 0x80, 0x80, 0x80, 0],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [0xff, 0xff, 0xff, 0xff, 0x07],
    [0x80, 0x80, 0x80, 0x80, 0x78],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  ];
  return replaced(bytes, at, Math.min(at + 1, bytes.length), Uint8Array.from(choices.pick(forms)));
};

/** A piece of a module: where it begins, where its content begins, and where it ends. */
interface Piece {
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** The piece whose size stands at an offset; undefined if it does not lie in the bytes. */
function pieceAt(bytes: Uint8Array, start: number, sizeAt: number): Piece | undefined {
  let at = sizeAt;
  let size = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++] ?? 0;
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return at + size > bytes.length ? undefined : { start, content: at, end: at + size };
}

/** The sections, as far as they can be followed. */
function sectionsOf(bytes: Uint8Array): Piece[] {
  const sections: Piece[] = [];
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const piece = pieceAt(bytes, at, at + 1);
    if (piece === undefined) break;
    sections.push(piece);
    at = piece.end;
  }
  return sections;
}

/** The bodies of a code section, as far as they can be followed. */
function bodiesOf(bytes: Uint8Array, section: Piece): Piece[] {
  const bodies: Piece[] = [];
  let at = section.content;
  while ((bytes[at++] ?? 0) >= 0x80);
  while (at < section.end) {
    const piece = pieceAt(bytes, at, at);
    if (piece === undefined || piece.end > section.end) break;
    bodies.push(piece);
    at = piece.end;
  }
  return bodies;
}

const WITHIN: readonly Mutation[] = [nudge, nudge, flipBit, setByte, insert, remove, repeat, oddInteger];

/** Changes the content of a section or of one function, and sets the sizes right again. */
const framed: Mutation = (bytes, choices, other) => {
  const sections = sectionsOf(bytes);
  if (sections.length === 0) return bytes;
  const code = sections.find(({ start }) => bytes[start] === CODE_SECTION);
  const section = code === undefined || choices.oneIn(3) ? choices.pick(sections) : code;
  let content: Uint8Array = bytes.slice(section.content, section.end);
  const bodies = section === code ? bodiesOf(bytes, section) : [];
  if (bodies.length === 0) content = choices.pick(WITHIN)(content, choices, other, 0);
  else {
    const body = choices.pick(bodies);
    const changed = choices.pick(WITHIN)(bytes.slice(body.content, body.end), choices, other, 0);
    const sized = Uint8Array.from([...u(changed.length), ...changed]);
    content = replaced(content, body.start - section.content, body.end - section.content, sized);
  }
  const head = Uint8Array.from([bytes[section.start] ?? 0, ...u(content.length)]);
  const fresh = replaced(content, 0, 0, head);
  return replaced(bytes, section.start, section.end, fresh);
};

/** Puts a section of the other module in the place of one of this module, or in front of it. */
const spliceSection: Mutation = (bytes, choices, other) => {
  const [mine, theirs] = [sectionsOf(bytes), sectionsOf(other)];
  if (mine.length === 0 || theirs.length === 0) return bytes;
  const to = choices.pick(mine);
  const from = choices.pick(theirs);
  const end = choices.oneIn(3) ? to.start : to.end;
  return replaced(bytes, to.start, end, other.subarray(from.start, from.end));
};

const dropSection: Mutation = (bytes, choices) => {
  const sections = sectionsOf(bytes);
  if (sections.length === 0) return bytes;
  const { start, end } = choices.pick(sections);
  return replaced(bytes, start, end, new Uint8Array());
};

/** The head of this module and the tail of the other. */
const crossOver: Mutation = (bytes, choices, other) => {
  const at = place(bytes, choices);
  const from = place(other, choices);
  return replaced(bytes, at, bytes.length, other.subarray(from, from + bytes.length));
};

const MUTATIONS: readonly Mutation[] = [
  ...Array<Mutation>(20).fill(framed),
  flipBit,
  setByte,
  insert,
  remove,
  repeat,
  oddInteger,
  truncate,
  spliceSection,
  dropSection,
  crossOver,
];

/** One to four mutations, one after the other. */
export function mutate(bytes: Uint8Array, choices: Choices, other: Uint8Array): Uint8Array<ArrayBuffer> {
  let mutant: Uint8Array = bytes;
  const count = choices.oneIn(3) ? choices.between(2, 4) : 1;
  for (let done = 0; done < count; done++) mutant = choices.pick(MUTATIONS)(mutant, choices, other);
  return new Uint8Array(mutant);
}
