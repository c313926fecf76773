"""Encodes a prompt with a textual-inversion file loaded by diffusers, in float32.

    python embedding_in_diffusers.py BASE EMBEDDING.safetensors WORD OUT.safetensors

The prompt is "a photo of WORD". OUT gets `ids0`, `last0` and for SDXL `ids1`, `last1`. Written against diffusers 0.42.1,
in the ways its documentation shows for SD 1 and 2 (a file) and for SDXL (a tensor for each text encoder).
"""
import sys

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file


def main(base, embedding, word, out_file):
    torch.set_num_threads(1)
    pipe = DiffusionPipeline.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    encoders = [(pipe.tokenizer, pipe.text_encoder)]
    if hasattr(pipe, "text_encoder_2"):
        encoders.append((pipe.tokenizer_2, pipe.text_encoder_2))
        state = load_file(embedding)
        for key, (tokenizer, encoder) in zip(["clip_l", "clip_g"], encoders):
            pipe.load_textual_inversion(state[key], token=word, text_encoder=encoder, tokenizer=tokenizer)
    else:
        pipe.load_textual_inversion(embedding, token=word)
    out = {}
    with torch.no_grad():
        for i, (tokenizer, encoder) in enumerate(encoders):
            prompt = pipe.maybe_convert_prompt(f"a photo of {word}", tokenizer)
            ids = tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
            out |= {f"ids{i}": ids, f"last{i}": encoder(ids).last_hidden_state}
    save_file({k: v.contiguous() for k, v in out.items()}, out_file)


main(*sys.argv[1:])
