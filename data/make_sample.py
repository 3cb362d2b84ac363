"""Writes the sample data set: invented film reviews, labelled positive or negative.

    python -m data.make_sample [--output FILE] [--rows N] [--seed S]

The same rows and seed give the same bytes on every platform and Python version.
The texts are made hard on purpose: negation, mixed feelings, irony, opinions on
other things than the film, typos and wrong labels keep every model below 100 %.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import pathlib
import random
import re
from collections.abc import Callable, Sequence

from data import sample_phrases as phrases

POSITIVE = 'positive'
NEGATIVE = 'negative'
COLUMNS = ('text', 'label')
DEFAULT_OUTPUT = pathlib.Path(__file__).parent / 'sample' / 'reviews.csv'
DEFAULT_ROWS = 4000
DEFAULT_SEED = 20110619

MIN_WORDS = 5
MAX_WORDS = 250
LABEL_NOISE = 0.04

_OPPOSITE = {POSITIVE: NEGATIVE, NEGATIVE: POSITIVE}
_POLAR = {POSITIVE: phrases.POSITIVE, NEGATIVE: phrases.NEGATIVE}

# The shares below were set by measurement; data/README.md has the results.
_FORMS = {'short': 0.07, 'plain': 0.71, 'mixed': 0.15, 'aside': 0.07}
_OPINIONS = {
    'direct': 0.64,
    'remark': 0.11,
    'negated': 0.09,
    'contrast': 0.07,
    'concession': 0.05,
    'irony': 0.04,
}
_AGAINST = {'direct': 0.75, 'negated': 0.25}

# Numbers of sentences, roughly, and their weights.
_SIZES = ((1, 2, 3, 4, 5, 7, 9, 12, 16), (9, 14, 18, 17, 14, 12, 8, 5, 3))

_SLOT = re.compile(r'\{([!?]?)(\w+)\}')
_A_BEFORE_VOWEL = re.compile(r'\b([Aa]) (?=[aeiouAEIOU]|hour|honest)')
_FIRST_LETTER = re.compile(r'[^\W\d_]')
_TITLE_WORD = re.compile(r"\b(?!(?:of|and|in|for|to|the)\b)(?<!')[a-z]")
_LONG_WORD = re.compile(r'\b[a-z]{5,}\b')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Review:
    """One row, and what its author meant.

    Attributes:
        text: 5 to 250 words.
        label: `positive` or `negative`, as the file says.
        sentiment: The verdict that the text was written for; differs from
            `label` where label noise struck.
    """

    text: str
    label: str
    sentiment: str


class _Author:
    """Writes the sentences of one review, about one film and its people."""

    def __init__(self, rng: random.Random, sentiment: str) -> None:
        self._rng = rng
        self._sentiment = sentiment
        self._used: set[str] = set()
        self._introduced: set[str] = set()
        self._quote = rng.choices(('', '"', "'"), (0.78, 0.17, 0.05))[0]
        # Slots that are made up anew each time, and those that stay for the review.
        self._made: dict[str, Callable[[], str]] = {
            'title': self._title,
            'town': lambda: self._name(phrases.TOWN_TAILS),
            'person': lambda: ' '.join(self._person()),
            'year': lambda: str(rng.randint(1931, 2024)),
            'minutes': lambda: str(rng.randint(8, 24) * 5),
        }
        self._bound: dict[str, str] = {}
        woman = rng.random() < 0.5
        names = phrases.NEUTRAL['woman' if woman else 'man']
        self._people = {
            'director': self._person(),
            'lead': self._person(names),
            'support': self._person(),
        }
        hero = self._draw(names)
        past = rng.random() < 0.5
        self._bound.update(
            film=self._title(),
            genre=self._draw(phrases.NEUTRAL['any_genre']),
            hero=hero,
            friend=self._draw([name for name in self._any_names() if name != hero]),
            he='she' if woman else 'he',
            him='her' if woman else 'him',
            his='her' if woman else 'his',
            **{'is': 'was' if past else 'is', 'are': 'were' if past else 'are'},
        )

    def sentence(self, kind: str, sentiment: str | None = None) -> str:
        """Write a sentence from a pattern of the list `kind`, without a capital."""
        sentiment = sentiment or self._sentiment
        # Evenly, not by rank, so that no pattern becomes a refrain.
        pattern = self._fresh(self._entries(kind, sentiment), self._rng.choice)
        return self._fill(pattern, sentiment)

    def opinion(self) -> str:
        """Write a sentence that speaks for the review's verdict."""
        return self.sentence(_weighted(self._rng, _OPINIONS))

    def counter_opinion(self) -> str:
        """Write a sentence that speaks against the review's verdict."""
        return self.sentence(_weighted(self._rng, _AGAINST), _OPPOSITE[self._sentiment])

    def _fill(self, pattern: str, sentiment: str) -> str:
        return _SLOT.sub(lambda slot: self._slot(slot[1], slot[2], sentiment), pattern)

    def _slot(self, mark: str, name: str, sentiment: str) -> str:
        if mark == '!' or (mark == '?' and self._rng.random() < 0.5):
            sentiment = _OPPOSITE[sentiment]
        if name in self._bound:
            return self._bound[name]
        if name in self._made:
            return self._made[name]()
        if name in self._people:
            first, last = self._people[name]
            known = name in self._introduced
            self._introduced.add(name)
            return last if known else f'{first} {last}'
        return self._fill(self._fresh(self._entries(name, sentiment), self._draw), sentiment)

    def _entries(self, name: str, sentiment: str) -> Sequence[str]:
        own = _POLAR[sentiment].get(name, ())
        shared = phrases.OPINIONS.get(name) or phrases.NEUTRAL.get(name, ())
        if own and shared:
            return own if self._rng.random() < 0.4 else shared
        return own or shared

    def _fresh(self, entries: Sequence[str], draw: Callable[[Sequence[str]], str]) -> str:
        """Draw an entry, if possible one that this review does not have yet."""
        for _ in range(4):
            entry = draw(entries)
            if entry not in self._used:
                break
        self._used.add(entry)
        return entry

    def _draw(self, entries: Sequence[str]) -> str:
        """Draw an entry, early ones more often: the n-th in proportion to log(N / n)."""
        # A product, since powers differ in the last bit between platforms.
        return entries[int(len(entries) * self._rng.random() * self._rng.random())]

    def _title(self) -> str:
        title = self._fill(self._rng.choice(phrases.NEUTRAL['title_of']), self._sentiment)
        title = _A_BEFORE_VOWEL.sub(r'\1n ', title)
        title = _TITLE_WORD.sub(lambda match: match[0].upper(), title)
        return f'{self._quote}{title}{self._quote}'

    def _any_names(self) -> Sequence[str]:
        return phrases.NEUTRAL[self._rng.choice(('woman', 'man'))]

    def _person(self, names: Sequence[str] = ()) -> tuple[str, str]:
        first = self._draw(names or self._any_names())
        if self._rng.random() < 0.03:
            return first, self._rng.choice(phrases.NEUTRAL['rare_surname'])
        return first, self._name(phrases.SURNAME_TAILS)

    def _name(self, tails: Sequence[str]) -> str:
        return self._draw(phrases.NAME_HEADS) + self._draw(tails)


