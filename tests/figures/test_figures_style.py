"""Style: colours, names, deterministic bytes."""

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from simcons.figures import style
from simcons.figures.words import short

HERE = Path(__file__).parent


def test_known_values_have_their_colour_whatever_else_is_there():
    alone = style.category_colours("objective", ["Supervised"])
    among = style.category_colours("objective", ["Supervised", "Untrained", "made up", "SimCLR"])
    assert alone["Supervised"] == among["Supervised"] == "#0072B2"


@given(st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=8))
def test_colours_do_not_depend_on_order_and_differ(names):
    ordered = sorted(names)
    first = style.category_colours("x", ordered)
    assert first == style.category_colours("x", reversed(ordered))
    assert len(set(first.values())) == len(names)


def test_unknown_values_never_look_like_a_known_objective():
    assert not {"#0072B2", "#D55E00", "#009E73", "#7F7F7F"} & set(style.POOL)


def test_an_unknown_value_is_not_given_a_colour_that_looks_like_a_known_one():
    known = ["Supervised", "Self-Supervised", "Image-Text"]
    for name in ("Odd one", "Another", "a", "b", "c", "d", "e", "f"):
        colours = style.category_colours("objective", [*known, name])
        nearest = min(style._distance(colours[name], colours[other]) for other in known)
        assert nearest > style.ALIKE, (name, colours[name])


@given(st.text(min_size=1, max_size=80), st.integers(8, 40))
def test_short_keeps_the_limit_and_both_ends(text, limit):
    shortened = short(text, limit)
    assert len(shortened) <= limit
    if len(text) > limit:
        assert shortened[0] == text[0]
        assert shortened[-1] == text[-1]
    else:
        assert shortened == text


def test_text_is_dark_on_yellow_and_white_on_navy():
    assert style.text_on("#fde725") == style.INK
    assert style.text_on("#332288") == "white"


@style.styled
def _figure() -> Figure:
    figure = style.new_figure(3, 2, "A title")
    figure.subplots().plot([0, 1], [1, 0])
    return figure


def test_saved_files_hold_no_date_and_no_version(tmp_path):
    png, pdf = style.save(_figure(), tmp_path, "a")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"tEXt" not in png.read_bytes()
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert b"CreationDate" not in content
    assert b"atplotlib" not in content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png"]


def test_the_callers_rc_settings_neither_matter_nor_change(tmp_path):
    import matplotlib as mpl

    plain = style.png_bytes(_figure())
    with mpl.rc_context({"font.size": 30.0, "savefig.dpi": 20}):
        assert style.png_bytes(_figure()) == plain
        assert mpl.rcParams["font.size"] == 30.0


def test_bytes_do_not_depend_on_the_process_or_the_hash_seed():
    code = (
        "import hashlib; from synthetic_study import study\n"
        "from simcons.figures import catalogue, style\n"
        "entry = catalogue(study(3, 6, measures=('cka_linear',)))[2]\n"
        "for save in (style.png_bytes, style.pdf_bytes):\n"
        "    print(hashlib.sha256(save(entry.figure.draw())).hexdigest())"
    )
    seen = set()
    for seed in ("1", "2"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{HERE}:{HERE.parents[1] / 'src'}"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_titles_break_into_lines_of_one_length():
    title = "Consistency by training objective: median r from 0.09 to 0.93 over data set pairs"
    lines = style.wrap_title(title, 5.0).split("\n")
    assert " ".join(lines) == title
    assert len(lines) == 2
    assert abs(len(lines[0]) - len(lines[1])) < 12
    assert style.wrap_title("short", 5.0) == "short"
    assert style.wrap_title("", 5.0) == ""


def test_names_of_panels_keep_both_ends_where_they_fit_two_lines():
    assert style.two_lines("CIFAR-100 (coarse labels)", 17) == "CIFAR-100 (coarse\nlabels)"
    assert style.two_lines("DTD", 17) == "DTD"
    assert style.two_lines("a b c d e f g", 5) == "a b c\nd e…"
