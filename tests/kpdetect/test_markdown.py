"""Tables in Markdown, by hand."""

from kpdetect.markdown import markdown_table


def test_a_bar_inside_a_cell_stays_in_its_cell():
    text = markdown_table(("a|b", ""), [("1", "x | y"), ("2", "")])
    assert text == "| a\\|b |  |\n| --- | --- |\n| 1 | x \\| y |\n| 2 |  |"
    assert markdown_table(("one",), []) == "| one |\n| --- |"