def make_reviews(rows: int = DEFAULT_ROWS, seed: int = DEFAULT_SEED) -> list[Review]:
    """Make labelled reviews: half of them positive, in random order, all distinct.

    Args:
        rows: How many, at least 2.
        seed: Seed of everything random.

    Returns:
        `rows` reviews, `LABEL_NOISE` of each sentiment with the wrong label.
    """
    rng = random.Random(seed)
    reviews: list[Review] = []
    seen: set[str] = set()
    for index in range(rows):
        sentiment = (POSITIVE, NEGATIVE)[index % 2]
        text = _text(rng, sentiment)
        while _key(text) in seen or not MIN_WORDS <= len(text.split()) <= MAX_WORDS:
            text = _text(rng, sentiment)
        seen.add(_key(text))
        # Counted, not drawn, so that the share is exact in each class.
        wrong = int((index // 2 + 1) * LABEL_NOISE) > int(index // 2 * LABEL_NOISE)
        label = _OPPOSITE[sentiment] if wrong else sentiment
        reviews.append(Review(text=text, label=label, sentiment=sentiment))
    rng.shuffle(reviews)
    return reviews


def write_reviews(reviews: Sequence[Review], output: pathlib.Path) -> None:
    """Write text and label of each review as CSV (RFC 4180, but a line ends in LF)."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open('w', encoding='utf-8', newline='') as stream:
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(COLUMNS)
        writer.writerows((review.text, review.label) for review in reviews)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the sample as the command line says."""
    parser = argparse.ArgumentParser(description='Write the sample data set of film reviews.')
    parser.add_argument('--output', type=pathlib.Path, default=DEFAULT_OUTPUT, metavar='FILE')
    parser.add_argument('--rows', type=int, default=DEFAULT_ROWS, metavar='N')
    parser.add_argument('--seed', type=int, default=DEFAULT_SEED, metavar='S')
    args = parser.parse_args(argv)
    if args.rows < 2:
        parser.error(f'--rows is {args.rows}, expected at least 2')
    write_reviews(make_reviews(args.rows, args.seed), args.output)


def _key(text: str) -> str:
    return ' '.join(text.casefold().split())


def _text(rng: random.Random, sentiment: str) -> str:
    author = _Author(rng, sentiment)
    form = _weighted(rng, _FORMS)
    if form == 'short':
        sentences = [author.opinion() for _ in range(rng.randint(0, 1))]
        sentences.append(author.sentence('verdict'))
    else:
        # Written in reading order: a name is given in full where it comes first.
        sentences = [author.sentence('opening')] if rng.random() < 0.55 else []
        sentences += _body(rng, author, form)
        if rng.random() < 0.7:
            sentences.append(author.sentence('verdict'))
    sentences = [_A_BEFORE_VOWEL.sub(r'\1n ', s) for s in sentences]
    sentences = [_FIRST_LETTER.sub(lambda match: match[0].upper(), s, count=1) for s in sentences]
    return _misspelt(rng, _laid_out(rng, sentences))


def _body(rng: random.Random, author: _Author, form: str) -> list[str]:
    size = rng.choices(*_SIZES)[0]
    aside_count = size if form == 'aside' else size // 3
    if rng.random() < 0.6:
        return _asides(rng, author, aside_count) + _opinions(author, form, size)
    return _opinions(author, form, size) + _asides(rng, author, aside_count)


def _opinions(author: _Author, form: str, size: int) -> list[str]:
    if form == 'aside':
        return [author.opinion() for _ in range(2)]
    if form == 'plain':
        return [author.opinion() for _ in range(size // 2 + 3)]
    opinions = [author.counter_opinion() for _ in range(size // 3 + 1)]
    opinions.append(f'{author.sentence("turn")} {author.sentence("direct")}')
    return opinions + [author.opinion() for _ in range(size // 3)]


def _asides(rng: random.Random, author: _Author, count: int) -> list[str]:
    """Write sentences that say nothing about the verdict: plot and circumstances."""
    kinds = sorted(rng.choices(('plot', 'context'), k=count), reverse=rng.random() < 0.5)
    if 'plot' in kinds:
        # Introduces the hero, whom the other plot patterns call by a pronoun.
        kinds[kinds.index('plot')] = 'premise'
    return [author.sentence(kind) for kind in kinds]


def _laid_out(rng: random.Random, sentences: Sequence[str]) -> str:
    """Join sentences, with paragraph breaks in some of the longer texts."""
    separator = ' '
    if len(sentences) > 3:
        separator = rng.choices((' ', '<br /><br />', '\n\n', '\n'), (0.60, 0.30, 0.06, 0.04))[0]
    text = sentences[0]
    for sentence in sentences[1:]:
        text += (separator if rng.random() < 0.35 else ' ') + sentence
    return text


def _misspelt(rng: random.Random, text: str) -> str:
    """Add typos, capitals or the lack of them to a few of the texts."""
    chance = rng.random()
    if chance < 0.06:
        for _ in range(rng.randint(1, 3)):
            text = _changed_word(rng, text, _typo)
    elif chance < 0.09:
        text = _changed_word(rng, text, lambda _, word: word.upper())
    elif chance < 0.12:
        text = text.lower()
    return text


def _changed_word(
    rng: random.Random, text: str, change: Callable[[random.Random, str], str]
) -> str:
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return text
    word = rng.choice(words)
    return text[: word.start()] + change(rng, word[0]) + text[word.end() :]


def _typo(rng: random.Random, word: str) -> str:
    at = rng.randint(1, len(word) - 2)
    left, right = word[:at], word[at:]
    return rng.choice((left + right[1:], left + right[0] + right, left + right[1::-1] + right[2:]))


def _weighted(rng: random.Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


if __name__ == '__main__':
    main()
