"""Files of text in many encodings are read rightly, and what is odd about them is said."""

import gzip
import pydoc_data.topics
import sys
from pathlib import Path

import numpy as np
import pytest
from seqgen_text.files.decoding import BEGIN, CHUNK, TextFile

from seqgen.errors import DataError

#: A paragraph in each of several languages.
PARAGRAPHS = {
    "english": (
        "“You’re late,” the keeper said – as if that mattered. The café by the harbour had closed; "
        "only the old cook stayed, humming an air from his naïve youth… Nobody asked him why."
    ),
    "french": (
        "Le vieux pêcheur réparait ses filets près de la jetée. « Où êtes-vous passés ? » "
        "demanda-t-il à ses élèves, très fâché. Ils avaient oublié le goûter et la clé du garage."
    ),
    "german": (
        "Der Müller schloß die Tür, während draußen der Sturm über die Dächer fegte. Später hörte "
        "er Schritte: Größer als sonst wirkten die Schatten, und kühl wehte es durch die Küche."
    ),
    "spanish": (
        "El pequeño tren salió de la estación con tres años de retraso. ¿Quién lo creería? "
        "Ningún señor del pueblo llegó a tiempo, y la niña soñó con montañas y pájaros azules."
    ),
    "polish": (
        "Stary zegarmistrz mieszkał na końcu wąskiej ulicy. Każdego dnia otwierał okno, żeby "
        "usłyszeć dźwięk dzwonów. Sąsiedzi mówili, że pamięta jeszcze króla i jego złotą łódź."
    ),
    "czech": (
        "Starý hodinář bydlel na konci úzké ulice. Každý den otevíral okno, aby slyšel zvony. "
        "Sousedé říkali, že pamatuje ještě krále a jeho zlatou loď, která plula přes řeku Vltavu."
    ),
    "turkish": (
        "Yaşlı saatçi dar sokağın sonunda oturuyordu. Her gün çanların sesini duymak için "
        "penceresini açardı. Komşuları onun padişahı hâlâ hatırladığını söylerdi, kimse gülmezdi."
    ),
    "russian": (
        "Старый часовщик жил в конце узкой улицы. Каждое утро он открывал окно, чтобы услышать "
        "колокола. Соседи говорили, что он ещё помнит царя и его золотую лодку на широкой реке."
    ),
    "greek": (
        "Ο γέρος ωρολογοποιός έμενε στην άκρη του στενού δρόμου. Κάθε πρωί άνοιγε το παράθυρο για "
        "να ακούσει τις καμπάνες. Οι γείτονες έλεγαν ότι θυμάται ακόμα τον βασιλιά και τη βάρκα."
    ),
    "hebrew": (
        "השען הזקן גר בקצה הרחוב הצר. בכל בוקר פתח את החלון כדי לשמוע את הפעמונים. השכנים אמרו "
        "שהוא זוכר עדיין את המלך ואת סירת הזהב שלו, שטה על פני הנהר הרחב בלילות הקיץ."
    ),
    "arabic": (
        "كان صانع الساعات العجوز يسكن في آخر الشارع الضيق. كل صباح كان يفتح النافذة ليسمع الأجراس. "
        "قال الجيران إنه لا يزال يذكر الملك وقاربه الذهبي الذي كان يعبر النهر الواسع."
    ),
    "thai": (
        "ช่างทำนาฬิกาเฒ่าอาศัยอยู่สุดถนนแคบ ทุกเช้าเขาเปิดหน้าต่างเพื่อฟังเสียงระฆัง เพื่อนบ้านบอกว่าเขายังจำพระราชา"
        "และเรือทองคำของพระองค์ที่แล่นข้ามแม่น้ำกว้างได้"
    ),
    "chinese": (
        "老钟表匠住在一条窄街的尽头。每天早晨他都打开窗户，听远处的钟声。邻居们说，他还记得从前的国王，"
        "也记得那条渡过大河的金色小船。可是没有人问他为什么一直住在那里。"
    ),
    "taiwanese": (
        "老鐘錶匠住在一條窄街的盡頭。每天早晨他都打開窗戶，聽遠處的鐘聲。鄰居們說，他還記得從前的國王，"
        "也記得那條渡過大河的金色小船。可是沒有人問他為什麼一直住在那裡。"
    ),
    "japanese": (
        "年老いた時計職人は狭い通りの端に住んでいた。毎朝、鐘の音を聞くために窓を開けた。隣の人々は、"
        "彼がまだ王様とその金色の舟を覚えていると言った。けれども誰もその理由をたずねなかった。"
    ),
    "korean": (
        "늙은 시계공은 좁은 거리의 끝에 살았다. 매일 아침 그는 종소리를 듣기 위해 창문을 열었다. "
        "이웃들은 그가 아직도 왕과 그의 금빛 배를 기억한다고 말했다."
    ),
}

