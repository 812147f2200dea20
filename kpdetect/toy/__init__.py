"""Draw cartoon faces with exactly known keypoints, as a test data set.

Reading order
    scene       the varying factors of a face, their ranges, and random scenes
    geometry    the places of a scene's outlines and keypoints in the image
    background  the background behind the head
    render      draws the image and the mask of a scene
    dataset     writes a folder of such images; an interrupted call can be continued
"""
