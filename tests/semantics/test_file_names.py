import pytest

from sair_core.semantics.file_names import word_of


@pytest.mark.parametrize(
    ("stem", "word"),
    [
        ("opennature_anas-acuta", "bird"),
        ("flowers_tulips_13910028149", "tulip"),
        ("flowers_dandelion_5", "dandelion"),
        ("imagenetsample_n01978287_dungeness_crab", "dungeness crab"),
        ("n02747177_ashcan", "trash can"),
        ("imagenetsample_n001_crab", None),
        ("feedme_0003009", "food"),
        ("houses_12", None),
        ("opennature", None),
    ],
)
def test_file_names_say_what_a_photo_shows(stem, word):
    assert word_of(stem) == word
