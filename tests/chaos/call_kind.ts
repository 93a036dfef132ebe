/**
 * Call kinds: what the callers of a chaos run can ask for, and what may be answered.
 *
 * Owns the shape of a kind and of one planned call. Answers that any call may get because of what happens around
 * it (a killed cell, a full line) are the caller's (caller.ts). Invariant: a planned call has all that is needed
 * to judge its answer.
 */

/** The next number in [0, 1). */
export type Random = () => number;

/** Something to ask for. */
export interface CallKind {
  readonly guest: string;
  /** How often it is chosen, against others of its list. */
  readonly weight: number;
  make(random: Random, id: string): PlannedCall;
}

/** One call. */
export interface PlannedCall {
  readonly query: string;
  readonly contentType: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly deadlineMs: number;
  readonly answers: Answers;
}

/** Answers that are right, as "200" or as status and kind of the fault, each with a check of the body. */
export type Answers = ReadonlyMap<string, (body: Uint8Array) => boolean>;

/** Makes the map of right answers. */
export function answers(of: Readonly<Record<string, (body: Uint8Array) => boolean>>): Answers {
  return new Map(Object.entries(of));
}

/** A call with a JSON body. */
export function json(body: unknown, deadlineMs: number, right: Answers): PlannedCall {
  return {
    query: "",
    contentType: "application/json",
    body: JSON.stringify(body),
    deadlineMs,
    answers: right,
  };
}

/** A call whose body is the guest's input. */
export function raw(
  body: Uint8Array<ArrayBuffer>,
  query: string,
  deadlineMs: number,
  right: Answers,
): PlannedCall {
  return { query, contentType: "application/octet-stream", body, deadlineMs, answers: right };
}

/** A kind by chance, by weight. */
export function choose<Kind extends { readonly weight: number }>(
  kinds: readonly Kind[],
  random: Random,
): Kind {
  let left = random() * kinds.reduce((sum, { weight }) => sum + weight, 0);
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  throw new Error("There is nothing to choose from");
}
