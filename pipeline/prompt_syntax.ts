/**
 * From a prompt as people write it to what is encoded, at which step, and with which LoRAs.
 *
 * @module
 */

import { parseWeights, type WeightedText } from "./prompt_grammar.ts";
import { type ScheduledText, scheduleOf } from "./prompt_schedule.ts";

/**
 * How a prompt is read: by A1111's grammar, letter by letter as diffusers does, or, `auto`, by the
 * grammar where a mark of it is unmistakable (see {@linkcode usesGrammar}).
 */
export type PromptSyntax = "auto" | "a1111" | "plain";

/** Every {@linkcode PromptSyntax}. */
export const PROMPT_SYNTAXES: readonly PromptSyntax[] = ["auto", "a1111", "plain"];

/** A LoRA that a prompt names. */
export interface NamedLora {
  /** A file's name without its extension, or a path. */
  readonly name: string;
  /** As in `<lora:name:0.8>`; 1 where there is no number. */
  readonly weight: number;
}

/** One of the prompts that `AND` composes. */
export interface ComposedPrompt {
  /** How strongly it pulls: `a cat :1.2 AND a dog :0.8`. */
  readonly weight: number;
  /** Its texts over the steps. */
  readonly schedule: readonly ScheduledText[];
}

/** A prompt, read. */
export interface ParsedPrompt {
  /** One, or several composed by `AND`. */
  readonly composed: readonly ComposedPrompt[];
  readonly loras: readonly NamedLora[];
  /** Whether the texts still hold emphasis, and `BREAK`. */
  readonly grammar: boolean;
}

/**
 * What no plain sentence holds: `(a:1.2)`, `((a))`, `[a]`, `\(`, `BREAK` and `AND` as words of
 * their own, `<lora:...>`, `{a|b}`. Single round brackets are ordinary punctuation.
 */
const MARKS = [
  /\([^()]*:\s*[+-]?[.\d]+\s*\)/,
  /\(\(.*\)\)/s,
  /\[.*\]/s,
  /\\[()[\]]/,
  /(^|\s)(BREAK|AND)(\s|$)/,
  /<lora:[^<>]+>/,
  /\{[^{}]*\|[^{}]*\}/,
];

/** Whether `prompt` is read by the grammar under `syntax`. */
export function usesGrammar(prompt: string, syntax: PromptSyntax): boolean {
  return syntax === "a1111" || (syntax === "auto" && MARKS.some((mark) => mark.test(prompt)));
}

/** Reads a prompt for a run of `steps` steps. */
export function readPrompt(prompt: string, syntax: PromptSyntax, steps: number): ParsedPrompt {
  if (!usesGrammar(prompt, syntax)) {
    return {
      composed: [{ weight: 1, schedule: [{ until: steps, text: prompt }] }],
      loras: [],
      grammar: false,
    };
  }
  const { text, loras } = takeLoras(prompt);
  const composed = text.split(/\bAND\b/).map((part) => {
    const match = /^(.*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*$/s.exec(part);
    const [, own = part, weight] = match ?? [];
    return { weight: Number(weight ?? 1), schedule: scheduleOf(own, steps) };
  });
  return { composed, loras, grammar: true };
}

/** The weighted sections of a text; one of weight 1 where it is read letter by letter. */
export function sectionsOf(text: string, grammar: boolean): WeightedText[][] {
  return grammar ? parseWeights(text) : [[{ text, weight: 1 }]];
}

/** Takes `<lora:name:weight>` out of a prompt. */
function takeLoras(prompt: string): { text: string; loras: NamedLora[] } {
  const loras: NamedLora[] = [];
  const text = prompt.replace(/<lora:([^<>]+?)(?::([+-]?(?:\d+\.?\d*|\.\d+)))?>/g, (_, name, n) => {
    loras.push({ name, weight: Number(n ?? 1) });
    return "";
  });
  return { text, loras };
}
