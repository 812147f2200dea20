"""A project and its results as one HTML page.

charts   charts and pictures of the page
results  the section of each result
report   the page itself (template report.html.j2)
"""
