from __future__ import annotations

import json
import re
import string
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies

from components.transform import text
from components.transform.text import Punctuation

Golden = list[tuple[str | bytes, list[str]]]

DROP: Golden = [
    ('', []),
    (' \t\r\n', []),
    ('?!... --- "\'" $%&', []),
    ('<br />', []),
    ('Good<br>bad<br/>ugly<BR />fine<Br\n/>end', ['good', 'bad', 'ugly', 'fine', 'end']),
    ('<b>bold</b> 3.5 < br>', ['bboldb', '35', 'br']),
    ("It's GOOD, isn't it? Well-made; a_b", ['its', 'good', 'isnt', 'it', 'wellmade', 'ab']),
    ('a\tb\nc\r\nd  e', ['a', 'b', 'c', 'd', 'e']),
    ('IŞIL ışıl İyi', ['işil', 'ışıl', 'i\u0307yi']),
    ('Straße GROẞ ÄÖÜ', ['straße', 'groß', 'äöü']),
    ('ПРИВЕТ, Мир!', ['привет', 'мир']),
    ('ΟΔΟΣ Σοφία', ['οδος', 'σοφία']),
    ('ÍNDICE Ìì', ['índice', 'ìì']),
    ('Great 🎬😀!', ['great', '🎬😀']),
    ('最高の映画 Ａ', ['最高の映画', 'ａ']),
    ('don’t “quote”', ['don’t', '“quote”']),
    (b'bad \xff\xfe byte\xc3', ['bad', '\ufffd\ufffd', 'byte\ufffd']),
    ('before\x00after', ['before', 'after']),
    ('no\u00a0break\u3000wide\u2028line', ['no', 'break', 'wide', 'line']),
    ('Film. ' * 100_000, ['film'] * 100_000),
    ('x' * 1_000_000, ['x' * 1_000_000]),
]
# Symbols that touch a word, or each other.
SYMBOLS: Golden = [
    ('the film thing 😍', ['the', 'film', 'thing', '😍']),
    ('the film thing😍', ['the', 'film', 'thing', '😍']),
    ('thing 😍😍', ['thing', '😍', '😍']),
    ('\U0001fa75new\U0001faef', ['\U0001fa75', 'new', '\U0001faef']),
    ('❤️ ❤ ❤︎ love❤️', ['❤', '❤', '❤', 'love', '❤']),
    ('☹️bad☹', ['☹', 'bad', '☹']),
    ('👍🏽 👍🏿👍', ['👍', '👍', '👍']),
    ('🏽', []),
    ('us👨‍👩‍👧👪', ['us', '👨\u200d👩\u200d👧', '👪']),
    ('🤷🏽‍♀️ 🤷‍♀', ['🤷\u200d♀'] * 2),
    ('❤️‍🔥🏳️‍🌈', ['❤\u200d🔥', '🏳\u200d🌈']),
    ('🇩🇪🇫🇷 🇩', ['🇩🇪', '🇫🇷', '🇩']),
    (
        'go🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!',
        ['go', '🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f', '!'],
    ),
    ('top1️⃣ #️⃣', ['top', '1⃣', '#⃣']),
    ('★★★☆☆ ★★★★☆film', ['★★★☆☆', '★★★★☆', 'film']),
    ('⭐⭐⭐⭐⭐', ['⭐⭐⭐⭐⭐']),
    ('✓good ✗bad→end', ['✓', 'good', '✗', 'bad', '→', 'end']),
    ('Film™ © 2024® 5° ♥♪', ['film', '™', '©', '2024', '®', '5', '°', '♥', '♪']),
    ('3½ €5 $5 5£', ['3', '½', '€', '5', '$', '5', '5', '£']),
    (':-) :) :( :-( ;) :/ =)', [':-)', ':)', ':(', ':-(', ';)', ':/', '=)']),
    ("good:)bad!:( end:'(", ['good', ':)', 'bad', '!', ':(', 'end', ':(']),
    ('(nice :-)) ok:).', ['(', 'nice', ':-))', 'ok', ':)', '.']),
    ('great:D :P =D ;-p :o', ['great', ':d', ':p', '=d', ';-p', ':o']),
    ('I <3 it, love<3 hate</3', ['i', '<3', 'it', ',', 'love', '<3', 'hate', '</3']),
    ('a:dog x<30 1:1', ['a', ':', 'dog', 'x', '<', '30', '1', ':', '1']),
    ('^_^ -_- (: ¯\\_(ツ)_/¯', ['^_^', '-_-', '(:', '¯', '\\_(', 'ツ', ')_/', '¯']),
    ('a -> b => c <- d', ['a', '->', 'b', '=>', 'c', '<-', 'd']),
    ('10:30 C++ C# F#; #1', ['10', ':', '30', 'c', '++', 'c', '#', 'f', '#', ';', '#', '1']),
    ('#MeToo so#tired #Été', ['#', 'metoo', 'so', '#', 'tired', '#', 'été']),
    ('.@User_1: hi @you', ['.', '@user_1', ':', 'hi', '@you']),
    ('me@mail.org', ['me', '@', 'mail', '.', 'org']),
    ('see http://x.y/z) (HTTPS://x.y/?a=1#b).', ['see', 'http', ')', '(', 'http', ').']),
    ('http://x.y/😍 http:// www.x.y', ['http', '😍', 'http', '://', 'www', '.', 'x', '.', 'y']),
    ('최고👍 映画😍 رائع😍', ['최고', '👍', '映', '画', '😍', 'رائع', '😍']),
    ('كيف؟ अच्छा। Καλό·', ['كيف', '؟', 'अच्छा', '।', 'καλό', '·']),
    ('cafe\u0301😍', ['cafe\u0301', '😍']),
]
SPLIT: Golden = [
    ('', []),
    (' \t\r\n', []),
    ("'", []),
    ("'’''", []),
    ("It's GOOD, isn't it?", ['its', 'good', ',', 'isnt', 'it', '?']),
    ('don’t ‘quote’', ['dont', '‘', 'quote']),
    ("rock'n'roll 'twas", ['rocknroll', 'twas']),
    ('Well-made; a_b', ['well', '-', 'made', ';', 'a', '_', 'b']),
    ('No... way?! (yes)', ['no', '...', 'way', '?!', '(', 'yes', ')']),
    ('...', ['...']),
    ('8/10, 3.5', ['8', '/', '10', ',', '3', '.', '5']),
    ('a<br />b<br>c<BR/>d<Br\n/>e', ['a', 'b', 'c', 'd', 'e']),
    ('!<br /><br />!', ['!', '!']),
    ('<b>bold</b>', ['<', 'b', '>', 'bold', '</', 'b', '>']),
    ('Fin… «oui» ¿qué?', ['fin', '…', '«', 'oui', '»', '¿', 'qué', '?']),
    ('“Good”—bad–ugly', ['“', 'good', '”', '—', 'bad', '–', 'ugly']),
    ('……', ['…', '…']),
    ('好。坏、？！', ['好', '。', '坏', '、', '\uff1f', '\uff01']),
    ('最高の映画', ['最', '高', 'の', '映', '画']),
    ('スゴイ movie好', ['ス', 'ゴ', 'イ', 'movie', '好']),
    ('ดีมาก', [*'ดีมาก']),
    ('영화가 정말 좋다.', ['영화가', '정말', '좋다', '.']),
    ('ПРИВЕТ, Мир!', ['привет', ',', 'мир', '!']),
    ('ΟΔΟΣ Straße İyi', ['οδος', 'straße', 'i\u0307yi']),
    ('naïve ª º µ', ['naïve', 'ª', 'º', 'µ']),
    ('Great 🎬😀!', ['great', '🎬', '😀', '!']),
    *SYMBOLS,
    (b'bad \xff\xfe byte\xc3', ['bad', '\ufffd\ufffd', 'byte\ufffd']),
    ('before\x00after', ['before', 'after']),
    ('no\u00a0break\u3000wide\u2028line', ['no', 'break', 'wide', 'line']),
    ('Film. ' * 20_000, ['film', '.'] * 20_000),
    ('!' * 100_000, ['!' * 100_000]),
]
GOLDEN: dict[Punctuation, Golden] = {'drop': DROP, 'split': SPLIT}
PUNCTUATION = frozenset(string.punctuation)


