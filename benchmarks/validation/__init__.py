"""Does the verdict's score predict the error? `python -m benchmarks.validation TABLE --out DIR`.

TABLE is a CSV with a line per detector: the detector, a folder of images and annotations of some images. For each line the
command gathers the evidence without labels and measures the true error with the annotations. It writes `detectors.csv` and
`keypoints.csv` to DIR, and prints rank correlations. A line that was measured before is read from DIR/cache.

Reading order:
    case           one line of the table
    truth          the true errors, from annotations
    measurement    the evidence and the truth of one line, with the cache
    correlations   rank correlations over all lines, within categories, and with a category left out
"""
