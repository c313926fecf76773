"""Ids of transformers' CLIPTokenizer for random strings: python tokens_of_transformers.py CLIP_TOKENIZER_FOLDER OUT.json"""
import json
import random
import sys

from transformers import CLIPTokenizer

# Ranges where scripts, cases, digits, marks, spaces and symbols meet; unassigned code points differ between versions of
# Unicode and are left out.
RANGES = [(0x20, 0x7F), (0x20, 0x7F), (0x09, 0x0E), (0xA0, 0x180), (0x180, 0x250), (0x300, 0x370), (0x384, 0x38A),
          (0x391, 0x3A1), (0x3A3, 0x400), (0x400, 0x500), (0x5D0, 0x5EB), (0x660, 0x66A), (0x905, 0x93A),
          (0x1E00, 0x1F00), (0x2000, 0x2010), (0x2028, 0x2030), (0x20A0, 0x20B0), (0x2100, 0x2150), (0x2160, 0x2180),
          (0x2460, 0x2480), (0x3041, 0x3097), (0x4E00, 0x4E80), (0xAC00, 0xAC80), (0xFB00, 0xFB07), (0xFF10, 0xFF1A),
          (0xFF21, 0xFF3B), (0x1D400, 0x1D455), (0x1F600, 0x1F640)]
PARTS = ["'s", "'LL", "'ve", "<|endoftext|>", "<|STARTOFTEXT|>", "İ", "Å", "ΑΣ", "''", "  ", "\r\n", "e\u0301", "ﬁ"]

random.seed(3)
tokenizer = CLIPTokenizer.from_pretrained(sys.argv[1])


def text():
    parts = []
    for _ in range(random.randint(0, 24)):
        if random.random() < 0.15:
            parts.append(random.choice(PARTS))
        else:
            parts.append(chr(random.randrange(*random.choice(RANGES))))
    return "".join(parts)


rows = [[t, tokenizer(t, add_special_tokens=False).input_ids] for t in (text() for _ in range(3000))]
with open(sys.argv[2], "w", encoding="utf-8") as out:
    json.dump(rows, out)