#: Encodings in which each paragraph can be written.
ENCODINGS = {
    "english": ("cp1252", "mac-roman", "utf-16", "utf-16-le", "utf-32"),
    "french": ("latin-1", "cp1252", "mac-roman", "cp437", "cp850", "utf-16-be"),
    "german": ("latin-1", "mac-roman", "cp437", "cp850", "utf-32-le"),
    "spanish": ("latin-1", "mac-roman", "cp850", "utf-32-be"),
    "polish": ("cp1250", "iso8859-2", "cp852"),
    "czech": ("cp1250", "iso8859-2", "cp852"),
    "turkish": ("cp1254", "iso8859-9"),
    "russian": ("cp1251", "koi8-r", "iso8859-5", "cp866", "mac-cyrillic", "utf-16-le"),
    "greek": ("cp1253", "iso8859-7", "utf-16-be"),
    "hebrew": ("cp1255", "iso8859-8", "utf-16-le"),
    "arabic": ("cp1256", "iso8859-6", "utf-16-le"),
    "thai": ("cp874", "utf-16-le"),
    "chinese": ("gb18030", "gbk", "utf-16-le", "utf-16-be"),
    "taiwanese": ("big5", "utf-16-le"),
    "japanese": ("shift_jis", "euc_jp", "iso2022_jp", "utf-16-be"),
    "korean": ("euc_kr", "utf-16-le"),
}

#: Lengths of the files in paragraphs; a file of several has English between them.
SIZES = (1, 6, 60)


def written(language: str, encoding: str, size: int) -> str:
    """Return a text of some paragraphs that an encoding has."""
    english = pydoc_data.topics.topics["assert"]
    text = "\n\n".join(
        [PARAGRAPHS[language], english.strip()] * size if size > 1 else [PARAGRAPHS[language]]
    )
    return text.encode(encoding, "ignore").decode(encoding)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("language", "encoding"), [(name, one) for name, some in ENCODINGS.items() for one in some]
)
def test_the_encoding_is_recognised(language, encoding, size, tmp_path: Path) -> None:
    text = written(language, encoding, size)
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    file = TextFile(path)
    assert "".join(file.chunks()) == text, file.encoding
    # A mark leaves nothing to guess.
    said = [] if encoding in ("utf-16", "utf-32") else [f"read as {file.encoding}"]
    assert [note.text for note in file.notes] == said


def notes(path: Path, encoding: str = "auto") -> tuple[str, list[str]]:
    """Return the text of a file and what is said about it."""
    file = TextFile(path, encoding)
    text = "".join(file.chunks())
    return text, [note.text for note in file.notes]


def test_utf_8_is_read_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    everything = "\n\n".join(PARAGRAPHS.values())
    for text in ("", "plain", everything, everything * 100):
        for mark in ("", "\ufeff"):
            path.write_text(mark + text, "utf-8")
            assert notes(path) == (text, [])


