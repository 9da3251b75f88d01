#!/usr/bin/env python3
"""Checks a Punchlens evidence pack with nothing but Python: verify.py, run where evidence.json and the pictures lie.

A fact's digest is SHA-256 over seq, at, kind, subject, actor and detail, each with its length in front as eight
bytes, the highest first; the two numbers are eight bytes themselves. A row's hash is SHA-256 over the hash before it
and its digest. Rows about other findings are given as digests alone. The last hash must be the head; compare that
with a head that was noted down elsewhere, e.g. printed by `punchlens audit verify` on another day.
"""
import hashlib
import json
import struct
import sys


def digest(row):
    if isinstance(row, str):
        return bytes.fromhex(row)
    parts = [struct.pack(">q", row["seq"]), struct.pack(">q", row["at"])]
    parts += [row[name].encode() for name in ("kind", "subject", "actor", "detail")]
    return hashlib.sha256(b"".join(struct.pack(">Q", len(part)) + part for part in parts)).digest()


pack = json.load(open("evidence.json", encoding="utf-8"))
chain = pack["chain"]
hash_ = bytes.fromhex(chain["before"])
for seq, row in enumerate(chain["rows"], chain["first"]):
    if not isinstance(row, str) and row["seq"] != seq:
        sys.exit(f"WRONG: row {row['seq']} does not stand where its number says")
    hash_ = hashlib.sha256(hash_ + digest(row)).digest()
if hash_.hex() != chain["head"]:
    sys.exit("WRONG: a row was changed, left out or put in")
facts = [row for row in chain["rows"] if not isinstance(row, str)]
for told, fact in zip(pack["story"], facts, strict=True):
    if told["detail"] != json.loads(fact["detail"]) or told["kind"] != fact["kind"]:
        sys.exit(f"WRONG: the story of row {fact['seq']} is not what the chain says")
for name, photo in pack["pictures"].items():
    found = hashlib.sha256(open(name, "rb").read()).hexdigest()
    details = [json.loads(fact["detail"]) for fact in facts if fact["subject"] == f"photo:{photo}"]
    if found not in [detail.get("picture_sha256") for detail in details]:
        sys.exit(f"WRONG: {name} is not the picture that was recorded")
print(f"holds: {len(facts)} facts about finding {pack['finding']}, {len(pack['pictures'])} pictures")
print(f"head: {chain['head']}")
