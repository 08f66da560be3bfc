"""Recipes: YAML to degradations and back."""

from __future__ import annotations

import pytest

import srkit
from srkit import plugins
from srkit_datasets import JPEG, Chain, OneOf, build, dump, load_recipe, second_order
from srkit_datasets.degradations.recipes import parse, shipped


def test_the_shipped_recipe_is_the_composition():
    """second-order.yaml says the same as second_order(), option for option."""
    assert load_recipe("second-order") == second_order()


@pytest.mark.parametrize("name", shipped())
def test_shipped_recipes_survive_being_written(name):
    """What a recipe makes can be written as a recipe that makes it again."""
    made = load_recipe(name)
    assert parse(dump(made)) == made


def test_every_degradation_can_be_named():
    """A recipe can name whatever is registered, without options."""
    for entry in plugins.current().degradations:
        assert build(entry.spec.name).name == entry.spec.name
        assert parse(entry.spec.name) == build(entry.spec.name)


def test_files_of_ones_own(tmp_path):
    """A file is found by its path: steps with a scale, a list, or one degradation."""
    path = tmp_path / "mine.yaml"
    for text, expected in (
        ("scale: 2\nsteps: [{jpeg: {quality: 50}}]", Chain([JPEG(quality=(50, 50))], scale=2)),
        ("- jpeg\n- webp", Chain(["jpeg", "webp"])),
        ("one-of: {choices: [jpeg, webp], weights: [1, 2]}", OneOf(["jpeg", "webp"], weights=(1, 2))),
    ):
        path.write_text(text)
        assert load_recipe(path) == expected


@pytest.mark.parametrize(
    ("text", "words", "note"),
    [
        ("steps: [{jpg: {quality: 50}}]", "unknown degradation 'jpg'; did you mean 'jpeg'", "in 'chain'"),
        ("steps: [{jpeg: {qualty: 50}}]", "unknown option of 'jpeg' 'qualty'; did you mean 'quality'", "in 'jpeg'"),
        ("steps: [{jpeg: {quality: 101}}]", r"quality=\(101, 101\); expected two whole numbers", "in 'jpeg'"),
        ("steps: [{jpeg: 50}]", "50 are no options of 'jpeg'", "in 'jpeg'"),
        ("steps: [{jpeg: {}, webp: {}}]", "is no degradation", "in 'chain'"),
        ("steps: [{3: {}}]", "3 is no name", "in 'chain'"),
        ("steps: [\n", "this is no YAML", "in recipe"),
        ("", "None is no degradation", "in recipe"),
        ("sclae: 4\nsteps: []", "did you mean 'scale'", "in 'chain'"),
    ],
)
def test_mistakes_are_told_with_their_place(text, words, note, tmp_path):
    """A mistake in a recipe is told with what was expected, and notes say where it stands, the file last."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises((srkit.SettingsError, srkit.UnknownName), match=words) as caught:
        load_recipe(path)
    assert any(one.startswith(note) for one in caught.value.__notes__)
    assert caught.value.__notes__[-1] == f"in recipe {str(path)!r}"


def test_recipes_that_are_not_there():
    """A name nobody knows is met with the nearest; a file that is missing is told as such."""
    with pytest.raises(srkit.UnknownName, match="did you mean 'second-order'"):
        load_recipe("secondorder")
    with pytest.raises(srkit.SettingsError, match=r"there is no file 'no\.yaml'"):
        load_recipe("no.yaml")


def test_degradations_of_other_plugins(install):
    """A recipe names what any plugin registers; one that makes something else is that plugin's fault."""
    source = """
import srkit
class Rain:
    name = "rain"
    def __init__(self, **options): self.options = options
    def __call__(self, images, rng): return images
@srkit.hookimpl
def srkit_register_degradations(register):
    register(srkit.DegradationSpec(name="rain", target=__name__ + ":Rain", summary="Rain."))
    register(srkit.DegradationSpec(name="hail", target=__name__ + ":dict", summary="Hail."))
dict = dict
"""
    install("weather", source)
    plugins.reload()
    assert build({"rain": {"drops": 5}}).options == {"drops": 5}
    with pytest.raises(srkit.PluginError, match="'hail' of plugin 'fake' of weather"):
        build("hail")
