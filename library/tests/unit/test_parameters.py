"""A wrong parameter must be refused before anything runs, with the name of what is wrong."""

import nbformat
import pytest
from stagebook.project.errors import StepError
from stagebook.step.parameters import check_parameters, notebook_parameters, step_parameters

DEFAULTS = {"learning_rate": 0.1, "max_iter": 100, "columns": ["a"], "day": "2013-01-01", "anything": None}
GIVEN = {"learning_rate": 1, "max_iter": 5, "columns": [], "day": "2013-02-01", "anything": [1, "x"]}


def test_values_of_the_right_types_pass():
    check_parameters(GIVEN, DEFAULTS, "train", "50_train.ipynb")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"learning_rat": 0.1},
            "`train.learning_rat` is not a parameter of 50_train.ipynb; did you mean `learning_rate`?",
        ),
        ({"max_iter": "many"}, "`train.max_iter` is 'many' (str); it must be int"),
        ({"max_iter": 1.5}, "it must be int"),
        ({"max_iter": True}, "it must be int"),
        ({"day": 20130101}, "Write it in quotes."),
        ({"columns": ["b", 3]}, "`train.columns` has an element that is 3"),
        ({"columns": "b"}, "it must be list"),
    ],
)
def test_wrong_parameter_is_named(change, words):
    with pytest.raises(StepError) as error:
        check_parameters(GIVEN | change, DEFAULTS, "train", "50_train.ipynb")
    assert words in str(error.value)


def test_missing_parameter_is_named_with_its_default():
    given = {name: value for name, value in GIVEN.items() if name != "max_iter"}
    with pytest.raises(StepError, match=r"`train.max_iter` is missing; its default in 50_train.ipynb is 100"):
        check_parameters(given, DEFAULTS, "train", "50_train.ipynb")


@pytest.mark.parametrize("text", ["train: [1]", "train: 3", "train: {a: 1", "train: {a: 1, a: 2}"])
def test_unusable_params_file_is_named(tmp_path, text):
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(StepError, match=r"params\.yaml"):
        step_parameters(file, "train")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([("a = 1", [])], "0 cells have the tag"),
        ([("a = 1", ["parameters"]), ("b = 1", ["parameters"])], "2 cells have the tag"),
        ([("a = 1\nb = a + 1", ["parameters"])], "`b = a \\+ 1`"),
    ],
)
def test_unusable_parameters_cell_is_named(tmp_path, cells, words):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in cells]
    )
    nbformat.write(notebook, tmp_path / "10_step.ipynb")
    with pytest.raises(StepError, match=words):
        notebook_parameters(tmp_path / "10_step.ipynb")


def test_a_notebook_of_another_language_is_refused(tmp_path):
    cell = nbformat.v4.new_code_cell("up_to = 1", metadata={"tags": ["parameters"]})
    kernel = {"name": "ir", "language": "R", "display_name": "R"}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), tmp_path / "n.ipynb")
    with pytest.raises(StepError, match="its kernel is for R; a step runs Python"):
        notebook_parameters(tmp_path / "n.ipynb")
