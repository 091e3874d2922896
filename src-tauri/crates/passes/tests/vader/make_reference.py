"""Writes sentences and what the Python package vaderSentiment says of them: reference.jsonl beside this file.

    python3 -m venv VENV && VENV/bin/pip install vaderSentiment==3.3.2
    VENV/bin/python make_reference.py [--seed 2014] [--count 1000] [--out reference.jsonl]

The same seed gives the same file. Words are drawn from the whole lexicon, so that a sentence rarely makes sense; each kind
of sentence is made to set off one rule, and every sentence can get other rules on top.
"""

import argparse
import json
import random
from pathlib import Path

from vaderSentiment import vaderSentiment as vader

PLAIN = """the a this that my your our their car dinner weather meeting bus film song phone train idea plan house morning
coffee teacher doctor dog cat city garden book plate window Monday people place is was seems looks feels and with about for
of at to very much then again just now here there really kept made told she he they we it one two""".split()
CONTRACTIONS = """isn't wasn't don't doesn't didn't can't couldn't won't wouldn't shouldn't haven't hasn't weren't aren't
needn't mustn't ain't it's I'm they're we've he'll n't don’t isn’t""".split()
ENDS = ["", ".", "!", "!!", "!!!", "!!!!!", "?", "??", "???", "????", "?!", "!?!", "...", " !", ".)", '"']
SPACES = [" ", " ", " ", " ", " ", "  ", "\t", "\n", "\u00a0", "\u2003", "\x1c"]
OTHER = ["schön", "ÄRGER", "İstanbul", "ΣΟΦΟΣ", "ǅ", "Ⅷ", "日本", "naïve", "100%", "a1", "#tag", "__x__", "--", "'", "x"]


class Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        analyzer = vader.SentimentIntensityAnalyzer()
        self.score = analyzer.polarity_scores
        self.lexicon = sorted(analyzer.lexicon)
        self.common = [word for word in self.lexicon if word.isalpha() and abs(analyzer.lexicon[word]) >= 1.5]
        self.emoticons = [word for word in self.lexicon if not any(c.isalpha() for c in word)]
        self.boosters = sorted(vader.BOOSTER_DICT)
        self.negations = sorted(vader.NEGATE)
        self.emoji = sorted(analyzer.emojis)
        self.idioms = sorted(vader.SPECIAL_CASES) + sorted(vader.SENTIMENT_LADEN_IDIOMS)

    def pick(self, words) -> str:
        return self.random.choice(words)

    def feeling(self) -> str:
        return self.pick(self.common) if self.random.random() < 0.8 else self.pick(self.lexicon)

    def plain(self, most: int = 3) -> list[str]:
        return [self.pick(PLAIN) for _ in range(self.random.randint(0, most))]

    def clause(self) -> list[str]:
        return [*self.plain(4), self.feeling(), *self.plain(2)]

    def negated(self) -> list[str]:
        return [*self.plain(), self.pick(self.negations), *self.plain(2), self.feeling(), *self.plain()]

    def boosted(self) -> list[str]:
        return [*self.plain(), self.pick(self.boosters), *self.plain(2), self.feeling(), *self.plain()]

    def capitals(self) -> list[str]:
        words = [*self.clause(), self.pick(self.boosters), self.feeling()]
        return [word.upper() if self.random.random() < 0.4 else word for word in words]

    def but(self) -> list[str]:
        # A word that comes twice on either side sets off the reference's way of finding a value by its first place.
        twice = self.feeling()
        again = [twice] if self.random.random() < 0.4 else []
        but = self.pick(["but", "BUT", "but,", "But"])
        return [*again, *self.clause(), *self.clause(), but, *self.clause(), *again, *self.plain()]

    def idiom(self) -> list[str]:
        idiom = self.pick(self.idioms).split()
        return [*self.plain(4), *idiom, *self.plain(2), *([self.feeling()] if self.random.random() < 0.5 else [])]

    def least(self) -> list[str]:
        before = self.pick([[], ["at"], ["very"], ["the"], ["AT"]])
        return [*self.plain(2), *before, "least", self.feeling(), *self.plain()]

    def contraction(self) -> list[str]:
        return [*self.plain(2), self.pick(CONTRACTIONS), *self.plain(1), self.feeling(), *self.plain(2)]

    def no(self) -> list[str]:
        link = self.pick([[], ["or"], ["nor"], ["and"]])
        return [*self.plain(2), "no", *([self.feeling()] if link else []), *link, self.feeling(), *self.plain(1)]

    def never_so(self) -> list[str]:
        first = self.pick(["never", "without", "not"])
        second = self.pick(["so", "this", "doubt", "a doubt", "that"]).split()
        return [*self.plain(1), first, *second, *self.plain(1), self.feeling(), *self.plain(2)]

    def kind_of(self) -> list[str]:
        softener = self.pick(["kind of", "sort of", "just enough", "kind", "sorta", "KIND of"]).split()
        return [*self.plain(2), *softener, *self.plain(1), self.feeling(), *self.plain(2)]

    def emoji_words(self) -> list[str]:
        signs = ["".join(self.pick(self.emoji) for _ in range(self.random.randint(1, 3)))]
        glued = [self.pick(PLAIN) + self.pick(self.emoji) + self.pick(PLAIN)] if self.random.random() < 0.3 else []
        return [*self.clause(), *signs, *glued, *self.plain(1)]

    def emoticon(self) -> list[str]:
        return [*self.clause(), self.pick(self.emoticons), *self.plain(1)]

    def wrapped(self) -> list[str]:
        around = self.pick(['"', "'", "(", "*", "--", "...", "~", "_"])
        return [around + word + around if self.random.random() < 0.4 else word for word in self.clause()]

    def odd(self) -> list[str]:
        return [self.pick(OTHER) if self.random.random() < 0.4 else word for word in self.clause()]

    def anything(self) -> list[str]:
        pools = [self.lexicon, self.boosters, self.negations, PLAIN, CONTRACTIONS, self.idioms, ["but", "least", "no", "so"]]
        return [self.pick(self.pick(pools)) for _ in range(self.random.randint(0, 14))]

    def sentence(self, index: int) -> str:
        kinds = [
            self.clause, self.negated, self.boosted, self.capitals, self.but, self.idiom, self.least, self.contraction,
            self.no, self.never_so, self.kind_of, self.emoji_words, self.emoticon, self.wrapped, self.odd, self.anything,
        ]
        words = kinds[index % len(kinds)]()
        if self.random.random() < 0.15:
            words += [self.pick([",", "and"]), *kinds[self.random.randrange(len(kinds))]()]
        if self.random.random() < 0.1:
            words = [word.upper() for word in words]
        text = "".join(word + self.pick(SPACES) for word in words)
        return text.rstrip(" ") + self.pick(ENDS)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=2014)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--out", type=Path, default=Path(__file__).with_name("reference.jsonl"))
    chosen = options.parse_args()
    maker = Maker(chosen.seed)
    with chosen.out.open("w", encoding="utf-8", newline="\n") as out:
        for index in range(chosen.count):
            text = maker.sentence(index)
            out.write(json.dumps({"text": text, **maker.score(text)}) + "\n")


main()
