"""Writes the corpus of the safetensors fuzz target: python make_corpus.py (into corpus/safetensors beside this script).

A file that begins with `good` is read, every other one is refused; the name says why.
"""
import json
import pathlib
import struct

OUT = pathlib.Path(__file__).resolve().parent / "corpus/safetensors"


def file(name, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode() if isinstance(header, str) else json.dumps(header).encode()
    raw = struct.pack("<Q", len(text) if length is None else length) + text + data
    (OUT / (name + ".safetensors")).write_bytes(raw)


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def bytes_only(name, raw):
    (OUT / (name + ".safetensors")).write_bytes(raw)


OUT.mkdir(parents=True, exist_ok=True)
for old in OUT.iterdir():
    old.unlink()

one = {"a": tensor("F32", [2], 0, 8)}
file("good_one_tensor", one, bytes(8))
file("good_two_tensors_out_of_order", {"b": tensor("F16", [2, 2], 8, 16), "a": tensor("F32", [2], 0, 8)}, bytes(16))
file("good_scalar_and_empty", {"s": tensor("I64", [], 0, 8), "e": tensor("F32", [0, 4], 8, 8)}, bytes(8))
file("good_metadata", {"__metadata__": {"format": "pt", "note": "é\n\"x\""}} | one, bytes(8))
file("good_no_tensor", "{}")
file("good_padded_header", json.dumps(one) + "    ", bytes(8))
file("good_unaligned", {"a": tensor("U8", [1], 0, 1), "b": tensor("F64", [1], 1, 9)}, bytes(9))
dtypes = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2,
          "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8}
every, at = {}, 0
for dtype, size in dtypes.items():
    every[dtype], at = tensor(dtype, [1], at, at + size), at + size
file("good_every_dtype", every, bytes(at))

bytes_only("empty", b"")
bytes_only("seven_bytes", b"\0" * 7)
bytes_only("length_of_all_ones", b"\xff" * 16)
file("length_beyond_the_file", one, bytes(8), length=10_000)
file("length_beyond_the_bound", one, bytes(8), length=100_000_001)
file("length_too_short", one, bytes(8), length=5)
file("cut_off_data", one, bytes(3))
file("trailing_byte", one, bytes(9))
file("no_json", "{]")
file("a_list", "[1]")
file("a_number", "1e999")
file("invalid_utf8", b'{"\xff":1}')
file("nested", '{"a":' + "[" * 40)
file("nested_objects", '{"a":' * 20 + "1" + "}" * 20)
file("twice", '{"a":%s,"a":%s}' % ((json.dumps(tensor("U8", [1], 0, 1)),) * 2), bytes(1))
file("twice_in_an_entry", '{"a":{"dtype":"U8","dtype":"F64","shape":[1],"data_offsets":[0,1]}}', bytes(1))
file("overlap", {"a": tensor("F32", [2], 0, 8), "b": tensor("F32", [1], 4, 8)}, bytes(8))
file("gap", {"a": tensor("F32", [1], 4, 8)}, bytes(8))
file("out_of_range", {"a": tensor("F32", [2], 0, 8)}, bytes(4))
file("offsets_reversed", {"a": tensor("F32", [1], 8, 4)}, bytes(8))
file("offsets_huge", {"a": tensor("U8", [2**63 - 1], 0, 2**63 - 1)}, bytes(8))
file("offsets_beyond_64_bits", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551616]}}', bytes(1))
file("offsets_of_three", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', bytes(1))
file("dtype_unknown", {"a": tensor("F7", [1], 0, 4)}, bytes(4))
file("dtype_number", {"a": tensor(7, [1], 0, 4)}, bytes(4))
file("shape_negative", {"a": tensor("F32", [-1], 0, 4)}, bytes(4))
file("shape_fraction", {"a": tensor("F32", [1.5], 0, 6)}, bytes(6))
file("shape_overflow", {"a": tensor("F64", [2**62, 2], 0, 0)})
file("shape_overflow_behind_zero", {"a": tensor("F64", [0, 2**62, 2], 0, 0)})
file("shape_of_65", {"a": tensor("U8", [1] * 65, 0, 1)}, bytes(1))
file("entry_number", {"a": 3})
file("entry_without_offsets", {"a": {"dtype": "F32", "shape": [1]}})
file("metadata_list", {"__metadata__": ["x"]})
file("metadata_number", {"__metadata__": {"rank": 4}})
file("name_of_control_characters", {"\x1b[31m\n\0": 3})
bytes_only("pickle_zip", b"PK\x03\x04 a zip archive, renamed")
bytes_only("pickle_bare", b"\x80\x02}q\x01 a bare pickle, renamed")
