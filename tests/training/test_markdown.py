from training.markdown import table


def test_every_line_has_a_cell_for_each_column():
    text = table(["name", "count"], [("a", 1), ("b", 2.5)])
    assert text == "| name | count |\n| --- | --- |\n| a | 1 |\n| b | 2.5 |"
