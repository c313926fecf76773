"""Writes the corpora of the fuzz targets: python make_corpus.py (into corpus/ beside this script). Needs Pillow.

Files that a fuzzer found, found_NAME, are kept. In corpus/safetensors a file that begins with `good` is read, every other
one is refused; the name says why.
"""
import io
import json
import pathlib
import struct
import zlib

from PIL import Image

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def folder(target):
    where = CORPUS / target
    where.mkdir(parents=True, exist_ok=True)
    for old in where.iterdir():
        if not old.name.startswith("found_"):
            old.unlink()
    return where


def write(target, seeds):
    where = folder(target)
    for name, seed in seeds.items():
        (where / name).write_bytes(seed.encode() if isinstance(seed, str) else seed)


def write_safetensors():
    where = folder("safetensors")

    def file(name, header, data=b"", length=None):
        text = header if isinstance(header, bytes) else header.encode() if isinstance(header, str) else json.dumps(header).encode()
        raw = struct.pack("<Q", len(text) if length is None else length) + text + data
        (where / (name + ".safetensors")).write_bytes(raw)

    def tensor(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    def bytes_only(name, raw):
        (where / (name + ".safetensors")).write_bytes(raw)

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


def yaml(text):
    """A text of the indentation of this file, as a file."""
    lines = text.strip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


PIPELINES = {
    "plain.yaml": """
        atelier: 1
        name: tale
        params: {times: 2, mark: "!", on: true, share: 0.5, names: [a, 'b']}
        inputs:
          style: {type: text, scope: batch}
          story: {type: text}
        steps:
          loud: {use: shout, in: {text: story}, with: {times: "${times}", mark: "${mark} $${x}"}}
          all: {use: join, in: {parts: [loud, style], header: story}, with: {separator: "${customer}"}}
          many: {use: params, in: {text: all}, with: {label: "é ${customer}", names: "${names}"}}
        outputs:
          all: {from: all, path: "${customer}/all.txt"}
        """,
    "module.yaml": """
        atelier: 1
        name: modules
        inputs: {story: {type: text}}
        steps:
          prepared: {use: ./m.yaml, in: {raw: story}, with: {count: 3}}
          again: {use: ./m.yaml, in: {raw: prepared.end}, retries: 2, timeout: 90s}
        outputs:
          start: {from: again.start, path: "${customer}.txt"}
        """,
    "a_module.yaml": """
        atelier: 1
        params: {count: 1}
        inputs: {raw: {type: text}}
        steps:
          cut: {use: split, in: {text: raw}, with: {at: "${count}"}}
        outputs: {start: {from: cut.head}, end: {from: cut.tail}}
        """,
    "device_and_recipe.yaml": """
        atelier: 1
        name: learned
        inputs:
          base: {type: text, scope: batch}
          files: {type: texts}
        steps:
          read: {use: read, in: {files: files}, with: {upper: true}}
          learned: {use: learn, in: {texts: [read, base]}, with: {steps: 4, seed: 1, checkpoint_every: 2}}
          mix: {use: blend, in: {base: base, parts: [learned, read]}, with: {weights: [1, 0.25]}}
          count: {use: count, in: {text: learned}}
        outputs:
          mix: {from: mix, path: "${customer}/mix/"}
          count: {from: count.tally, path: "${customer}/count.txt"}
        """,
    "cycle.yaml": """
        atelier: 1
        inputs: {story: {type: text}}
        steps:
          a: {use: shout, in: {text: b}}
          b: {use: split, in: {text: c}}
          c: {use: join, in: {parts: [a, story]}}
        """,
    "uses_itself.yaml": """
        atelier: 1
        inputs: {raw: {type: text}}
        steps: {again: {use: ./p.yaml, in: {raw: raw}}, more: {use: ./m.yaml, in: {raw: raw}}}
        outputs: {end: {from: again.end}}
        """,
    "block_scalars.yaml": """
        atelier: 1   # comment
        name: >-
          folded
          text
        params:
          "quoted": 'it''s'
          literal: |
            two
            lines
          escape: "\\x41\\u00e9\\t"
        steps: {}
        """,
}


BATCHES = {
    "list.yaml": """
        atelier: 1
        pipeline: p.yaml
        name: tonight
        inputs: {style: s.txt}
        params: {times: 3, mark: "?"}
        customers:
          - {id: anna, story: a.txt, params: {share: 1, names: [x]}}
          - id: ben
            story: b.txt
        """,
    "csv.yaml": """
        atelier: 1
        pipeline: ./p.yaml
        inputs: {style: /s.txt}
        paths: anywhere
        customers: people.csv
        """,
    "folder.yaml": """
        atelier: 1
        pipeline: p.yaml
        inputs: {style: s.txt}
        customers: people/
        """,
    "a_pipeline.yaml": """
        atelier: 1
        steps: {a: {use: shout, in: {text: b}}}
        """,
    "wrong.yaml": """
        atelier: 2
        pipeline: q.yaml
        inputs: {stlye: ../s.txt, story: a.txt}
        params: {times: "3", nothing: ~}
        customers: [{id: a/b}, {id: anna, story: nowhere}, {id: anna, story: a.txt, times: 101}]
        """,
    "outputs_clash.yaml": """
        atelier: 1
        pipeline: p.yaml
        inputs: {style: s.txt}
        customers: [{id: anna, story: a.txt}, {id: Anna, story: a.txt}, {id: ..., story: a.txt}]
        """,
}


TABLES = {
    "plain.csv": "id,story,times\r\nanna,a.txt,3\r\nben,b.txt,\r\n",
    "quoted.csv": '\ufeffid,"story","mark"\n"anna","a.txt","!, ""loud"""\n\nben,b.txt,"two\nlines"\n',
    "params.csv": "id,story,times,share,names,mark\nanna,a.txt,3,0.5,[x],é\ndan,people/dan/d.txt,100,1,\"[a, 'b']\",\n",
    "semicolons.csv": "id;story\nanna;a.txt\n",
    "twice.csv": "id,story,id\nanna,a.txt,ben\nanna,a.txt,ben\n",
    "other_lengths.csv": "id,story\nanna\nben,b.txt,3\n,,\n",
    "quote_not_closed.csv": 'id,story\nanna,"a.txt\n',
    "quote_within.csv": 'id,story\nan"na,a.txt\n"b"en,b.txt\n',
    "empty": "",
}


CAPTIONS = {
    "tags.txt": "sks\nsks, 1girl, red hair, blue eyes, green background, tree, smile",
    "sentences.txt": "anna\nA photo of Anna's friend standing in front of a brick wall with brown hair. She smiles!\n",
    "folder.txt": "10_sks person\n10_sks person",
    "folder_of_a_date.txt": "20261121_anna\nwearing a blue jacket and a hat; behind her: the sea, 3.5 m deep",
    "unicode.txt": "zoë\n\ufeffZoë, ein Mädchen im Wald，长发, 笑, co-worker's well-lit face",
    "separators.txt": ",\n,,;. ! ? - ' -- '' , a-, -b, c' ... d.e",
    "not_utf8.txt": b"x\nred hair\xff\xfe, \xc3, \xed\xa0\x80",
    "empty": "",
}


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, data):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def scans(jpeg, times):
    """A progressive JPEG with its last scan many times over: little to send, much to decode."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * times + jpeg[-2:]


def pictures():
    rgb = Image.new("RGB", (16, 12))
    rgb.putdata([(x * 16, y * 20, (x + y) * 8) for y in range(12) for x in range(16)])
    grey, cmyk, clear = rgb.convert("L"), rgb.convert("CMYK"), rgb.convert("RGBA")
    clear.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    progressive = encoded(rgb, "JPEG", progressive=True)
    return {
        "plain.jpg": encoded(rgb, "JPEG", quality=50, exif=exif),
        "progressive.jpg": progressive,
        "many_scans.jpg": scans(progressive, 100),
        "grey.jpg": encoded(grey, "JPEG", quality=30),
        "inks.jpg": encoded(cmyk, "JPEG", quality=30),
        "plain.png": encoded(rgb, "PNG", exif=exif),
        "clear.png": encoded(clear, "PNG"),
        "palette.png": encoded(rgb.quantize(7), "PNG", transparency=3),
        "sixteen_bits.png": png(2, 2, 16, 2, zlib.compress((b"\0" + bytes(range(12))) * 2)),
        "too_large.png": png(60_000, 60_000, 1, 0, zlib.compress(bytes(7501) * 20)),
        "plain.webp": encoded(rgb, "WEBP", quality=30, exif=exif),
        "lossless.webp": encoded(clear, "WEBP", lossless=True),
        "empty": b"",
    }


# See cache_fuzz.cpp: what is done to an entry.
ENTRIES = {
    "whole": b"",
    "nothing": b"\0",
    "text": b"\0atelier outputs\nformat 1\nkey 0\nlength 0\nxxh3-128 0\n",
    "superblock": b"\0" + b"atelier outputs\n".ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n" + bytes(90),
    "cut_off": b"\x01\x00\x03",
    "cut_in_the_seal": b"\x01\x20\x00",
    "longer": b"\x01\xff\x0f",
    "seal_changed": b"\x02\x09\x00\x01",
    "superblock_changed": b"\x02\x08\x02\xff",
    "body_changed": b"\x02\x00\x04\x80\x30\x05\x01",
    "changed_and_back": b"\x02\x00\x04\x80\x00\x04\x80",
}

write_safetensors()
write("pipeline", {name: yaml(text) for name, text in PIPELINES.items()})
write("batch", {name: yaml(text) for name, text in BATCHES.items()})
write("customers", TABLES)
write("captions", CAPTIONS)
write("images", pictures())
write("cache", ENTRIES)
