/**
 * CLIP's tokenizer: from text to the numbers that the text encoders take.
 *
 * @module
 */

import { Tokenizer } from "npm:@huggingface/tokenizers@0.2.0";
import { clipMerges, clipVocabulary } from "./clip_vocabulary.ts";
import { readTokenizerFiles, type TokenizerFiles } from "./tokenizer_files.ts";
import { CLIP_STEPS } from "./tokenizer_steps.ts";

/** A text as the ids of one window of the text encoder. */
export interface EncodedText {
  /** Start, text, end, padding: exactly as many as asked for. */
  readonly ids: number[];
  /** Where the end-of-text token is: SDXL's second encoder pools there. */
  readonly eosIndex: number;
  /** The end of the text that did not fit, as the tokenizer reads it; empty when all did. */
  readonly truncated: string;
}

/**
 * CLIP's byte-level BPE, equal to the CLIPTokenizer of transformers 5: NFC, one space for any
 * white space, lower case, then the merges (Radford et al. 2021, arXiv:2103.00020, section 2.4).
 */
export class ClipTokenizer {
  /** Id of the token that starts a text. */
  readonly bos: number;
  /** Id of the token that ends it. */
  readonly eos: number;
  /** Id of the token that fills the rest of the window. */
  readonly pad: number;
  /** Tokens in a window, with start and end: 77 for all of CLIP's text encoders. */
  readonly maxLength: number;

  readonly #files: TokenizerFiles;
  readonly #added: Map<string, AddedToken>;
  /** For a token of several vectors, by the first one's id: all of its ids. */
  readonly #expansions = new Map<number, readonly number[]>();
  #size: number;
  #tokenizer: Tokenizer | undefined;