def test_the_encoding_shows_late_in_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "plain words\n" * (3 * CHUNK // 12) + PARAGRAPHS["russian"] + "\nplain words" * 100_000
    path.write_bytes(text.encode("koi8-r"))
    assert notes(path) == (text, ["read as koi8-r"])


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_encoding_shows_late_in_a_long_line(end: str, tmp_path: Path) -> None:
    text = "word " * 60_000 + PARAGRAPHS["french"] * 9 + end
    path = tmp_path / "line.txt"
    path.write_bytes(text.encode("cp1252"))
    file = TextFile(path)
    assert file.encoding == "cp1252" and "".join(file.chunks()) == text


@pytest.mark.parametrize("cut", [BEGIN, BEGIN + CHUNK])
def test_a_character_may_be_cut_where_reading_pauses(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    path.write_bytes(b"a" * (cut - 1) + "é".encode() + b"a" * 9)
    file = TextFile(path)
    assert file.encoding == "utf-8" and "".join(file.chunks())[cut - 1] == "é"


@pytest.mark.parametrize("text", [PARAGRAPHS["polish"] * 3, PARAGRAPHS["korean"] * 500])
def test_a_wrong_byte_costs_a_byte(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = text.replace(". ", ".\n")
    content = text.encode()
    cut = content.index(b"\n", len(content) // 2) + 1
    path.write_bytes(content[:cut] + b"\xff" + content[cut:] + b"\xe2\x82")
    expected = content[:cut].decode() + "\ufffd" + content[cut:].decode() + "\ufffd" * 2
    line = content[:cut].count(b"\n") + 1
    said = f"3 bytes are not utf-8 and read as U+FFFD, the first in line {line:,}"
    assert notes(path) == (expected, [said])
    assert notes(path, "utf-8") == (expected, [said])


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(PARAGRAPHS["russian"].encode("cp1251"))
    with pytest.raises(DataError, match=r"it is not utf-8; name another encoding, or let it be"):
        TextFile(path, "utf-8")
    assert notes(path, "koi8-r")[0] != PARAGRAPHS["russian"]
    assert notes(path, "cp1251") == (PARAGRAPHS["russian"], [])


def test_utf_8_that_was_encoded_twice_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in (PARAGRAPHS["french"], PARAGRAPHS["polish"].replace("ł", "l")):
        twice = text.encode().decode("cp1252", "ignore")
        path.write_text(twice, "utf-8")
        read, [said] = notes(path)
        assert read == twice and said.startswith("its UTF-8 was encoded twice: ")
    for text in PARAGRAPHS.values():
        path.write_text(text, "utf-8")
        assert notes(path) == (text, [])


def test_nuls_are_kept_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"words\0" * 2 + b" and more words" * 100)
    assert notes(path) == ("words\0" * 2 + " and more words" * 100, ["it has 2 NULs"])
    path.write_bytes(b"\0\x01\x02 ID3 \x7f\0")
    assert notes(path) == ("\0\x01\x02 ID3 \x7f\0", ["it has 2 NULs"])


@pytest.mark.parametrize("text", ["name\0value of a thing", "hello \0 world " * 100, "a\0bc" * 9])
def test_ascii_with_nuls_is_not_chinese(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    assert "".join(TextFile(path).chunks()) == text


def test_a_mark_that_lies_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfea")
    with pytest.raises(DataError, match="not utf-16, although it begins so"):
        TextFile(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    noise = np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()
    numbers = np.arange(5000, dtype=np.int32).tobytes()
    for content, reason in (
        (b"\x89PNG\r\n\x1a\n" + noise, "it is a PNG image"),
        (b"%PDF-1.7\n" + noise, "it is a PDF document"),
        (gzip.compress(b"text" * 1000), "it is compressed by gzip"),
        (noise, "of its first 5,000 bytes are control codes"),
        (numbers, "are control codes"),
        (Path(sys.executable).read_bytes()[:10_000], "it is a program"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=reason):
            TextFile(path)
