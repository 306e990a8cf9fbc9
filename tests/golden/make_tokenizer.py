"""Makes tests/golden/tokenizer/expected.json: what transformers' CLIPTokenizer makes of difficult text.

    python tests/golden/make_tokenizer.py BPE      (transformers 5; BPE is open_clip's bpe_simple_vocab_16e6.txt.gz)

The small tokenizers beside it come from the reference pipelines (the first 700 merges of CLIP) and from the embedded
model; "clip" is the full vocabulary, made from BPE as open_clip's SimpleTokenizer makes it.
"""
import gzip, json, os, random, shutil, sys, tempfile
import tokenizers, transformers
from transformers import CLIPTokenizer

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer")

def byte_alphabet():
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]

def full_clip(folder, bpe):
    lines = gzip.open(bpe, "rt", encoding="utf-8").read().split("\n")
    merges = lines[1:49152 - 256 - 2 + 1]
    alphabet = byte_alphabet()
    vocab = alphabet + [c + "</w>" for c in alphabet] + ["".join(m.split()) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    with open(f"{folder}/vocab.json", "w", encoding="utf-8") as f: json.dump({t: i for i, t in enumerate(vocab)}, f, ensure_ascii=False)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as f: f.write("#version: 0.2\n" + "\n".join(merges) + "\n")
    for name in ("tokenizer_config.json", "special_tokens_map.json"): shutil.copy(f"{HERE}/sd1/{name}", folder)

WRITTEN = [
    "", " ", "  \t\n ", "a photo of a cat", "A PHOTO of a Cat", "a  photo\tof\na   cat ", " leading and trailing ",
    "a bold red seven leaning left on a blue background", "the digit 7, teal", "1234567890 12 3.14 1,000 2nd 4k 8K",
    "don't we've I'm you're he'll she'd it's cat's cats' 'tis 'S 'T 'RE DON'T 's", "''s '''t 're've", "rock'n'roll o'clock l'été",
    "(masterpiece:1.2), ((best quality)), [bad hands], <lora:x:0.5>", "!", "!!", "a!b", "wow!", "!!! wow !!!", "hello!world!", "?!", "...", "a...b",
    "-- — – ‐ ― _ __ snake_case kebab-case", "e-mail@example.com http://example.com/a?b=c&d=e#f", "C:\\path\\file $100 €50 £3 100% #tag @user",
    "café naïve Ångström coöperate", "cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "\u212b \u2126 \u01c5 \ufb01 \u00bd \u2460 \u00b2", "Straße STRASSE ẞ",
    "ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ Σ ΣΑΣ", "İstanbul ISTANBUL ıI", "ПРИВЕТ мир", "שלום עולם مرحبا بالعالم", "日本の風景、富士山。", "漢字かなカナ ﾊﾝｶｸ ＦＵＬＬ", "안녕하세요 세계",
    "\u1100\u1161\u11a8", "สวัสดีชาวโลก", "नमस्ते दुनिया", "🐱", "🐱🐶 cats&dogs 🏳️‍🌈 👨‍👩‍👧‍👦 👍🏽", "a🐱b", "𝓕𝓪𝓷𝓬𝔂 𝔘𝔫𝔦 𝟙𝟚", "٠١٢ ४५ Ⅷ ⅷ ㊿",
    "\u0000", "a\u0000b", "a\u0007b\u001bc\u007fd", "a\u0085b\u00a0c\u2003d\u2028e\u3000f\u180eg\ufeffh\u200bi\u200dj\u001ck\u001fl", "\ufeffbom", "\ufffd \ufffe",
    "<|startoftext|>", "<|endoftext|>", "a <|endoftext|> b", "a<|startoftext|>b", "<|STARTOFTEXT|> <|EndOfText|>", "<|endoftext|><|endoftext|>!", "<| endoftext |>",
    "<|endoftext", "|>", "  <|startoftext|>  x  <|endoftext|>  ", "</w>", "a</w> b</w>", "Ġ Ċ", "antidisestablishmentarianism", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "in the in the in the", "thththth ththth inin", "word " * 120, "x" * 3000, "7" * 90, "🐱" * 60, "a,b;c:d'e\"f(g)h[i]j{k}l<m>n/o\\p|q~r`s^t&u*v+w=x-y_z",
    "\u0301", "a\u0301\u0302\u0303", "\u0344", "e\u0323\u0302", "ǅ ǈ ǋ Ǆ", "Ω Å K", "ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ", "ĲǇǊ ĳ", "Ⓐ ⓐ ℃ ™ ℠ ℡",
    "Ꭰ ꭰ Ა ა Ⴀ ⴀ", "𐐀 𐐨", "Ā ā Ă ă Ą ą", "'\u2019s it\u2019s", "\u00ad soft\u00adhyphen", "\u0149 \u01f0 \u1e96", "\u1f88 \u1fbc \u1fc7", "ß ss SS ſ", "\u202eright\u202c left",
]
PIECES = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") + list(" \t\n\r\u00a0\u3000\u0085\u2009") * 4 + list(".,:;!?'\"()[]{}<>|/\\-_+=*&^%$#@~`") + \
    ["'s", "'ll", "'Re", "the ", "in", "th", "photo", "Red ", "seven", "background", "é", "e\u0301", "ü", "Ü", "ñ", "ß", "Σ", "ς", "İ", "я", "Ж", "中", "あ", "한", "🐱", "👍🏽", "\u200d",
     "<|endoftext|>", "<|startoftext|>", "\u0000", "\u001f", "\ufeff", "\u200b", "½", "²", "Ⅳ", "٣", "—", "…", "“", "”", "’", "ﬁ", "𝔘", "\u0327", "\u0323"]

