"""Cartoon faces, drawn by a procedure that knows where everything is: a test bed with exact keypoints.

Reading order
    scene       every factor that varies, its range, and how sample i of a seed is drawn
    geometry    where a scene's outlines and keypoints lie in the frame
    background  what is behind the head
    render      image, object mask, keypoints and visibility of a scene
    dataset     a folder of them, written so that it can be interrupted
"""
