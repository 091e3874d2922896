"""Writes data/vader/ from the Python package vaderSentiment: its word lists and values, nothing of its code.

    python3 -m venv VENV && VENV/bin/pip install vaderSentiment==3.3.2
    VENV/bin/python extract_data.py ../../data/vader

Left out is what can never match: words with capitals, because words are compared in lower case, and emoji of several
code points, because the reference looks at one at a time. Of a word that comes twice the last value counts.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

from vaderSentiment import vaderSentiment as vader


def write(path: Path, rows) -> None:
    lines = ["\t".join(str(cell) for cell in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    analyzer = vader.SentimentIntensityAnalyzer()
    lexicon = {word: value for word, value in analyzer.lexicon.items() if word == word.lower()}
    write(out / "lexicon.tsv", sorted(lexicon.items()))
    emoji = {sign: words for sign, words in analyzer.emojis.items() if len(sign) == 1}
    write(out / "emoji.tsv", sorted(emoji.items()))
    write(out / "boosters.tsv", sorted(vader.BOOSTER_DICT.items()))
    write(out / "idioms.tsv", sorted(vader.SPECIAL_CASES.items()))
    write(out / "negations.tsv", sorted((word,) for word in vader.NEGATE))
    package = distribution("vaderSentiment")
    licence = next(file for file in package.files if file.name == "LICENSE.txt")
    (out / "LICENSE").write_text(licence.read_text(), encoding="utf-8", newline="\n")


main()
