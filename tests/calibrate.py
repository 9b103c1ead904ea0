#!/usr/bin/env python3
"""Whether confidence means what it says: of what is given 0.9, nine in ten are right.

  calibrate.py --corpus DIR --config FILE [--files N]     words, read with `nicufaxd read --json`, against DIR/text
               [--queue queue.jsonl]                      and facts of an exported queue, against DIR/truth.jsonl
               [--fit]                                    prints the points for src/document/confidence.rs

Documents are parted in two halves by the digest of their names. Points are fitted (pool adjacent violators) on one half, and the
tables are of the other. A word is right when it stands in the document's text, each occurrence once, punctuation at its
ends apart. Standard library only; a corpus without text/ or score.py leaves out what needs it.
"""
import argparse, collections, concurrent.futures, hashlib, json, os, re, string, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def fitted_on(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0


def points(which):
    """The points that the program has now: what is given inside, and outside."""
    source = open(os.path.join(HERE, "../src/document/confidence.rs"), encoding="utf-8").read()
    table = re.search(rf"const {which}: [^=]*=\s*\[(.*?)\];", source, re.S).group(1)
    return [(float(a), float(b)) for a, b in re.findall(r"\(([\d.]+), ([\d.]+)\)", table)]


def inside(given, line):
    """What a confidence told outside was inside."""
    for (a, low), (b, high) in zip(line, line[1:]):
        if given <= high:
            return a + (b - a) * max(0.0, (given - low) / (high - low))
    return line[-1][0]


def fit(rows, size):
    """Points of the rising line that comes nearest."""
    rows, steps = sorted(rows), []
    for at in range(0, len(rows), size):
        part = rows[at:at + size]
        steps.append([sum(r[0] for r in part), sum(r[1] for r in part), len(part)])
        while len(steps) > 1 and steps[-2][1] * steps[-1][2] >= steps[-1][1] * steps[-2][2]:
            last = steps.pop()
            steps[-1] = [x + y for x, y in zip(steps[-1], last)]
    return [(round(x / n, 3), round(y / n, 3)) for x, y, n in steps]


def table(title, rows):
    print(f"\n{title}: {len(rows)}\ngiven          count   mean given   right")
    for low in range(10):
        part = [r for r in rows if min(9, int(r[0] * 10)) == low]
        if part:
            given, right = (sum(r[k] for r in part) / len(part) for k in (0, 1))
            off = "" if len(part) < 50 or abs(given - right) <= 0.05 else "   off by more than 0.05"
            print(f"{low / 10:.1f} to {low / 10 + 0.1:.1f} {len(part):8d}   {given:10.3f}   {right:.3f}{off}")


def words_of(text):
    stripped = (word.strip(string.punctuation) for word in text.split())
    return collections.Counter(word for word in stripped if word)


def read(arguments, name):
    command = [arguments.nicufaxd, "--config", arguments.config, "read", "--json", f"{arguments.corpus}/inbox/{name}"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        return []
    printed = words_of(open(f"{arguments.corpus}/text/{name}.txt", encoding="utf-8").read())
    rows = []
    for page in json.loads(answer.stdout)["pages"]:
        for word in sorted(page["words"], key=lambda word: -word["confidence"]):
            text = word["text"].strip(string.punctuation)
            if text and page["source"] != "text":
                rows.append((word["confidence"], printed[text] > 0))
                printed[text] -= printed[text] > 0
    return rows


def facts(arguments, truths):
    sys.path.insert(0, arguments.corpus)
    from score import fields_equal
    items = collections.defaultdict(list)
    for line in open(arguments.queue, encoding="utf-8"):
        item = json.loads(line)
        items[item["source_file"]].append(item)
    for truth in truths:
        for segment in truth["segments"]:
            first = segment["pages"][0]
            item = next((i for i in items[truth["file"]] if i["page_range"][0] <= first <= i["page_range"][1]), None)
            for name, field in (item or {"fields": {}})["fields"].items():
                if name in segment["fields"]:
                    right = bool(fields_equal(name, segment["fields"][name], field["value"]))
                    yield truth["file"], (field["confidence"], right)


def main():
    arguments = argparse.ArgumentParser()
    for name in ("corpus", "config", "queue"):
        arguments.add_argument(f"--{name}")
    arguments.add_argument("--nicufaxd", default="target/release/nicufaxd")
    arguments.add_argument("--files", type=int, default=10**9)
    arguments.add_argument("--fit", action="store_true")
    arguments = arguments.parse_args()
    truths = [json.loads(line) for line in open(f"{arguments.corpus}/truth.jsonl", encoding="utf-8")]

    names = [t["file"] for t in truths if t["legible"] and os.path.exists(f"{arguments.corpus}/text/{t['file']}.txt")]
    names = [name for name in names if arguments.fit or not fitted_on(name)][:arguments.files]
    if names:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = dict(zip(names, pool.map(lambda name: read(arguments, name), names)))
        table("words", [row for name in names if not fitted_on(name) for row in found[name]])
        if arguments.fit:
            line = points("WORDS")
            rows = [(inside(given, line), right) for name in names if fitted_on(name) for given, right in found[name]]
            print("WORDS:", fit(rows, 400))
    else:
        print(f"*** SKIPPED: no {arguments.corpus}/text; words' confidences were not looked at", file=sys.stderr)

    if arguments.queue and os.path.exists(f"{arguments.corpus}/score.py"):
        rows = list(facts(arguments, truths))
        table("facts", [row for name, row in rows if not fitted_on(name)])
        if arguments.fit:
            line = points("FIELDS")
            print("FIELDS:", fit([(inside(given, line), right) for name, (given, right) in rows if fitted_on(name)], 60))


main()
