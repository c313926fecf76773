"""Prints the golden values of digest_test.cpp, random_test.cpp and artifact_test.cpp from an independent
implementation: Python's hashlib, and Philox 4x32-10 checked against the known answers of Random123 1.14 (kat_vectors).
"""
import hashlib
import math
import struct

MULTIPLIERS, WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & WORD, (p0 >> 32) ^ c[3] ^ k[1], p0 & WORD]
        k = [(k[0] + WEYL[0]) & WORD, (k[1] + WEYL[1]) & WORD]
    return c


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox([WORD] * 4, [WORD] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
assert philox([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]) == [
    0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def tag(kind, value):
    return kind.encode() + struct.pack("<Q", value & (2**64 - 1))


def text(value):
    return tag("t", len(value.encode())) + value.encode()


def integer(value):
    return tag("i", value)


def number(value):
    return tag("f", struct.unpack("<Q", struct.pack("<d", value))[0])


def digest(value):
    return tag("d", 32) + value


def words(encoded, count):
    return struct.unpack("<8I", hashlib.sha256(encoded).digest())[:count]


photo = hashlib.sha256(b"photo").digest()

encoded = (text("atelier") + integer(-1) + number(0.5) + tag("b", 1) + tag("-", 0) + digest(photo) + tag("l", 2)
           + tag("x", 3) + b"\x00\x01\x02")
print("Encoder:", hashlib.sha256(encoded).hexdigest())

seeded = words(text("random stream") + integer(7) + text("noise") + digest(photo), 4)
key, lane = seeded[:2], seeded[2:]
bits = philox([0, 0, *lane], key) + philox([1, 0, *lane], key)
print("bits:", [hex(b) for b in bits[:6]])
uniform = [((bits[i] >> 5) * 2**26 + (bits[i + 1] >> 6)) / 2**53 for i in range(0, 8, 2)]
print("uniform:", uniform)
radius, angle = math.sqrt(-2 * math.log(1 - uniform[0])), 2 * math.pi * uniform[1]
print("normal:", radius * math.cos(angle), radius * math.sin(angle))
fifth = words(text("lane") + integer(lane[0]) + integer(lane[1]) + integer(5), 2)
print("bits of the fifth sub-stream:", [hex(b) for b in philox([0, 0, *fifth], key)])

artifact = (text("artifact") + text('{"rank":8,"trigger":"sks"}') + tag("l", 1) + text("loss") + text("f32")
            + tag("l", 1) + integer(2) + tag("x", 8) + struct.pack("<ff", 1, 2) + tag("l", 1) + text("a.jpg")
            + digest(photo))
print("artifact:", hashlib.sha256(artifact).hexdigest())