def random_text(r):
    return "".join(r.choice(PIECES) for _ in range(r.randint(1, 40)))

strings = WRITTEN + [random_text(random.Random(i)) for i in range(240)]
expected = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}, "strings": strings}

def record(name, folder):
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    special = len(tokenizer.backend_tokenizer.get_added_tokens_decoder())
    expected[name] = {
        "pad": tokenizer.pad_token_id, "bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "length": tokenizer.model_max_length,
        "ids": [tokenizer(s)["input_ids"] for s in strings],
        "padded": [tokenizer(s, padding="max_length", truncation=True)["input_ids"] for s in strings[:20] + ["word " * 120]],
        "tokens": tokenizer.convert_ids_to_tokens(tokenizer(strings[7])["input_ids"]),
        "added": special,
    }
    return tokenizer

for name in ("sd1", "sd2v", "digits"):
    record(name, f"{HERE}/{name}")
    with tempfile.TemporaryDirectory() as folder:   # without tokenizer.json: what the older folders on the Hub have
        for f in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"): shutil.copy(f"{HERE}/{name}/{f}", folder)
        other = CLIPTokenizer.from_pretrained(folder)
        different = [s for s, ids in zip(strings, expected[name]["ids"]) if other(s)["input_ids"] != ids]
        print(name, "with and without tokenizer.json:", len(different), "differ", different[:3])
        assert name != "x"
with tempfile.TemporaryDirectory() as folder:
    full_clip(folder, sys.argv[1])
    record("clip", folder)

# Textual inversion: new tokens as diffusers adds them.
tokenizer = CLIPTokenizer.from_pretrained(f"{HERE}/sd1")
tokenizer.add_tokens(["<thing>", "<thing>_1", "sks"])
texts = ["a photo of <thing>", "a <thing> <thing>_1 thing", "<THING> Sks sks, asks", "a<thing>b  <thing>!", "<thing><thing>_1sks"]
expected["added"] = {"tokens": ["<thing>", "<thing>_1", "sks"], "strings": texts, "ids": [tokenizer(s)["input_ids"] for s in texts]}
with open(f"{HERE}/expected.json", "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in expected.items()) + "\n}\n")