  /** A tokenizer of these parts; `open` reads them from a folder. */
  constructor(files: TokenizerFiles) {
    const { vocab, special, added, maxLength } = files;
    this.#files = files;
    const ids = [...Object.values(vocab), ...Object.values(added)];
    this.#size = ids.reduce((most, id) => Math.max(most, id), -1) + 1;
    this.#added = new Map(
      Object.entries(added).map(([content, id]) => [content, addedToken(id, content, true)]),
    );
    for (const { content, normalized } of Object.values(special)) {
      const id = vocab[content] ?? added[content] ?? this.#size++;
      this.#added.set(content, { ...addedToken(id, content, normalized), special: true });
    }
    const idOf = (role: keyof typeof special) => this.#added.get(special[role].content)!.id;
    this.bos = idOf("bos_token");
    this.eos = idOf("eos_token");
    this.pad = idOf("pad_token");
    this.maxLength = maxLength;
  }

  /**
   * Opens the tokenizer folder of a pipeline: `vocab.json` with `merges.txt`, or `tokenizer.json`;
   * `special_tokens_map.json` and `tokenizer_config.json` where they are.
   * @throws {ModelFormatError} that names the file at fault.
   */
  static async open(folder: string): Promise<ClipTokenizer> {
    return new ClipTokenizer(await readTokenizerFiles(folder));
  }

  /**
   * The full vocabulary of CLIP, from this program's own assets, for checkpoints that have none.
   * `pad` fills windows: end-of-text for CLIP-L, "!" for the encoders of SD 2 and SDXL's second.
   */
  static async clip(pad: "<|endoftext|>" | "!" = "<|endoftext|>"): Promise<ClipTokenizer> {
    const merges = await clipMerges();
    // As in the tokenizer files of SD 1.5 and SDXL: all but the padding are found in any case.
    const token = (content: string) => ({ content, normalized: true });
    return new ClipTokenizer({
      vocab: clipVocabulary(merges),
      merges,
      added: {},
      special: {
        bos_token: token("<|startoftext|>"),
        eos_token: token("<|endoftext|>"),
        unk_token: token("<|endoftext|>"),
        pad_token: { content: pad, normalized: false },
      },
      maxLength: 77,
    });
  }

  /** How many ids there are, with the added ones: the rows of the token embedding. */
  get size(): number {
    return this.#size;
  }

  /**
   * The ids of one window: start, text, end, then padding up to `length`.
   * @throws {RangeError} when the text does not fit and `truncate` is false.
   */
  encode(
    text: string,
    { length = this.maxLength, truncate = true }: { length?: number; truncate?: boolean } = {},
  ): EncodedText {
    const all = this.encodeText(text);
    const kept = all.slice(0, Math.max(0, length - 2));
    const truncated = this.decode(all.slice(kept.length));
    if (!truncate && all.length > kept.length) {
      throw new RangeError(
        `Cannot encode the text: it is too long; got ${all.length} tokens, expected at most ` +
          `${kept.length}. Shorten it by "${truncated}".`,
      );
    }
    return { ids: this.frame(kept, length), eosIndex: kept.length + 1, truncated };
  }

  /** The ids of the text alone, of any number: what long prompts are cut into windows from. */
  encodeText(text: string): number[] {
    const { ids } = this.#ready().encode(text, { add_special_tokens: false });
    return this.#expansions.size === 0
      ? ids
      : ids.flatMap((id) => this.#expansions.get(id) ?? [id]);
  }

  /**
   * A window around ids without start and end.
   * @throws {RangeError} when they do not fit between them.
   */
  frame(ids: readonly number[], length: number = this.maxLength): number[] {
    if (!Number.isInteger(length) || ids.length + 2 > length) {
      throw new RangeError(
        `Cannot make a window of ${length} tokens; expected at least ${ids.length + 2}.`,
      );
    }
    const padding = new Array<number>(length - ids.length - 2).fill(this.pad);
    return [this.bos, ...ids, this.eos, ...padding];
  }

  /** Each id's piece of text as the vocabulary spells it, `</w>` at the end of words. */
  tokens(ids: readonly number[]): string[] {
    return ids.map((id) => this.#ready().id_to_token(id) ?? this.#unknown(id));
  }

  /** The text of ids as the tokenizer sees it: lower case, one space between words. */
  decode(ids: readonly number[]): string {
    if (ids.length === 0) return "";
    for (const id of ids) if (this.#ready().id_to_token(id) === undefined) this.#unknown(id);
    const text = this.#ready().decode([...ids], { clean_up_tokenization_spaces: false });
    return text.replaceAll("</w>", " ").trim();
  }

  /**
   * Adds a token of `count` vectors, for textual inversion (Gal et al. 2022, arXiv:2208.01618), and
   * gives its new ids. Its name in a text then stands for all of them; the single ones are called
   * as in diffusers: `name`, `name_1`, `name_2`, ...
   * @throws {RangeError} when the name is empty or taken, or `count` is not at least 1.
   */
  addToken(name: string, count = 1): number[] {
    const names = Array.from({ length: count }, (_, i) => i === 0 ? name : `${name}_${i}`);
    const taken = names.find((n) => this.#added.has(n) || Object.hasOwn(this.#files.vocab, n));
    if (name.trim() === "" || !(count >= 1) || taken !== undefined) {
      const why = taken === undefined
        ? "it needs a name and a vector"
        : `${taken} is there already`;
      throw new RangeError(`Cannot add token "${name}" of ${count} vectors: ${why}.`);
    }
    const ids = names.map((content) => {
      const id = this.#size++;
      this.#added.set(content, addedToken(id, content, true));
      return id;
    });
    if (count > 1) this.#expansions.set(ids[0]!, ids);
    this.#tokenizer = undefined;
    return ids;
  }

  /** Built when first needed, and again after `addToken`: the package has no way to add later. */
  #ready(): Tokenizer {
    const { vocab, merges, special } = this.#files;
    return this.#tokenizer ??= new Tokenizer({
      added_tokens: [...this.#added.values()],
      ...CLIP_STEPS,
      model: {
        type: "BPE",
        unk_token: special.unk_token.content,
        end_of_word_suffix: "</w>",
        vocab,
        merges,
      },
    }, {});
  }

  #unknown(id: number): never {
    throw new RangeError(`Cannot read token ${id}; expected 0 to ${this.#size - 1}.`);
  }
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Found after lower-casing, not in the raw text. */
  readonly normalized: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly special: boolean;
}

function addedToken(id: number, content: string, normalized: boolean): AddedToken {
  return {
    id,
    content,
    normalized,
    single_word: false,
    lstrip: false,
    rstrip: false,
    special: false,
  };
}
