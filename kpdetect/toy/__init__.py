"""Draw cartoon faces with exactly known keypoints, as a test data set.

Reading order
    scene       every varying factor, its range, and the random scene i of a seed
    geometry    the places of a scene's outlines and keypoints in the image
    background  the background behind the head
    render      image, object mask, keypoints and visibility of a scene
    dataset     a folder of such images, whose writing can be interrupted and continued
"""
