"""Saves a tokenizer as transformers does today, one tokenizer.json: python save_fast_tokenizer.py FOLDER OUT PAD_TOKEN"""
import sys

from transformers import CLIPTokenizer

CLIPTokenizer.from_pretrained(sys.argv[1], pad_token=sys.argv[3]).save_pretrained(sys.argv[2])
