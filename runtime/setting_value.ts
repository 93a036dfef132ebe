/**
 * SettingValue: the check of one value against the row of its setting, whatever source it came from.
 *
 * Owns the kinds of values and the error of a bad one. It does not know sources or their order (config.ts
 * does). Invariant: a checked value is the canonical text of its kind; anything else is refused by a message
 * that names the source, what was expected and what was found.
 */
import type { Setting } from "./settings.ts";

/** A configuration that cannot be started with; the message is for the operator. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Longest value that a message shows. */
const SHOWN_CHARS_MAX = 80;

/** The canonical text of a value. Throws ConfigError. */
export function checkValue(setting: Setting, source: string, value: unknown): string {
  if (setting.kind === "json") return checkJson(source, value);
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw new ConfigError(
      `Bad ${source}: expected ${setting.kind === "count" ? "a number" : setting.kind}, got ${
        showValue(value)
      }`,
    );
  }
  if (setting.kind === "text" && typeof value !== "string") {
    throw new ConfigError(`Bad ${source}: expected text, got ${showValue(value)}`);
  }
  const text = String(value).trim();
  switch (setting.kind) {
    case "text":
      if (text === "") throw new ConfigError(`Empty ${source}`);
      return text;
    case "flag":
      if (text === "1" || text === "true") return "true";
      if (text === "0" || text === "false") return "false";
      throw new ConfigError(`Bad ${source}: expected true, false, 1 or 0, got ${showValue(text)}`);
    case "choice":
      return checkChoice(setting, source, text);
    default:
      return checkNumber(setting, source, text);
  }
}

function checkChoice({ choices = [] }: Setting, source: string, text: string): string {
  if (choices.includes(text)) return text;
  const expected = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  throw new ConfigError(
    `Bad ${source}: expected ${expected}, got ${showValue(text)}${nearest(text, choices, 1)}`,
  );
}

function checkNumber(setting: Setting, source: string, text: string): string {
  if (setting.word !== undefined && text === setting.word) return text;
  const min = setting.min ?? 0;
  const max = setting.max ?? Number.MAX_SAFE_INTEGER;
  if (!/^[0-9]{1,16}$/.test(text) || Number(text) < min || Number(text) > max) {
    const word = setting.word === undefined ? "" : `${setting.word} or `;
    const unit = setting.kind === "count" ? "" : ` of ${setting.kind}`;
    const expected = `${word}a whole number${unit} in ${min}..${max}`;
    throw new ConfigError(`Bad ${source}: expected ${expected}, got ${showValue(text)}`);
  }
  return String(Number(text));
}

/** An object: itself in a file, its text elsewhere. */
function checkJson(source: string, value: unknown): string {
  let object = value;
  if (typeof value === "string") {
    try {
      object = JSON.parse(value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ConfigError(`Bad ${source}: expected JSON: ${reason}`, { cause: error });
    }
  }
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw new ConfigError(`Bad ${source}: expected a JSON object, got ${showValue(object)}`);
  }
  return JSON.stringify(object);
}

/** A value as messages show it. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

/** "; did you mean …?" for the known name that shares the longest beginning, if it is at all alike. */
export function nearest(word: string, known: Iterable<string>, sharedMin = 3): string {
  let best = "";
  let bestLength = sharedMin - 1;
  for (const candidate of known) {
    let length = 0;
    while (length < word.length && candidate[length]?.toLowerCase() === word[length]?.toLowerCase()) length++;
    if (length > bestLength) {
      best = candidate;
      bestLength = length;
    }
  }
  return best === "" ? "" : `; did you mean ${best}?`;
}
