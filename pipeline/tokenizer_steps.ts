/**
 * What CLIP's tokenizer does with a text before the merges.
 *
 * @module
 */

/** White space by Unicode's White_Space property: JavaScript's \s has U+FEFF besides. */
const SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const keepMatches = (pattern: string) => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Removed",
  invert: true,
});

/** CLIP's normalization and word patterns (transformers 5, CLIPTokenizer), as in a `tokenizer.json`. */
export const CLIP_STEPS = {
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "NFC" },
      { type: "Replace", pattern: { Regex: `[${SPACE}]+` }, content: " " },
      // One character at a time, as there: JavaScript would lower a word's last sigma to a ς.
      { type: "Replace", pattern: { String: "Σ" }, content: "σ" },
      { type: "Lowercase" },
    ],
  },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      keepMatches(
        "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|" +
          `[\\p{L}]+|[\\p{N}]|[^${SPACE}\\p{L}\\p{N}]+`,
      ),
      // The second pass of ByteLevel, GPT-2's pattern: there are no spaces left for its other half.
      keepMatches(`'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}+|[^${SPACE}\\p{L}\\p{N}]+`),
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  },
  post_processor: null,
  decoder: { type: "ByteLevel" },
};
