"""A project and its results as one HTML page.

charts   charts and pictures of the page
gallery  input images with their keypoints
results  the section of each result
report   the page itself (template report.html.j2)
"""
