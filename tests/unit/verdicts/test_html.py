from npvae.verdicts.html import as_html


def test_a_table_is_a_table_in_a_browser() -> None:
    page = as_html("# Claims\n\n| claim | verdict |\n|---|---|\n| **a < b** | yes<br>no |\n")
    assert "<h1>Claims</h1>" in page
    assert "<th>verdict</th>" in page
    assert "<td><strong>a &lt; b</strong></td>" in page
    assert "<td>yes<br>no</td>" in page
