"""Ends well where a LoRA file's `sshs_` metadata is what kohya's trainer would have written.

    python lora_hashes_of_kohya.py LORA

His trainer hashes the file that safetensors makes of the tensors and of the metadata that begins with `ss_`: SHA-256 of
all behind the header, and the first 8 digits of that of 0x10000 bytes at 0x100000.
"""
import hashlib
import sys

from safetensors import safe_open
from safetensors.torch import load_file, save

with safe_open(sys.argv[1], "pt") as file:
    metadata = file.metadata()
data = save(load_file(sys.argv[1]), {k: v for k, v in metadata.items() if k.startswith("ss_")})
begin = 8 + int.from_bytes(data[:8], "little")
print(len(data), "bytes")
assert hashlib.sha256(data[begin:]).hexdigest() == metadata["sshs_model_hash"]
assert hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8] == metadata["sshs_legacy_hash"]
