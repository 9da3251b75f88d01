#!/usr/bin/env python3
"""Checks a Punchlens evidence pack with nothing but Python (3.6 or later): run verify.py in the unpacked folder.

A fact's digest is SHA-256 over seq, at, kind, subject, actor and detail, each with its length in front as eight
bytes, the highest first; the two numbers are eight bytes themselves. A row's hash is SHA-256 over the hash before it
and its digest. Rows about other findings are given as digests alone. Each chain must lead to its head, and a fact
of the general chain ("chain.sealed") names a row of the project's chain by its hash. So the general chain's head
stands for all; compare that with a head that was noted down elsewhere, e.g. printed by `punchlens audit verify` on
another day. Packs of the form punchlens-evidence-1 have one chain, and a story in which some numbers have another
last digit than the chain has.
"""
import hashlib
import json
import struct
import sys
import time

GENERAL, SEALED = "general", "chain.sealed"
FORMER = "punchlens-evidence-1"


def digest(row):
    if isinstance(row, str):
        return bytes.fromhex(row)
    parts = [struct.pack(">q", row["seq"]), struct.pack(">q", row["at"])]
    parts += [row[name].encode("utf-8") for name in ("kind", "subject", "actor", "detail")]
    return hashlib.sha256(b"".join(struct.pack(">Q", len(part)) + part for part in parts)).digest()


def instant(milliseconds):
    seconds, rest = divmod(milliseconds, 1000)
    fraction = (".%03d" % rest).rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"


def same(said, told, former):
    if isinstance(said, dict) and isinstance(told, dict):
        return said.keys() == told.keys() and all(same(said[key], told[key], former) for key in said)
    if isinstance(said, list) and isinstance(told, list):
        return len(said) == len(told) and all(same(one, other, former) for one, other in zip(said, told))
    if former and isinstance(said, float) and isinstance(told, float):
        return abs(said - told) <= 1e-15 * abs(said)
    return said == told and type(said) is type(told)


with open("evidence.json", encoding="utf-8") as file:
    pack = json.load(file)
former = pack["format"] == FORMER
if not former and pack["format"] != "punchlens-evidence-2":
    sys.exit("WRONG: the pack has the form '%s', which this program does not know" % pack["format"])
chains = [dict(pack["chain"], name=GENERAL)] if former else pack["chains"]
seals, facts, head = set(), [], None
for chain in chains:
    name, hash_ = chain["name"], bytes.fromhex(chain["before"])
    tied = name == GENERAL
    for seq, row in enumerate(chain["rows"], chain["first"]):
        if not isinstance(row, str) and row["seq"] != seq:
            sys.exit("WRONG: row %d does not stand where its number says" % row["seq"])
        hash_ = hashlib.sha256(hash_ + digest(row)).digest()
        tied = tied or (name, seq, hash_.hex()) in seals
        if isinstance(row, str):
            continue
        if name == GENERAL and row["kind"] == SEALED:
            seal = json.loads(row["detail"])
            seals.add((row["subject"][len("project:"):], seal["seq"], seal["hash"]))
        else:
            facts.append((name, row))
    if hash_.hex() != chain["head"]:
        sys.exit("WRONG: in the %s chain a row was changed, left out or put in" % name)
    if not tied:
        sys.exit("WRONG: nothing in the general chain ties the %s chain to it" % name)
    head = chain["head"] if name == GENERAL else head
if not any(fact["subject"] == "finding:" + pack["finding"] for _, fact in facts):
    sys.exit("WRONG: no row is about the finding")
for told, (name, fact) in zip(pack["story"], facts):
    said = {key: fact[key] for key in ("seq", "kind", "subject", "actor")}
    said.update(chain=name, at=instant(fact["at"]), detail=json.loads(fact["detail"]))
    if not same(said, dict({"chain": GENERAL}, **told), former):
        sys.exit("WRONG: the story of row %d is not what the chain says" % fact["seq"])
if len(pack["story"]) != len(facts):
    sys.exit("WRONG: the story has %d rows, the chains %d" % (len(pack["story"]), len(facts)))
for name, photo in pack["pictures"].items():
    with open(name, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    details = [json.loads(fact["detail"]) for _, fact in facts if fact["subject"] == "photo:" + photo]
    if found not in [detail.get("picture_sha256") for detail in details]:
        sys.exit("WRONG: %s is not the picture that was recorded" % name)
print("holds: %d facts about finding %s, %d pictures" % (len(facts), pack["finding"], len(pack["pictures"])))
print("head: %s" % head)