def encode(texts: Sequence[str | bytes]) -> list[bytes]:
    return [each.encode() if isinstance(each, str) else each for each in texts]


def decode(rows: tf.RaggedTensor) -> list[list[str]]:
    return [[word.decode() for word in row] for row in rows.to_list()]


def words(texts: Sequence[str | bytes], punctuation: Punctuation = 'drop') -> list[list[str]]:
    return decode(text.tokenize(tf.constant(encode(texts), tf.string), punctuation))


def in_batches(texts: Sequence[bytes], punctuation: Punctuation) -> list[list[str]]:
    batches = tf.data.Dataset.from_tensor_slices(list(texts)).batch(3)
    batches = batches.map(lambda batch: text.tokenize(batch, punctuation))
    return [row for batch in batches for row in decode(batch)]


def in_a_graph(texts: Sequence[bytes], punctuation: Punctuation) -> list[list[str]]:
    signature = [tf.TensorSpec([None], tf.string)]
    tokenize = tf.function(lambda batch: text.tokenize(batch, punctuation), signature)
    return decode(tokenize(tf.constant(texts)))


@pytest.mark.parametrize(
    ('punctuation', 'given', 'expected'),
    [(kind, given, expected) for kind, golden in GOLDEN.items() for given, expected in golden],
    ids=lambda value: repr(value)[:40],
)
def test_words_equal_those_of_the_golden_table(
    punctuation: Punctuation, given: str | bytes, expected: list[str]
) -> None:
    assert words([given], punctuation) == [expected]


