"""Texts that every model must score, whatever it was trained on."""

from __future__ import annotations

_SENTENCE = 'This film was not as good as I had hoped, but it is well worth a second look, at home.'

ODD_TEXTS: tuple[str, ...] = (
    '',
    ' ',
    ' \t\r\n\v\f ',
    'a',
    '.',
    '!?!?!?... --- ***',
    '0',
    '3.5/10 in 2024, 7,500 times',
    'A warm and funny film with a wonderful cast. I loved it.',
    'Two hours that I want back: dull, and worse than dull.',
    'GOOD good GoOd',
    'good ' * 500,
    'a' * 10_000,
    '<br /><br />A <b>bold</b> film.<br /><script>alert("no")</script> &amp; &nbsp; &#8217;',
    '{"text": "a film"}, [1, 2], \\n \\x00 %s {0}',
    "It's the director's, isn't it? “Quoted”, ‘quoted’ and «quoted»",
    'Ein schöner Film über Käse, naïve façade, Ångström',
    'e\N{COMBINING ACUTE ACCENT} \N{LATIN SMALL LETTER E WITH ACUTE} \N{ZERO WIDTH SPACE}x\ufeff',
    'Прекрасный фильм, я его люблю.',
    'この映画はとても良かった。また観たい。',
    '这部电影非常好看,我很喜欢。',
    'فيلم رائع جدا',
    'סרט נפלא',
    'एक अद्भुत फ़िल्म',
    '\N{GRINNING FACE}\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4} '
    '\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}',
    '\x01\x02\x1b[31m\x7f\x85\u2028\u2029',
    '\U0010ffff\ufffd\ufffe',
    # 20,000 words: longer than any model reads.
    ' '.join([_SENTENCE] * 1_000),
)
