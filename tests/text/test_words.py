from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.text.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("A dog's t-shirt, size 2.5.", ["A", "dog's", "t-shirt", "size", "2.5"], id="inner marks join"),
        pytest.param("'quoted' -dash- end-", ["quoted", "dash", "end"], id="outer marks do not"),
        pytest.param("the dogs’ owner’s", ["the", "dogs", "owner’s"], id="curly apostrophe"),
        pytest.param("Ein Straßencafé in Köln", ["Ein", "Straßencafé", "in", "Köln"], id="Latin with accents"),
        pytest.param("cafe\u0301 noir", ["cafe\u0301", "noir"], id="combining accent"),
        pytest.param("Собака бежит по траве.", ["Собака", "бежит", "по", "траве"], id="Cyrillic"),
        pytest.param("كَلْبٌ يَجْرِي، هُنا؟", ["كَلْبٌ", "يَجْرِي", "هُنا"], id="Arabic with vowel marks"),
        pytest.param("कुत्ता दौड़ रहा है।", ["कुत्ता", "दौड़", "रहा", "है"], id="Devanagari"),
        pytest.param("黒い犬", ["黒", "い", "犬"], id="Japanese, a character a word"),
        pytest.param("ラーメン", ["ラー", "メ", "ン"], id="a long vowel belongs to its kana"),
        pytest.param("狗red跑", ["狗", "red", "跑"], id="ideographs end a Latin word"),
        pytest.param("개가 달린다", ["개가", "달린다"], id="Hangul is written with spaces"),
        pytest.param("🐕 👩‍🚒 🇩🇪!", ["🐕", "👩‍🚒", "🇩🇪"], id="pictographs with joiners and flags"),
        pytest.param(" ... !? \n\t", [], id="no word"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_words_of_many_scripts(text, expected):
    assert [w.text for w in words(text)] == expected


any_text = st.text(st.sampled_from("aZé9狗カー\u0301\u200d ्कञ🐕🇩️\n\u3000.'-’!") | st.characters(), max_size=40)


@given(any_text)
def test_offsets_are_exact_ordered_and_apart(text):
    end = 0
    for w in words(text):
        assert end <= w.start < w.end
        assert text[w.start : w.end] == w.text
        assert not any(c.isspace() for c in w.text)
        end = w.end


@given(any_text)
def test_no_letter_is_lost(text):
    covered = {i for w in words(text) for i in range(w.start, w.end)}
    assert not [c for i, c in enumerate(text) if c.isalpha() and i not in covered]
