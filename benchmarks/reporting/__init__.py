"""A project and its results as one HTML page.

charts   pictures of the page
results  the section of each result
report   the page (report.html.j2)
"""
