"""Makes the toy base's tokenizer: CLIP's format with a vocabulary of its own, in which every word of the captions is one
token and everything else is still bytes.

    { build/release/examples/base/portraits words; echo sks style; cat pipelines/captions/portrait-words.yaml; } |
      .venv/bin/python examples/base/make_tokenizer.py examples/base/config/tokenizer

All words of a text on standard input; what else a caption may say is spelled in bytes. Needs the package tokenizers,
which comes with transformers.
"""
import json
import pathlib
import re
import sys

from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel

END_OF_WORD = "</w>"
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]


def bytes_in_clips_order():
    """The 256 letters that stand for bytes, in the order of CLIP's vocabulary: printable ones first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def merges_of(words):
    """The merges after which every word is one token, most frequent pairs first."""
    letters = bytes_in_clips_order()
    trainer = trainers.BpeTrainer(vocab_size=100_000, min_frequency=1, end_of_word_suffix=END_OF_WORD,
                                  initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    tokenizer.train_from_iterator(words, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    known = set(letters) | {letter + END_OF_WORD for letter in letters}
    for left, right in merges:
        assert left in known and right in known, (left, right)
        known.add(left + right)
    assert all(word + END_OF_WORD in known for word in words)
    return merges


def main():
    words = sorted(set(re.findall("[a-z]+", sys.stdin.read().lower())))  # as CLIP's pattern splits texts
    folder = pathlib.Path(sys.argv[1])
    letters = bytes_in_clips_order()
    merges = merges_of(words)
    tokens = letters + [letter + END_OF_WORD for letter in letters] + [a + b for a, b in merges] + SPECIAL
    assert len(set(tokens)) == len(tokens)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False,
                                                  indent=0) + "\n")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    print(f"{len(words)} words, {len(tokens)} tokens; vocab_size {len(tokens)}, bos_token_id {len(tokens) - 2}, "
          f"eos_token_id {len(tokens) - 1}")


main()