@pytest.mark.parametrize('punctuation', ['drop', 'split'])
@pytest.mark.parametrize('tokenize', [in_batches, in_a_graph])
def test_words_are_equal_when_tokenized_in_batches_or_in_a_graph(
    tokenize: Callable[[Sequence[bytes], Punctuation], list[list[str]]], punctuation: Punctuation
) -> None:
    texts = encode([given for given, _ in GOLDEN[punctuation]])
    assert tokenize(texts, punctuation) == words(texts, punctuation)


def test_result_has_no_rows_when_the_batch_is_empty() -> None:
    assert words([]) == words([], 'split') == []


# Prints a text in lower case, without and with this project's code, once in each language. The
# language is read when TensorFlow needs it first, so forks share the import of TensorFlow.
IN_LANGUAGES = """
import json, os, sys
import tensorflow as tf
from components.transform import text
given, *languages = sys.argv[1:]
for language in languages:
    child = os.fork()
    if child == 0:
        os.environ.update(LANG=language, LC_ALL=language)
        found = tf.strings.lower([given], encoding='utf-8'), text.normalize(tf.constant([given]))
        print(json.dumps([lower.numpy()[0].decode() for lower in found]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_words_are_equal_when_the_locale_differs() -> None:
    # ICU uses the language of the process: in Turkish, I becomes a dotless i.
    languages = ('tr_TR.UTF-8', 'lt_LT.UTF-8')
    done = subprocess.run(
        [sys.executable, '-c', IN_LANGUAGES, 'I LIKE IT. İyi ÌÍĨ', *languages],
        stdout=subprocess.PIPE,
        check=True,
    )
    of_icu, ours = zip(*map(json.loads, done.stdout.splitlines()))
    assert of_icu[0].startswith('ı lıke ıt')
    assert of_icu[0] != of_icu[1]
    assert list(ours) == ['i like it i\u0307yi ìíĩ'] * len(languages)


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(strategies.lists(strategies.text('aZ9 \t\n<br/>BR.\'"-_[]^\\~', max_size=30)))
def test_words_equal_those_of_plain_python_when_texts_are_ascii(texts: list[str]) -> None:
    punctuation = f'[{re.escape(string.punctuation)}]'
    expected = [
        re.sub(punctuation, '', re.sub(r'<br\s*/?>', ' ', given.lower())).split() for given in texts
    ]
    assert words(texts) == expected


@hypothesis.settings(deadline=None, max_examples=150)
@hypothesis.given(
    strategies.lists(
        strategies.one_of(
            strategies.text(max_size=30),
            strategies.text('aZ9é好の \t\n\u00a0\u3000\x00<br/>BR.\'’"-_[]^\\~…«»', max_size=30),
        ),
        max_size=4,
    )
)
def test_no_word_has_spaces_or_mixes_marks_with_letters_when_texts_are_random(
    texts: list[str],
) -> None:
    given = [each.encode('utf-8', 'replace') for each in texts]
    for row in words(given, 'split'):
        for word in row:
            assert word
            assert not any(character in ' \t\n\r\v\f\x00' for character in word)
            assert not any(unicodedata.category(character) == 'Zs' for character in word)
            assert "'" not in word
            assert '’' not in word
            # A mention, an emoticon, or a key of a telephone, without its last letter.
            rest = re.sub(r'^@(?=\w)|[dpo]$|^</?3$|\u20e3$', '', word)
            assert set(rest) <= PUNCTUATION or not set(rest) - {'_'} & PUNCTUATION


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(strategies.text('aZ9 \t\n<br/>BR.\'"-_[]^\\~', max_size=40))
def test_only_punctuation_differs_when_it_is_split_instead_of_dropped(given: str) -> None:
    split = ''.join(words([given], 'split')[0])
    dropped = text.normalize(tf.constant([given])).numpy()[0].decode()
    assert [c for c in split if c not in PUNCTUATION] == [c for c in dropped if not c.isspace()]
